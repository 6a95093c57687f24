//! What a decision can be: look at something, do one thing, or leave it until later.

use jiff::{SignedDuration, Timestamp};

use crate::api::order_record::OrderRecord;
use crate::api::runtime_order::FundingPhase;
use crate::control::runtime::facts::Refusal;

/// The next step for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask the API server for the Runtime: a cache alone proves no absence.
    LookForRuntime,
    /// Do one thing.
    Do(Effect),
    /// Something is under way: come back.
    Wait(Waiting),
    /// Nothing is to be done.
    Rest(Rest),
}

/// One thing to do. Each can be repeated after "sent, unknown".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Put our finalizer on the order.
    AddFinalizer,
    /// Take our finalizer off.
    RemoveFinalizer,
    /// Make its claim, with what is bought.
    Claim(Box<OrderRecord>),
    /// Take over the claim of an earlier order of its name, which the platform confirmed.
    TakeOver,
    /// Record where the funding stands.
    RecordStanding {
        /// Where it stands.
        phase: FundingPhase,
        /// Until when it is paid.
        paid_until: Option<Timestamp>,
    },
    /// Record the UID of the Runtime that it funds.
    RecordRuntime(String),
    /// Record that the Runtime has gone: it is never made again.
    RecordGone,
    /// Make the Runtime.
    CreateRuntime,
    /// Delete the Runtime of this UID, as its deletion policy says: it wasn't paid for too long.
    DeleteRuntime(String),
    /// Give its claim up. What was paid stays recorded.
    Release,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The Runtime, to serve.
    Runtime,
    /// The deleted Runtime, to be gone.
    RuntimeGone,
    /// The end of the namespace, which removes the order too.
    Namespace,
    /// The pause after something went wrong.
    Retry(SignedDuration),
}

/// Where an order rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It is paid, and its Runtime serves, or is as its own spec wants it.
    Fulfilled,
    /// It waits for a person: to be paid, or for a Workspace.
    Awaiting(Refusal),
    /// It can't be done as it stands; looked at again after a while.
    Refused(Refusal, SignedDuration),
    /// It isn't paid any more: the Runtime is stopped, its data kept.
    Suspended,
    /// The money went back.
    Refunded,
    /// It is over.
    Ended,
    /// It is gone: nothing is left to do.
    Gone,
}

/// The effect in one word, for logs.
pub fn effect_name(effect: &Effect) -> &'static str {
    match effect {
        Effect::AddFinalizer => "AddFinalizer",
        Effect::RemoveFinalizer => "RemoveFinalizer",
        Effect::Claim(_) => "Claim",
        Effect::TakeOver => "TakeOver",
        Effect::RecordStanding { .. } => "RecordStanding",
        Effect::RecordRuntime(_) => "RecordRuntime",
        Effect::RecordGone => "RecordGone",
        Effect::CreateRuntime => "CreateRuntime",
        Effect::DeleteRuntime(_) => "DeleteRuntime",
        Effect::Release => "Release",
    }
}
