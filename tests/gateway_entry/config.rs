//! What the merge does to `openclaw.json`.

use serde_json::{Value, json};

use crate::world::{Declared, World, stderr};

fn owned_by_entries(world: &World) -> Value {
    let workspace = world.path("data/workspace");
    json!({
        "agents": {
            "defaults": {"model": {"primary": "openai/gpt-5.5"}, "workspace": workspace},
            "entries": {"main": {"identity": {"name": "Ada"}, "workspace": workspace}},
        },
        "gateway": {
            "auth": {"mode": "token"},
            "controlUi": {"allowedOrigins": ["https://ops.fly.dev"]},
            "mode": "local",
            "trustedProxies": ["172.16.0.0/12", "66.241.1.1"],
        },
    })
}

fn declared_for(version: &'static str) -> Declared {
    Declared { version, ..Declared::default() }
}

#[test]
fn a_fresh_volume_gets_the_owned_keys_and_the_gateway_its_command() {
    let world = World::new();
    world.start(&Declared::default());
    assert_eq!(world.config(), owned_by_entries(&world));
    assert_eq!(world.read("data/started.json"), r#"["gateway","--port","3000"]"#);
}

#[test]
fn the_dialect_is_that_of_the_image() {
    for version in ["2026.3.13", "2026.7.1-2", "2026.7.31", "main", ""] {
        let world = World::new();
        world.start(&declared_for(version));
        let config = world.config();
        let main = json!({"id": "main", "default": true, "identity": {"name": "Ada"}});
        assert_eq!(config["agents"]["list"], json!([main]), "{version}");
        assert_eq!(config["gateway"]["controlUi"]["allowInsecureAuth"], false);
        assert!(config["agents"].get("entries").is_none());
    }
    for version in ["2026.8.1", "2026.8.1-beta.2", "v2026.9.6", "2026.10.0", "2027.1.1"] {
        let world = World::new();
        world.start(&declared_for(version));
        assert_eq!(world.config(), owned_by_entries(&world), "{version}");
    }
}

#[test]
fn what_the_customer_wrote_survives() {
    let world = World::new();
    let mine = json!({
        "channels": {"telegram": {"botToken": "mine"}},
        "agents": {
            "defaults": {"timeoutSeconds": 99, "model": {"fallbacks": ["x/y"], "primary": "old/one"}},
            "entries": {
                "main": {"identity": {"name": "Old", "emoji": "x"}, "tools": {"deny": ["a"]}},
                "helper": {"model": "x/y"},
            },
        },
        "gateway": {
            "port": 3001,
            "controlUi": {"allowedOrigins": ["https://mine.example"], "basePath": "/ui"},
            "trustedProxies": ["10.0.0.1", "172.16.0.0/12"],
        },
    });
    world.write("data/openclaw.json", mine.to_string());
    world.start(&Declared::default());
    let config = world.config();
    assert_eq!(config["channels"], mine["channels"]);
    assert_eq!(config["agents"]["defaults"]["timeoutSeconds"], 99);
    let model = json!({"fallbacks": ["x/y"], "primary": "openai/gpt-5.5"});
    assert_eq!(config["agents"]["defaults"]["model"], model);
    assert_eq!(config["agents"]["entries"]["helper"], mine["agents"]["entries"]["helper"]);
    let main = &config["agents"]["entries"]["main"];
    assert_eq!(main["identity"], json!({"name": "Ada", "emoji": "x"}));
    assert_eq!(main["tools"], json!({"deny": ["a"]}));
    assert_eq!(config["gateway"]["port"], 3001);
    let control_ui = &config["gateway"]["controlUi"];
    assert_eq!(control_ui["allowedOrigins"], json!(["https://mine.example", "https://ops.fly.dev"]));
    assert_eq!(control_ui["basePath"], "/ui");
    let proxies = json!(["10.0.0.1", "172.16.0.0/12", "66.241.1.1"]);
    assert_eq!(config["gateway"]["trustedProxies"], proxies);
}

#[test]
fn what_is_no_longer_declared_is_taken_back_and_nothing_else() {
    let world = World::new();
    world.start(&Declared::default());
    let mut config = world.config();
    config["gateway"]["controlUi"]["allowedOrigins"] = json!(["https://mine.example", "https://ops.fly.dev"]);
    config["agents"]["entries"]["main"]["identity"]["emoji"] = json!("x");
    world.write("data/openclaw.json", config.to_string());
    world.start(&Declared {
        origins: vec!["https://new.fly.dev"],
        proxies: vec!["172.16.0.0/12"],
        persona: None,
        model: None,
        ..Declared::default()
    });
    let config = world.config();
    let origins = json!(["https://mine.example", "https://new.fly.dev"]);
    assert_eq!(config["gateway"]["controlUi"]["allowedOrigins"], origins);
    assert_eq!(config["gateway"]["trustedProxies"], json!(["172.16.0.0/12"]));
    assert_eq!(config["agents"]["entries"]["main"]["identity"], json!({"emoji": "x"}));
    assert!(config["agents"]["defaults"].get("model").is_none());
    assert!(!world.read("data/.moorage/owned.json").contains("gpt-5.5"));
}

#[test]
fn what_the_customer_changed_is_not_taken_back() {
    let world = World::new();
    world.start(&Declared::default());
    let mut config = world.config();
    config["agents"]["defaults"]["model"]["primary"] = json!("google/gemini-3-pro");
    world.write("data/openclaw.json", config.to_string());
    world.start(&Declared { model: None, ..Declared::default() });
    assert_eq!(world.config()["agents"]["defaults"]["model"]["primary"], "google/gemini-3-pro");
}

#[test]
fn a_model_in_its_short_form_is_replaced() {
    let world = World::new();
    world.write("data/openclaw.json", r#"{"agents":{"defaults":{"model":"x/y"}}}"#);
    world.start(&Declared::default());
    assert_eq!(world.config()["agents"]["defaults"]["model"], json!({"primary": "openai/gpt-5.5"}));
}

#[test]
fn a_file_that_the_gateway_migrated_and_stamped_keeps_one_agent() {
    let world = World::new();
    world.start(&declared_for("2026.7.1-2"));
    let meta = json!({"lastTouchedVersion": "2026.9.6", "migrations": {"a": true}});
    let mut config = world.config();
    config["meta"] = meta.clone();
    config["agents"] = json!({
        "defaults": config["agents"]["defaults"],
        "entries": {"main": {"identity": {"name": "Ada"}}},
    });
    config["gateway"]["controlUi"].as_object_mut().unwrap().remove("allowInsecureAuth");
    world.write("data/openclaw.json", config.to_string());
    world.start(&Declared { persona: Some("Bea"), ..Declared::default() });
    let config = world.config();
    assert_eq!(config["meta"], meta);
    assert!(config["agents"].get("list").is_none());
    assert_eq!(config["agents"]["entries"]["main"]["identity"]["name"], "Bea");
    assert!(config["agents"]["entries"]["main"].get("default").is_none());
    assert!(config["gateway"]["controlUi"].get("allowInsecureAuth").is_none());
}

#[test]
fn a_list_that_is_not_yet_migrated_stays_a_list_for_the_gateway_to_migrate() {
    let world = World::new();
    world.start(&declared_for("2026.7.1-2"));
    let mut config = world.config();
    let agents = config["agents"]["list"].as_array_mut().unwrap();
    agents.insert(0, json!({"id": "helper", "workspace": "/data/helper"}));
    world.write("data/openclaw.json", config.to_string());
    world.start(&Declared { persona: Some("Bea"), ..Declared::default() });
    let agents = &world.config()["agents"];
    assert!(agents.get("entries").is_none());
    assert_eq!(agents["list"][0], json!({"id": "helper", "workspace": "/data/helper"}));
    let main = json!({"id": "main", "default": true, "identity": {"name": "Bea"}});
    assert_eq!(agents["list"][1], main);
    assert_eq!(agents["list"].as_array().unwrap().len(), 2);
}

#[test]
fn a_token_in_the_file_gives_way_to_the_environment_s() {
    let world = World::new();
    let auth = r#"{"gateway":{"auth":{"token":"canary-in-file","allowTailscale":false}}}"#;
    world.write("data/openclaw.json", auth);
    let output = world.start(&Declared::default());
    let expected = json!({"mode": "token", "allowTailscale": false});
    assert_eq!(world.config()["gateway"]["auth"], expected);
    assert!(stderr(&output).contains("moorage: removed gateway.auth.token"));
    assert!(!stderr(&output).contains("canary"));
}

#[test]
fn a_file_that_is_as_declared_is_not_written_again() {
    let world = World::new();
    world.start(&Declared::default());
    let spaced = world.read("data/openclaw.json").replace("  ", "\t");
    world.write("data/openclaw.json", &spaced);
    let record = world.read("data/.moorage/owned.json");
    world.start(&Declared::default());
    assert_eq!(world.read("data/openclaw.json"), spaced);
    assert_eq!(world.read("data/.moorage/owned.json"), record);
}
