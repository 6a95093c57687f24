//! What a decision can be: look at something, do one thing, or leave it until later.

use jiff::SignedDuration;

use super::facts::{Family, Refusal};
use crate::api::name_claim::{HostnameRecord, RuntimeIdentity, Tombstone};
use crate::api::runtime_task::TaskResult;
use crate::api::state::TaskState;

/// The next step for a Runtime.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Look at something first.
    Look(Look),
    /// Do one thing.
    Do(Effect),
    /// Something is under way: come back.
    Wait(Wait),
    /// Nothing is to be done.
    Rest(Rest),
}

/// Something to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Look {
    /// The app.
    App,
    /// Its addresses.
    Addresses,
    /// The volume, by its recorded id or else by its name.
    Volume,
    /// The Machine, by its recorded id or else by its name.
    Machine,
    /// The snapshots of the volume.
    Snapshot,
    /// The snapshots of the volume, for the one that a request asks for.
    RequestedSnapshot,
    /// The volume that a move makes, by its name.
    NewVolume,
    /// The snapshots that could be restored.
    Snapshots,
    /// The oldest volume that a move left behind.
    Displaced,
    /// Whatever else stands in the app.
    Surroundings,
    /// Machines and volumes that nobody recorded, before the app goes.
    Remains,
    /// The environment's secret values.
    Env,
    /// The gateway, at its URL.
    Probe,
    /// When it is this app's turn to be given a renewed certificate.
    Turn,
    /// Whether Fly shows the hostname's certificate to visitors.
    Hostname,
}

/// One thing to do. Each can be repeated after "sent, unknown".
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Put our finalizer on the Runtime.
    AddFinalizer,
    /// Take our finalizer off.
    RemoveFinalizer,
    /// Take the warm app of this name, if nobody has.
    TakeWarm(String),
    /// Claim the slug, with an identity that is minted for it.
    ClaimSlug(Box<NewClaim>),
    /// Take over a claim that the platform confirmed, or a freed one of ours.
    TakeOverClaim(Box<NewClaim>),
    /// Write what stands at Fly to the claim.
    RecordIdentity(Box<RuntimeIdentity>),
    /// Write to the claim that the deletion begins, or is held because very many go at once.
    BeginDeletion,
    /// Record that an upgrade begins, if it may.
    BeginUpgrade(Box<RuntimeIdentity>),
    /// Give the slug up.
    ReleaseClaim(Box<Release>),
    /// Write the status, so that it names the app before the app is made.
    RecordIntent,
    /// Make the Secret with the gateway's token, or read the one that is there.
    EnsureToken,
    /// Make the app.
    CreateApp,
    /// Give the app an address.
    AllocateAddress(Family),
    /// Take an address from the app.
    ReleaseAddress(String),
    /// Set the app's secrets.
    SetSecrets,
    /// Mark on the Machine in the present way what it was made from, without a new version of it.
    MarkConfig,
    /// Mark on the Machine which secrets its app has, without a new version of it.
    MarkSecrets,
    /// Mark on the Machine the digests that Fly shows of the app's secrets, without a new version of it.
    MarkDigests,
    /// Mark on the Machine how Fly puts what it was asked for, without a new version of it.
    MarkSpelling,
    /// Mark on a Machine that was warm whose it is, without a new version of it.
    MarkOwner,
    /// Make the volume.
    CreateVolume {
        /// Where.
        region: String,
    },
    /// Make the volume that takes the place of the recorded one, as the claim's replacement says.
    ReplaceVolume,
    /// Make the volume larger.
    ExtendVolume {
        /// Which.
        id: String,
        /// Its new size in GB.
        size_gb: i32,
    },
    /// Clear up what a move left behind.
    Clear(Clearing),
    /// Remove a volume.
    DeleteVolume {
        /// Which.
        id: String,
    },
    /// Keep the volume's snapshots for as long as Fly can, and make one.
    SnapshotVolume {
        /// Which.
        id: String,
    },
    /// Have Fly keep the volume's snapshots for so many days, those that are made from now on.
    KeepSnapshots {
        /// Of which volume.
        volume: String,
        /// How many days.
        days: u32,
    },
    /// Make a snapshot for a request, kept for as long as the volume's others.
    TakeSnapshot {
        /// Of which volume.
        volume: String,
    },
    /// Say how a request ended.
    FinishTask(Box<Finish>),
    /// Have the hostname lead to these addresses.
    SetRecords(HostnameRecord),
    /// Have the hostname lead nowhere.
    RemoveRecords(String),
    /// Give the app the wildcard certificate for its hostname.
    ImportCertificate(HostnameRecord),
    /// Take the hostname from the app, with its certificate.
    DetachHostname(String),
    /// Have the customer's hostname of this claim lead nowhere.
    VacateName(String),
    /// Make a snapshot of the volume, to which an upgrade that fails goes back; kept for as long as Fly can, if the
    /// volume's own setting is recorded.
    SnapshotBeforeUpgrade {
        /// Which volume.
        id: String,
    },
    /// Make the Machine.
    CreateMachine(Launch),
    /// Give the Machine the declared configuration.
    UpdateMachine(Launch),
    /// Have Fly's proxy leave the Machine alone: it is neither stopped when idle nor started by a request.
    KeepOff,
    /// Take the Machine's public services away.
    DetachServices,
    /// Start the Machine.
    StartMachine,
    /// Stop the Machine, gracefully.
    StopMachine,
    /// End the Machine, which Fly has left on its way to a stop, without any time left to it.
    KillMachine,
    /// Remove the Machine.
    DestroyMachine,
    /// Remove the app.
    DeleteApp,
}

