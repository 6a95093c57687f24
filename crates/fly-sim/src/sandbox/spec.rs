//! What a Machine is to run, and how its run ended.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

/// One boot of one Machine.
#[derive(Clone)]
pub struct SandboxSpec {
    /// The program that hands over to [`super::machine_init`], as a rule the own executable.
    pub init_program: PathBuf,
    /// The image folder: `image.json` and `rootfs/`.
    pub image: PathBuf,
    /// A folder that belongs to this Machine alone. It is emptied at boot and
    /// holds what the Machine writes outside its volume.
    pub scratch: PathBuf,
    /// How the writable layer over the image is made.
    pub rootfs: RootfsStrategy,
    /// The Machine's hostname, on Fly its id.
    pub hostname: String,
    /// The resolved command: program and arguments. Never empty.
    pub argv: Vec<String>,
    /// The whole environment of the command and of each `exec`.
    pub env: BTreeMap<String, String>,
    /// The working directory inside the Machine, absolute.
    pub working_dir: String,
    /// Written on the root filesystem before the command starts, never on the volume.
    pub files: Vec<SeedFile>,
    /// The volume, if the Machine mounts one.
    pub volume: Option<VolumeMount>,
    /// Where the command's output goes.
    pub console: ConsoleLog,
}

impl fmt::Debug for SandboxSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxSpec")
            .field("image", &self.image)
            .field("hostname", &self.hostname)
            .field("argv", &self.argv)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("files", &self.files)
            .field("volume", &self.volume)
            .finish_non_exhaustive()
    }
}

/// How the writable layer over the read-only image is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RootfsStrategy {
    /// An overlay if the kernel allows one in a user namespace, else a copy.
    #[default]
    Auto,
    /// An overlay; a host that refuses it is an error.
    Overlay,
    /// A copy of the image's own folder; host folders are bound read-only.
    Copy,
}

/// One file of the Machine's configuration.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedFile {
    /// Absolute path inside the Machine.
    pub guest_path: String,
    /// The content, decoded.
    #[serde(with = "super::protocol::base64_bytes")]
    pub bytes: Vec<u8>,
    /// Permission bits; Fly's default is `0o644`.
    pub mode: u32,
}

impl fmt::Debug for SeedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes, {:o})", self.guest_path, self.bytes.len(), self.mode)
    }
}

/// A host folder that stands for a volume, and where the Machine sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeMount {
    /// The folder on the host.
    pub host_dir: PathBuf,
    /// Absolute path inside the Machine.
    pub guest_path: String,
}

/// A log file of bounded size: once full it moves to `<path>.1` and begins anew.
#[derive(Clone, Debug)]
pub struct ConsoleLog {
    /// The file that receives stdout and stderr.
    pub path: PathBuf,
    /// The most that the file and its predecessor hold together, in bytes.
    pub max_bytes: u64,
}

/// How a Machine's command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The exit code; after a signal 128 plus its number, as a shell counts.
    pub code: i32,
    /// The signal that ended the command, if one did.
    pub signal: Option<i32>,
    /// True when the host's out-of-memory killer ended the command.
    pub oom: bool,
}

impl Exit {
    /// The exit of a command whose whole Machine was killed from outside.
    pub const KILLED: Self = Self { code: 137, signal: Some(9), oom: false };
}
