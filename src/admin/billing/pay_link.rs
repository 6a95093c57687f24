//! `moorage billing pay-link`: where a customer pays an order, straight from the order's claim. A status may be forged,
//! and a forged link would be paid to somebody else.

use clap::Args;
use jiff::Timestamp;
use kube::Client;

use super::books::{self, OrderName};
use super::told::{money, time};
use crate::admin::AdminError;
use crate::api::NameClaimSpec;
use crate::api::order_record::{AttemptRecord, AttemptState, OrderRecord};
use crate::api::payment_receipt::Provider;
use crate::api::runtime_order::FundingPhase;
use crate::engine::clock::{Clock, SystemClock};

/// Which order is to be paid.
#[derive(Debug, Args)]
pub struct PayLink {
    /// The order, as NAMESPACE/NAME or by its UID.
    pub order: OrderName,
}

/// Prints the link, and nothing else to standard output.
///
/// # Errors
/// If there is none, with what to do instead.
pub async fn run(client: Client, pay_link: &PayLink, print: impl Fn(String)) -> Result<(), AdminError> {
    let order = books::order(&client, &pay_link.order).await?;
    let link = link(SystemClock.now(), &order.claim.spec, &order.record).map_err(AdminError::Refused)?;
    print(link.to_owned());
    Ok(())
}

/// The link of the checkout that can be paid now.
///
/// # Errors
/// Why there is none, and what to do instead.
pub fn link<'o>(now: Timestamp, claim: &NameClaimSpec, order: &'o OrderRecord) -> Result<&'o str, String> {
    if let Some(why) = unwanted(claim, order) {
        return Err(format!("{why}; nobody should pay it any more. Place another order."));
    }
    let newest = order.attempts.iter().max_by_key(|attempt| attempt.number);
    let is_dearer = |it: &AttemptRecord| !it.state.is_over() && order.is_for_change(it);
    if order.phase == FundingPhase::Paid && !newest.is_some_and(is_dearer) {
        let until = order.paid_until.map(|at| format!(" until {}", time(at))).unwrap_or_default();
        return Err(format!("It is paid{until}; there is nothing to pay now."));
    }
    if order.provider == Provider::Manual {
        return Err(format!(
            "It is paid by hand: {} for the order {}; then `moorage billing resolve`.",
            money(order.price.amount, &order.price.currency),
            order.uid
        ));
    }
    match newest {
        None => Err("No checkout was opened yet; `kubectl describe mord` says what it waits for.".into()),
        Some(attempt) => of_attempt(now, order, attempt),
    }
}

/// Why what is paid now would fund nothing.
fn unwanted(claim: &NameClaimSpec, order: &OrderRecord) -> Option<&'static str> {
    if order.is_over() {
        return Some("The order is over");
    }
    if claim.tombstone.is_some() {
        return Some("The order was deleted");
    }
    (order.phase == FundingPhase::Refunded).then_some("What was paid for the order went back")
}

fn of_attempt<'o>(
    now: Timestamp,
    order: &OrderRecord,
    attempt: &'o AttemptRecord,
) -> Result<&'o str, String> {
    match (attempt.state, &attempt.url) {
        (AttemptState::Open, _) if attempt.expire_time.is_some_and(|end| end <= now) => Err(
            "Its checkout has expired. The operator opens another by itself where it may; else place another order."
                .into(),
        ),
        (AttemptState::Open, Some(url)) => Ok(url),
        (AttemptState::Open, None) => {
            Err("Its checkout is open, and its provider gave no link: see the provider's dashboard.".into())
        }
        (AttemptState::Opening, _) => Err("Its checkout is being opened; ask again in a moment.".into()),
        (AttemptState::Held, _) => Err(format!(
            "The attempt {} was sent and nobody knows what came of it: look for it at the provider. If it was paid, `moorage billing resolve` with the payment's id there as the reference; it is never sent again by itself.",
            attempt.mark()
        )),
        (AttemptState::Closed | AttemptState::Expired, _) => Err(closed(order)),
    }
}

/// A status may be forged: what its provider still collects is looked up there, by what the claim says.
fn closed(order: &OrderRecord) -> String {
    let collected = order.subscription_id.as_ref().filter(|_| order.provider == Provider::Stripe);
    match collected {
        Some(subscription) => format!(
            "No checkout is open. If an invoice of the subscription `{subscription}` is, its page is shown in Stripe's dashboard; the one in the order's status may be forged. Else another checkout is opened by itself where it may; place another order where it isn't."
        ),
        None => "No checkout is open. Another is opened by itself where it may; place another order where it isn't.".into(),
    }
}

#[cfg(test)]
mod tests;
