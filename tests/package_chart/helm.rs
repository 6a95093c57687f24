//! Helm itself, built once from its pinned Go module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use testbed::progress::Progress;
use testbed::{cache, repository};

/// The namespace of every release in these tests.
pub const NAMESPACE: &str = "moorage-system";

pub fn chart() -> PathBuf {
    repository().join("charts/moorage")
}

/// `HELM` wins; else the pinned version is built into the cache.
fn program() -> PathBuf {
    if let Some(helm) = std::env::var_os("HELM").filter(|value| !value.is_empty()) {
        return PathBuf::from(helm);
    }
    let module = repository().join("tools/helm");
    let pins = fs::read_to_string(module.join("go.mod")).unwrap();
    let pin = pins.lines().find_map(|line| line.trim().strip_prefix("helm.sh/helm/v4 ")).unwrap();
    let version = pin.split_whitespace().next().unwrap();
    let dir = cache::root().join("helm").join(version);
    cache::ensure(&dir, Progress::stderr(), |staging| {
        let built = go(&module)
            .args(["build", "-trimpath", "-ldflags", "-s -w", "-o"])
            .arg(staging.join("helm"))
            .arg("helm.sh/helm/v4/cmd/helm")
            .output()?;
        anyhow::ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Ok(())
    })
    .unwrap();
    dir.join("helm")
}

fn go(module: &Path) -> Command {
    let usual = Path::new("/usr/local/go/bin/go");
    let on_path = Command::new("go").arg("version").output().is_ok();
    let mut command = if on_path { Command::new("go") } else { Command::new(usual) };
    command.current_dir(module).env("CGO_ENABLED", "0").env("GOWORK", "off").env("GOFLAGS", "-mod=readonly");
    command
}

pub fn helm(arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).output().unwrap()
}

/// Values of an installation that sets everything that can be set.
pub fn full_values() -> String {
    repository().join("tests/package_chart/full.values.yaml").display().to_string()
}

/// What `helm template` prints.
pub fn render(arguments: &[&str]) -> Result<String, String> {
    let chart = chart().display().to_string();
    let output = helm(&[&["template", "moorage", &chart, "--namespace", NAMESPACE], arguments].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

pub fn documents(arguments: &[&str]) -> Vec<Value> {
    testbed::documents(&render(arguments).unwrap()).unwrap()
}

/// The one object of this kind.
pub fn only<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    let mut found = documents.iter().filter(|document| document["kind"] == kind);
    let one = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "more than one {kind}");
    one
}
