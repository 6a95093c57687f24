//! What may be on the volume, and what a kill may leave there.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::world::{Declared, World, stderr};

#[test]
fn a_broken_file_is_left_as_it_is_and_not_quoted() {
    let world = World::new();
    for broken in [&br#"{"gateway":{"auth":{"token":"canary-in-file"}"#[..], b"[1]", b"null", b"\xff\xfe{}"] {
        world.write("data/openclaw.json", broken);
        let output = world.start(&Declared::default());
        assert_eq!(fs::read(world.path("data/openclaw.json")).unwrap(), broken);
        let line = stderr(&output);
        assert!(line.contains("openclaw.json is left as it is"), "{line}");
        assert!(!line.contains("canary"), "{line}");
        assert!(world.path("data/started.json").exists(), "the gateway gives the verdict");
    }
}

#[test]
fn a_file_that_is_no_file_or_too_large_is_left_alone() {
    let world = World::new();
    fs::create_dir(world.path("data/openclaw.json")).unwrap();
    let output = world.start(&Declared::default());
    assert!(stderr(&output).contains("not a regular file"), "{}", stderr(&output));
    fs::remove_dir(world.path("data/openclaw.json")).unwrap();
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(5 << 20));
    world.write("data/openclaw.json", &large);
    let output = world.start(&Declared::default());
    assert!(stderr(&output).contains("larger than"), "{}", stderr(&output));
    assert_eq!(world.read("data/openclaw.json"), large);
}

#[test]
fn an_empty_file_counts_as_none() {
    let world = World::new();
    world.write("data/openclaw.json", "\n");
    world.start(&Declared::default());
    assert_eq!(world.config()["gateway"]["mode"], "local");
}

/// Stands for the image's parser: takes comments and a trailing comma.
const JSON5: &str =
    r#"exports.parse = (text) => JSON.parse(text.replace(/\/\/.*/g, "").replace(/,\s*}/g, "}"));"#;

#[test]
fn json5_is_read_with_the_image_s_parser_and_kept_beside() {
    let world = World::new();
    let commented = "{ // mine\n \"gateway\": {\"port\": 3001,},\n}";
    world.write("data/openclaw.json", commented);
    let output = world.start(&Declared::default());
    assert!(stderr(&output).contains("left as it is"), "{}", stderr(&output));
    world.write("app/node_modules/json5/index.js", JSON5);
    let output = world.start(&Declared::default());
    assert!(!stderr(&output).contains("left as it is"), "{}", stderr(&output));
    assert_eq!(world.config()["gateway"]["port"], 3001);
    assert_eq!(world.config()["gateway"]["mode"], "local");
    assert_eq!(world.read("data/.moorage/openclaw.json5.bak"), commented);
}

#[test]
fn the_mode_of_the_file_is_kept_and_a_new_one_is_private() {
    let world = World::new();
    let mode = |path: &str| fs::metadata(world.path(path)).unwrap().permissions().mode() & 0o777;
    world.start(&Declared::default());
    assert_eq!(mode("data/openclaw.json"), 0o600);
    assert_eq!(mode("data/.moorage"), 0o700);
    fs::set_permissions(world.path("data/openclaw.json"), fs::Permissions::from_mode(0o640)).unwrap();
    world.start(&Declared { persona: Some("Bea"), ..Declared::default() });
    assert_eq!(mode("data/openclaw.json"), 0o640);
}

