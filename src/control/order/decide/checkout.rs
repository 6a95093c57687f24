//! The stages that concern the checkouts of an order: one open at a time, found again after a lost reply, followed by
//! another when nobody paid in time, and closed once nothing is to be paid.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{CallOutcome, Facts};
use super::super::step::{Effect, Rest, Step};
use super::super::truth::opened;
use super::{Reached, refused};
use crate::api::order_record::{AttemptRecord, AttemptState, MAX_ATTEMPTS, OrderRecord, Price};
use crate::api::payment_receipt::Provider;
use crate::api::reason;
use crate::billing::{CheckoutState, Money, ProviderTruth};
use crate::control::runtime::facts::Refusal;

/// How long a checkout at Stripe is open: a day is the most that it takes.
const OPEN_FOR: SignedDuration = SignedDuration::from_hours(23);
/// How long after an attempt was stored the same call may be made again with the same key. Later it is looked for.
const REPEATABLE: SignedDuration = SignedDuration::from_mins(20);

/// What became of the last call is recorded before anything else is done.
pub(super) fn outcome_recorded(facts: &Facts, order: &OrderRecord) -> Reached<()> {
    let Some(outcome) = &facts.known.call else { return Ok(()) };
    let closed = |number| Step::Do(Effect::RecordAttemptState(number, AttemptState::Closed));
    Err(match outcome {
        CallOutcome::Unsent(_) => return Ok(()),
        CallOutcome::Opened(number, checkout) => Step::Do(Effect::RecordCheckout(*number, checkout.clone())),
        CallOutcome::Unsure(number) if is_repeatable(order.provider) => Step::FindCheckout(*number),
        CallOutcome::Unsure(number) => Step::Do(Effect::RecordAttemptState(*number, AttemptState::Held)),
        CallOutcome::NotFound(number) | CallOutcome::Closed(number) => closed(*number),
        CallOutcome::Ended => Step::Do(Effect::RecordEnded),
        CallOutcome::Changed => Step::Do(Effect::RecordChanged),
        CallOutcome::Declined => Step::Do(Effect::RecordDeclined),
        CallOutcome::Stale => match &order.change {
            Some(change) => Step::Do(Effect::RecordChange(Box::new(change.price.clone()))),
            None => return Ok(()),
        },
    })
}

/// It isn't paid: it can be, at one checkout.
pub(super) fn offered(
    now: Timestamp,
    facts: &Facts,
    order: &OrderRecord,
    truth: &ProviderTruth,
) -> Reached<Step> {
    let Some(attempt) = order.attempts.last() else { return Err(begun(now, order, 1)) };
    match attempt.state {
        AttemptState::Opening => Err(opening(now, facts, order, attempt)),
        AttemptState::Held if opened(attempt).is_some() => {
            Err(Step::Do(Effect::CloseCheckout(attempt.number)))
        }
        AttemptState::Held => Err(refused(facts, held(order))),
        AttemptState::Open | AttemptState::Closed => told(now, order, attempt, truth),
    }
}

/// What the provider says of the last attempt.
fn told(
    now: Timestamp,
    order: &OrderRecord,
    attempt: &AttemptRecord,
    truth: &ProviderTruth,
) -> Reached<Step> {
    let is_open = attempt.state == AttemptState::Open;
    match state(truth, attempt) {
        Some(CheckoutState::Open { .. }) if is_open => Ok(Step::Rest(Rest::Awaiting(to_pay(order)))),
        Some(CheckoutState::Confirming) => Ok(Step::Rest(Rest::Awaiting(confirming()))),
        Some(CheckoutState::Complete) => Ok(Step::Rest(Rest::Awaiting(not_counted()))),
        Some(CheckoutState::Failed) => Ok(Step::Rest(Rest::Failed)),
        _ if is_open => Err(Step::Do(Effect::RecordAttemptState(attempt.number, AttemptState::Closed))),
        _ if order.attempts.len() >= MAX_ATTEMPTS => Ok(Step::Rest(Rest::Expired)),
        _ => Err(begun(now, order, attempt.number.saturating_add(1))),
    }
}

/// Nobody can pay for it any more.
pub(super) fn closed(
    now: Timestamp,
    facts: &Facts,
    order: &OrderRecord,
    truth: &ProviderTruth,
) -> Reached<()> {
    order.attempts.iter().try_for_each(|attempt| closed_one(now, facts, order, attempt, truth))
}

