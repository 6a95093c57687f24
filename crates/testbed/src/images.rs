//! `OpenClaw` from npm, laid out as images for the simulator's process driver.
//!
//! An image is a folder with `image.json`, in OCI's words, and `rootfs/`. `index.json` beside them says
//! which reference means which folder and digest, as a registry would.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cache;
use crate::progress::{Progress, Step};

/// The version that the demo runs, and what the moving tag `main` means here.
pub const OPENCLAW_LATEST: &str = "2026.9.6";

/// The older version whose dialect the operator speaks too.
pub const OPENCLAW_PREVIOUS: &str = "2026.7.1-2";

/// `OpenClaw` wants Node 24.16 or newer within 24; the system's own is often older.
const NODE: &str = "24.21.0";

/// Part of each digest and folder name: raise it when the layout of images changes.
const LAYOUT: u32 = 1;

const REPOSITORY: &str = "ghcr.io/openclaw/openclaw";

/// Images borrow the C library and the usual tools from the host, so that they hold only what is theirs.
const HOST_MOUNTS: [&str; 6] = ["/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc"];

/// The folder with images of these versions, installed now if they weren't before. Each takes about a
/// minute and 500 to 800 MB, once for a user.
pub fn openclaw_images(versions: &[&str], progress: Progress) -> Result<PathBuf> {
    let images = cache::root().join("images");
    for version in versions {
        let dir = images.join(folder(version));
        cache::ensure(&dir, progress, |staging| install(staging, version, progress))?;
    }
    write_index(&images)?;
    Ok(images)
}

fn folder(version: &str) -> String {
    format!("openclaw-{version}-node-{NODE}-layout-{LAYOUT}")
}

/// Stable, and different for each version: not a hash of the content, which npm doesn't lay out the same
/// way twice.
fn digest(version: &str) -> String {
    let hash = Sha256::digest(folder(version));
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Lists what is installed. Written beside and renamed, since a running simulator may read it.
fn write_index(images: &Path) -> Result<()> {
    let mut index = BTreeMap::new();
    for version in [OPENCLAW_LATEST, OPENCLAW_PREVIOUS] {
        let dir = images.join(folder(version));
        if !dir.exists() {
            continue;
        }
        let entry = json!({"digest": digest(version), "dir": dir});
        index.insert(format!("{REPOSITORY}:{version}"), entry.clone());
        if version == OPENCLAW_LATEST {
            index.insert(format!("{REPOSITORY}:main"), entry);
        }
    }
    let mut file = tempfile::NamedTempFile::new_in(images)?;
    serde_json::to_writer_pretty(&mut file, &index)?;
    file.persist(images.join("index.json")).map(drop).context("write the index of images")
}

fn install(staging: &Path, version: &str, progress: Progress) -> Result<()> {
    let node = node(progress)?;
    let npm = staging.join("npm");
    let rootfs = staging.join("rootfs");
    npm_install(&npm, &format!("openclaw@{version}"), Some(&node), progress)?;
    for dir in ["opt/node/bin", "home/node", "tmp", "data", "proc", "dev", "run", "var/tmp", "root"] {
        fs::create_dir_all(rootfs.join(dir))?;
    }
    // Node looks for packages in every parent folder, so /node_modules serves /app as npm laid it out.
    let modules = npm.join("node_modules");
    fs::rename(modules.join("openclaw"), rootfs.join("app")).context("npm installed no openclaw")?;
    symlink("../app", modules.join("openclaw"))?;
    fs::rename(&modules, rootfs.join("node_modules"))?;
    fs::remove_dir_all(&npm)?;
    let bin = rootfs.join("opt/node/bin");
    fs::hard_link(node.join("node"), bin.join("node"))
        .or_else(|_| fs::copy(node.join("node"), bin.join("node")).map(drop))?;
    symlink("/app/openclaw.mjs", bin.join("openclaw"))?;
    fs::write(staging.join("image.json"), serde_json::to_vec_pretty(&image(version))?)?;
    Ok(())
}

fn image(version: &str) -> Value {
    json!({
        "Entrypoint": [],
        "Cmd": ["node", "openclaw.mjs", "gateway", "--allow-unconfigured"],
        "WorkingDir": "/app",
        "Env": [
            "PATH=/opt/node/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/home/node",
            "NODE_ENV=production",
            // A Machine of the simulator has no way out, so what would phone home only costs time.
            "OPENCLAW_DISABLE_BONJOUR=1",
            "OPENCLAW_NO_AUTO_UPDATE=1",
            "OPENCLAW_OFFLINE=1",
        ],
        "Digest": digest(version),
        "HostMounts": HOST_MOUNTS.into_iter().filter(|path| Path::new(path).exists()).collect::<Vec<_>>(),
    })
}

/// The folder of the pinned `node` program.
fn node(progress: Progress) -> Result<PathBuf> {
    let dir = cache::root().join(format!("node-{NODE}"));
    cache::ensure(&dir, progress, |staging| npm_install(staging, &format!("node@{NODE}"), None, progress))?;
    Ok(dir.join("node_modules/node/bin"))
}

/// `npm install` of one package into `dir`, run by the Node in `node` or else the system's own.
fn npm_install(dir: &Path, package: &str, node: Option<&Path>, progress: Progress) -> Result<()> {
    fs::create_dir_all(dir)?;
    fs::write(dir.join("package.json"), r#"{"name": "testbed-image", "private": true}"#)?;
    let mut path: Vec<PathBuf> = node.map(Path::to_owned).into_iter().collect();
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let mut command = Command::new("npm");
    command.current_dir(dir).env("PATH", env::join_paths(path)?);
    // As a distribution's own Node does: behind a company's proxy only the system's list knows its authority.
    command.env("NODE_USE_SYSTEM_CA", "1");
    // At this level npm tells of each package that it fetches, which shows how far it is.
    command.args(["install", "--no-audit", "--no-fund", "--no-progress", "--loglevel=http", package]);
    let step = Step { title: format!("Installing {package} from npm"), units: None, usual: usual(package) };
    progress
        .run(&step, &mut command)
        .context("install with npm, which comes with Node (the network and about 1 GB of disk are needed)")
}

fn usual(package: &str) -> Duration {
    Duration::from_secs(if package.starts_with("node@") { 12 } else { 60 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_stable_and_tell_versions_apart() {
        let latest = digest(OPENCLAW_LATEST);
        assert_eq!(latest, digest(OPENCLAW_LATEST));
        assert_ne!(latest, digest(OPENCLAW_PREVIOUS));
        assert_eq!(latest.len(), "sha256:".len() + 64);
    }

    #[test]
    fn the_index_lists_what_is_installed_and_nothing_else() {
        let images = tempfile::tempdir().unwrap();
        fs::create_dir(images.path().join(folder(OPENCLAW_LATEST))).unwrap();
        write_index(images.path()).unwrap();
        let index: BTreeMap<String, Value> =
            serde_json::from_slice(&fs::read(images.path().join("index.json")).unwrap()).unwrap();
        let references: Vec<&String> = index.keys().collect();
        assert_eq!(references, [&format!("{REPOSITORY}:{OPENCLAW_LATEST}"), &format!("{REPOSITORY}:main")]);
        assert_eq!(index[references[0]], index[references[1]]);
    }
}
