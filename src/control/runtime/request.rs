//! What a person asked for by a RuntimeTask, and what is known about it.

use jiff::Timestamp;

use super::facts::{Knowledge, Origin, Refusal, SnapshotFact};
use super::known::Known;

/// A RuntimeTask that a person made, to be carried out once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Name of the task.
    pub task: String,
    /// Its UID.
    pub uid: String,
    /// When it was made, to the second.
    pub created: Timestamp,
    /// Whether it was made in this process's life: then no earlier process has worked on it.
    pub origin: Origin,
    /// What is asked for.
    pub kind: RequestKind,
}

/// What can be asked for. Values are the tenant's word: check them against the claim and Fly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// To begin anew.
    Restart,
    /// A snapshot of the volume.
    Snapshot,
    /// The volume as a snapshot has it.
    Restore {
        /// Which; the newest if it isn't said.
        snapshot: Option<String>,
    },
    /// The Blueprint as it is now.
    Upgrade,
}

/// What is known about the request under way. It can all be found out again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pursuit {
    /// UID of the request's task.
    pub uid: String,
    /// The snapshot that was asked for.
    pub snapshot: Known<SnapshotFact>,
    /// When a snapshot was last asked for.
    pub asked: Option<Timestamp>,
    /// How often a snapshot was asked for.
    pub tries: u32,
    /// The start of the Machine that a restart is to bring to an end, once it was asked for.
    pub ending: Option<Option<Timestamp>>,
    /// Why Fly refused it.
    pub refusal: Option<Refusal>,
}

impl Knowledge {
    /// What is known about this request.
    pub fn pursuit(&self, request: &Request) -> Option<&Pursuit> {
        self.pursuit.as_ref().filter(|pursuit| pursuit.uid == request.uid)
    }

    /// The same, to be added to.
    pub fn pursuit_mut(&mut self, request: &Request) -> &mut Pursuit {
        if self.pursuit(request).is_none() {
            self.pursuit = Some(Pursuit { uid: request.uid.clone(), ..Pursuit::default() });
        }
        self.pursuit.get_or_insert_default()
    }
}
