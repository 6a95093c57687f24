//! What payment providers send: `/webhooks/stripe` and `/webhooks/payapp`, on a listener of their own, served by every
//! replica whether it leads or not.
//!
//! Nothing in a request is believed before it is verified, and whoever sends what isn't gets the same short answer
//! each time. What is verified is written down for the one that leads: on the order's claim, or as a receipt.

mod book;
mod gate;
mod index;
pub(super) mod listen;
mod notes;
mod outcome;
mod payapp;
pub mod plan;
mod seats;
mod seen;
mod stripe;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use kube::Client;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::billing::payapp::{NOT_TAKEN, TAKEN};
use crate::engine::clock::Clock;
use crate::engine::config::Billing;
use crate::engine::config::billing::{PAYAPP_PATH, STRIPE_PATH};
use crate::engine::metrics::Metrics;

use book::Book;
use gate::Gate;
use index::Index;
use notes::Notes;
use outcome::Outcome;

/// Longest time to an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Time that what was answered has to be written when the process ends.
const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// The providers' webhooks.
pub struct Webhooks {
    stripe: Option<stripe::Stripe>,
    payapp: Option<payapp::PayApp>,
    notes: Notes,
    index: Index,
    watching: Client,
    gate: Gate,
    metrics: Metrics,
}

impl Webhooks {
    /// For these providers. The client should have short time limits, and connections of its own; `watching` is for a
    /// watch, which may be quiet for minutes.
    pub fn new(
        billing: &Billing,
        client: &Client,
        watching: &Client,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Self {
        let book = Arc::new(Book::new(client));
        let notes = Notes::new(Arc::clone(&book), Arc::clone(&clock));
        let index = Index::default();
        let stripe = billing.stripe.as_ref().and_then(|account| {
            stripe::Stripe::new(account, notes.clone(), index.clone(), Arc::clone(&book), clock)
        });
        let payapp = billing.payapp.as_ref().map(|merchant| payapp::PayApp::new(merchant, Arc::clone(&book)));
        Self { stripe, payapp, notes, index, watching: watching.clone(), gate: Gate::default(), metrics }
    }

    /// Serves until `stop`. Returns once what was answered is written.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        if let Some(stripe) = &self.stripe {
            stripe.tell_of_keys();
        }
        if let Some(payapp) = &self.payapp {
            payapp.tell_of_keys();
        }
        let notes = self.notes.clone();
        let following = self.index.clone().follow(self.watching.clone());
        let _following = self.stripe.is_some().then(|| AbortOnDropHandle::new(tokio::spawn(following)));
        listen::serve(listener, router(self), stop).await;
        notes.finish(WRITE_WITHIN).await;
    }
}

/// Providers that aren't configured have no address.
fn router(hooks: Webhooks) -> Router {
    let mut router = Router::new();
    if hooks.stripe.is_some() {
        router = router.route(STRIPE_PATH, any(take_stripe));
    }
    if hooks.payapp.is_some() {
        router = router.route(PAYAPP_PATH, any(take_payapp));
    }
    router.with_state(Arc::new(hooks))
}

/// An event about no order of ours is one of the account's other business: Stripe need not send it again.
async fn take_stripe(State(hooks): State<Arc<Webhooks>>, request: Request) -> StatusCode {
    let Some(stripe) = &hooks.stripe else { return StatusCode::NOT_FOUND };
    let outcome = timed(&hooks.metrics, "stripe", stripe.take(&hooks.gate, request)).await;
    outcome.status(StatusCode::OK)
}

async fn take_payapp(State(hooks): State<Arc<Webhooks>>, request: Request) -> Response {
    let Some(payapp) = &hooks.payapp else { return StatusCode::NOT_FOUND.into_response() };
    let outcome = timed(&hooks.metrics, "payapp", payapp.take(&hooks.gate, request)).await;
    let said = if outcome.is_settled() { TAKEN } else { NOT_TAKEN };
    let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (outcome.status(StatusCode::BAD_REQUEST), plain, said).into_response()
}

async fn timed(metrics: &Metrics, provider: &'static str, work: impl Future<Output = Outcome>) -> Outcome {
    let began = Instant::now();
    let outcome = tokio::time::timeout(ANSWER_WITHIN, work).await.unwrap_or(Outcome::Late);
    metrics.webhook_answered(provider, outcome.as_str(), began.elapsed());
    outcome
}

#[cfg(test)]
mod tests;
