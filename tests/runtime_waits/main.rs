//! The programs that people and pipelines wait with, `kubectl wait` and kstatus itself, in each situation that an
//! object can be in: they end when it is at rest, fail when it has failed, and else go on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod runtime;
#[path = "../runtime_support/mod.rs"]
mod support;
mod task;
mod waits;
mod workspace;

use serde_json::json;
use support::Tenant;
use testbed::Rig;
use tokio::sync::OnceCell;

/// So long may a stop take here. Its waits have to be seen going on before.
const STOP_SECONDS: u32 = 8;

async fn rig() -> &'static Rig {
    static RIG: OnceCell<Rig> = OnceCell::const_new();
    let config = vec![("/timing/stopDeadlineSeconds", json!(STOP_SECONDS))];
    RIG.get_or_init(|| async { support::start(config).await.unwrap() }).await
}

/// A namespace of its own on the shared rig.
async fn tenant(namespace: &str) -> Tenant<'static> {
    let rig = rig().await;
    Tenant::new(&rig.cluster, &rig.fly, namespace).await.unwrap()
}
