//! What is known about one Runtime when a decision is made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::drift::Mends;
pub use super::known::{Absence, AbsenceKind, Compared, Known, Proof, Source};
pub use super::machine::{Boot, Health, Host, Idling, MachineFact, MachinePhase, Services};
use super::moving::Moving;
use super::names::Name;
pub use super::request::{Pursuit, Request, RequestKind};
use super::step::Look;
pub use super::survey::Survey;
pub use super::volume_facts::{
    Filling, SnapshotAsked, SnapshotFact, SnapshotPhase, SnapshotReply, VolumeFact, VolumePhase,
};
pub use super::warm::{Warm, WarmStanding};
use crate::api::name_claim::{NameClaimSpec, Pin};
use crate::api::order_record::OrderRecord;
use crate::api::runtime::OperationType;
use crate::api::{BlueprintSpec, PlanSpec, Runtime, Workspace};
use crate::control::policy::EffectivePolicy;
use crate::control::rollout::images::SeenImage;
use crate::control::rollout::pick::Permit;

/// Everything that `decide` sees.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What is declared.
    pub runtime: Arc<Runtime>,
    /// The cluster around it, from the caches.
    pub cluster: Cluster,
    /// What is known of Fly and of Secrets, kept between visits.
    pub known: Knowledge,
}

/// What the caches say.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The namespace's Workspace.
    pub workspace: Option<Arc<Workspace>>,
    /// The Plan that the spec or the Workspace names.
    pub plan: Option<(String, PlanSpec)>,
    /// The Plan that it was made from, if it still exists.
    pub pinned_plan: Option<PlanSpec>,
    /// The Blueprint that the spec names, with its generation.
    pub blueprint: Option<(String, i64, Arc<BlueprintSpec>)>,
    /// What the tag of the Blueprint's image was last seen to stand for.
    pub newest_image: Option<SeenImage>,
    /// Whether the Blueprint's rollout lets it be upgraded now.
    pub permit: Permit,
    /// What the platform allows.
    pub policy: EffectivePolicy,
    /// Who holds the slug.
    pub claim: ClaimFact,
    /// Apps that were made ahead and could be its own.
    pub warm: Vec<Warm>,
    /// Slugs that the namespace holds beside this one.
    pub other_slugs: i32,
    /// Whether the namespace is being deleted.
    pub namespace: NamespaceFact,
    /// The order with the best right to it, as its claim has it.
    pub order: Option<Arc<OrderRecord>>,
    /// What a person asked for by a RuntimeTask: the oldest request that isn't finished.
    pub request: Option<Request>,
    /// What the base domain offers, if there is one.
    pub base: Option<super::hostname::Base>,
    /// Customers' own hostnames that lead to its app.
    pub names: Vec<Name>,
    /// Settings of the operator.
    pub settings: Settings,
}

/// Whether the namespace is being deleted: nothing can be created in one that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamespaceFact {
    /// It is there.
    Active,
    /// It is being deleted.
    Terminating,
}

/// Who holds the slug.
#[derive(Clone, Debug)]
pub enum ClaimFact {
    /// Nobody.
    Free,
    /// A claim stands.
    Held(Arc<NameClaimSpec>),
}

/// Settings of the operator that decisions depend on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names the cluster.
    pub cluster_id: Arc<str>,
    /// Prefix of app names.
    pub app_prefix: Arc<str>,
    /// Blueprint of Runtimes that name none.
    pub default_blueprint: Arc<str>,
    /// Regions of Runtimes for which nobody names one.
    pub default_regions: Arc<[String]>,
    /// Whether anything may be changed.
    pub mode: crate::engine::config::Mode,
    /// How a gateway is found to be ready.
    pub readiness: crate::engine::config::Readiness,
    /// When deletions are held.
    pub deletion_brake: crate::engine::config::DeletionBrake,
    /// Time before absence is believed.
    pub absence_grace: SignedDuration,
    /// Time that a start may take.
    pub start_deadline: SignedDuration,
    /// Time that a stop may take.
    pub stop_deadline: SignedDuration,
    /// Time that a removal may take.
    pub destroy_deadline: SignedDuration,
    /// Pause of slow retries.
    pub slow_retry: SignedDuration,
    /// Time that a new volume has to serve before the one that it took the place of is removed.
    pub keep_displaced: SignedDuration,
    /// Version of the files that this operator lays on a Machine.
    pub seed: u32,
}

/// What is known of Fly and of Secrets. Nothing in here is needed after a restart: it can all be asked for again.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// The app.
    pub app: Known<Origin>,
    /// Its public IPv6 address.
    pub v6: Known<String>,
    /// Its public IPv4 address.
    pub v4: Known<String>,
    /// The volume.
    pub volume: Known<VolumeFact>,
    /// The Machine.
    pub machine: Known<MachineFact>,
    /// The snapshot of the volume as its Machine left it, for a deletion or an upgrade.
    pub snapshot: Known<SnapshotFact>,
    /// The gateway's token.
    pub token: Token,
    /// The environment's secret values.
    pub env: EnvFact,
    /// With which spec the secret values were last compared with what the Machine was given.
    pub compared: Option<Compared>,
    /// The app's secrets as set in this process's life.
    pub secrets: Option<SecretsFact>,
    /// What the gateway answered at its URL, and for which version of the Machine.
    pub probe: Option<ProbeFact>,
    /// Regions that had no room, and until when they aren't asked again.
    pub full_regions: BTreeMap<String, Timestamp>,
    /// What went wrong last, until something succeeds again.
    pub trouble: Option<Trouble>,
    /// What kind of operation the first effect since the last rest was part of: once it is done the facts don't tell.
    pub under_way: Option<OperationType>,
    /// The last start asked for, so that a failing one isn't repeated hot.
    pub started: Option<Attempt>,
    /// When the stop under way was asked for.
    pub stop_asked: Option<Timestamp>,
    /// The last kill of a Machine that Fly had left on its way to a stop, and how many there were in a row.
    pub killed: Option<Attempt>,
    /// How many stops were asked for on the way to rest: more than one if requests start it again.
    pub stops: u32,
    /// When the Machine's removal was asked for.
    pub destroy_asked: Option<Timestamp>,
    /// The last request for the snapshot under way.
    pub snapshot_asked: Option<SnapshotAsked>,
    /// What is known about the request under way.
    pub pursuit: Option<Pursuit>,
    /// When the app's removal was asked for.
    pub app_delete_asked: Option<Timestamp>,
    /// The volume on whose host a Machine found no room.
    pub full_volume: Option<String>,
    /// What was done about the hostname.
    pub hostname: super::hostname::Deeds,
    /// Volumes that were removed in this process's life.
    pub removed_volumes: BTreeSet<String>,
    /// What is known of a move to another volume, and of what moves left behind.
    pub moving: Moving,
    /// The Machine's last change by us, and how often it had to be put right of late.
    pub mends: Option<Box<Mends>>,
    /// What else stands in the app.
    pub survey: Survey,
    /// When each thing was last looked at.
    pub looked: BTreeMap<Look, Timestamp>,
}

