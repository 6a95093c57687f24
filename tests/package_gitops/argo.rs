//! Argo CD's Lua interpreter, built once from its pinned Go module.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use sha2::{Digest, Sha256};
use testbed::progress::Progress;
use testbed::{cache, documents, repository};

/// The program that runs a script as Argo CD does, built once for each version of it.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let module = repository().join("tools/argo-health");
        let read = |name| fs::read_to_string(module.join(name)).unwrap();
        let source = ["go.mod", "go.sum", "main.go"].map(read).concat();
        let lua =
            source.lines().find_map(|line| line.strip_prefix("require github.com/yuin/gopher-lua ")).unwrap();
        let hash: String = format!("{:x}", Sha256::digest(&source))[..8].to_owned();
        let dir = cache::root().join("argo-health").join(format!("{lua}-{hash}"));
        cache::ensure(&dir, Progress::stderr(), |staging| {
            let built = go(&module)
                .args(["build", "-buildvcs=false", "-trimpath", "-o"])
                .arg(staging.join("argo-health"))
                .output()?;
            anyhow::ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
            Ok(())
        })
        .unwrap();
        dir.join("argo-health")
    })
}

fn go(module: &Path) -> Command {
    let usual = Path::new("/usr/local/go/bin/go");
    let on_path = Command::new("go").arg("version").output().is_ok();
    let mut command = if on_path { Command::new("go") } else { Command::new(usual) };
    command.current_dir(module).env("CGO_ENABLED", "0").env("GOWORK", "off").env("GOFLAGS", "-mod=readonly");
    command
}

/// What Argo CD says of an object: status and message.
pub fn argo(script: &Path, object: &Value) -> (String, String) {
    let mut child = Command::new(program())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(object.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{object}: {}", String::from_utf8_lossy(&output.stderr));
    let health: Value = serde_json::from_slice(&output.stdout).unwrap();
    (text(&health["status"]), text(&health["message"]))
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

pub fn yaml(path: &Path) -> Vec<Value> {
    documents(&fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .unwrap_or_else(|error| panic!("{}: {error:#}", path.display()))
}
