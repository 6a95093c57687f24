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
/// Pause between two pages of one order: each is a call that others' orders wait for.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// The last request, by its time.
fn asked(facts: &Facts) -> Option<Timestamp> {
    let annotations = facts.order.metadata.annotations.as_ref()?;
    annotations.get(annotation::PORTAL_REQUESTED_AT)?.trim().parse().ok()
}

/// Whether a request may hold at that time or later.
pub(super) fn is_asked_after(time: Timestamp, facts: &Facts) -> bool {
    asked(facts).is_some_and(|asked| asked.duration_until(time) < HOLDS)
}

/// The request that holds now, by its time.
pub fn request(now: Timestamp, facts: &Facts) -> Option<Timestamp> {
    let asked = asked(facts)?;
    let age = asked.duration_until(now);
    (age < HOLDS && age > -AHEAD).then_some(asked)
}

/// When a request holds no longer.
pub fn ends(now: Timestamp, facts: &Facts) -> Option<Timestamp> {
    request(now, facts)?.saturating_add(HOLDS).ok()
}

/// When the page may be opened that was asked for too soon after the one before.
pub fn turn(now: Timestamp, facts: &Facts) -> Option<Timestamp> {
    let before = facts.known.portal.as_ref()?;
    let asked = request(now, facts)?;
    before.at.saturating_add(PAUSE).ok().filter(|turn| before.request != asked && now < *turn)
}

/// The page that is asked for was opened, or can't be yet.
pub(super) fn opened(now: Timestamp, facts: &Facts, order: &OrderRecord) -> Result<(), Step> {
    let Some(asked) = request(now, facts).filter(|_| order.provider == Provider::Stripe) else {
        return Ok(());
    };
    let Some(customer) = customer(facts, order) else { return Ok(()) };
    match &facts.known.portal {
        Some(portal) if portal.request == asked || turn(now, facts).is_some() => Ok(()),
        _ => Err(Step::Do(Effect::OpenPortal { customer, request: asked })),
    }
}

fn customer(facts: &Facts, order: &OrderRecord) -> Option<String> {
    let own = order.subscription_id.as_deref();
    order.customer_id.clone().or_else(|| facts.truth()?.customer_of(own).map(str::to_owned))
}

/// What the status says of it.
pub(super) fn status(now: Timestamp, facts: &Facts) -> Option<PortalStatus> {
    let asked = request(now, facts)?;
    let order = facts.record()?;
    let Portal { url, problem, .. } = match &facts.known.portal {
        Some(portal) if portal.request == asked => portal.clone(),
        _ if order.provider == Provider::Stripe && customer(facts, order).is_some() => return None,
        _ => Portal { at: now, request: asked, url: None, problem: Some(NONE.to_owned()) },
    };
    Some(PortalStatus { request_time: asked, url, message: problem })
}

const NONE: &str =
    "There is no such page: nothing was paid yet, or the provider of this order has none. Ask the platform.";
