//! Finds the workspace's own programs, and talks to them.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// The path of a program of this workspace, as `cargo build --workspace` leaves it.
///
/// `MOORAGE_BIN_DIR` wins; else it is looked for beside the running program, a test among them.
pub fn program(name: &str) -> Result<PathBuf> {
    let dir = match env::var_os("MOORAGE_BIN_DIR").filter(|value| !value.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => beside(&env::current_exe().context("find the running program")?),
    };
    let path = dir.join(name);
    if !path.exists() {
        bail!("{} is not built; run `cargo build --workspace --bins` first", path.display());
    }
    Ok(path)
}

/// Keeps no connection: tests with an async runtime each share one, and a kept connection would die with the
/// runtime that it was made in.
pub(crate) fn http_client(timeout: Duration) -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().pool_max_idle_per_host(0).timeout(timeout).build()?)
}

/// Tests and examples live one folder below the programs.
fn beside(executable: &Path) -> PathBuf {
    let dir = executable.parent().unwrap_or(Path::new("."));
    let nested = dir.ends_with("deps") || dir.ends_with("examples");
    if nested { dir.parent().unwrap_or(dir).to_owned() } else { dir.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_finds_programs_one_folder_up() {
        assert_eq!(beside(Path::new("/t/debug/deps/x-1")), Path::new("/t/debug"));
        assert_eq!(beside(Path::new("/t/debug/testbed")), Path::new("/t/debug"));
    }

    #[test]
    fn a_missing_program_says_how_to_make_it() {
        let error = program("no-such-program").unwrap_err().to_string();
        assert!(error.contains("cargo build"), "{error}");
    }
}
