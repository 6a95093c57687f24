//! From a launch to a running sandbox.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::process::Inner;
use super::{Launch, contents};
use crate::model::config::Parts;
use crate::sandbox::{ConsoleLog, Image, RootfsStrategy, Sandbox, SandboxSpec, SeedFile, VolumeMount};

/// A Machine's console keeps so many bytes.
const CONSOLE: u64 = 4 << 20;

/// Boots; the error says what is wrong with the image or the configuration.
pub(super) async fn boot(inner: &Inner, launch: &Launch) -> Result<Sandbox, String> {
    let spec = spec(inner, launch).await?;
    Sandbox::spawn(spec).await.map_err(|error| error.to_string())
}

async fn spec(inner: &Inner, launch: &Launch) -> Result<SandboxSpec, String> {
    let entry =
        inner.images.find(&launch.image).ok_or_else(|| format!("there is no image {}", launch.image))?;
    let image = Image::load(&entry.dir).map_err(|error| error.to_string())?;
    let config = launch.config.value();
    let parts: Parts = serde_json::from_value(config.clone()).map_err(|error| error.to_string())?;
    let argv = command(&parts, &image);
    if argv.is_empty() {
        return Err("neither the image nor the configuration names a command".to_owned());
    }
    let mut env = base_environment(&image);
    env.extend(contents::environment(launch, &config));
    Ok(SandboxSpec {
        init_program: inner.init_program.clone(),
        image: entry.dir,
        scratch: inner.folder.join("machines").join(&launch.run.machine),
        rootfs: RootfsStrategy::Auto,
        hostname: launch.run.machine.clone(),
        argv,
        env,
        working_dir: if image.working_dir.is_empty() { "/".to_owned() } else { image.working_dir },
        files: contents::files(launch, &config)?.into_iter().map(seed).collect(),
        volume: volume(inner, launch).await?,
        console: console(&inner.folder, &launch.run.machine)?,
    })
}

/// The command line: the configuration's parts over the image's.
fn command(parts: &Parts, image: &Image) -> Vec<String> {
    let init = &parts.init;
    if !init.exec.is_empty() {
        return init.exec.clone();
    }
    let own_entrypoint = !init.entrypoint.is_empty();
    let entrypoint = if own_entrypoint { &init.entrypoint } else { &image.entrypoint };
    let cmd = if init.cmd.is_empty() && !own_entrypoint { &image.cmd } else { &init.cmd };
    entrypoint.iter().chain(cmd).cloned().collect()
}

fn base_environment(image: &Image) -> BTreeMap<String, String> {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let defaults = [("PATH", path), ("HOME", "/root")];
    let pairs = defaults.into_iter().chain(image.env_pairs());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn seed(file: contents::SeededFile) -> SeedFile {
    SeedFile { guest_path: file.path, bytes: file.bytes, mode: file.mode }
}

async fn volume(inner: &Inner, launch: &Launch) -> Result<Option<VolumeMount>, String> {
    let Some((id, path)) = &launch.volume else { return Ok(None) };
    let host_dir = inner.volumes.ready(id).await.map_err(|error| format!("volume {id}: {error}"))?;
    Ok(Some(VolumeMount { host_dir, guest_path: path.clone() }))
}

/// Where a Machine's console is written.
pub(super) fn console_path(folder: &Path, machine: &str) -> PathBuf {
    folder.join("consoles").join(format!("{machine}.log"))
}

fn console(folder: &Path, machine: &str) -> Result<ConsoleLog, String> {
    let path = console_path(folder, machine);
    std::fs::create_dir_all(folder.join("consoles")).map_err(|error| format!("the console: {error}"))?;
    Ok(ConsoleLog { path, max_bytes: CONSOLE })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(init: &str) -> Vec<String> {
        let parts: Parts = serde_json::from_str(&format!(r#"{{"init":{init}}}"#)).unwrap();
        let image = Image { entrypoint: vec!["tini".into()], cmd: vec!["serve".into()], ..Image::default() };
        command(&parts, &image)
    }

    #[test]
    fn the_configuration_replaces_what_it_names() {
        assert_eq!(words("{}"), ["tini", "serve"]);
        assert_eq!(words(r#"{"cmd":["other"]}"#), ["tini", "other"]);
        assert_eq!(words(r#"{"entrypoint":["sh"]}"#), ["sh"]);
        assert_eq!(words(r#"{"exec":["sleep","inf"],"cmd":["other"]}"#), ["sleep", "inf"]);
    }
}
