//! However a program that uses the testbed ends, its control plane ends with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// `testbed up`, and the folder of its control plane. It says more than the folder, and ends if nobody listens.
#[expect(clippy::zombie_processes, reason = "waited for by the caller, or the test has failed")]
fn up() -> (Child, BufReader<ChildStdout>, PathBuf) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_testbed"))
        .arg("up")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while said.read_line(&mut line).unwrap() > 0 {
        if let Some(path) = line.trim_end().strip_prefix("export KUBECONFIG=") {
            let dir = Path::new(path).parent().unwrap().to_owned();
            return (child, said, dir);
        }
        line.clear();
    }
    panic!("`testbed up` ended without a kubeconfig");
}

/// Processes whose command line names the folder, which only that control plane's do.
fn processes_of(dir: &Path) -> usize {
    let needle = dir.to_str().unwrap();
    let command_line = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).ok();
    let all = std::fs::read_dir("/proc").unwrap().flatten().filter_map(command_line);
    all.filter(|bytes| String::from_utf8_lossy(bytes).contains(needle)).count()
}

const SOON: Duration = Duration::from_secs(10);

fn ends_clean(signal: &str) {
    let (mut child, _said, dir) = up();
    // A program just started shows its command line a moment later.
    within(SOON, || processes_of(&dir) >= 3, "etcd, the API server and the controller manager run");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
    child.wait().unwrap();
    within(SOON, || processes_of(&dir) == 0, "no process is left");
    within(SOON, || !dir.exists(), "the folder is gone");
}

fn within(limit: Duration, holds: impl Fn() -> bool, what: &str) {
    let until = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < until, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn after_ctrl_c() {
    ends_clean("INT");
}

#[test]
fn after_a_kill_that_nothing_can_catch() {
    ends_clean("KILL");
}