/// What is cleared up behind a move. It never holds up anything else: what fails is tried again later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clearing {
    /// Stop the Machine of this id.
    Stop(String),
    /// Remove the Machine of this id.
    Machine(String),
    /// Make a last snapshot of the volume of this id, kept for as long as Fly can.
    Snapshot(String),
    /// Remove the volume of this id.
    Volume(String),
}

/// Whether a Machine is to run once it is made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launch {
    /// It is.
    Start,
    /// It isn't.
    Skip,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// Name of its task.
    pub task: String,
    /// UID of its task.
    pub uid: String,
    /// In the portal's word; one that is final.
    pub state: TaskState,
    /// Why.
    pub reason: &'static str,
    /// Cause and remedy, for the person who asked.
    pub message: String,
    /// What came of it.
    pub result: Option<TaskResult>,
}

/// A claim to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewClaim {
    /// The slug.
    pub slug: String,
    /// What stands, or will stand, at Fly under it.
    pub identity: RuntimeIdentity,
    /// Most slugs that the namespace may hold.
    pub limit: i32,
}

/// How a slug is given up.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// What is left under it.
    pub tombstone: Tombstone,
    /// What stands at Fly still.
    pub left: Option<RuntimeIdentity>,
}

/// Something under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// What is waited for.
    pub what: Waiting,
    /// When to look again, if nothing happens before.
    pub again: SignedDuration,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Proof that something isn't there.
    Absence(&'static str),
    /// The Machine's image.
    Image,
    /// The Machine, to boot.
    Boot,
    /// The gateway, to answer.
    Gateway,
    /// The Machine, to stop.
    Stop,
    /// The Machine, to end after it was killed.
    Kill,
    /// The Machine, which Fly has left on its way to a stop and which didn't end when it was killed.
    StuckStop,
    /// The Machine, to be replaced.
    Replacement,
    /// The Machine, to be gone.
    MachineGone,
    /// The volume, to be gone.
    VolumeGone,
    /// The app, to be gone.
    AppGone,
    /// The snapshot, to be made.
    Snapshot,
    /// The new volume, to be filled.
    NewVolume,
    /// The volume, to have all that it is a copy of.
    Filled,
    /// What a move left behind, to be cleared up.
    Displaced,
    /// The pause after something went wrong.
    Retry,
    /// Something that goes on aside, while the Runtime rests like this.
    Aside(Box<Rest>),
}

/// Where a Runtime rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It serves.
    Running,
    /// It serves, and one of its checks fails; looked at again after a while, since Fly tells nobody when it passes.
    Degraded(SignedDuration),
    /// It sleeps until the next request.
    Sleeping,
    /// It is stopped, as asked.
    Stopped,
    /// It waits for a person.
    Awaiting(Refusal),
    /// It can't be done as it stands; looked at again after a while.
    Refused(Refusal, SignedDuration),
    /// It is gone: nothing is left to do.
    Gone,
}

impl Step {
    /// Where the Runtime rests, if it does, whatever goes on aside.
    pub fn rest(&self) -> Option<&Rest> {
        match self {
            Self::Rest(rest) => Some(rest),
            Self::Wait(Wait { what: Waiting::Aside(rest), .. }) => Some(rest),
            Self::Look(_) | Self::Do(_) | Self::Wait(_) => None,
        }
    }
}
