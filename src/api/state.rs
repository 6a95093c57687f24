//! The portal's words. One table holds each with its meaning, the conditions behind it and the remedy; the
//! documentation and a test are made from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the Workspace stands, in the portal's word: pending, active, suspended or error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkspaceState {
    /// Its names are being claimed and its members bound; or it is deleted, and waits for its Runtimes.
    #[default]
    Pending,
    /// It can be used.
    Active,
    /// The platform has suspended it.
    Suspended,
    /// It can't be set up as declared.
    Error,
}

/// Where the Runtime stands, in the portal's word. Programs use the conditions.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeState {
    /// App, addresses, volume and Machine are being made.
    #[default]
    Provisioning,
    /// The Machine boots, or its gateway doesn't answer yet.
    Starting,
    /// The gateway serves.
    Running,
    /// It is being stopped.
    Stopping,
    /// It is stopped: as asked, or because it isn't funded or is suspended.
    Stopped,
    /// Nobody uses it, and it sleeps until the next request.
    Sleeping,
    /// A request woke it; its gateway doesn't answer yet.
    Waking,
    /// It is being taken down.
    Destroying,
    /// It can't be brought to where it should be.
    Error,
}

/// Where the hostname stands, in the portal's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DomainState {
    /// A record in DNS is missing or wrong.
    #[default]
    PendingDns,
    /// Its certificate is being issued.
    PendingCert,
    /// The Runtime serves at it, with a certificate.
    Active,
    /// It can't be set up as declared.
    Error,
}

/// Where the order stands, in the portal's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// It isn't paid yet.
    #[default]
    PendingPayment,
    /// It is paid; its Runtime isn't there yet, or is stopped, as its own spec asks.
    Paid,
    /// Its Runtime is being made.
    Provisioning,
    /// Its Runtime waits to be signed in to its model provider.
    AuthRequired,
    /// Its Runtime serves.
    Running,
    /// Its Runtime serves, and a first conversation worked.
    Ready,
    /// The payment failed.
    PaymentFailed,
    /// The checkout wasn't paid in time.
    Expired,
    /// The next interval isn't paid; its Runtime runs on for a while.
    PastDue,
    /// It isn't paid: its Runtime is stopped, its data kept.
    Suspended,
    /// It was called off before it was paid.
    Cancelled,
    /// The money went back.
    Refunded,
    /// It is over.
    Ended,
}

/// How far the task is, in the portal's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Not begun.
    #[default]
    Pending,
    /// Under way.
    Running,
    /// Done.
    Completed,
    /// Ended without success.
    Failed,
    /// Given up before its end.
    Cancelled,
}

