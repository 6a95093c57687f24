//! Machines whose programs are real processes.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Fly, merge};

/// An image that notes each start on the volume, prints its seed file and serves the volume on port 3000.
const SCRIPT: &str = "echo start >> /data/log; cat /seed/file; touch /scratch-mark; \
    exec python3 -m http.server 3000 -d /data";

fn image(folder: &Path) {
    std::fs::create_dir_all(folder.join("sh/rootfs/app")).unwrap();
    let image = json!({ "Cmd": ["/bin/sh", "-c", SCRIPT],
        "HostMounts": ["/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc"] });
    std::fs::write(folder.join("sh/image.json"), image.to_string()).unwrap();
    let index = json!({ "local/sh:1": { "digest": "sha256:00aa", "dir": "sh" } });
    std::fs::write(folder.join("index.json"), index.to_string()).unwrap();
}

struct Machines {
    fly: Fly,
    app: String,
    volume: String,
    _folder: tempfile::TempDir,
}

async fn machines() -> Machines {
    let folder = tempfile::tempdir().unwrap();
    image(folder.path());
    let (images, init) = (folder.path().to_str().unwrap(), env!("CARGO_BIN_EXE_fly-sim"));
    let more =
        ["--driver", "process", "--images", images, "--init-program", init, "--edge-listen", "127.0.0.1:0"];
    let fly = Fly::start(&more).await;
    let app = fly.app("a").await;
    fly.post(&format!("{app}/secrets"), json!({ "values": { "SEED": "aGVsbG8K" } })).await.expect(200);
    let volume =
        fly.post(&format!("{app}/volumes"), json!({ "name": "d", "region": "fra" })).await.expect(200).id();
    Machines { fly, app, volume, _folder: folder }
}

impl Machines {
    async fn run(&self, more: Value) -> String {
        let mut config = json!({ "image": "local/sh:1",
            "mounts": [{ "volume": self.volume, "path": "/data" }],
            "files": [{ "guest_path": "/seed/file", "secret_name": "SEED" }],
            "stop_config": { "signal": "SIGTERM", "timeout": "2s" },
            "checks": { "log": { "type": "http", "port": 3000, "path": "/log", "interval": "1s" } } });
        merge(&mut config, more);
        let machine = self.fly.machine(&self.app, json!({ "config": config })).await;
        self.fly.get(&format!("{machine}/wait?state=started,failed,stopped&timeout=20")).await.expect(200);
        machine
    }

    async fn exec(&self, machine: &str, script: &str) -> Value {
        let body = json!({ "command": ["/bin/sh", "-c", script], "timeout": 5 });
        self.fly.post(&format!("{machine}/exec"), body).await.expect(200).json()
    }

    /// Asks until it holds, for ten seconds at most.
    async fn until(&self, machine: &str, holds: fn(&Value) -> bool) -> Value {
        for _ in 0..100 {
            let shown = self.fly.get(machine).await.json();
            if holds(&shown) {
                return shown;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("not in time: {}", self.fly.get(machine).await.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_lasts_and_the_root_file_system_does_not() {
    let m = machines().await;
    let machine = m.run(json!({ "env": { "LEVEL": "1" } })).await;
    let seen = m.exec(&machine, "cat /seed/file; echo $LEVEL $SEED $FLY_APP_NAME; echo x > /mark").await;
    assert_eq!(seen, json!({ "stdout": "hello\n1 aGVsbG8K a\n" }));
    let checked = m.until(&machine, |shown| shown["checks"][0]["status"] == "passing").await;
    assert_eq!(checked["checks"][0]["output"], "start\n");
    let processes = m.fly.get(&format!("{machine}/ps")).await.expect(200).json();
    assert!(processes[0]["command"].as_str().unwrap().contains("http.server"), "{processes}");
    m.fly.post(&format!("{machine}/stop"), Value::Null).await.expect(200);
    m.fly.wait(&machine, "stopped").await;
    let exit = m.fly.get(&format!("{machine}/events")).await.json()[0]["request"]["exit_event"].clone();
    assert_eq!((&exit["requested_stop"], &exit["signal"]), (&json!(true), &json!(15)));
    m.fly.post(&format!("{machine}/start"), Value::Null).await.expect(200);
    m.fly.wait(&machine, "started").await;
    let seen = m.exec(&machine, "sleep 0.3; cat /data/log; ls /mark 2>/dev/null; true").await;
    assert_eq!(seen, json!({ "stdout": "start\nstart\n" }));
    let failed = m.exec(&machine, "echo no >&2; exit 3").await;
    assert_eq!(failed, json!({ "exit_code": 3, "stderr": "no\n" }));
    m.fly.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_fails_is_started_again_until_it_is_too_much() {
    let m = machines().await;
    let failing = json!({ "init": { "exec": ["/bin/sh", "-c", "exit 78"] },
        "restart": { "policy": "on-failure", "max_retries": 2 } });
    let machine = m.run(failing).await;
    m.until(&machine, |shown| shown["state"] == "stopped").await;
    let events = m.fly.get(&format!("{machine}/events?limit=50")).await.json();
    let exits: Vec<&Value> =
        events.as_array().unwrap().iter().filter(|event| event["type"] == "exit").collect();
    assert_eq!(exits.len(), 3);
    assert!(exits.iter().all(|exit| exit["request"]["exit_event"]["exit_code"] == 78), "{exits:?}");
    m.fly.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_or_file_that_is_missing_is_told() {
    let m = machines().await;
    let reply =
        m.fly.post(&format!("{}/machines", m.app), json!({ "config": { "image": "local/none" } })).await;
    assert!(reply.expect(400).error().contains("MANIFEST_UNKNOWN"));
    let missing = json!({ "files": [{ "guest_path": "/seed/file", "secret_name": "NONE" }] });
    let machine = m.run(missing).await;
    assert_eq!(m.fly.state_of(&machine).await, "failed");
    let reasons = m.fly.ledger("kind=effect&app=a").await;
    let reason =
        &reasons.iter().find(|entry| entry["effect"] == "machine.failed").unwrap()["detail"]["reason"];
    assert_eq!(reason, "file /seed/file: the app has no secret NONE");
    m.fly.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_has_its_sources_content_and_a_killed_program_is_gone() {
    let m = machines().await;
    let machine = m.run(json!({})).await;
    m.exec(&machine, "echo kept > /data/note").await;
    let fork = json!({ "name": "d", "source_volume_id": m.volume });
    let fork = m.fly.post(&format!("{}/volumes", m.app), fork).await.expect(200).id();
    let second = m.run(json!({ "mounts": [{ "volume": fork, "path": "/data" }] })).await;
    assert_eq!(m.exec(&second, "cat /data/note").await, json!({ "stdout": "kept\n" }));
    m.fly.delete(&format!("{second}?force=true")).await.expect(200);
    m.fly.wait(&second, "destroyed").await;
    let exec = m.fly.post(&format!("{second}/exec"), json!({ "command": ["true"] })).await;
    assert_eq!(exec.status, 412);
    m.fly.stop().await;
}
