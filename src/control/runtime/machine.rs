//! A Machine, as decisions see it.

use jiff::{SignedDuration, Timestamp};

use super::drift::Drift;
use super::known::Source;
use crate::gateway::exit::ExitCause;

/// A Machine, as last read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineFact {
    /// Its id.
    pub id: String,
    /// Where it is in its life.
    pub phase: MachinePhase,
    /// Fly's own word for it.
    pub state: String,
    /// Version of its configuration.
    pub version: String,
    /// Its region.
    pub region: String,
    /// Volume that it mounts.
    pub volume: Option<String>,
    /// Mark of the configuration that we gave it.
    pub config_hash: Option<String>,
    /// Size in GB of its volume for which it was started anew.
    pub grown_gb: Option<i32>,
    /// Version of the operator's own files that it was given.
    pub seed: u32,
    /// Hash of the secrets that its app was last given, as far as we know them.
    pub secrets_hash: Option<String>,
    /// Fly's digests of those, as they were shown after they were set.
    pub digests: Option<Box<str>>,
    /// What it was given of each variable.
    pub env_mark: Option<String>,
    /// How what Fly reports of it differs from what we asked for, if it does.
    pub drift: Option<Box<Drift>>,
    /// Addresses that its configuration knows.
    pub addresses: Vec<String>,
    /// Hostname under the base domain that its configuration knows.
    pub hostname: Option<String>,
    /// Mark of the customers' hostnames that its configuration knows.
    pub names: Option<String>,
    /// The slug whose app it is, if it was warm before.
    pub owner: Option<String>,
    /// The restart request that it was last begun for.
    pub restarted_at: Option<String>,
    /// Digest of its image.
    pub image_digest: Option<String>,
    /// Version that its image says.
    pub image_version: Option<String>,
    /// What its checks say.
    pub health: Health,
    /// How it last ended, if it wasn't asked to.
    pub exit: Option<ExitCause>,
    /// Whether its host answers.
    pub host: Host,
    /// Whether it serves anything.
    pub services: Services,
    /// When it was last started, by Fly's clock, as far as its events tell.
    pub started: Option<Timestamp>,
    /// Since when it has written nothing, by Fly's clock, if it is off and its events tell.
    pub quiet: Option<Timestamp>,
    /// When its last run began that ended as asked for, by Fly's proxy or by a person, as far as its events tell: whoever
    /// used it then was done with it.
    pub session: Option<Timestamp>,
    /// What Fly's proxy does with it while nobody uses it.
    pub idling: Idling,
    /// Whether it has booted since it was last asked to.
    pub boot: Boot,
    /// Where this was read.
    pub source: Source,
    /// When it was first seen like this.
    pub since: Timestamp,
    /// When it was read.
    pub read_at: Timestamp,
}

/// Where a Machine is in its life, in the terms that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachinePhase {
    /// Its image is being fetched.
    Preparing,
    /// It boots.
    Starting,
    /// It has booted.
    Started,
    /// It is being stopped.
    Stopping,
    /// It is off.
    Stopped,
    /// A new version is being put in place.
    Replacing,
    /// It couldn't be started.
    Failed,
    /// It is being removed.
    Destroying,
}

/// What a Machine's checks say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Not known yet.
    Unknown,
    /// All pass.
    Passing,
    /// One doesn't.
    Failing,
}

/// Whether a host answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// It does.
    Reachable,
    /// It doesn't; what is read comes from a cache.
    Unreachable,
}

/// Whether a Machine has public services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Services {
    /// It has.
    Public,
    /// It has none.
    None,
}

/// What Fly's proxy does with a Machine that nobody uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idling {
    /// It leaves it as it is, on or off.
    Off,
    /// It stops it, and starts it at the next request.
    Stop,
    /// It suspends it, and starts it at the next request.
    Suspend,
    /// Something else, which we don't ask for.
    Mixed,
}

/// Whether a Machine has booted since it was last asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    /// It hasn't: an update meant it to, and found it off.
    Due,
    /// It has, or it wasn't asked to.
    Done,
}

impl MachineFact {
    /// The pause before the next look at it: short at first, longer the longer it stays as it is. What has been wrong
    /// for an hour isn't mended by a look every three seconds, and Fly counts the requests.
    pub fn pause(&self) -> SignedDuration {
        let age = self.since.duration_until(self.read_at);
        let at_first = (age / 2).clamp(SignedDuration::from_millis(150), SignedDuration::from_secs(3));
        at_first.max((age / 100).min(SignedDuration::from_mins(1)))
    }

    /// The pause before checks that fail are looked at again, while the gateway serves all the same.
    pub fn pause_of_checks(&self) -> SignedDuration {
        let age = self.since.duration_until(self.read_at);
        (age / 8).clamp(SignedDuration::from_secs(3), SignedDuration::from_mins(5))
    }

    /// Whether Fly reports what we asked for, as far as it isn't Fly's own way to put it.
    pub fn is_as_asked(&self) -> bool {
        self.drift.as_ref().is_none_or(|drift| drift.changed.is_empty())
    }
}
