//! What is done and read at a payment provider. Each effect is one call; what came of it is kept until the claim says
//! so.

use jiff::Timestamp;

use super::facts::{CallOutcome, Facts, FirstReading, Portal, Reading};
use super::outcome::{self, Close, Shown, tells_no_more};
use super::trouble::{failure, goes_on, lost};
use super::truth::{absent, billing_of, identity, interval, known, opened};
use crate::api::order_record::{AttemptRecord, EndingTime, OrderRecord, Price};
use crate::api::reason;
use crate::api::runtime_order::LONGEST_URL;
use crate::billing::{
    Buyer, ChangeSubscription, Changed, EndSubscription, Ending, Error, ErrorClass, LostCheckout, Money,
    NewCheckout, NewPortal, OpenCheckout, PaymentProvider, Repetition,
};
use crate::control::context::Context;
use crate::control::runtime::facts::Refusal;
use crate::control::runtime::trouble::Failure;

/// A client of the order's provider, with what is recorded of the order.
struct Counter {
    client: Box<dyn PaymentProvider>,
    order: OrderRecord,
}

impl Counter {
    fn of(ctx: &Context, facts: &Facts) -> Result<Self, Failure> {
        let order = facts.record().ok_or_else(changed)?.clone();
        Ok(Self { client: ctx.providers.client(order.provider)?, order })
    }

    fn attempt(&self, number: u32) -> Result<&AttemptRecord, Failure> {
        self.order.attempts.iter().find(|attempt| attempt.number == number).ok_or_else(changed)
    }

    fn failure(&self, error: &Error) -> Failure {
        failure(self.order.provider, error)
    }

    /// Keeps what came of a call that ends something.
    fn settled(
        &self,
        facts: &mut Facts,
        came: Close,
        over: CallOutcome,
        answer: Result<(), Error>,
    ) -> Result<(), Failure> {
        match (came, answer) {
            (Close::ReadAgain, _) => facts.known.call = None,
            (Close::Failed, Err(error)) if self.client.repetition() == Repetition::Never => {
                return Err(goes_on(self.order.provider, &error));
            }
            (Close::Failed, Err(error)) => return Err(self.failure(&error)),
            (_, answer) => {
                facts.known.call = Some(over);
                if let Err(error) = answer {
                    tracing::info!(order = self.order.uid, %error, "a provider refused to end something");
                }
            }
        }
        Ok(())
    }

    /// Whether the page of a registration was ever shown to anybody; what isn't known of may have been.
    fn shown(&self, subscription: &str) -> Shown {
        let mut attempts = self.order.attempts.iter();
        let attempt = attempts.find(|it| it.subscription_id.as_deref() == Some(subscription));
        if attempt.is_some_and(|attempt| attempt.url.is_none()) { Shown::Never } else { Shown::Yes }
    }
}

/// What was decided on isn't there any more.
fn changed() -> Failure {
    Refusal::new(reason::INTERNAL_ERROR, "What is recorded of the order changed at the same time.").into()
}

/// Reads everything about the order.
///
/// # Errors
/// If the provider can't be asked; what was read before stands.
pub async fn read(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let counter = Counter::of(ctx, facts)?;
    let order = known(&counter.order, Vec::new());
    let truth = counter.client.read(&order).await.map_err(|error| counter.failure(&error))?;
    if let Some(payment) = absent(&counter.order, &facts.cluster.receipts, &truth) {
        return Err(lost(counter.order.provider, payment));
    }
    facts.known.first = FirstReading::Done;
    facts.known.read = Some(Reading { at: now, notice: counter.order.notice_time, truth: truth.into() });
    Ok(())
}

/// Looks for the checkout of an attempt whose reply was lost.
///
/// # Errors
/// If the provider can't be asked.
pub async fn find(ctx: &Context, facts: &mut Facts, number: u32) -> Result<(), Failure> {
    let counter = Counter::of(ctx, facts)?;
    let attempt = counter.attempt(number)?;
    let lost = LostCheckout {
        order: counter.order.uid.clone(),
        attempt: identity(attempt),
        since: attempt.create_time,
    };
    let found = counter.client.find_checkout(&lost).await.map_err(|error| counter.failure(&error))?;
    facts.known.call = Some(match found {
        Some(checkout) => CallOutcome::Opened(number, checkout),
        None => CallOutcome::NotFound(number),
    });
    Ok(())
}

/// Opens the checkout of a recorded attempt.
///
/// # Errors
/// If it is known that nothing was opened, or the same call finds out.
pub async fn open(ctx: &Context, facts: &mut Facts, number: u32) -> Result<(), Failure> {
    let counter = Counter::of(ctx, facts)?;
    let checkout = new_checkout(ctx, facts, &counter, number)?;
    // From here on it may have been sent.
    let (before, repetition) = (facts.known.call.take(), counter.client.repetition());
    let answer = counter.client.open_checkout(&checkout).await;
    facts.known.call = outcome::opening(before.as_ref(), number, repetition, &answer);
    match answer {
        Err(error) if !tells_no_more(repetition, &error) => Err(counter.failure(&error)),
        _ => {
            facts.known.read = None;
            Ok(())
        }
    }
}