#[test]
fn a_link_stays_a_link() {
    let world = World::new();
    world.write("data/real.json", r#"{"gateway":{"port":3001}}"#);
    symlink("real.json", world.path("data/openclaw.json")).unwrap();
    world.start(&Declared::default());
    assert!(world.path("data/openclaw.json").is_symlink());
    assert!(world.read("data/real.json").contains("trustedProxies"));
    assert_eq!(world.config()["gateway"]["port"], 3001);
}

#[test]
fn a_record_that_is_broken_costs_only_the_memory_of_what_was_ours() {
    for record in ["{", "null", r#"{"values":{"gateway/mode":"no list","__proto__":["x"],"":["y"]}}"#] {
        let world = World::new();
        world.write("data/.moorage/owned.json", record);
        world.write("data/openclaw.json", r#"{"gateway":{"port":3001}}"#);
        world.start(&Declared::default());
        assert_eq!(world.config()["gateway"]["port"], 3001);
        assert_eq!(world.config()["gateway"]["mode"], "local");
        assert!(world.read("data/.moorage/owned.json").contains("trustedProxies"));
    }
}

#[test]
fn no_secret_of_the_environment_is_written_or_printed() {
    let world = World::new();
    let output = world.start(&Declared::default());
    assert!(!stderr(&output).contains("canary-token"));
    for file in ["openclaw.json", ".moorage/owned.json", "workspace/IDENTITY.md"] {
        assert!(!world.read(&format!("data/{file}")).contains("canary-token"));
    }
}

#[test]
fn a_kill_at_any_moment_leaves_a_whole_file_and_the_next_start_mends_the_rest() {
    let world = World::new();
    let filler: String = "x".repeat(200_000); // a write long enough to be caught in
    world.write("data/openclaw.json", format!(r#"{{"mine":"{filler}"}}"#));
    let names = ["Ada", "Bea", "Cy"];
    for round in 0..24_u64 {
        let declared = Declared {
            persona: Some(names[usize::try_from(round).unwrap() % names.len()]),
            ..Declared::default()
        };
        let mut child = world.command(&declared, "exit:1").spawn().unwrap();
        sleep(Duration::from_millis(20 + 3 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let config: Value = world.config();
        assert_eq!(config["mine"].as_str().unwrap().len(), filler.len());
    }
    world.start(&Declared::default());
    let entries = world.config()["agents"]["entries"].clone();
    assert_eq!(entries["main"]["identity"]["name"], "Ada");
    assert!(!world.path("data/.openclaw.json.moorage-tmp").exists());
}

/// A kill between the record's claim and the write to the file, and one
/// between that write and the record: both look like this to the next start.
#[test]
fn what_an_interrupted_start_claimed_is_known_to_be_ours() {
    for reached_the_file in ["https://lost.fly.dev", "https://mine.example"] {
        let world = World::new();
        world.start(&Declared::default());
        let claim = r#""https://ops.fly.dev","https://lost.fly.dev""#;
        let record = world.read("data/.moorage/owned.json").replace(r#""https://ops.fly.dev""#, claim);
        world.write("data/.moorage/owned.json", record);
        let mut config = world.config();
        config["gateway"]["controlUi"]["allowedOrigins"] =
            vec!["https://ops.fly.dev", reached_the_file].into();
        world.write("data/openclaw.json", config.to_string());
        world.start(&Declared::default());
        let origins = world.config()["gateway"]["controlUi"]["allowedOrigins"].to_string();
        assert!(!origins.contains("lost"), "{origins}");
        assert_eq!(origins.contains("mine"), reached_the_file.contains("mine"));
    }
}

#[test]
fn a_write_that_stops_midway_leaves_the_old_file_whole() {
    let world = World::new();
    let old = format!(r#"{{"mine":"{}"}}"#, "x".repeat(200_000));
    world.write("data/openclaw.json", &old);
    let start = world.command(&Declared::default(), "exit:1");
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -f 64 && exec \"$@\"", "sh"]) // no file may grow beyond this
        .arg(start.get_program())
        .args(start.get_args())
        .current_dir(start.get_current_dir().unwrap())
        .envs(start.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let output = limited.output().unwrap();
    assert_eq!(world.read("data/openclaw.json"), old);
    assert_eq!(output.status.code(), Some(0));
    let line = stderr(&output);
    assert!(line.contains("can't apply the declared configuration (EFBIG"), "{line}");
    world.start(&Declared::default());
    assert_eq!(world.config()["gateway"]["mode"], "local");
}
