//! The stand-ins for the payment providers, started as the demo and cluster tests start them.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail loudly")]

use std::time::Duration;

use serde_json::json;
use testbed::{BillingSim, BillingSimOptions};

#[tokio::test]
async fn the_program_starts_and_is_turned_from_outside() {
    let sim = BillingSim::start(&BillingSimOptions::default()).await.unwrap();
    assert!(sim.payapp_url().starts_with(sim.stripe_url()));
    sim.send("settings", &json!({"events": "held"})).await.unwrap();
    sim.advance(Duration::from_hours(24)).await.unwrap();
    assert_eq!(sim.read("stripe/charge").await.unwrap(), json!({"data": []}));
    let error = sim.send("act", &json!({"do": "visit", "session": "cs_x", "how": "pay"})).await.unwrap_err();
    assert!(error.to_string().contains("No such checkout.session"), "{error}");
}
