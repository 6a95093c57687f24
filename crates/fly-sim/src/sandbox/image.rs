//! An image is a folder: `image.json` with OCI's names, and `rootfs/`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::SandboxError;

/// The configuration of an image, as in `image.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Image {
    /// What runs, before `Cmd`.
    pub entrypoint: Vec<String>,
    /// Arguments of `Entrypoint`, or the command if that is empty.
    pub cmd: Vec<String>,
    /// The directory in which the command starts; empty means `/`.
    pub working_dir: String,
    /// `NAME=value` pairs beneath the Machine's own environment.
    pub env: Vec<String>,
    /// `sha256:...`, what the Machines API reports for this image.
    pub digest: String,
    /// Host folders that the image borrows, such as `/usr` for the C library.
    pub host_mounts: Vec<PathBuf>,
}

impl Image {
    /// Reads `image.json` in an image folder and checks that `rootfs/` is there.
    pub fn load(dir: &Path) -> Result<Self, SandboxError> {
        let fault = |cause: String| SandboxError::Image { path: dir.to_owned(), cause };
        let text = std::fs::read_to_string(dir.join("image.json"))
            .map_err(|error| fault(format!("image.json can't be read: {error}")))?;
        let image: Self =
            serde_json::from_str(&text).map_err(|error| fault(format!("image.json isn't valid: {error}")))?;
        if !dir.join("rootfs").is_dir() {
            return Err(fault("there is no rootfs folder".to_owned()));
        }
        if let Some(odd) = image.host_mounts.iter().find(|path| !is_plain_absolute(path)) {
            return Err(fault(format!("HostMounts: {} isn't a plain absolute path", odd.display())));
        }
        Ok(image)
    }

    /// The image's environment as pairs; entries without `=` have an empty value.
    pub fn env_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.env.iter().map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }
}

/// Absolute, without `..`, and not the root itself.
pub(super) fn is_plain_absolute(path: &Path) -> bool {
    use std::path::Component::{Normal, RootDir};
    path.is_absolute()
        && path.components().all(|part| matches!(part, RootDir | Normal(_)))
        && path.components().count() > 1
}
