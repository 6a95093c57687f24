//! However a program that uses the testbed ends, its control plane ends with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `testbed up`, and the folder of its control plane.
#[expect(clippy::zombie_processes, reason = "waited for by the caller, or the test has failed")]
fn up() -> (Child, PathBuf) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_testbed"))
        .arg("up")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    for line in lines {
        if let Some(path) = line.strip_prefix("export KUBECONFIG=") {
            return (child, Path::new(path).parent().unwrap().to_owned());
        }
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

/// A machine that runs other tests is slow to start three programs.
const STARTS: Duration = Duration::from_mins(1);
const ENDS: Duration = Duration::from_secs(10);

fn ends_clean(signal: &str) {
    let (mut child, dir) = up();
    // A program just started shows its command line a moment later.
    within(STARTS, || processes_of(&dir) >= 3, "etcd, the API server and the controller manager run");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
    child.wait().unwrap();
    within(ENDS, || processes_of(&dir) == 0, "no process is left");
    within(ENDS, || !dir.exists(), "the folder is gone");
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
