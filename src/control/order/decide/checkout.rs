//! The stages that concern the checkouts of an order: one open at a time, found again after a lost reply, followed by
//! another when nobody paid in time, and closed once nothing is to be paid.

use jiff::{SignedDuration, Timestamp};

use super::super::account::Account;
use super::super::facts::{CallOutcome, Facts};
use super::super::step::{Effect, Rest, Step};
use super::super::truth::opened;
use super::{Reached, refused, subscription};
use crate::api::order_record::{
    AttemptRecord, AttemptState, EndingTime, LAST_ATTEMPT, MAX_ATTEMPTS, OrderRecord, Price,
};
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
    let expired = |number| Step::Do(Effect::RecordAttemptState(number, AttemptState::Expired));
    Err(match outcome {
        CallOutcome::Unsent(_) => return Ok(()),
        CallOutcome::Opened(number, checkout) => Step::Do(Effect::RecordCheckout(*number, checkout.clone())),
        CallOutcome::Unsure(number) if is_repeatable(order.provider) => Step::FindCheckout(*number),
        CallOutcome::Unsure(number) => Step::Do(Effect::RecordAttemptState(*number, AttemptState::Held)),
        CallOutcome::NotFound(number) | CallOutcome::Closed(number) => expired(*number),
        CallOutcome::Ended(id) => Step::Do(Effect::RecordEnded(id.clone())),
        CallOutcome::NotEnded(id) => Step::Do(Effect::RecordNotEnded(id.clone())),
        CallOutcome::Changed => Step::Do(Effect::RecordChanged),
        CallOutcome::Declined => Step::Do(Effect::RecordDeclined),
        CallOutcome::Stale => match &order.change {
            Some(change) => Step::Do(Effect::RecordChange(Box::new(change.price.clone()))),
            None => return Ok(()),
        },
    })
}

/// This price isn't paid: it can be, at one checkout.
pub(super) fn offered(
    now: Timestamp,
    facts: &Facts,
    order: &OrderRecord,
    (truth, account): (&ProviderTruth, &Account),
    price: &Price,
) -> Reached<Step> {
    let Some(attempt) = order.attempts.last() else { return Err(begun(now, order, account, price, 1)) };
    match attempt.state {
        AttemptState::Opening => Err(opening(now, facts, order, attempt)),
        AttemptState::Held if opened(attempt).is_some() => Err(withdrawn(order, attempt)),
        AttemptState::Held => Err(refused(facts, held(order))),
        AttemptState::Open | AttemptState::Closed | AttemptState::Expired => {
            told(now, order, (truth, account), attempt, price)
        }
    }
}

/// What the provider says of the last attempt.
fn told(
    now: Timestamp,
    order: &OrderRecord,
    (truth, account): (&ProviderTruth, &Account),
    attempt: &AttemptRecord,
    price: &Price,
) -> Reached<Step> {
    let is_open = attempt.state == AttemptState::Open;
    let over = |state| Err(Step::Do(Effect::RecordAttemptState(attempt.number, state)));
    match state(truth, attempt) {
        Some(CheckoutState::Open { .. }) if is_open => Ok(Step::Rest(Rest::Awaiting(to_pay(price)))),
        Some(CheckoutState::Confirming) => Ok(Step::Rest(Rest::Awaiting(confirming()))),
        Some(CheckoutState::Complete) if !is_earlier(account, attempt) => {
            Ok(Step::Rest(Rest::Awaiting(not_counted())))
        }
        Some(CheckoutState::Failed) if account.paid_until.is_none() => Ok(Step::Rest(Rest::Failed)),
        Some(CheckoutState::Failed | CheckoutState::Complete) if is_open => over(AttemptState::Closed),
        _ if is_open => over(AttemptState::Expired),
        _ if is_last(order, account, attempt) => Ok(Step::Rest(Rest::Expired)),
        _ => Err(begun(now, order, account, price, attempt.number.saturating_add(1))),
    }
}

/// Whether no other follows: at first so many are made, and later as many as there is time to pay.
fn is_last(order: &OrderRecord, account: &Account, attempt: &AttemptRecord) -> bool {
    let is_spent = usize::try_from(attempt.number).is_ok_and(|number| number >= MAX_ATTEMPTS);
    let has_no_room = order.attempts.len() >= MAX_ATTEMPTS && forgettable(order, account).is_none();
    (is_spent && account.paid_until.is_none()) || has_no_room || attempt.number >= LAST_ATTEMPT
}

/// Whether it is of an earlier time than the one that isn't paid.
fn is_earlier(account: &Account, attempt: &AttemptRecord) -> bool {
    account.paid_until.is_some_and(|until| attempt.create_time < until)
}