fn new_checkout(
    ctx: &Context,
    facts: &Facts,
    counter: &Counter,
    number: u32,
) -> Result<NewCheckout, Failure> {
    let (order, attempt) = (&counter.order, counter.attempt(number)?);
    let asked = order.asked_by(attempt);
    let url = return_url(ctx, facts);
    let price = money(attempt.amount, &attempt.currency)?;
    Ok(NewCheckout {
        order: order.uid.clone(),
        attempt: identity(attempt),
        idempotency_key: attempt.idempotency_key.clone(),
        price,
        billing: billing_of(order),
        title: title(asked),
        plan: asked.plan.name.clone(),
        success_url: url.clone(),
        cancel_url: url,
        created_at: attempt.create_time,
        expires_at: attempt.expire_time.unwrap_or(attempt.create_time),
        buyer: Buyer::default(),
    })
}

fn money(amount: i64, currency: &str) -> Result<Money, Failure> {
    let refusal =
        |error| Refusal::new(reason::PROVIDER_REFUSED, format!("The price can't be asked for: {error}."));
    Money::of(amount, currency).map_err(|error| refusal(error).into())
}

/// What is bought, as the customer reads it.
fn title(price: &Price) -> String {
    price.title.clone().unwrap_or_else(|| price.plan.name.clone())
}

/// Has nobody pay the checkout of an attempt any more.
///
/// # Errors
/// If the provider refuses or can't be asked.
pub async fn close(ctx: &Context, facts: &mut Facts, number: u32) -> Result<(), Failure> {
    let counter = Counter::of(ctx, facts)?;
    let checkout = opened(counter.attempt(number)?).ok_or_else(changed)?;
    facts.known.read = None;
    let (before, shown) = (facts.known.ends.remove(&checkout.id), shown(&checkout));
    let answer = counter.client.close_checkout(&checkout).await;
    if let Some(sent) = outcome::sent(before, &answer) {
        facts.known.ends.insert(checkout.id, sent);
    }
    let came = outcome::closing(counter.client.repetition(), shown, before, &answer);
    counter.settled(facts, came, CallOutcome::Closed(number), answer)
}

fn shown(checkout: &OpenCheckout) -> Shown {
    if checkout.url.is_some() { Shown::Yes } else { Shown::Never }
}

/// Changes the subscription to the Plan that is recorded.
///
/// # Errors
/// If the provider refuses or can't be asked.
pub async fn change(ctx: &Context, facts: &mut Facts) -> Result<(), Failure> {
    let counter = Counter::of(ctx, facts)?;
    let recorded = counter.order.change.as_ref().ok_or_else(changed)?;
    let price = &recorded.price;
    let wanted = ChangeSubscription {
        id: counter.order.subscription_id.clone().ok_or_else(changed)?,
        price: money(price.amount, &price.currency)?,
        interval: interval(price.interval),
        title: title(price),
        plan: price.plan.name.clone(),
        idempotency_key: recorded.idempotency_key.clone(),
    };
    facts.known.read = None;
    facts.known.call = match counter.client.change_subscription(&wanted).await {
        Ok(Changed::Done) => Some(CallOutcome::Changed),
        // Whoever can't isn't asked: another registration is paid instead.
        Ok(Changed::RegisterAgain) => return Err(changed()),
        Err(error) if error.class() == ErrorClass::Declined => Some(CallOutcome::Declined),
        Err(error) if tells_no_more(counter.client.repetition(), &error) => Some(CallOutcome::Stale),
        Err(error) => return Err(counter.failure(&error)),
    };
    Ok(())
}

/// Opens the customer's own page. One that can't be opened is told, and holds nothing else up.
///
/// # Errors
/// If the order isn't recorded any more, or its provider isn't configured.
pub async fn portal(
    ctx: &Context,
    facts: &mut Facts,
    customer: &str,
    request: Timestamp,
) -> Result<(), Failure> {
    let counter = Counter::of(ctx, facts)?;
    let wanted = NewPortal { customer: customer.to_owned(), return_url: return_url(ctx, facts) };
    let (url, problem) = match counter.client.open_portal(&wanted).await {
        Ok(Some(url)) if url.len() <= LONGEST_URL => (Some(url), None),
        Ok(_) => (None, Some("The provider has no such page for this customer.".to_owned())),
        Err(error) => (None, Some(counter.failure(&error).message)),
    };
    facts.known.portal = Some(Portal { at: ctx.clock.now(), request, url, problem });
    Ok(())
}

fn return_url(ctx: &Context, facts: &Facts) -> String {
    let holder = facts.holder();
    ctx.config.billing.return_url(&holder.namespace, &holder.name).unwrap_or_default()
}

/// Ends a subscription whose end is recorded.
///
/// # Errors
/// If the provider refuses or can't be asked.
pub async fn end(ctx: &Context, facts: &mut Facts, id: &str) -> Result<(), Failure> {
    let counter = Counter::of(ctx, facts)?;
    let recorded = counter.order.ending(id).ok_or_else(changed)?;
    let ending = EndSubscription {
        id: id.to_owned(),
        when: match recorded.when {
            EndingTime::AtPeriodEnd => Ending::AtPeriodEnd,
            EndingTime::Now => Ending::Now,
        },
        idempotency_key: recorded.idempotency_key.clone(),
    };
    facts.known.read = None;
    let before = facts.known.ends.remove(id);
    let answer = counter.client.end_subscription(&ending).await;
    if let Some(sent) = outcome::sent(before, &answer) {
        facts.known.ends.insert(id.to_owned(), sent);
    }
    let came = outcome::ending(counter.client.repetition(), counter.shown(id), before, recorded, &answer);
    let over = match came {
        Close::GoesOn => CallOutcome::NotEnded(id.to_owned()),
        _ => CallOutcome::Ended(id.to_owned()),
    };
    counter.settled(facts, came, over, answer)
}
