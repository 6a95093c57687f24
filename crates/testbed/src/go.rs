//! Builds the Go programs that `tools/go.mod` pins.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::progress::{Progress, Step};

const GO_MOD: &str = include_str!("../../../tools/go.mod");
const GO_SUM: &str = include_str!("../../../tools/go.sum");

/// The folder with `etcd`, `kube-apiserver`, `kube-controller-manager` and `kubectl`.
///
/// `KUBEBUILDER_ASSETS` wins; else they are built once for each pair of versions and kept in the cache.
pub fn control_plane_binaries(progress: Progress) -> Result<PathBuf> {
    if let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty()) {
        return Ok(PathBuf::from(assets));
    }
    let kubernetes = pinned("k8s.io/kubernetes")?;
    let etcd = pinned("go.etcd.io/etcd/server/v3")?;
    let versions = format!("k8s-{}-etcd-{}", &kubernetes[1..], &etcd[1..]);
    let dir = cache::root().join("control-plane").join(versions);
    cache::ensure(&dir, progress, |staging| build(staging, kubernetes, progress))?;
    Ok(dir.join("bin"))
}

/// The version that `tools/go.mod` requires of `module`, such as `v1.36.3`.
fn pinned(module: &str) -> Result<&'static str> {
    GO_MOD
        .lines()
        .filter_map(|line| line.trim().strip_prefix(module)?.split_whitespace().next())
        .find(|version| version.starts_with('v'))
        .with_context(|| format!("tools/go.mod requires no {module}"))
}

fn build(staging: &Path, kubernetes: &str, progress: Progress) -> Result<()> {
    progress.note(&format!(
        "Building the Kubernetes {kubernetes} control plane from source, once (5 to 9 minutes)"
    ));
    let source = staging.join("source");
    let bin = staging.join("bin");
    fs::create_dir_all(&source)?;
    fs::create_dir_all(&bin)?;
    fs::write(source.join("go.mod"), GO_MOD)?;
    fs::write(source.join("go.sum"), GO_SUM)?;
    let step = |title: &str, units, seconds| Step {
        title: title.to_owned(),
        units,
        usual: Duration::from_secs(seconds),
    };
    let downloads = step("Downloading Go modules", None, 60);
    progress.run(&downloads, go(&source)?.args(["mod", "download"]))?;
    let packages = ["kube-apiserver", "kube-controller-manager", "kubectl"]
        .map(|program| format!("k8s.io/kubernetes/cmd/{program}"));
    let units = count_packages(&source, &packages)?;
    let mut command = go(&source)?;
    command.args(["build", "-v", "-trimpath", "-ldflags", &linker_flags(kubernetes), "-o"]).arg(bin.join(""));
    progress.run(&step("Building Kubernetes", Some(units), 300), command.args(&packages))?;
    let mut command = go(&source)?;
    command.args(["build", "-v", "-trimpath", "-ldflags", "-s -w", "-o"]).arg(bin.join("etcd"));
    progress.run(&step("Building etcd", None, 15), command.arg("go.etcd.io/etcd/server/v3"))?;
    fs::remove_dir_all(&source).context("remove the build's own module file")
}

/// Without these the programs call themselves v0.0.0-master, and kubectl warns about the skew.
fn linker_flags(version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let mut number = || numbers.next().unwrap_or_default();
    let values = [("gitVersion", version), ("gitMajor", number()), ("gitMinor", number())];
    let set = values.map(|(key, value)| format!("-X k8s.io/component-base/version.{key}={value}"));
    format!("-s -w {}", set.join(" "))
}

/// `go` in the folder of a module, whatever the user's own settings are.
pub(crate) fn go(dir: &Path) -> Result<Command> {
    let usual = Path::new("/usr/local/go/bin/go");
    let on_path = Command::new("go").arg("version").output().is_ok();
    if !on_path && !usual.exists() {
        bail!("`go` is not on the PATH; install Go 1.26 or newer, or set KUBEBUILDER_ASSETS");
    }
    let mut command = if on_path { Command::new("go") } else { Command::new(usual) };
    command.current_dir(dir).env("CGO_ENABLED", "0").env("GOWORK", "off").env("GOFLAGS", "-mod=readonly");
    Ok(command)
}

fn count_packages(dir: &Path, packages: &[String]) -> Result<usize> {
    let output = go(dir)?.args(["list", "-deps"]).args(packages).output()?;
    if !output.status.success() {
        bail!("go list failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_pinned_module() {
        assert!(pinned("k8s.io/kubernetes").unwrap().starts_with("v1."));
        assert!(pinned("go.etcd.io/etcd/server/v3").unwrap().starts_with("v3."));
        assert!(pinned("example.com/nothing").is_err());
    }

    #[test]
    fn kubernetes_and_its_staging_modules_are_of_one_release() {
        let staging = pinned("k8s.io/kubernetes").unwrap().replacen("v1.", "v0.", 1);
        let mut replaced = GO_MOD.lines().filter_map(|line| line.split_once(" => ")).peekable();
        assert!(replaced.peek().is_some());
        for (module, target) in replaced {
            assert_eq!(target.split_whitespace().last(), Some(staging.as_str()), "{module}");
        }
    }
}
