//! The script as a process: what it ends with, and what it hands to the gateway.

use std::fs;

use crate::world::{Declared, World, kill, stderr};

#[test]
fn a_gateway_s_failure_is_passed_on() {
    let world = World::new();
    for code in [1, 2, 134] {
        let output = world.start_as(&Declared::default(), &format!("exit:{code}"));
        assert_eq!(output.status.code(), Some(code));
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn a_refused_configuration_is_a_reported_stop() {
    let world = World::new();
    let output = world.start_as(&Declared::default(), "exit:78");
    assert_eq!(output.status.code(), Some(0));
    let line = stderr(&output);
    assert!(line.starts_with("moorage: gateway refused its configuration (exit 78)"), "{line}");
    assert_eq!(line.lines().count(), 1);
}

#[test]
fn an_end_that_nobody_asked_for_is_not_zero() {
    let world = World::new();
    let output = world.start_as(&Declared::default(), "exit:0");
    assert_eq!(output.status.code(), Some(75));
    assert!(stderr(&output).contains("ended by itself"));
}

#[test]
fn death_by_a_signal_is_128_and_its_number() {
    let world = World::new();
    for (signal, code) in [("SIGKILL", 137), ("SIGSEGV", 139), ("SIGTERM", 143)] {
        let output = world.start_as(&Declared::default(), &format!("die:{signal}"));
        assert_eq!(output.status.code(), Some(code), "{signal}");
    }
}

#[test]
fn a_stop_reaches_the_gateway_once_and_its_end_is_waited_for() {
    for signal in ["TERM", "INT", "HUP"] {
        let world = World::new();
        let child = world.start_serving(&Declared::default(), 0);
        kill(&child, &format!("-{signal}"));
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(world.read("data/signals"), format!("SIG{signal}\n"));
    }
}

#[test]
fn an_asked_end_keeps_its_code() {
    let world = World::new();
    let child = world.start_serving(&Declared::default(), 3);
    kill(&child, "-TERM");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(3));
}

#[test]
fn other_signals_pass_without_asking_for_an_end() {
    let world = World::new();
    let child = world.start_waiting(&Declared::default(), "restart:0");
    kill(&child, "-USR2");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(75));
    assert_eq!(world.read("data/signals"), "SIGUSR2\n");
}

#[test]
fn a_second_start_on_the_same_volume_ends_without_touching_it() {
    let world = World::new();
    let first = world.start_serving(&Declared::default(), 0);
    let before = world.read("data/openclaw.json");
    let second = world.start(&Declared { persona: Some("Bea"), ..Declared::default() });
    assert_eq!(second.status.code(), Some(75));
    assert!(stderr(&second).contains("another start holds"));
    assert_eq!(world.read("data/openclaw.json"), before);
    kill(&first, "-TERM");
    assert_eq!(first.wait_with_output().unwrap().status.code(), Some(0));
    assert_eq!(world.start_as(&Declared::default(), "exit:5").status.code(), Some(5));
}

#[test]
fn a_kill_leaves_no_lock_behind() {
    let world = World::new();
    let mut first = world.start_serving(&Declared::default(), 0);
    let gateway = gateway_of(first.id());
    first.kill().unwrap();
    first.wait().unwrap();
    let code = world.start_as(&Declared::default(), "exit:5").status.code();
    fs::metadata(format!("/proc/{gateway}")).unwrap();
    assert!(std::process::Command::new("kill").args(["-9", &gateway]).status().unwrap().success());
    assert_eq!(code, Some(5));
}

fn gateway_of(entry: u32) -> String {
    let children = fs::read_to_string(format!("/proc/{entry}/task/{entry}/children")).unwrap();
    children.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_missing_volume_is_a_reported_stop() {
    let world = World::new();
    let missing = world.path("nowhere");
    let run = |value: &str| {
        let mut command = world.command(&Declared::default(), "exit:1");
        command.env("OPENCLAW_STATE_DIR", value).output().unwrap()
    };
    for value in [missing.to_str().unwrap(), "/dev/null", ""] {
        let output = run(value);
        assert_eq!(output.status.code(), Some(0), "{value}");
        assert!(stderr(&output).starts_with("moorage: "), "{}", stderr(&output));
    }
    assert!(!missing.exists());
}

#[test]
fn a_volume_that_cannot_be_written_is_a_reported_stop() {
    let world = World::new();
    world.write("data/.moorage", "a file where the record's folder belongs");
    let output = world.start(&Declared::default());
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("can't apply the record folder (EEXIST"), "{}", stderr(&output));
    assert!(!world.path("data/started.json").exists());
}

#[test]
fn a_gateway_that_is_not_there_is_a_reported_stop() {
    let world = World::new();
    world.boot_files(&Declared::default());
    let output = std::process::Command::new("node")
        .args([world.path("opt/moorage/entry.mjs").to_str().unwrap(), "--", "/nowhere/node"])
        .env("OPENCLAW_STATE_DIR", world.path("data"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("can't start the gateway: /nowhere/node (ENOENT)"));
}
