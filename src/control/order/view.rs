//! What the status says: a pure function of the facts and the step that was reached.

use jiff::Timestamp;

use super::conditions::{Outcome, conditions};
use super::facts::Facts;
use super::step::{Rest, Step, Waiting};
use super::steps::steps;
use super::view_money::{checkout, subscription};
use crate::api::condition::{self, ConditionStatus, ConditionType};
use crate::api::payment_receipt::Provider;
use crate::api::reason;
use crate::api::refs::NameRef;
use crate::api::runtime_order::{Amount, FundingPhase, RuntimeOrderStatus};
use crate::api::state::OrderState;
use crate::billing::{CheckoutState, InvoiceState};
use crate::control::runtime::facts::{Refusal, Trouble, TroubleClass};

/// The status to write, given the one that stands.
pub fn view(now: Timestamp, facts: &Facts, step: &Step, old: &RuntimeOrderStatus) -> RuntimeOrderStatus {
    if keeps_its_word(facts, step, old) {
        return told_beside(facts, old);
    }
    let standing = facts.standing(now);
    let phase = standing.map(|standing| standing.phase).unwrap_or_default();
    let outcome = outcome(now, facts, step, phase, old);
    let generation = facts.generation();
    let settled = !matches!(outcome, Outcome::Progress(_));
    let record = facts.record();
    RuntimeOrderStatus {
        observed_generation: if settled { generation } else { old.observed_generation },
        state: Some(state(facts, step, phase)),
        steps: steps(facts, phase, step),
        amount: record
            .map(|order| Amount { value: order.price.amount, currency: order.price.currency.clone() }),
        checkout: checkout(facts, phase),
        subscription: standing.as_ref().map(|standing| subscription(now, facts, standing)),
        runtime_ref: record
            .and_then(|order| order.funds.as_ref())
            .filter(|funds| funds.uid.is_some())
            .map(|funds| NameRef::new(&funds.name)),
        conditions: condition::merge(
            &old.conditions,
            conditions(now, facts, standing.as_ref(), &outcome),
            generation,
            now,
        ),
    }
}

/// What was at rest stays so while the API server is in trouble, and until it is read again after a start.
fn keeps_its_word(facts: &Facts, step: &Step, old: &RuntimeOrderStatus) -> bool {
    // A key that isn't taken is the platform's to mend: what the customer has paid isn't less for it.
    let passes = |it: &Trouble| it.class == TroubleClass::Transient || OURS.contains(&it.reason);
    let passing = facts.known.trouble.as_ref().is_some_and(passes);
    let is_kept = match step {
        Step::Wait(Waiting::Retry(_)) => passing,
        step => *step == Step::Wait(Waiting::Turn),
    };
    is_kept
        && facts.generation() == old.observed_generation
        && condition::is_true(&old.conditions, ConditionType::Ready)
        && !facts.is_deleted()
}

/// What is the platform's to mend.
const OURS: [&str; 3] =
    [reason::PROVIDER_UNAUTHORIZED, reason::PROVIDER_NOT_CONFIGURED, reason::PAYMENT_NOT_FOUND];
/// Before what is wrong, in the message of `Paid`.
const BESIDE: &str = " It can't be looked up now: ";
/// The longest message of a condition that is written here, in characters.
const LONGEST: usize = 2000;

/// What stands, and in the message of `Paid` what the platform has to mend: else nobody would know of it.
fn told_beside(facts: &Facts, old: &RuntimeOrderStatus) -> RuntimeOrderStatus {
    let mut kept = old.clone();
    let trouble = facts.known.trouble.as_ref().filter(|trouble| OURS.contains(&trouble.reason));
    let paid = kept.conditions.iter_mut().find(|it| it.type_ == ConditionType::Paid);
    if let (Some(trouble), Some(paid)) = (trouble, paid) {
        let before = paid.message.split(BESIDE).next().unwrap_or_default();
        let message: String = format!("{before}{BESIDE}{}", trouble.message).chars().take(LONGEST).collect();
        paid.message = message.into();
    }
    kept
}

/// The portal's word.
fn state(facts: &Facts, step: &Step, phase: FundingPhase) -> OrderState {
    match (phase, step) {
        (FundingPhase::Unpaid, _) if facts.is_deleted() => OrderState::Cancelled,
        (FundingPhase::Unpaid, Step::Rest(Rest::Expired)) => OrderState::Expired,
        (FundingPhase::Unpaid, Step::Rest(Rest::Failed)) => OrderState::PaymentFailed,
        (FundingPhase::Unpaid, _) => OrderState::PendingPayment,
        (FundingPhase::PastDue, _) => OrderState::PastDue,
        (FundingPhase::Suspended, _) => OrderState::Suspended,
        (FundingPhase::Refunded, _) => OrderState::Refunded,
        (FundingPhase::Ended, _) => OrderState::Ended,
        (FundingPhase::Paid, Step::Rest(Rest::Fulfilled)) if facts.runtime_is_stopped_as_asked() => {
            OrderState::Paid
        }
        (FundingPhase::Paid, Step::Rest(Rest::Fulfilled)) => OrderState::Running,
        (FundingPhase::Paid, _) if facts.cluster.runtime.is_some() => OrderState::Provisioning,
        (FundingPhase::Paid, _) => OrderState::Paid,
    }
}

