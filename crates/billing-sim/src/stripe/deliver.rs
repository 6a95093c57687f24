//! Sending events to where they are wanted.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::events::signature;
use crate::params::Params;
use crate::state::Sim;

/// How long after a failed delivery the next is tried, in real milliseconds.
const RETRIES: [u64; 4] = [200, 500, 1000, 2000];

/// When events are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// At once, and again until they are taken.
    #[default]
    AtOnce,
    /// When they are asked for: late, twice, in another order, or never.
    Held,
}

/// Sends what waits, in its order, unless events are held.
pub fn flush(sim: &Arc<Sim>) {
    let events = {
        let mut state = sim.enter();
        let is_held = state.stripe.delivery == Delivery::Held || state.stripe.webhook.is_none();
        if is_held { Vec::new() } else { state.take_waiting() }
    };
    if !events.is_empty() {
        let sim = Arc::clone(sim);
        tokio::spawn(async move {
            for event in events {
                insist(&sim, &event).await;
            }
        });
    }
}

async fn insist(sim: &Sim, event: &str) {
    for pause in RETRIES {
        if send(sim, event).await.is_some_and(|status| (200..300).contains(&status)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// Sends an event once; answers the status that came back.
pub async fn send(sim: &Sim, event: &str) -> Option<u16> {
    let (url, body, header) = {
        let state = sim.enter();
        let body = state.view_of("event", event, &Params::default()).ok()?.to_string();
        let header = signature(&state.stripe.secrets, state.now(), &body);
        (state.stripe.webhook.clone()?, body, header)
    };
    let status = post(sim, &url, body, &header).await;
    let detail = json!({"status": status});
    sim.enter().effect("stripe", "event.sent", event, detail);
    status
}

/// Sends a body with a signature, whatever it is.
pub async fn post(sim: &Sim, url: &str, body: String, header: &str) -> Option<u16> {
    let request = sim.http.post(url).header("stripe-signature", header);
    let request = request.header("content-type", "application/json; charset=utf-8").body(body);
    Some(request.send().await.ok()?.status().as_u16())
}
