//! What somebody else does at Fly to a Runtime that runs: put right or explained, and its volume kept.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail loudly, and its helpers are its own"
)]

#[path = "../runtime_support/mod.rs"]
mod support;

mod app;
mod machine;
mod spelling;

use std::collections::BTreeSet;

use anyhow::ensure;
use fly_machines::{Client, TokenSource};
use serde_json::{Value, json};
use support::{SOON, Tenant, start, text};
use testbed::{Rig, eventually};
use tokio::sync::OnceCell;

async fn rig() -> &'static Rig {
    static RIG: OnceCell<Rig> = OnceCell::const_new();
    RIG.get_or_init(|| async { start(vec![("/timing/surveySeconds", json!(1))]).await.expect("a rig") }).await
}

/// Somebody else, who has the organisation's token.
async fn somebody() -> Client {
    let token = TokenSource::fixed("FlyV1 fm2_testbed".to_owned());
    Client::builder(token).base_url(rig().await.fly.api_url()).build().unwrap()
}

/// A Runtime that runs, and what must be kept of it.
struct Scene {
    tenant: Tenant<'static>,
    app: String,
    machine: String,
    volume: String,
}

async fn running(namespace: &str, more: Value) -> Scene {
    let rig = rig().await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, namespace).await.unwrap();
    tenant.declare("ops", more).await.unwrap();
    let object = tenant.wait_ready("ops", "running").await.unwrap();
    let told = |field: &str| text(&object, &format!("/status/external/{field}")).to_owned();
    let (app, machine, volume) = (told("app"), told("machineID"), told("volumeID"));
    Scene { tenant, app, machine, volume }
}

impl Scene {
    async fn counted(&self, effect: &str) -> usize {
        self.tenant.changes().await.unwrap().iter().filter(|change| change.effect == effect).count()
    }

    /// What is told of the Runtime in events for this reason.
    async fn events(&self, reason: &str) -> BTreeSet<String> {
        let events = self.tenant.api("events.k8s.io/v1", "Event").await.unwrap();
        let all = events.list(&Default::default()).await.unwrap();
        let told = all.into_iter().filter(|event| event.data["reason"] == reason);
        told.map(|event| event.data["note"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits for an event for this reason that says this.
    async fn told(&self, reason: &str, words: &str) {
        eventually(&format!("an event {reason}: {words}"), SOON, async || {
            let told = self.events(reason).await;
            ensure!(told.iter().any(|note| note.contains(words)), "{told:?}");
            Ok(())
        })
        .await
        .unwrap();
    }

    /// It runs, with the volume that it had, which nobody touched.
    async fn unharmed(&self) {
        let object = self.tenant.wait_ready("ops", "running").await.unwrap();
        assert_eq!(text(&object, "/status/external/volumeID"), self.volume);
        let changes = self.tenant.changes().await.unwrap();
        let touched =
            |change: &&testbed::ledger::Change| change.id == self.volume && change.effect != "volume.create";
        assert_eq!(changes.iter().find(touched), None);
    }
}
