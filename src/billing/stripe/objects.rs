//! Stripe's objects, as much of them as is read. What isn't known is passed over.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::key::Mode;
use crate::billing::money::Money;

/// Texts that we gave an object.
pub(super) type Metadata = BTreeMap<String, String>;

/// An id, or the object in its place.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Expandable<T> {
    Id(String),
    Object(Box<T>),
}

impl<T: Identified> Expandable<T> {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Id(id) => id,
            Self::Object(object) => object.id(),
        }
    }

    pub(super) fn object(&self) -> Option<&T> {
        match self {
            Self::Id(_) => None,
            Self::Object(object) => Some(object),
        }
    }
}

pub(super) trait Identified {
    fn id(&self) -> &str;
}

/// Of which only the id is wanted.
#[derive(Deserialize)]
pub(super) struct Reference {
    id: String,
}

macro_rules! identified {
    ($($name:ident),*) => {$(
        impl Identified for $name {
            fn id(&self) -> &str {
                &self.id
            }
        }
    )*};
}

identified!(Reference, Intent, Subscription, Method, Charge, BalanceTransaction, Dispute, Invoice);

/// One page of a list.
#[derive(Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    pub(super) has_more: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SessionStatus {
    Open,
    Complete,
    Expired,
    #[serde(other)]
    Unrecognized,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PaymentStatus {
    Paid,
    Unpaid,
    NoPaymentRequired,
    #[serde(other)]
    Unrecognized,
}

#[derive(Deserialize)]
pub(super) struct Session {
    pub(super) id: String,
    #[serde(rename = "livemode")]
    pub(super) mode: Mode,
    pub(super) status: Option<SessionStatus>,
    pub(super) payment_status: PaymentStatus,
    #[serde(default)]
    pub(super) url: Option<String>,
    #[serde(default)]
    pub(super) expires_at: Option<i64>,
    #[serde(default)]
    pub(super) amount_total: Option<i64>,
    #[serde(default)]
    pub(super) currency: Option<String>,
    #[serde(default)]
    pub(super) client_reference_id: Option<String>,
    #[serde(default)]
    pub(super) metadata: Option<Metadata>,
    #[serde(default)]
    pub(super) customer: Option<Expandable<Reference>>,
    #[serde(default)]
    pub(super) payment_intent: Option<Expandable<Intent>>,
    #[serde(default)]
    pub(super) subscription: Option<Expandable<Subscription>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IntentStatus {
    Succeeded,
    Processing,
    RequiresPaymentMethod,
    Canceled,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) status: IntentStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SubscriptionStatus {
    Active,
    Trialing,
    PastDue,
    Unpaid,
    Paused,
    Incomplete,
    IncompleteExpired,
    Canceled,
    #[serde(other)]
    Unrecognized,
}

#[derive(Deserialize)]
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) status: SubscriptionStatus,
    #[serde(default)]
    pub(super) customer: Option<Expandable<Reference>>,
    #[serde(default)]
    pub(super) cancel_at_period_end: bool,
    #[serde(default)]
    pub(super) cancel_at: Option<i64>,
    #[serde(default)]
    pub(super) ended_at: Option<i64>,
    #[serde(default)]
    pub(super) default_payment_method: Option<Expandable<Method>>,
    pub(super) items: List<Item>,
}

#[derive(Deserialize)]
pub(super) struct Item {
    pub(super) id: String,
    #[serde(default)]
    pub(super) current_period_end: Option<i64>,
    #[serde(default)]
    pub(super) quantity: Option<i64>,
    pub(super) price: Price,
}

#[derive(Deserialize)]
pub(super) struct Price {
    #[serde(default)]
    pub(super) unit_amount: Option<i64>,
    pub(super) currency: String,
    #[serde(default)]
    pub(super) recurring: Option<Recurring>,
}

