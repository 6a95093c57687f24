//! Small Go programs of `tools/`, that let tests ask the libraries that other people's programs use.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::progress::{Progress, Step};
use crate::{cache, go, repository};

/// The program of `tools/{name}`, built once for each state of its sources and kept in the cache.
pub fn go_tool(name: &str) -> Result<PathBuf> {
    let module = repository().join("tools").join(name);
    let dir = cache::root().join(name).join(fingerprint(&module)?);
    let progress = Progress::stderr();
    cache::ensure(&dir, progress, |staging| {
        let step = Step { title: format!("Building {name}"), units: None, usual: Duration::from_secs(30) };
        let mut build = go::go(&module)?;
        build.args(["build", "-buildvcs=false", "-trimpath", "-o"]).arg(staging.join(name));
        progress.run(&step, &mut build)
    })?;
    Ok(dir.join(name))
}

/// A short hash of a module's files, in which its dependencies are pinned.
fn fingerprint(module: &Path) -> Result<String> {
    let entries = fs::read_dir(module).with_context(|| format!("read {}", module.display()))?;
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(fs::read(&file).with_context(|| format!("read {}", file.display()))?);
    }
    Ok(format!("{:x}", hash.finalize())[..12].to_owned())
}