/// One word of the portal with what stands behind it.
#[derive(Debug)]
pub struct Word {
    /// Kind of object.
    pub kind: &'static str,
    /// The word.
    pub word: &'static str,
    /// What it means to a customer.
    pub meaning: &'static str,
    /// The conditions behind it.
    pub conditions: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

const fn word(
    kind: &'static str,
    word: &'static str,
    meaning: &'static str,
    conditions: &'static str,
    remedy: &'static str,
) -> Word {
    Word { kind, word, meaning, conditions, remedy }
}

/// Every word of `status.state`.
pub const WORDS: &[Word] = &[
    word(
        "Workspace",
        "pending",
        "Being set up; or deleted, and waiting for its Runtimes to go.",
        "Ready=Unknown, Reconciling",
        "Wait; it takes seconds.",
    ),
    word("Workspace", "active", "Ready for use.", "Ready=True", "Nothing to do."),
    word(
        "Workspace",
        "suspended",
        "Suspended by the platform; Runtimes are stopped and keep their data.",
        "Ready=False reason=AwaitingResume, Reconciling",
        "Ask the platform; it ends when no WorkspacePolicy suspends the namespace.",
    ),
    word(
        "Workspace",
        "error",
        "It can't be set up as declared.",
        "Ready=False, Stalled",
        "Read the message of Ready; it names the cause.",
    ),
    word(
        "Runtime",
        "provisioning",
        "Its app, addresses, volume and Machine are being made.",
        "Ready=Unknown, Reconciling, Available=False",
        "Wait; a cold image takes a minute or two.",
    ),
    word(
        "Runtime",
        "starting",
        "Its Machine boots, or its gateway doesn't answer yet.",
        "Ready=Unknown, Reconciling, Available=False",
        "Wait; a gateway takes 10 to 60 seconds to answer.",
    ),
    word("Runtime", "running", "It serves at its URL.", "Ready=True, Available=True", "Nothing to do."),
    word(
        "Runtime",
        "stopping",
        "It is being stopped, gracefully.",
        "Ready=Unknown, Reconciling, Available=False",
        "Wait; work under way may take up to five minutes.",
    ),
    word(
        "Runtime",
        "stopped",
        "It is stopped; its data is kept.",
        "Ready=True as asked; Ready=False with an Awaiting… reason if not funded or suspended; Available=False",
        "Set powerState to Running, or see Entitled for what is missing.",
    ),
    word(
        "Runtime",
        "sleeping",
        "Nobody uses it: it sleeps, and wakes at the next request.",
        "Ready=True reason=Sleeping, Available=True reason=Sleeping",
        "Nothing to do; set sleep.mode to Never if schedules or channels have to work all the time.",
    ),
    word(
        "Runtime",
        "waking",
        "A request woke it; its gateway doesn't answer yet.",
        "Ready=Unknown reason=Waking, Reconciling, Available=False",
        "Wait; it takes seconds.",
    ),
    word(
        "Runtime",
        "destroying",
        "It is being taken down as its deletionPolicy says.",
        "Ready=Unknown, Reconciling, Available=False",
        "Wait; a snapshot takes minutes.",
    ),
    word(
        "Runtime",
        "error",
        "It can't be brought to where it should be.",
        "Ready=False, Stalled",
        "Read the message of Ready; slow retries go on.",
    ),
    word(
        "CustomDomain",
        "pending_dns",
        "A record in DNS is missing or wrong.",
        "Ready=False reason=PendingDNS, Reconciling; OwnershipVerified or DNSConfigured is False",
        "Set what status.records lists at whoever keeps the domain's DNS.",
    ),
    word(
        "CustomDomain",
        "pending_cert",
        "DNS is as it should be; the certificate is being issued.",
        "Ready=Unknown reason=PendingCert, Reconciling; CertificateIssued=False",
        "Wait; it takes seconds to minutes.",
    ),
    word(
        "CustomDomain",
        "active",
        "The Runtime serves at it, with a certificate.",
        "Ready=True",
        "Nothing to do; leave the records as they are.",
    ),
    word(
        "CustomDomain",
        "error",
        "It can't be set up as declared.",
        "Ready=False, Stalled",
        "Read the message of Ready; slow retries go on.",
    ),
    word(
        "RuntimeOrder",
        "pending_payment",
        "It isn't paid yet.",
        "Ready=False reason=AwaitingPayment, Reconciling; Paid=False",
        "Pay it; the message of Ready says how.",
    ),
    word(
        "RuntimeOrder",
        "paid",
        "It is paid; its Runtime isn't there yet, or is stopped, as its own spec asks.",
        "Ready=Unknown, Reconciling, or Ready=True reason=Stopped; Paid=True",
        "Wait; it takes seconds. Or set powerState of the Runtime to Running.",
    ),
    word(
        "RuntimeOrder",
        "provisioning",
        "It is paid, and its Runtime is being made.",
        "Ready=Unknown, Reconciling; Paid=True, Fulfilled=False",
        "Wait; a cold image takes a minute or two.",
    ),
    word(
        "RuntimeOrder",
        "auth_required",
        "Its Runtime serves, and waits to be signed in to its model provider.",
        "Ready=True, Paid=True, Fulfilled=True",
        "Sign in; the step Codex says how.",
    ),
    word(
        "RuntimeOrder",
        "running",
        "It is paid, and its Runtime serves.",
        "Ready=True, Paid=True, Fulfilled=True",
        "Nothing to do.",
    ),
    word(
        "RuntimeOrder",
        "ready",
        "It is paid, and a first conversation with its Runtime worked.",
        "Ready=True, Paid=True, Fulfilled=True",
        "Nothing to do.",
    ),
    word(
        "RuntimeOrder",
        "payment_failed",
        "The payment failed.",
        "Ready=False, Stalled; Paid=False",
        "Place another order.",
    ),
    word(
        "RuntimeOrder",
        "expired",
        "It wasn't paid in time.",
        "Ready=False, Stalled; Paid=False",
        "Place another order.",
    ),
    word(
        "RuntimeOrder",
        "past_due",
        "The next interval isn't paid; its Runtime runs on until the time in status.subscription.",
        "Ready=True; Paid=False reason=PastDue",
        "Pay before that time.",
    ),
    word(
        "RuntimeOrder",
        "suspended",
        "It isn't paid: its Runtime is stopped, and its data kept until the time in status.subscription.",
        "Ready=False reason=AwaitingPayment, Reconciling; Paid=False reason=Suspended",
        "Pay; it is started again.",
    ),
    word(
        "RuntimeOrder",
        "cancelled",
        "It was called off before it was paid.",
        "Ready=True; Paid=False",
        "Nothing to do.",
    ),
    word(
        "RuntimeOrder",
        "refunded",
        "The money went back; its Runtime is stopped.",
        "Ready=True; Paid=False reason=Refunded",
        "Nothing to do; another order can fund the Runtime.",
    ),
    word(
        "RuntimeOrder",
        "ended",
        "It is over: its Runtime was deleted, or wasn't paid for too long.",
        "Ready=True; Paid=False reason=Ended",
        "Nothing to do; place another order.",
    ),
    word("RuntimeTask", "pending", "Not begun.", "Ready=Unknown, Reconciling", "Wait."),
    word("RuntimeTask", "running", "Under way.", "Ready=Unknown, Reconciling", "Wait."),
    word("RuntimeTask", "completed", "Done.", "Ready=True", "Nothing to do."),
    word(
        "RuntimeTask",
        "failed",
        "Ended without success.",
        "Ready=False, Stalled",
        "Read its message and log.",
    ),
    word(
        "RuntimeTask",
        "cancelled",
        "Given up before its end.",
        "Ready=False, Stalled",
        "Read its message; a newer change took its place.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn words<S: Serialize>(states: &[S]) -> Vec<String> {
        states.iter().map(|state| serde_json::to_value(state).unwrap().as_str().unwrap().to_owned()).collect()
    }

    fn table(kind: &str) -> Vec<String> {
        WORDS.iter().filter(|word| word.kind == kind).map(|word| word.word.to_owned()).collect()
    }

    #[test]
    fn the_table_holds_every_state_once() {
        use DomainState as D;
        use OrderState as O;
        use RuntimeState as R;
        use TaskState as T;
        use WorkspaceState as W;
        assert_eq!(table("Workspace"), words(&[W::Pending, W::Active, W::Suspended, W::Error]));
        let runtime = [
            R::Provisioning,
            R::Starting,
            R::Running,
            R::Stopping,
            R::Stopped,
            R::Sleeping,
            R::Waking,
            R::Destroying,
            R::Error,
        ];
        assert_eq!(table("Runtime"), words(&runtime));
        let order = [
            O::PendingPayment,
            O::Paid,
            O::Provisioning,
            O::AuthRequired,
            O::Running,
            O::Ready,
            O::PaymentFailed,
            O::Expired,
            O::PastDue,
            O::Suspended,
            O::Cancelled,
            O::Refunded,
            O::Ended,
        ];
        assert_eq!(table("RuntimeOrder"), words(&order));
        assert_eq!(table("CustomDomain"), words(&[D::PendingDns, D::PendingCert, D::Active, D::Error]));
        assert_eq!(
            table("RuntimeTask"),
            words(&[T::Pending, T::Running, T::Completed, T::Failed, T::Cancelled])
        );
    }
}