fn closed_one(
    now: Timestamp,
    facts: &Facts,
    order: &OrderRecord,
    attempt: &AttemptRecord,
    truth: &ProviderTruth,
) -> Reached<()> {
    let number = attempt.number;
    let record = Step::Do(Effect::RecordAttemptState(number, AttemptState::Closed));
    let close = Step::Do(Effect::CloseCheckout(number));
    match (attempt.state, state(truth, attempt)) {
        // A page that was never shown to anybody is paid by nobody, and money that is on its way can't be stopped.
        (AttemptState::Closed, _)
        | (AttemptState::Held, None)
        | (AttemptState::Open, Some(CheckoutState::Confirming)) => Ok(()),
        (AttemptState::Opening, _) if facts.known.call == Some(CallOutcome::Unsent(number)) => Err(record),
        (AttemptState::Opening, _) => Err(opening(now, facts, order, attempt)),
        (_, Some(CheckoutState::Complete)) => Err(record),
        (AttemptState::Held, _) | (AttemptState::Open, Some(CheckoutState::Open { .. })) => Err(close),
        (AttemptState::Open, _) => Err(record),
    }
}

/// An attempt is recorded before its checkout is asked for.
fn begun(now: Timestamp, order: &OrderRecord, number: u32) -> Step {
    let ends = order.provider == Provider::Stripe;
    let expire_time = now.saturating_add(OPEN_FOR).ok().filter(|_| ends);
    Step::Do(Effect::RecordAttempt { number, expire_time })
}

/// The checkout of a recorded attempt is asked for: again, if that does nothing twice; else only if it never was.
fn opening(now: Timestamp, facts: &Facts, order: &OrderRecord, attempt: &AttemptRecord) -> Step {
    let number = attempt.number;
    let is_unsent = facts.known.call == Some(CallOutcome::Unsent(number));
    match (is_repeatable(order.provider), is_unsent) {
        (true, _) if attempt.create_time.duration_until(now) < REPEATABLE => {
            Step::Do(Effect::OpenCheckout(number))
        }
        (true, _) => Step::FindCheckout(number),
        (false, true) => Step::Do(Effect::OpenCheckout(number)),
        // A number that was told meanwhile shows that it was sent.
        (false, false) => Step::Do(Effect::RecordAttemptState(number, AttemptState::Held)),
    }
}

/// Whether a provider knows the same call again.
fn is_repeatable(provider: Provider) -> bool {
    provider != Provider::PayApp
}

/// What the provider says of the checkout of an attempt.
pub(in crate::control::order) fn state<'t>(
    truth: &'t ProviderTruth,
    attempt: &AttemptRecord,
) -> Option<&'t CheckoutState> {
    truth.checkouts.iter().find(|it| it.attempt == attempt.number).map(|it| &it.state)
}

fn to_pay(order: &OrderRecord) -> Refusal {
    Refusal::new(
        reason::AWAITING_PAYMENT,
        format!(
            "{} for the Plan `{}`: pay at the page in `status.checkout.url`. A page that isn't paid in time is followed by another.",
            sum(&order.price),
            order.price.plan.name
        ),
    )
}

fn sum(price: &Price) -> String {
    let plain = || format!("{} {}", price.amount, price.currency);
    Money::of(price.amount, &price.currency).map_or_else(|_| plain(), |money| money.to_string())
}

fn confirming() -> Refusal {
    Refusal::new(
        reason::AWAITING_PAYMENT,
        "The customer is done, and the money is on its way; a bank transfer may take days. Nothing has to be done.",
    )
}

fn not_counted() -> Refusal {
    Refusal::new(
        reason::AWAITING_PAYMENT,
        "The checkout is done, and no payment of the order's price is known for it. Compare it with the payment at the provider; what was paid counts once the platform approves it by a PaymentReceipt.",
    )
}

fn held(order: &OrderRecord) -> Refusal {
    Refusal::new(
        reason::CHECKOUT_UNKNOWN,
        format!(
            "{} was asked for a page to pay at, and nobody knows whether it made one: it can't be asked, and asking again might charge twice. If its own pages show no request of this order, delete the order and place another; if one was paid, the platform approves it by a PaymentReceipt for the order `{}`.",
            order.provider.name(),
            order.uid
        ),
    )
}
