//! What is costly to make is made once for each version, outside the checkout.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::progress::Progress;

/// `$XDG_CACHE_HOME/moorage`, else `~/.cache/moorage`, else a folder beside the temporary files.
pub fn root() -> PathBuf {
    let set = |key| env::var_os(key).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(env::temp_dir)
        .join("moorage")
}

/// `dir`, filled by `build` if it isn't there yet.
///
/// Two processes never build the same thing: the second waits for the first. A build that is cut short
/// leaves nothing under the final name, since it fills a folder beside it that is renamed at the end.
pub fn ensure(dir: &Path, progress: Progress, build: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if dir.exists() {
        return Ok(());
    }
    let parent = dir.parent().context("a cache folder has a parent")?;
    fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    let _lock = lock(&beside(dir, "lock"), progress)?;
    if dir.exists() {
        return Ok(());
    }
    let staging = beside(dir, "partial");
    if staging.exists() {
        fs::remove_dir_all(&staging)?;
    }
    fs::create_dir_all(&staging)?;
    build(&staging)?;
    fs::rename(&staging, dir).with_context(|| format!("move the finished build to {}", dir.display()))
}

/// Not `with_extension`, which would take the last number of a version for an extension.
fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// Holds `path` until the file is dropped; the system frees it even when the holder is killed.
fn lock(path: &Path, progress: Progress) -> Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress.note(&format!("another process is making {}; waiting for it", path.display()));
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error).context(format!("lock {}", path.display())),
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_build_leaves_nothing_under_the_final_name() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("thing");
        let quiet = Progress::quiet();
        let failed = ensure(&dir, quiet, |staging| {
            fs::write(staging.join("half"), "x")?;
            anyhow::bail!("disk full")
        });
        assert!(failed.is_err());
        assert!(!dir.exists());
        ensure(&dir, quiet, |staging| Ok(fs::write(staging.join("whole"), "x")?)).unwrap();
        assert!(dir.join("whole").exists() && !dir.join("half").exists());
    }

    #[test]
    fn two_at_once_build_once() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("thing");
        let builds = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    ensure(&dir, Progress::quiet(), |_| {
                        builds.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        std::thread::sleep(std::time::Duration::from_millis(50));
                        Ok(())
                    })
                    .unwrap();
                });
            }
        });
        assert_eq!(builds.into_inner(), 1);
    }
}
