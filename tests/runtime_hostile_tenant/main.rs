//! A tenant that holds every verb on everything in its namespace, and lies: no call ever touches another's app, no
//! limit moves, nothing is destroyed that shouldn't be, and what is shown is put right again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod early;
mod forged;
mod limits;
mod stripped;
#[path = "../runtime_support/mod.rs"]
mod support;

use support::{Tenant, shared};

/// A namespace with a tenant in it who may do everything there, and nothing elsewhere. The `Tenant` acts as that user.
async fn hostile(namespace: &str) -> (Tenant<'static>, Tenant<'static>) {
    let rig = shared().await;
    let platform = Tenant::new(&rig.cluster, &rig.fly, namespace).await.unwrap();
    let tenant = platform.owner().await.unwrap();
    (platform, tenant)
}
