//! History: a RuntimeTask for each operation on a Runtime, and Events for whoever describes an object.
//!
//! Best effort. Those who carry operations out only note what they did in the [`journal`], which costs nothing;
//! [`worker`] writes it down in the background. No effect waits for it and nothing is decided from it. What can't
//! be written is dropped.

pub mod announce;
pub mod book;
pub mod draft;
pub mod journal;
pub mod log;
mod looks;
pub mod requests;
pub mod shelf;
pub mod status;
pub mod tidy;
pub mod worker;
pub mod write;

use jiff::Timestamp;

use self::announce::{Announcer, Level};
use self::book::Book;
use self::journal::Journal;
use crate::api::Runtime;
use crate::api::runtime::{OperationType, RuntimeStatus};
use crate::control::runtime::step::Effect;
use crate::control::runtime::view::effect_name;
use crate::engine::config::TaskHistory;

/// Whether tasks are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// They are.
    Tasks,
    /// They aren't: nothing is noted.
    Nothing,
}

/// What happened, as it is kept for people.
#[derive(Debug)]
pub struct History {
    /// Operations that are to be written down.
    pub journal: Journal,
    /// Tasks that stand in the cluster.
    pub book: Book,
    /// Events.
    pub announcer: Announcer,
    keeping: Keeping,
}

impl History {
    /// A history as configured.
    pub fn new(config: &TaskHistory) -> Self {
        let keeping = if config.per_runtime == 0 { Keeping::Nothing } else { Keeping::Tasks };
        let level = if keeping == Keeping::Tasks { Level::All } else { Level::Warnings };
        Self { journal: Journal::default(), book: Book::default(), announcer: Announcer::new(level), keeping }
    }

    /// Whether tasks are kept.
    pub fn keeping(&self) -> Keeping {
        self.keeping
    }

    /// An effect was carried out for a Runtime.
    pub fn did(&self, now: Timestamp, runtime: &Runtime, effect: &Effect) {
        if let (Keeping::Tasks, Some(uid)) = (self.keeping, &runtime.metadata.uid) {
            self.journal.line(uid, now, effect_name(effect), operation_of(effect));
        }
    }

    /// A Runtime is at rest, and its status is written.
    pub fn rested(&self, uid: &str) {
        if self.keeping == Keeping::Tasks {
            self.journal.rested(uid);
        }
    }

    /// A step failed for a Runtime.
    pub fn failed(&self, now: Timestamp, runtime: &Runtime, step: &str, message: &str) {
        if let (Keeping::Tasks, Some(uid)) = (self.keeping, &runtime.metadata.uid) {
            self.journal.line(uid, now, &format!("{step} failed: {message}"), None);
        }
    }

    /// A Runtime's status was written; `old` is what stood before.
    pub fn recorded(&self, now: Timestamp, runtime: &Runtime, old: &RuntimeStatus) {
        let Some(new) = &runtime.status else { return };
        self.announcer.tell(runtime, &old.conditions, &new.conditions);
        if self.keeping == Keeping::Tasks {
            self.journal.turn(now, runtime, old, new);
        }
    }

    /// A Runtime has gone.
    pub fn gone(&self, now: Timestamp, runtime: &Runtime) {
        if self.keeping == Keeping::Tasks {
            self.journal.gone(now, runtime);
        }
    }
}

/// What kind of operation an effect is part of, where it is of one alone. Quick operations are over before a status
/// names them.
pub fn operation_of(effect: &Effect) -> Option<OperationType> {
    match effect {
        Effect::TakeWarm(_) | Effect::CreateApp | Effect::CreateMachine(_) => Some(OperationType::Provision),
        Effect::UpdateMachine(_) => Some(OperationType::Update),
        Effect::ExtendVolume { .. } => Some(OperationType::Resize),
        Effect::ReplaceVolume => Some(OperationType::Restore),
        Effect::StartMachine => Some(OperationType::Start),
        Effect::StopMachine | Effect::KillMachine => Some(OperationType::Stop),
        Effect::DestroyMachine | Effect::DeleteApp | Effect::ReleaseClaim(_) => Some(OperationType::Destroy),
        _ => None,
    }
}
