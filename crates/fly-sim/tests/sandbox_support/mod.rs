//! An image, a volume and a Machine for tests of the sandbox.
#![allow(dead_code, reason = "each test program uses a part")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use fly_sim::sandbox::{ConsoleLog, Exit, RootfsStrategy, Sandbox, SandboxSpec, SeedFile, VolumeMount};

/// Set in a Machine's environment, it makes the test program act as a guest.
pub const ROLE: &str = "FLY_SIM_TEST_ROLE";

pub struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("image/rootfs/app")).unwrap();
        fs::create_dir_all(dir.path().join("volume")).unwrap();
        let image = serde_json::json!({
            "Digest": "sha256:00",
            "HostMounts": ["/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc"],
        });
        fs::write(dir.path().join("image/image.json"), image.to_string()).unwrap();
        // The test program itself is the guest, so that the tests need no other tool.
        let own = std::env::current_exe().unwrap();
        fs::copy(own, dir.path().join("image/rootfs/app/guest")).unwrap();
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A Machine that runs a shell script, with the volume at `/data`.
    pub fn shell(&self, script: &str) -> SandboxSpec {
        self.spec(&["/bin/sh", "-c", script])
    }

    /// A Machine that runs a test of this program as its command.
    pub fn guest(&self, role: &str, test: &str) -> SandboxSpec {
        let mut spec = self.spec(&["/app/guest", "--exact", test, "--nocapture"]);
        spec.env.insert(ROLE.to_owned(), role.to_owned());
        spec
    }

    fn spec(&self, argv: &[&str]) -> SandboxSpec {
        SandboxSpec {
            init_program: env!("CARGO_BIN_EXE_fly-sim").into(),
            image: self.path("image"),
            scratch: self.path("scratch"),
            rootfs: RootfsStrategy::Auto,
            hostname: "148e21ea7e4678".to_owned(),
            argv: argv.iter().map(ToString::to_string).collect(),
            env: BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]),
            working_dir: "/app".to_owned(),
            files: Vec::new(),
            volume: Some(VolumeMount { host_dir: self.path("volume"), guest_path: "/data".to_owned() }),
            console: ConsoleLog { path: self.path("console.log"), max_bytes: 1 << 20 },
        }
    }

    pub fn console(&self) -> String {
        fs::read_to_string(self.path("console.log")).unwrap_or_default()
    }

    /// Boots and waits for the end; the console tells why if that isn't a success.
    pub async fn run(&self, spec: SandboxSpec) -> Exit {
        let machine = Sandbox::spawn(spec).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(20), machine.wait());
        ended.await.unwrap_or_else(|_| panic!("the Machine didn't end: {}", self.console()))
    }

    pub async fn run_well(&self, spec: SandboxSpec) {
        let exit = self.run(spec).await;
        assert_eq!(exit, Exit { code: 0, signal: None, oom: false }, "{}", self.console());
    }
}

pub fn file(path: &str, content: &str, mode: u32) -> SeedFile {
    SeedFile { guest_path: path.to_owned(), bytes: content.as_bytes().to_vec(), mode }
}

pub fn names_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Polls until it holds; panics with `what` after ten seconds.
pub async fn eventually<F: AsyncFnMut() -> bool>(what: &str, mut holds: F) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within ten seconds: {what}");
}
