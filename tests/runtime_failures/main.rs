//! What goes wrong outside, or in what was declared: each has a reason and a remedy, comes right by itself once it is
//! mended, and leaves others alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod declared;
mod deposed;
mod machine;
mod room;
#[path = "../runtime_support/mod.rs"]
mod support;

use serde_json::Value;
use support::{Tenant, condition, shared, text};

/// A namespace of its own on the shared rig.
async fn tenant(namespace: &str) -> Tenant<'static> {
    let rig = shared().await;
    Tenant::new(&rig.cluster, &rig.fly, namespace).await.unwrap()
}

/// The message of `Ready` has this in it, and says more than a word.
fn tells(object: &Value, words: &str) {
    let ready = condition(object, "Ready");
    let message = text(&ready, "/message");
    assert!(message.contains(words), "{words:?} is not in {message:?}");
    assert!(message.len() > 40, "{message:?} names no remedy");
}