fn outcome(
    now: Timestamp,
    facts: &Facts,
    step: &Step,
    phase: FundingPhase,
    old: &RuntimeOrderStatus,
) -> Outcome {
    let settled = |reason, message: &str| Outcome::Settled(Refusal::new(reason, message));
    match step {
        Step::Rest(Rest::Fulfilled) if phase == FundingPhase::PastDue => Outcome::Settled(Refusal::new(
            reason::PAST_DUE,
            format!(
                "The next interval isn't paid; the Runtime runs on until `status.subscription.suspendTime`. {}",
                how_to_pay(facts)
            ),
        )),
        Step::Rest(Rest::Fulfilled) if facts.runtime_is_stopped_as_asked() => settled(
            reason::STOPPED,
            "It is paid, and the Runtime that it funds is stopped, as its own spec asks.",
        ),
        Step::Rest(Rest::Fulfilled) => {
            settled(reason::FULFILLED, "It is paid, and the Runtime that it funds serves.")
        }
        Step::Rest(Rest::Refunded) => {
            settled(reason::REFUNDED, "The money went back; the Runtime is stopped.")
        }
        Step::Rest(Rest::Ended) => settled(reason::ENDED, "It is over, and funds nothing any more."),
        Step::Rest(Rest::Suspended) => Outcome::Awaiting(Refusal::new(
            reason::AWAITING_PAYMENT,
            format!(
                "It isn't paid: the Runtime is stopped, and its data kept until `status.subscription.deleteTime`. {}",
                how_to_pay(facts)
            ),
        )),
        Step::Rest(Rest::Expired) => Outcome::Stalled(Refusal::new(
            reason::CHECKOUT_EXPIRED,
            "It wasn't paid in time, however often it was offered. Place another order.",
        )),
        Step::Rest(Rest::Failed) => Outcome::Stalled(Refusal::new(
            reason::PAYMENT_FAILED,
            "The payment failed after the checkout was done. Place another order, and pay in another way.",
        )),
        Step::Rest(Rest::Awaiting(why)) => Outcome::Awaiting(why.clone()),
        Step::Rest(Rest::Refused(why, _)) => Outcome::Stalled(why.clone()),
        Step::Rest(Rest::Gone)
        | Step::LookForRuntime
        | Step::ReadProvider
        | Step::FindCheckout(_)
        | Step::Do(_)
        | Step::Wait(_) => progress(now, facts, step, old),
    }
}

/// How what isn't paid any more is paid again.
fn how_to_pay(facts: &Facts) -> &'static str {
    let by_hand = facts.record().is_some_and(|order| order.provider == Provider::Manual);
    let truth = facts.truth().unwrap_or_default();
    let is_confirming = truth.checkouts.iter().any(|it| it.state == CheckoutState::Confirming);
    let has_invoice = truth.invoices.iter().any(|it| it.state == InvoiceState::Open);
    if by_hand {
        "Pay the platform, which approves it by a PaymentReceipt, and it goes on."
    } else if is_confirming {
        "The money is on its way; a bank transfer may take days."
    } else if facts.open_checkout().is_some() {
        "Pay at the page in `status.checkout.url`, and it goes on."
    } else if has_invoice {
        "Pay the open invoice in `status.subscription.invoices`, or change the card in the customer's own page, and it goes on."
    } else {
        "A page to pay at is opened as soon as its provider collects nothing any more."
    }
}

/// Something is under way, unless it went wrong for good or takes too long.
fn progress(now: Timestamp, facts: &Facts, step: &Step, old: &RuntimeOrderStatus) -> Outcome {
    let trouble = facts.known.trouble.as_ref();
    let doing = doing(facts, step);
    let refusal = trouble.map_or(doing, |trouble| Refusal::new(trouble.reason, trouble.message.clone()));
    if trouble.is_some_and(|trouble| trouble.class == TroubleClass::Human) {
        return Outcome::Stalled(refusal);
    }
    if overdue(now, facts, old) {
        let message =
            format!("It takes longer than it should. {} It is tried further by itself.", refusal.message);
        return Outcome::Stalled(Refusal::new(reason::DEADLINE_EXCEEDED, message));
    }
    Outcome::Progress(refusal)
}

/// What is being done, with the reason that says so.
fn doing(facts: &Facts, step: &Step) -> Refusal {
    match step {
        Step::Wait(Waiting::Runtime) => {
            Refusal::new(reason::PROVISIONING, "It is paid; its Runtime is being made.")
        }
        Step::Wait(Waiting::RuntimeGone) => {
            Refusal::new(reason::DESTROYING, "The Runtime that it is for is being deleted.")
        }
        Step::Wait(Waiting::RuntimeBack) => Refusal::new(
            reason::PENDING,
            "The Runtime that it funds isn't there, and what is left of it wasn't given up. Declare it again; or it is taken down from its claim.",
        ),
        Step::Wait(Waiting::Turn) => {
            Refusal::new(reason::PENDING, "It is paid, and its provider is asked about it soon.")
        }
        Step::Wait(Waiting::Namespace) => Refusal::new(reason::DESTROYING, "The namespace is being deleted."),
        _ if facts.is_deleted() => Refusal::new(reason::DESTROYING, "It is being given up."),
        _ if facts.record().is_none() => Refusal::new(reason::PENDING, "Its price is being recorded."),
        _ => Refusal::new(reason::PENDING, "What was paid is being recorded."),
    }
}

/// Whether what is under way has been so for longer than it may.
fn overdue(now: Timestamp, facts: &Facts, old: &RuntimeOrderStatus) -> bool {
    let Some(ready) = condition::find(&old.conditions, ConditionType::Ready) else { return false };
    match ready.status {
        ConditionStatus::Unknown => {
            ready.last_transition_time.duration_until(now) > facts.cluster.settings.start_deadline
        }
        ConditionStatus::False => {
            ready.reason == reason::DEADLINE_EXCEEDED && ready.observed_generation == facts.generation()
        }
        ConditionStatus::True => false,
    }
}
