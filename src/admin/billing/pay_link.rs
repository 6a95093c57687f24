//! `moorage billing pay-link`: where a customer pays an order, straight from the order's claim. A status may be forged,
//! and a forged link would be paid to somebody else.

use clap::Args;
use jiff::Timestamp;
use kube::Client;

use super::books::{self, OrderName};
use super::told::{money, time};
use crate::admin::AdminError;
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
    let link = link(SystemClock.now(), &order.record).map_err(AdminError::Refused)?;
    print(link.to_owned());
    Ok(())
}

/// The link of the checkout that can be paid now.
///
/// # Errors
/// Why there is none, and what to do instead.
pub fn link(now: Timestamp, order: &OrderRecord) -> Result<&str, String> {
    if order.phase == FundingPhase::Paid {
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
    let newest = order.attempts.iter().max_by_key(|attempt| attempt.number);
    match newest {
        None => Err("No checkout was opened yet; `kubectl describe mord` says what it waits for.".into()),
        Some(attempt) => of_attempt(now, attempt),
    }
}

fn of_attempt(now: Timestamp, attempt: &AttemptRecord) -> Result<&str, String> {
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
        (AttemptState::Closed | AttemptState::Expired, _) => Err(
            "No checkout is open. Where its provider still collects, pay the invoice in `status.subscription.invoices`; where another may be opened, that happens by itself. Place another order where neither is so."
                .into(),
        ),
    }
}

#[cfg(test)]
mod tests;
