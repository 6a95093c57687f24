//! The customer's own page at the provider, where cards and invoices are managed: opened on request. Pure.
//!
//! Whoever may change the order asks for it by an annotation with the time. The link stands in the status for a while:
//! it opens the customer's page for whoever reads it.

use jiff::{SignedDuration, Timestamp};

use super::facts::{Facts, Portal};
use super::step::{Effect, Step};
use crate::api::annotation;
use crate::api::order_record::OrderRecord;
use crate::api::payment_receipt::Provider;
use crate::api::runtime_order::PortalStatus;

/// How long a request holds, and how far its time may be ahead of ours.
const HOLDS: SignedDuration = SignedDuration::from_mins(15);
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// The request that holds now, by its time.
pub fn request(now: Timestamp, facts: &Facts) -> Option<Timestamp> {
    let annotations = facts.order.metadata.annotations.as_ref()?;
    let asked: Timestamp = annotations.get(annotation::PORTAL_REQUESTED_AT)?.trim().parse().ok()?;
    let age = asked.duration_until(now);
    (age < HOLDS && age > -AHEAD).then_some(asked)
}

/// When a request holds no longer.
pub fn ends(now: Timestamp, facts: &Facts) -> Option<Timestamp> {
    request(now, facts)?.saturating_add(HOLDS).ok()
}

/// The page that is asked for was opened, or can't be.
pub(super) fn opened(now: Timestamp, facts: &Facts, order: &OrderRecord) -> Result<(), Step> {
    let Some(asked) = request(now, facts).filter(|_| order.provider == Provider::Stripe) else {
        return Ok(());
    };
    let Some(customer) = customer(facts, order) else { return Ok(()) };
    match &facts.known.portal {
        Some(portal) if portal.request == asked => Ok(()),
        _ => Err(Step::Do(Effect::OpenPortal { customer, request: asked })),
    }
}

fn customer(facts: &Facts, order: &OrderRecord) -> Option<String> {
    order.customer_id.clone().or_else(|| facts.truth()?.customer)
}

/// What the status says of it.
pub(super) fn status(now: Timestamp, facts: &Facts) -> Option<PortalStatus> {
    let asked = request(now, facts)?;
    let order = facts.record()?;
    let Portal { url, problem, .. } = match &facts.known.portal {
        Some(portal) if portal.request == asked => portal.clone(),
        _ if order.provider == Provider::Stripe && customer(facts, order).is_some() => return None,
        _ => Portal { request: asked, url: None, problem: Some(NONE.to_owned()) },
    };
    Some(PortalStatus { request_time: asked, url, message: problem })
}

const NONE: &str =
    "There is no such page: nothing was paid yet, or the provider of this order has none. Ask the platform.";
