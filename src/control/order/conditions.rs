//! The conditions of an order, from the outcome of a visit. Pure.

use jiff::Timestamp;

use super::account::{Account, OddityKind};
use super::facts::Facts;
use super::notices::{SOON, is_soon};
use super::standing::Standing;
use crate::api::PaymentReceiptSpec;
use crate::api::condition::{ConditionStatus, ConditionType, Wanted};
use crate::api::payment_receipt::Provider;
use crate::api::payment_receipt::ReceiptType;
use crate::api::reason;
use crate::api::runtime_order::FundingPhase;
use crate::control::runtime::facts::Refusal;

/// What a visit came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is as it should be: fulfilled, or over.
    Settled(Refusal),
    /// It waits for a person.
    Awaiting(Refusal),
    /// It can't be done as it stands.
    Stalled(Refusal),
    /// Something is under way, and what.
    Progress(Refusal),
}

/// Every condition that is wanted.
pub fn conditions(
    now: Timestamp,
    facts: &Facts,
    standing: Option<&Standing>,
    outcome: &Outcome,
) -> Vec<Wanted> {
    let phase = standing.map(|standing| standing.phase).unwrap_or_default();
    let mut wanted = summary(outcome);
    wanted.push(checkout_open(facts, phase, outcome));
    let patience = facts.cluster.settings.patience;
    let soon = standing.filter(|standing| is_soon(now, standing, patience)).map_or("", |_| SOON);
    let mut paid = paid(phase, soon, &facts.account().unwrap_or_default());
    paid.message.push_str(&declined(facts));
    paid.message.push_str(&flagged(facts));
    wanted.push(paid);
    wanted.push(fulfilled(outcome));
    wanted
}

/// `Ready`, with `Reconciling` or `Stalled` while they are true.
fn summary(outcome: &Outcome) -> Vec<Wanted> {
    use ConditionStatus::{False, True, Unknown};
    use ConditionType::{Ready, Reconciling, Stalled};
    let pair = |abnormal, ready, why: &Refusal| {
        vec![
            Wanted::new(abnormal, True, why.reason, why.message.clone()),
            Wanted::new(Ready, ready, why.reason, why.message.clone()),
        ]
    };
    match outcome {
        Outcome::Settled(why) => vec![Wanted::new(Ready, True, why.reason, why.message.clone())],
        Outcome::Awaiting(why) => pair(Reconciling, False, why),
        Outcome::Stalled(why) => pair(Stalled, False, why),
        Outcome::Progress(why) => pair(Reconciling, Unknown, why),
    }
}

fn checkout_open(facts: &Facts, phase: FundingPhase, outcome: &Outcome) -> Wanted {
    let type_ = ConditionType::CheckoutOpen;
    let waits = matches!(outcome, Outcome::Awaiting(why) if why.reason == reason::AWAITING_PAYMENT);
    let by_hand = facts.record().is_some_and(|record| record.provider == Provider::Manual);
    let again = matches!(phase, FundingPhase::PastDue | FundingPhase::Suspended);
    let is_payable = again || (phase == FundingPhase::Unpaid && waits);
    if is_payable && (by_hand || facts.open_checkout().is_some()) {
        return Wanted::new(type_, ConditionStatus::True, reason::CHECKOUT_OPEN, "It can be paid.");
    }
    Wanted::new(type_, ConditionStatus::False, reason::CHECKOUT_CLOSED, "There is nothing to pay now.")
}

fn paid(phase: FundingPhase, soon: &str, account: &Account) -> Wanted {
    let (status, reason, message) = match phase {
        FundingPhase::Unpaid => (ConditionStatus::False, reason::UNPAID, "It isn't paid yet."),
        FundingPhase::Paid => (ConditionStatus::True, reason::PAID, "It is paid."),
        FundingPhase::PastDue => (
            ConditionStatus::False,
            reason::PAST_DUE,
            "The next interval isn't paid. Pay before `status.subscription.suspendTime`: the Runtime is stopped then.",
        ),
        FundingPhase::Suspended => (
            ConditionStatus::False,
            reason::SUSPENDED,
            "It isn't paid, and its Runtime is stopped. Pay before `status.subscription.deleteTime`: the Runtime is deleted then.",
        ),
        FundingPhase::Refunded => (
            ConditionStatus::False,
            reason::REFUNDED,
            "The money went back, and its Runtime is stopped. It is deleted at `status.subscription.deleteTime`.",
        ),
        FundingPhase::Ended => (ConditionStatus::False, reason::ENDED, "It is over."),
    };
    Wanted::new(ConditionType::Paid, status, reason, format!("{message}{soon}{}", oddities(account)))
}

