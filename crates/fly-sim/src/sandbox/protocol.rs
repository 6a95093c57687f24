//! What the simulator and a Machine's init say to each other.
//!
//! One JSON object a packet, file descriptors beside it. Packets stay small:
//! bulk (the boot order, stdio of an `exec`) travels through descriptors.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Exit, RootfsStrategy, SeedFile, Signal, VolumeMount};

/// Everything that init needs to boot. It comes as a memory file beside [`Request::Boot`].
#[derive(Serialize, Deserialize)]
pub(super) struct BootOrder {
    pub(super) image: PathBuf,
    pub(super) host_mounts: Vec<PathBuf>,
    pub(super) scratch: PathBuf,
    pub(super) rootfs: RootfsStrategy,
    pub(super) hostname: String,
    pub(super) argv: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) working_dir: String,
    pub(super) files: Vec<SeedFile>,
    pub(super) volume: Option<VolumeMount>,
}

/// From the simulator to init.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// The first packet, with the boot order as its descriptor.
    Boot,
    /// Answered by [`Reply::Connected`] with the connection as its descriptor.
    Connect { id: u64, port: u16 },
    /// Comes with stdin, stdout and stderr; answered when the command has ended.
    Exec { id: u64, argv: Vec<String>, env: BTreeMap<String, String> },
    /// Kills the processes of an `exec` that ran too long.
    Cancel { id: u64 },
    /// For the Machine's command.
    Signal { signal: Signal },
    /// Answered by [`Reply::Processes`].
    Processes { id: u64 },
}

/// From init to the simulator.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The command runs.
    Booted,
    /// The boot failed; init ends.
    BootFailed { cause: String },
    /// The command ended; init ends.
    Exited { exit: Exit },
    /// The connection is the packet's descriptor.
    Connected { id: u64 },
    /// An `exec` ended.
    Executed { id: u64, exit: Exit },
    /// The answer to [`Request::Processes`].
    Processes { id: u64, processes: Vec<ProcessStat> },
    /// A request failed; `errno` is the kernel's, if it was the kernel.
    Failed { id: u64, cause: String, errno: Option<i32> },
}

impl Reply {
    /// The request that this answers.
    pub(super) fn id(&self) -> Option<u64> {
        match self {
            Self::Connected { id }
            | Self::Executed { id, .. }
            | Self::Processes { id, .. }
            | Self::Failed { id, .. } => Some(*id),
            Self::Booted | Self::BootFailed { .. } | Self::Exited { .. } => None,
        }
    }
}

/// One process of a Machine, with the field names of the Machines API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStat {
    /// The process id inside the Machine.
    pub pid: i32,
    /// The command line, words joined by spaces.
    pub command: String,
    /// The working directory.
    pub directory: String,
    /// Processor time used, in milliseconds.
    pub cpu: u64,
    /// Resident memory, in bytes.
    pub rss: u64,
    /// Time in user mode, in clock ticks.
    pub rtime: u64,
    /// Time in kernel mode, in clock ticks.
    pub stime: u64,
    /// TCP sockets on which the process listens.
    pub listen_sockets: Vec<ListenSocket>,
}

/// A listening socket of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenSocket {
    /// `tcp` or `tcp6`.
    pub proto: String,
    /// Address and port.
    pub address: String,
}

/// Bytes as base64 in JSON.
pub(super) mod base64_bytes {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in super::super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}