/// Whether an app, or a request, was made in this process's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was: nothing can have come of it that we didn't do.
    Made,
    /// It was found: look before making anything for it.
    Found,
}

/// Kinds of public addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv6.
    V6,
    /// IPv4, the app's own or shared.
    V4,
}

/// The gateway's token.
#[derive(Clone, Debug, Default)]
pub enum Token {
    /// Not read.
    #[default]
    Unknown,
    /// Read or made.
    Known(SecretString),
    /// The Secret is there but isn't a token.
    Invalid,
}

/// The environment's secret values.
#[derive(Clone, Debug, Default)]
pub enum EnvFact {
    /// Not read, or read too long ago.
    #[default]
    Unknown,
    /// Read.
    Known(Arc<BTreeMap<String, SecretString>>),
    /// One can't be read.
    Refused(Refusal),
}

/// Something that can't be done as it stands, with its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: &'static str,
    /// Cause and remedy, for the person who reads it.
    pub message: String,
}

impl Refusal {
    /// A refusal for `reason`.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// The app's secrets as they were last set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretsFact {
    /// Hash of what was set.
    pub hash: String,
    /// Version that a Machine needs at least.
    pub version: u64,
}

/// What a gateway answered at its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeFact {
    /// Version of the Machine that was asked.
    pub machine_version: String,
    /// Whether it is live.
    pub result: ProbeResult,
    /// When.
    pub at: Timestamp,
}

/// Whether a gateway is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    /// It is.
    Live,
    /// It isn't, or not yet.
    NotLive,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// How bad it is.
    pub class: TroubleClass,
    /// Why.
    pub reason: &'static str,
    /// Cause and remedy; stable, without ids and times.
    pub message: String,
    /// When it began.
    pub since: Timestamp,
    /// How many times in a row.
    pub attempts: u32,
    /// When to try again at the earliest.
    pub next: Timestamp,
    /// Generation of the spec that it happened with; another is tried at once.
    pub generation: i64,
}

/// How bad a trouble is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleClass {
    /// It passes by itself.
    Transient,
    /// Somebody has to do something; slow retries go on.
    Human,
}

/// Something that was asked for, perhaps again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When.
    pub at: Timestamp,
    /// How many in a row didn't lead to what was wanted.
    pub count: u32,
}

impl Cluster {
    /// Whether the standing claim counts as one of its namespace's slugs already.
    pub fn claim_counts(&self) -> bool {
        matches!(&self.claim, ClaimFact::Held(claim) if claim.tombstone.is_none())
    }
}

impl Facts {
    /// The claim on our slug, if it is held by this very object.
    pub fn own_claim(&self) -> Option<&NameClaimSpec> {
        match &self.cluster.claim {
            ClaimFact::Held(claim) if Some(&claim.holder.uid) == self.runtime.metadata.uid.as_ref() => {
                Some(claim)
            }
            _ => None,
        }
    }

    /// What it was made from, once that is recorded.
    pub fn pin(&self) -> Option<&Pin> {
        self.own_claim().and_then(|claim| claim.runtime.as_ref()).map(|identity| &identity.pin)
    }
}

impl Knowledge {
    /// Takes the environment's secret values as they were read for a generation of the spec. Those that can't be read
    /// aren't compared: they are read again until they can, though a Runtime at rest forgets them.
    pub fn note_env(&mut self, generation: i64, env: EnvFact) {
        self.compared = Some(match env {
            EnvFact::Known(_) => Compared::With(generation),
            EnvFact::Unknown | EnvFact::Refused(_) => Compared::Never,
        });
        self.env = env;
    }

    /// Whether the Machine is known to exist.
    pub fn machine_exists(&self) -> bool {
        matches!(self.machine, Known::Present(_))
    }

    /// How long ago something was looked at.
    pub fn since_look(&self, look: Look, now: Timestamp) -> SignedDuration {
        self.looked.get(&look).map_or(SignedDuration::MAX, |at| at.duration_until(now))
    }

    /// The public addresses that are known, sorted: the app's own, or those that its Machine was given.
    pub fn addresses(&self) -> Vec<String> {
        let mut known: Vec<String> =
            [&self.v4, &self.v6].into_iter().filter_map(|address| address.present().cloned()).collect();
        if let (true, Some(machine)) = (known.len() < 2, self.machine.present()) {
            known.clone_from(&machine.addresses);
        }
        known.sort();
        known
    }
}