/// An attempt that nothing can come of any more: nobody paid it, or what it paid for is over. The last ones are kept.
fn forgettable(order: &OrderRecord, account: &Account) -> Option<u32> {
    const KEPT: usize = 2;
    let expired = order.attempts.iter().find(|attempt| attempt.state == AttemptState::Expired);
    let closed = order.attempts.len().saturating_sub(KEPT);
    let earlier = order.attempts.iter().take(closed);
    let mut earlier = earlier.filter(|it| it.state == AttemptState::Closed && is_earlier(account, it));
    expired.or_else(|| earlier.next()).map(|attempt| attempt.number)
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

/// Nobody can pay for anything but the dearer Plan any more.
pub(super) fn others_closed(
    now: Timestamp,
    facts: &Facts,
    order: &OrderRecord,
    truth: &ProviderTruth,
) -> Reached<()> {
    let mut others = order.attempts.iter().filter(|attempt| !order.is_for_change(attempt));
    others.try_for_each(|attempt| closed_one(now, facts, order, attempt, truth))
}

fn closed_one(
    now: Timestamp,
    facts: &Facts,
    order: &OrderRecord,
    attempt: &AttemptRecord,
    truth: &ProviderTruth,
) -> Reached<()> {
    let number = attempt.number;
    let over = |state| Err(Step::Do(Effect::RecordAttemptState(number, state)));
    match (attempt.state, state(truth, attempt)) {
        // A page that was never shown to anybody is paid by nobody, and money that is on its way can't be stopped.
        (AttemptState::Closed | AttemptState::Expired, _)
        | (AttemptState::Held, None)
        | (AttemptState::Open, Some(CheckoutState::Confirming)) => Ok(()),
        (AttemptState::Opening, _) if is_unsent(facts, attempt) => over(AttemptState::Expired),
        (AttemptState::Opening, _) => Err(opening(now, facts, order, attempt)),
        (_, Some(CheckoutState::Complete)) | (AttemptState::Open, Some(CheckoutState::Failed)) => {
            over(AttemptState::Closed)
        }
        (AttemptState::Held, _) | (AttemptState::Open, Some(CheckoutState::Open { .. })) => {
            Err(withdrawn(order, attempt))
        }
        (AttemptState::Open, _) => over(AttemptState::Expired),
    }
}

/// Nobody can pay an attempt any more that its provider has. A registration is ended like one that was paid.
fn withdrawn(order: &OrderRecord, attempt: &AttemptRecord) -> Step {
    let number = attempt.number;
    match attempt.subscription_id.as_ref().filter(|_| order.provider == Provider::PayApp) {
        Some(registration) => match subscription::asked(order, registration, EndingTime::Now) {
            Err(step) => step,
            Ok(()) => Step::Do(Effect::RecordAttemptState(number, AttemptState::Expired)),
        },
        None => Step::Do(Effect::CloseCheckout(number)),
    }
}

/// An attempt is recorded before its checkout is asked for.
fn begun(now: Timestamp, order: &OrderRecord, account: &Account, price: &Price, number: u32) -> Step {
    let ends = order.provider == Provider::Stripe;
    let expire_time = now.saturating_add(OPEN_FOR).ok().filter(|_| ends);
    let is_full = order.attempts.len() >= MAX_ATTEMPTS;
    let forgets = forgettable(order, account).filter(|_| is_full);
    Step::Do(Effect::RecordAttempt { number, amount: price.amount, expire_time, forgets })
}

/// The checkout of a recorded attempt is asked for: again, if that does nothing twice; else only if it never was.
fn opening(now: Timestamp, facts: &Facts, order: &OrderRecord, attempt: &AttemptRecord) -> Step {
    let number = attempt.number;
    match (is_repeatable(order.provider), is_unsent(facts, attempt)) {
        (true, _) if attempt.create_time.duration_until(now) < REPEATABLE => {
            Step::Do(Effect::OpenCheckout(number))
        }
        (true, _) => Step::FindCheckout(number),
        (false, true) => Step::Do(Effect::OpenCheckout(number)),
        (false, false) => Step::Do(Effect::RecordAttemptState(number, AttemptState::Held)),
    }
}

/// Whether its checkout was never asked for. A number that was told meanwhile shows that it was.
fn is_unsent(facts: &Facts, attempt: &AttemptRecord) -> bool {
    facts.known.call == Some(CallOutcome::Unsent(attempt.number)) && opened(attempt).is_none()
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

fn to_pay(price: &Price) -> Refusal {
    Refusal::new(
        reason::AWAITING_PAYMENT,
        format!(
            "{} for the Plan `{}`: pay at the page in `status.checkout.url`. A page that isn't paid in time is followed by another.",
            sum(price),
            price.plan.name
        ),
    )
}

/// The price, as people write it.
pub(in crate::control::order) fn sum(price: &Price) -> String {
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