#[derive(Deserialize)]
pub(super) struct Recurring {
    pub(super) interval: RecurringInterval,
    #[serde(default)]
    pub(super) interval_count: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RecurringInterval {
    Month,
    Year,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
pub(super) struct Method {
    pub(super) id: String,
    #[serde(rename = "type", default)]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) card: Option<Card>,
}

#[derive(Deserialize)]
pub(super) struct Card {
    #[serde(default)]
    pub(super) brand: Option<String>,
    #[serde(default)]
    pub(super) last4: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChargeStatus {
    Succeeded,
    Pending,
    Failed,
    #[serde(other)]
    Unrecognized,
}

#[derive(Deserialize)]
pub(super) struct Charge {
    pub(super) id: String,
    pub(super) status: ChargeStatus,
    pub(super) amount: i64,
    #[serde(default)]
    pub(super) amount_captured: Option<i64>,
    pub(super) amount_refunded: i64,
    pub(super) currency: String,
    pub(super) created: i64,
    #[serde(default)]
    pub(super) disputed: bool,
    #[serde(default)]
    pub(super) payment_intent: Option<Expandable<Reference>>,
    #[serde(default)]
    pub(super) payment_method_details: Option<MethodDetails>,
    #[serde(default)]
    pub(super) balance_transaction: Option<Expandable<BalanceTransaction>>,
}

/// Money as it comes in.
#[derive(Deserialize)]
pub(super) struct BalanceTransaction {
    id: String,
    pub(super) created: i64,
}

#[derive(Deserialize)]
pub(super) struct MethodDetails {
    #[serde(rename = "type", default)]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) card: Option<Card>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DisputeStatus {
    Won,
    Lost,
    Prevented,
    WarningClosed,
    WarningNeedsResponse,
    WarningUnderReview,
    #[serde(other)]
    Open,
}

#[derive(Deserialize)]
pub(super) struct Dispute {
    pub(super) id: String,
    pub(super) status: DisputeStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum InvoiceStatus {
    Draft,
    Open,
    Paid,
    Uncollectible,
    Void,
    #[serde(other)]
    Unrecognized,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BillingReason {
    SubscriptionCreate,
    SubscriptionCycle,
    SubscriptionUpdate,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
pub(super) struct Invoice {
    pub(super) id: String,
    #[serde(default)]
    pub(super) number: Option<String>,
    #[serde(default)]
    pub(super) status: Option<InvoiceStatus>,
    pub(super) total: i64,
    pub(super) currency: String,
    pub(super) created: i64,
    #[serde(default)]
    pub(super) status_transitions: Option<Transitions>,
    #[serde(default)]
    pub(super) hosted_invoice_url: Option<String>,
    #[serde(default)]
    pub(super) billing_reason: Option<BillingReason>,
    #[serde(default)]
    pub(super) lines: Option<List<Line>>,
    #[serde(default)]
    pub(super) payments: Option<List<InvoicePayment>>,
}

/// When an invoice came to stand as it does.
#[derive(Deserialize)]
pub(super) struct Transitions {
    #[serde(default)]
    pub(super) paid_at: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct Line {
    #[serde(default)]
    pub(super) amount: i64,
    pub(super) period: LinePeriod,
    #[serde(default)]
    parent: Option<LineParent>,
}

#[derive(Deserialize)]
struct LineParent {
    #[serde(default)]
    subscription_item_details: Option<LineDetails>,
    #[serde(default)]
    invoice_item_details: Option<LineDetails>,
}

#[derive(Deserialize)]
struct LineDetails {
    #[serde(default)]
    proration: bool,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct LinePeriod {
    pub(super) start: i64,
    pub(super) end: i64,
}

#[derive(Deserialize)]
pub(super) struct InvoicePayment {
    payment: InvoicePaymentOf,
}

#[derive(Deserialize)]
struct InvoicePaymentOf {
    #[serde(default)]
    payment_intent: Option<Expandable<Reference>>,
}

#[derive(Deserialize)]
pub(super) struct Portal {
    pub(super) url: String,
}

impl Charge {
    /// What was taken, which an authorization alone isn't.
    pub(super) fn captured(&self) -> i64 {
        self.amount_captured.unwrap_or(self.amount)
    }

    /// Whether its money may come days after it was made. A card's is there at once.
    pub(super) fn is_slow(&self) -> bool {
        let kind = self.payment_method_details.as_ref().and_then(|details| details.kind.as_deref());
        kind.is_some_and(|kind| kind != "card")
    }

    /// Whether money came in by it.
    pub(super) fn is_paid(&self) -> bool {
        self.status == ChargeStatus::Succeeded && self.captured() > 0
    }
}

impl Line {
    /// Whether it is for a part of a period, after a change of price.
    pub(super) fn is_proration(&self) -> bool {
        let details = |parent: &LineParent| {
            let both = [&parent.subscription_item_details, &parent.invoice_item_details];
            both.into_iter().flatten().any(|details| details.proration)
        };
        self.parent.as_ref().is_some_and(details)
    }
}

impl InvoicePayment {
    pub(super) fn intent(&self) -> Option<&str> {
        self.payment.payment_intent.as_ref().map(Expandable::id)
    }
}

/// A time in seconds; none beyond what a calendar has.
pub(super) fn time(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

/// An amount as Stripe writes it; none for a currency that isn't one.
pub(super) fn money(minor: i64, currency: &str) -> Option<Money> {
    Money::of(minor, currency).ok()
}