/// A dearer Plan that the customer's bank wouldn't pay for.
fn declined(facts: &Facts) -> String {
    let change = facts.record().and_then(|record| record.change.as_ref());
    change.filter(|change| change.decline_time.is_some()).map_or_else(String::new, |change| {
        format!(
            " The difference to the Plan `{}` was declined, so the earlier size runs on. Pay in another way: it is tried again once a day, and when `spec.planRef` of the Runtime is set anew.",
            change.price.plan.name
        )
    })
}

/// Money that came in for something else than what was asked for.
fn flagged(facts: &Facts) -> String {
    let Some(order) = facts.record() else { return String::new() };
    let receipts = &facts.cluster.receipts;
    let is_approved = |id: &str| {
        receipts.iter().any(|it| it.spec.provider == Provider::Manual && it.spec.provider_id == id)
    };
    // What is odd at Stripe is told by what it says now.
    let is_odd = |spec: &PaymentReceiptSpec| {
        let is_stripes = spec.provider == Provider::Stripe;
        !is_stripes
            && spec.order_uid == order.uid
            && spec.type_ == ReceiptType::Payment
            && !spec.flags.is_empty()
            && !is_approved(&spec.provider_id)
    };
    let mut odd: Vec<&str> = receipts
        .iter()
        .filter(|receipt| is_odd(&receipt.spec))
        .map(|receipt| receipt.spec.provider_id.as_str())
        .collect();
    odd.sort_unstable();
    odd.dedup();
    let named: Vec<String> = odd.iter().take(5).map(|payment| format!("`{payment}`")).collect();
    if named.is_empty() {
        return String::new();
    }
    format!(
        " The payment {} isn't what was asked for, and pays for nothing: refund it, or approve it by hand.",
        named.join(", ")
    )
}

/// What a person should look at about the payments.
fn oddities(account: &Account) -> String {
    let names = |kind: OddityKind| {
        let named = account.oddities.iter().filter(|oddity| oddity.kind == kind);
        named.take(5).map(|oddity| format!("`{}`", oddity.payment)).collect::<Vec<_>>().join(", ")
    };
    let told = [
        (OddityKind::AmountMismatch, "is of another amount than the order's, and pays for nothing"),
        (OddityKind::Duplicate, "pays for what was paid already; refund it"),
        (OddityKind::PartialRefund, "was refunded in part"),
        (OddityKind::Disputed, "is asked back by the customer's bank; answer at the provider"),
        (OddityKind::TooLate, "came when its Runtime was gone, and pays for nothing; refund it"),
        (OddityKind::Returned, "went back after another was made for the same time, or when its time was over"),
        (
            OddityKind::DifferenceReturned,
            "for the dearer Plan went back: the earlier size runs until the whole price of the dearer is paid, with the next interval. Delete the order, and nothing more is collected",
        ),
    ]
    .map(|(kind, what)| match names(kind) {
        none if none.is_empty() => none,
        names => format!(" The payment {names} {what}."),
    });
    told.concat()
}

fn fulfilled(outcome: &Outcome) -> Wanted {
    let type_ = ConditionType::Fulfilled;
    match outcome {
        Outcome::Settled(why) if why.reason == reason::FULFILLED => {
            Wanted::new(type_, ConditionStatus::True, reason::FULFILLED, "The Runtime that it funds serves.")
        }
        Outcome::Settled(why) if why.reason == reason::STOPPED => {
            let message = "The Runtime that it funds is stopped, as its own spec asks.";
            Wanted::new(type_, ConditionStatus::True, reason::STOPPED, message)
        }
        Outcome::Settled(why) | Outcome::Awaiting(why) | Outcome::Stalled(why) | Outcome::Progress(why) => {
            Wanted::new(type_, ConditionStatus::False, why.reason, why.message.clone())
        }
    }
}
