//! States of the world: full regions and hosts, unreachable hosts, bad images, stuck Machines, quotas.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::machine::MachineState;

/// What a host or region has run out of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scarce {
    /// Memory.
    #[default]
    Memory,
    /// CPUs.
    Cpus,
    /// Addresses.
    Ips,
    /// Something.
    Resources,
}

/// How an image fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageFailure {
    /// The registry doesn't have it: create and update answer 400.
    ManifestUnknown,
    /// It can't be run: the Machine ends in `failed`.
    Failed,
    /// It can't be launched: the Machine is destroyed.
    LaunchFailed,
    /// Its program ends by itself as soon as it is started (instant driver).
    Exits,
}

/// A state of the world that lasts until it is taken away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Environment {
    /// A region takes so many Machines and no more.
    RegionCapacity {
        /// Its code.
        region: String,
        /// How many in all; 0 means full.
        #[serde(default)]
        machines: usize,
    },
    /// A region has no room for volumes.
    VolumeCapacity {
        /// Its code.
        region: String,
    },
    /// A host has no room for another Machine, nor for a start or a bigger size.
    HostFull {
        /// The host; or a Machine's or volume's id, for the host that it is on.
        on: String,
        /// What ran out.
        #[serde(default)]
        of: Scarce,
    },
    /// Running Machines see at once that their volume has grown: `extend` asks for no restart.
    VolumesGrowOnline,
    /// An organisation's list also shows what changed at the very time that is asked from.
    ListsIncludeTheTime,
    /// A host can't be asked.
    HostUnreachable {
        /// The host, or a Machine's or volume's id.
        on: String,
    },
    /// Nobody knows how a host is: of its Machines only a part is told.
    HostUnknown {
        /// The host, or a Machine's or volume's id.
        on: String,
    },
    /// A host takes no deploys.
    HostMaintenance {
        /// The host, or a Machine's or volume's id.
        on: String,
    },
    /// An image fails.
    ImageFailure {
        /// The image as the config names it; any when empty.
        #[serde(default)]
        image: String,
        /// How.
        how: ImageFailure,
    },
    /// A Machine that comes into this state stays in it.
    Stuck {
        /// The state.
        state: MachineState,
        /// Only in this app; any when empty.
        #[serde(default)]
        app: String,
    },
    /// An organisation may have so many Machines.
    MachineQuota {
        /// Its slug.
        org: String,
        /// How many.
        machines: usize,
    },
    /// An organisation may use so much memory in a region.
    MemoryQuota {
        /// Its slug.
        org: String,
        /// MiB.
        megabytes: u64,
    },
    /// An organisation may have one Machine in each app.
    PaymentMissing {
        /// Its slug.
        org: String,
    },
    /// Starts are refused by policy.
    StartBlocked {
        /// Only in this app; any when empty.
        #[serde(default)]
        app: String,
    },
    /// Looking at a hostname finds this wrong, whatever DNS says.
    CertificateProblem {
        /// The hostname; any when empty.
        #[serde(default)]
        hostname: String,
        /// The code, such as `DNS_TIMEOUT`; none when absent, as Fly sometimes sends none.
        #[serde(default)]
        code: Option<String>,
        /// What is wrong; the code's usual words when empty.
        #[serde(default)]
        message: String,
        /// What to do; the code's usual words when empty.
        #[serde(default)]
        remediation: String,
    },
    /// Issuing a certificate takes so long.
    CertificateIssue {
        /// The hostname; any when empty.
        #[serde(default)]
        hostname: String,
        /// How long, in milliseconds; it never ends when absent.
        #[serde(default)]
        ms: Option<i64>,
    },
    /// Let's Encrypt refuses a hostname for a while.
    CertificateRateLimit {
        /// The hostname; any when empty.
        #[serde(default)]
        hostname: String,
        /// For how long, in milliseconds.
        ms: i64,
    },
    /// Exec prints this and ends so (instant driver).
    ExecAnswer {
        /// The first word of the command; any when empty.
        #[serde(default)]
        command: String,
        /// Exit code.
        #[serde(default)]
        exit_code: i32,
        /// Standard output.
        #[serde(default)]
        stdout: String,
        /// Standard error.
        #[serde(default)]
        stderr: String,
        /// How long it takes, in real milliseconds.
        #[serde(default)]
        ms: u64,
    },
    /// Checks answer this (instant driver).
    CheckAnswer {
        /// Only in this app; any when empty.
        #[serde(default)]
        app: String,
        /// `passing`, `warning` or `critical`.
        status: String,
        /// What the check received.
        #[serde(default)]
        output: String,
    },
}

/// All states of the world.
#[derive(Debug, Default)]
pub struct Environments {
    all: BTreeMap<u64, Environment>,
}

impl Environments {
    pub(super) fn insert(&mut self, id: u64, environment: Environment) {
        self.all.insert(id, environment);
    }

    pub(super) fn remove(&mut self, id: u64) -> bool {
        self.all.remove(&id).is_some()
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
    }

    /// All of them with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Environment)> {
        self.all.iter().map(|(id, environment)| (*id, environment))
    }

    /// What the first that answers says.
    pub fn find<'a, T>(&'a self, ask: impl Fn(&'a Environment) -> Option<T>) -> Option<T> {
        self.all.values().find_map(ask)
    }

    /// Whether there is none, which is nearly always so.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether a running Machine sees at once that its volume has grown.
    pub fn volumes_grow_online(&self) -> bool {
        self.all.values().any(|environment| matches!(environment, Environment::VolumesGrowOnline))
    }

    /// Whether an organisation's list also shows what changed at the very time that is asked from.
    pub fn lists_include_the_time(&self) -> bool {
        self.all.values().any(|environment| matches!(environment, Environment::ListsIncludeTheTime))
    }

    /// Whether a Machine of this app that comes into this state stays in it.
    pub fn sticks(&self, state: MachineState, app: &str) -> bool {
        let stuck = |environment: &Environment| match environment {
            Environment::Stuck { state: at, app: only } => *at == state && (only.is_empty() || only == app),
            _ => false,
        };
        self.all.values().any(stuck)
    }

    /// How this image fails, by a digest or by its tag alone.
    pub fn image_failure(&self, image: &str) -> Option<ImageFailure> {
        let image = image.split_once('@').map_or(image, |(tag, _)| tag);
        self.find(|environment| match environment {
            Environment::ImageFailure { image: of, how } if of.is_empty() || of == image => Some(*how),
            _ => None,
        })
    }
}
