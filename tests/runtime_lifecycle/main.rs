//! A Runtime's whole life on a real API server and the simulator: what is seen from outside at every step.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod deletion;
mod entitlement;
mod life;
mod namespaces;
mod shown;
#[path = "../runtime_support/mod.rs"]
mod support;

use support::{Tenant, shared};

/// A namespace of its own on the shared rig.
async fn tenant(namespace: &str) -> Tenant<'static> {
    let rig = shared().await;
    Tenant::new(&rig.cluster, &rig.fly, namespace).await.unwrap()
}
