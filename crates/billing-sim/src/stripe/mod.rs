//! Stripe: its objects, what becomes of them as time passes, and its events.

pub mod call;
pub mod charges;
pub mod deliver;
pub mod events;
pub mod objects;
pub mod sessions;
pub mod subscriptions;
pub mod time;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use serde_json::Value;

use crate::cli::Serve;
use crate::state::Sim;

/// What Stripe keeps.
pub struct Stripe {
    key: String,
    /// What events are signed with; two while a secret is rolled.
    pub secrets: Vec<String>,
    /// Where events go.
    pub webhook: Option<String>,
    /// When they go there.
    pub delivery: deliver::Delivery,
    /// What becomes of a subscription when no try to be paid is left.
    pub after_retries: subscriptions::AfterRetries,
    objects: BTreeMap<String, Value>,
    made: u64,
    kept: BTreeMap<String, call::Kept>,
    pub(crate) in_flight: BTreeSet<String>,
    outbox: Vec<String>,
}

impl Stripe {
    /// An empty account.
    pub fn new(options: &Serve) -> Self {
        Self {
            key: options.stripe_key.clone(),
            secrets: vec![options.stripe_secret.clone()],
            webhook: options.stripe_webhook.clone(),
            delivery: deliver::Delivery::default(),
            after_retries: subscriptions::AfterRetries::default(),
            objects: BTreeMap::new(),
            made: 0,
            kept: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            outbox: Vec::new(),
        }
    }
}

/// Stripe's routes.
pub fn routes() -> Router<Arc<Sim>> {
    Router::new()
        .route("/v1/checkout/sessions", get(sessions::list).post(sessions::create))
        .route("/v1/checkout/sessions/{id}", get(objects::show))
        .route("/v1/checkout/sessions/{id}/expire", post(sessions::expire))
        .route(
            "/v1/subscriptions/{id}",
            get(objects::show).post(subscriptions::update).delete(subscriptions::cancel),
        )
        .route("/v1/invoices", get(objects::list))
        .route("/v1/charges", get(objects::list))
        .route("/v1/charges/{id}", get(objects::show))
        .route("/v1/disputes", get(objects::list))
        .route("/v1/refunds", get(objects::list).post(charges::refund))
        .route("/v1/events", get(objects::list))
        .route("/v1/products", post(objects::create_product))
        .route("/v1/billing_portal/sessions", post(objects::create_portal))
}
