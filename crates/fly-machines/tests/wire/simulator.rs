//! Starts the simulator on free loopback ports, and ends it with the test.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use fly_machines::types::{
    CreateApp, CreateMachine, Guest, Machine, MachineConfig, MachineState, WaitFor, WaitOutcome,
};
use fly_machines::{Client, Limits, TokenSource};
use serde_json::Value;

pub(crate) const ORG: &str = "acme";
pub(crate) const IMAGE: &str = "registry-1.docker.io/library/nginx:1.29";

pub(crate) struct Simulator {
    child: Child,
    api: String,
    log: PathBuf,
    _dir: tempfile::TempDir,
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the simulator's log:\n{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

impl Simulator {
    /// One in which nothing takes time. It ends when this process does, since its standard input does.
    pub(crate) async fn start() -> Self {
        Self::with(&["--profile", "instant", "--rate-limits", "off"]).await
    }

    pub(crate) async fn with(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (ready, log) = (dir.path().join("ready.json"), dir.path().join("log"));
        let child = Command::new(program())
            .args(["serve", "--listen", "127.0.0.1:0", "--edge-listen", "127.0.0.1:0", "--driver", "instant"])
            .args(["--org", ORG, "--exit-with-parent"])
            .args(options)
            .arg("--state-dir")
            .arg(dir.path().join("state"))
            .arg("--ready-file")
            .arg(&ready)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut simulator = Self { child, api: String::new(), log, _dir: dir };
        simulator.api = simulator.wait_until_ready(&ready).await;
        simulator
    }

    async fn wait_until_ready(&mut self, ready: &std::path::Path) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let told = std::fs::read(ready).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            if let Some(told) = told {
                return told["api"].as_str().unwrap().to_owned();
            }
            assert!(self.child.try_wait().unwrap().is_none(), "the simulator has ended");
            assert!(Instant::now() < deadline, "the simulator isn't ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn client(&self) -> Client {
        let token = TokenSource::fixed("fm2_wire".to_owned());
        Client::builder(token).base_url(&self.api).limits(Limits::off()).build().unwrap()
    }

    /// Sends to the simulator's own control API.
    pub(crate) async fn control(&self, method: reqwest::Method, path: &str, body: &Value) -> Value {
        // Making a client of ours gives the process its TLS provider.
        let _ = self.client();
        let request = reqwest::Client::new().request(method, format!("{}/_sim/{path}", self.api));
        let answer = request.header("content-type", "application/json").body(body.to_string());
        let answer = answer.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

/// The program beside this test; built now if nobody has.
fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let path = test.parent().unwrap().parent().unwrap().join("fly-sim");
        if !path.exists() {
            let built = Command::new(env!("CARGO")).args(["build", "-p", "fly-sim"]).status().unwrap();
            assert!(built.success() && path.exists(), "fly-sim can't be built");
        }
        path
    })
}

/// A configuration with one small Machine.
pub(crate) fn config() -> MachineConfig {
    MachineConfig { image: IMAGE.into(), guest: Some(Guest::shared(1, 256)), ..MachineConfig::default() }
}

/// An app with one Machine that has started.
pub(crate) async fn app_with_machine(client: &Client, app: &str) -> Machine {
    client.apps().create(&CreateApp::new(app, ORG)).await.unwrap();
    let machine = client.machines(app).create(&CreateMachine::new(config()).name("web").region("fra")).await;
    let machine = machine.unwrap();
    wait(client, app, &machine.id, MachineState::Started).await;
    machine
}

pub(crate) async fn wait(client: &Client, app: &str, machine: &str, state: MachineState) {
    let wait = WaitFor::state(state.clone()).timeout(Duration::from_secs(5));
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match client.machines(app).wait(machine, &wait).await.unwrap() {
            WaitOutcome::Reached(_) => return,
            WaitOutcome::NotYet => assert!(Instant::now() < deadline, "{machine} never becomes {state}"),
        }
    }
}
