//! A Machine in small: a root filesystem with the seeds, a volume, and a fake gateway in place of the real one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use moorage::gateway::identity::Persona;
use moorage::gateway::seed::{Seed, seed};
use moorage::gateway::settings::{GatewaySettings, Origin, ProxyRange};
use serde_json::Value;
use tempfile::TempDir;

/// Writes what it was started with, tells of signals, and ends as `FAKE_GATEWAY` says.
const FAKE_GATEWAY: &str = r#"
const { writeFileSync, appendFileSync } = require("node:fs");
const state = process.env.OPENCLAW_STATE_DIR;
const [how, value] = (process.env.FAKE_GATEWAY ?? "exit:0").split(":");
writeFileSync(`${state}/started.json`, JSON.stringify(process.argv.slice(2)));
if (how === "exit") process.exit(Number(value));
if (how === "die") process.kill(process.pid, value);
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR2"])
  process.on(signal, () => {
    appendFileSync(`${state}/signals`, `${signal}\n`);
    if (signal !== "SIGUSR2" || how === "restart") setTimeout(() => process.exit(Number(value)), 200);
  });
writeFileSync(`${state}/ready`, "");
setInterval(() => {}, 1000);
"#;

/// One Machine's filesystem.
pub struct World {
    root: TempDir,
}

/// What is declared for it. `version` is the image's.
#[derive(Clone)]
pub struct Declared {
    pub version: &'static str,
    pub origins: Vec<&'static str>,
    pub proxies: Vec<&'static str>,
    pub persona: Option<&'static str>,
    pub model: Option<&'static str>,
}

impl Default for Declared {
    fn default() -> Self {
        Self {
            version: "2026.9.6",
            origins: vec!["https://ops.fly.dev"],
            proxies: vec!["172.16.0.0/12", "66.241.1.1"],
            persona: Some("Ada"),
            model: Some("gpt-5.5"),
        }
    }
}

impl World {
    pub fn new() -> Self {
        let root = TempDir::new().unwrap();
        fs::create_dir_all(root.path().join("app/dist")).unwrap();
        fs::create_dir(root.path().join("data")).unwrap();
        fs::write(root.path().join("app/dist/index.js"), FAKE_GATEWAY).unwrap();
        Self { root }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    pub fn config(&self) -> Value {
        serde_json::from_str(&self.read("data/openclaw.json")).unwrap()
    }

    /// Puts the seeds where Fly would, with the version's package in the image.
    pub fn boot_files(&self, declared: &Declared) -> Seed {
        let settings = self.settings(declared);
        let command = ["node", "dist/index.js", "gateway", "--port", "3000"].map(str::to_owned);
        let seed = seed(&settings, &command);
        for file in &seed.files {
            let path = self.path(file.guest_path.trim_start_matches('/'));
            let _ = fs::remove_file(&path);
            self.write(file.guest_path.trim_start_matches('/'), &file.bytes);
        }
        let package = format!(r#"{{"name":"openclaw","version":"{}"}}"#, declared.version);
        self.write("app/package.json", package);
        seed
    }

    fn settings(&self, declared: &Declared) -> GatewaySettings {
        let origins = declared.origins.iter().map(|text| Origin::parse(text).unwrap());
        let proxies = declared.proxies.iter().map(|text| ProxyRange::parse(text).unwrap());
        GatewaySettings {
            allowed_origins: origins.collect(),
            trusted_proxies: proxies.collect(),
            persona: declared.persona.and_then(Persona::named),
            model: declared.model.map(str::to_owned),
            workspace: self.path("data/workspace").display().to_string(),
        }
    }

    /// The Machine's command, as the seed gives it, with the fake's behaviour.
    pub fn command(&self, declared: &Declared, behaviour: &str) -> Command {
        let seed = self.boot_files(declared);
        let mut command = Command::new(&seed.command[0]);
        command
            .arg(self.path(seed.command[1].trim_start_matches('/')))
            .args(&seed.command[2..])
            .current_dir(self.path("app"))
            .env("OPENCLAW_STATE_DIR", self.path("data"))
            .env("OPENCLAW_GATEWAY_TOKEN", "canary-token")
            .env("FAKE_GATEWAY", behaviour)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// One start to its end; the fake gateway ends with 75 through exit 0.
    pub fn start(&self, declared: &Declared) -> Output {
        self.start_as(declared, "exit:0")
    }

    pub fn start_as(&self, declared: &Declared, behaviour: &str) -> Output {
        self.command(declared, behaviour).output().unwrap()
    }

    /// Starts a gateway that runs until it is told to end, then with `code`.
    pub fn start_serving(&self, declared: &Declared, code: i32) -> Child {
        self.start_waiting(declared, &format!("serve:{code}"))
    }

    pub fn start_waiting(&self, declared: &Declared, behaviour: &str) -> Child {
        let _ = fs::remove_file(self.path("data/ready"));
        let child = self.command(declared, behaviour).spawn().unwrap();
        wait_for(&self.path("data/ready"));
        child
    }
}

fn wait_for(path: &Path) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !path.exists() {
        assert!(Instant::now() < deadline, "{} never came", path.display());
        sleep(Duration::from_millis(10));
    }
}

pub fn kill(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
