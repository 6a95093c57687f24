//! What a decision can be: look at something, do one thing, or leave it until later.

use jiff::{SignedDuration, Timestamp};

use super::standing::Recorded;
use crate::api::PaymentReceiptSpec;
use crate::api::order_record::{AttemptState, EndingTime, OrderRecord, Price};
use crate::billing::OpenCheckout;
use crate::control::runtime::facts::Refusal;

/// The next step for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask the API server for the Runtime: a cache alone proves no absence.
    LookForRuntime,
    /// Read everything about the order from its payment provider.
    ReadProvider,
    /// Look at the provider for the checkout of the attempt of this number, whose reply was lost.
    FindCheckout(u32),
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
    RecordStanding(Recorded),
    /// Record a new attempt to be paid, the checkout of which may then be opened.
    RecordAttempt {
        /// Its number.
        number: u32,
        /// What it asks for, in the smallest unit of the order's currency.
        amount: i64,
        /// Until when it is to be open, if it ends.
        expire_time: Option<Timestamp>,
        /// The number of an earlier one that nothing can come of any more, which makes room for it.
        forgets: Option<u32>,
    },
    /// Have the provider open the checkout of the attempt of this number.
    OpenCheckout(u32),
    /// Record the checkout that was opened for the attempt of this number.
    RecordCheckout(u32, OpenCheckout),
    /// Record how far the attempt of this number is.
    RecordAttemptState(u32, AttemptState),
    /// Have the provider close the checkout of the attempt of this number, so that nobody can pay it.
    CloseCheckout(u32),
    /// Record the subscription and the customer that the provider made of the checkout.
    RecordSubscription {
        /// The provider's id of the subscription.
        subscription: String,
        /// The provider's id of the customer.
        customer: Option<String>,
    },
    /// Record that a subscription is to end, before the provider is asked.
    RecordEnding {
        /// The provider's id of the subscription.
        subscription: String,
        /// When it is to end.
        when: EndingTime,
    },
    /// Have the provider end this subscription, the end of which is recorded.
    EndSubscription(String),
    /// Record that the provider agreed to the end of this one.
    RecordEnded(String),
    /// Record that the provider refused to end this one.
    RecordNotEnded(String),
    /// Record the Plan that is to be bought from now on, before the provider is asked.
    RecordChange(Box<Price>),
    /// Have the provider change the subscription to the Plan that is recorded.
    ChangeSubscription,
    /// Record that the Plan is bought from now on.
    RecordChanged,
    /// Record that the customer's bank declined the difference.
    RecordDeclined,
    /// Forget the Plan that was declined or wasn't paid: it isn't asked for any more.
    DropChange,
    /// Have the provider open the customer's own page.
    OpenPortal {
        /// The provider's id of the customer.
        customer: String,
        /// The request that it answers, by its time.
        request: Timestamp,
    },
    /// Store a receipt of what the provider says was paid or went back.
    StoreReceipt(Box<PaymentReceiptSpec>),
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
    /// The Runtime, to be declared again: what stands at Fly wasn't given up.
    RuntimeBack,
    /// Its turn to be read: many are paid, and a provider is asked about them one after the other.
    Turn,
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
    /// No checkout was paid in time, and no other is opened.
    Expired,
    /// The customer was done, and the money didn't come.
    Failed,
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
        Effect::RecordStanding(_) => "RecordStanding",
        Effect::RecordAttempt { .. } => "RecordAttempt",
        Effect::OpenCheckout(_) => "OpenCheckout",
        Effect::RecordCheckout(..) => "RecordCheckout",
        Effect::RecordAttemptState(..) => "RecordAttemptState",
        Effect::CloseCheckout(_) => "CloseCheckout",
        Effect::RecordSubscription { .. } => "RecordSubscription",
        Effect::RecordEnding { .. } => "RecordEnding",
        Effect::EndSubscription(_) => "EndSubscription",
        Effect::RecordEnded(_) => "RecordEnded",
        Effect::RecordNotEnded(_) => "RecordNotEnded",
        Effect::RecordChange(_) => "RecordChange",
        Effect::ChangeSubscription => "ChangeSubscription",
        Effect::RecordChanged => "RecordChanged",
        Effect::RecordDeclined => "RecordDeclined",
        Effect::DropChange => "DropChange",
        Effect::OpenPortal { .. } => "OpenPortal",
        Effect::StoreReceipt(_) => "StoreReceipt",
        Effect::RecordRuntime(_) => "RecordRuntime",
        Effect::RecordGone => "RecordGone",
        Effect::CreateRuntime => "CreateRuntime",
        Effect::DeleteRuntime(_) => "DeleteRuntime",
        Effect::Release => "Release",
    }
}
