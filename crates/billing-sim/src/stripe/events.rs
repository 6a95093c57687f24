//! Events: made with each change, signed as Stripe signs.

use ring::hmac;
use serde_json::{Value, json};

use crate::params::Params;
use crate::state::State;

/// The version in which events are written.
const API_VERSION: &str = "2026-08-26.dahlia";

impl State {
    /// Tells of a change to an object.
    pub fn event(&mut self, kind: &str, object: &str) {
        let shown = self.view(object, &Params::default()).unwrap_or_default();
        self.event_with(kind, &shown);
    }

    /// Tells of an object as given.
    pub fn event_with(&mut self, kind: &str, object: &Value) {
        let id = self.id("evt_");
        let event = json!({
            "id": id,
            "object": "event",
            "api_version": API_VERSION,
            "type": kind,
            "livemode": false,
            "pending_webhooks": 1,
            "request": {"id": null, "idempotency_key": null},
            "data": {"object": object},
        });
        self.put(event);
        self.stripe.outbox.push(id);
    }

    /// The events that wait to be sent, the oldest first.
    pub fn waiting(&self) -> &[String] {
        &self.stripe.outbox
    }

    /// Takes all events that wait.
    pub fn take_waiting(&mut self) -> Vec<String> {
        std::mem::take(&mut self.stripe.outbox)
    }

    /// Takes one from those that wait.
    pub fn take_one(&mut self, id: &str) {
        self.stripe.outbox.retain(|waiting| waiting != id);
    }
}

/// The header `Stripe-Signature` for a body.
pub fn signature(secrets: &[String], at: i64, body: &str) -> String {
    let signed = format!("{at}.{body}");
    secrets.iter().fold(format!("t={at}"), |header, secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, signed.as_bytes());
        let hex: Vec<String> = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{header},v1={}", hex.concat())
    })
}
