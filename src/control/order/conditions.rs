//! The conditions of an order, from the outcome of a visit. Pure.

use jiff::Timestamp;

use super::account::{Account, OddityKind};
use super::decide::checkout::sum;
use super::facts::Facts;
use super::notices::{SOON, is_soon};
use super::standing::Standing;
use crate::api::PaymentReceiptSpec;
use crate::api::condition::{ConditionStatus, ConditionType, Wanted};
use crate::api::order_record::AttemptState;
use crate::api::payment_receipt::Provider;
use crate::api::payment_receipt::ReceiptType;
use crate::api::reason;
use crate::api::runtime_order::FundingPhase;
use crate::billing::{Checkout, CheckoutState};
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
    paid.message.push_str(&dearer(facts, phase));
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
    let is_open = facts.open_checkout().is_some();
    if is_payable && (by_hand || is_open) {
        return Wanted::new(type_, ConditionStatus::True, reason::CHECKOUT_OPEN, "It can be paid.");
    }
    let change = facts.record().and_then(|record| record.change.as_ref());
    if let Some(change) = change.filter(|_| phase == FundingPhase::Paid && is_open && facts.asks_for_dearer())
    {
        let message = format!("The dearer Plan `{}` can be paid.", change.price.plan.name);
        return Wanted::new(type_, ConditionStatus::True, reason::CHECKOUT_OPEN, message);
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

/// A dearer Plan that another registration at PayApp is to be paid for.
fn dearer(facts: &Facts, phase: FundingPhase) -> String {
    let Some(record) = facts.record().filter(|it| it.provider == Provider::PayApp) else {
        return String::new();
    };
    let Some(change) = record.change.as_ref().filter(|_| phase == FundingPhase::Paid) else {
        return String::new();
    };
    let (plan, runs) = (&change.price.plan.name, &record.price.plan.name);
    let is_held = record.attempts.last().is_some_and(|it| it.state == AttemptState::Held);
    if is_held {
        return format!(
            " PayApp was asked for a page at which the Plan `{plan}` can be paid, and nobody knows whether it made one: it isn't asked again, since that might charge twice. `{runs}` runs on. If PayApp's own pages show no request of this order, which the platform can see, set `spec.planRef` of the Runtime to `{runs}`, and to `{plan}` again once this isn't told any more."
        );
    }
    let is_confirming = |it: &Checkout| it.state == CheckoutState::Confirming;
    if facts.truth().is_some_and(|truth| truth.checkouts.iter().any(is_confirming)) {
        return format!(
            " The money for the Plan `{plan}` is on its way; `{runs}` runs on until it has come."
        );
    }
    if facts.open_checkout().is_none() {
        return format!(" A page at which the Plan `{plan}` can be paid is being opened; `{runs}` runs on.");
    }
    format!(
        " {} a month for the Plan `{plan}`: pay at the page in `status.checkout.url`, which is open while this order is paid and its Runtime asks for `{plan}`. The first month begins when that is paid, and what is left of the present one isn't carried over; nothing more is collected for `{runs}`, which runs on until then.",
        sum(&change.price)
    )
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
        (
            OddityKind::PlanReturned,
            "for the dearer Plan went back: the earlier size runs to the end of what was paid for it, and nothing is collected by itself. Then a page is opened at the dearer Plan's price; to go on with the earlier one, delete this order and place one for that",
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
