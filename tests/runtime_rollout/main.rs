//! A Blueprint is edited under 200 Runtimes: none is restarted until it is rolled out, then never more than may be at
//! once, over a kill of the operator too; and an edit that fails stops at the first failures, which are taken back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

#[path = "../runtime_support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::ensure;
use futures::StreamExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use testbed::{Rig, eventually};

use support::{Tenant, Witness, condition, start, text};

const ALL: usize = 200;
const MOST: usize = 10;
const PATIENCE: Duration = Duration::from_mins(6);
const SPACE: &str = "rolled";

async fn tenant(rig: &Rig) -> Tenant<'_> {
    Tenant::new(&rig.cluster, &rig.fly, SPACE).await.unwrap()
}

/// The shipped Blueprint under another name.
async fn make_blueprint(tenant: &Tenant<'_>) {
    let blueprints = tenant.api("moorage.dev/v1alpha1", "Blueprint").await.unwrap();
    let shipped = serde_json::to_value(blueprints.get("openclaw").await.unwrap()).unwrap();
    let ours = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Blueprint", "metadata": {"name": SPACE},
        "spec": shipped["spec"]});
    testbed::apply(&tenant.client, &ours.to_string()).await.unwrap();
}

async fn edit(tenant: &Tenant<'_>, spec: Value) {
    let blueprints = tenant.api("moorage.dev/v1alpha1", "Blueprint").await.unwrap();
    let patch = Patch::Merge(json!({"spec": spec}));
    blueprints.patch(SPACE, &PatchParams::default(), &patch).await.unwrap();
}

async fn blueprint(tenant: &Tenant<'_>) -> Value {
    let blueprints = tenant.api("moorage.dev/v1alpha1", "Blueprint").await.unwrap();
    serde_json::to_value(blueprints.get(SPACE).await.unwrap()).unwrap()
}

/// Waits until every Runtime is as `is` wants it.
async fn all(tenant: &Tenant<'_>, what: &str, is: impl Fn(&Value) -> bool) {
    eventually(what, PATIENCE, async || {
        let all = tenant.runtimes().list(&kube::api::ListParams::default()).await?.items;
        let so = all.iter().filter(|runtime| is(&serde_json::to_value(runtime).unwrap())).count();
        ensure!(so == ALL, "{so} of {ALL}");
        Ok(())
    })
    .await
    .unwrap();
}

fn runs(object: &Value, image: &str) -> bool {
    support::is_ready(object, "running") && object["status"]["pinned"]["image"] == image
}

async fn reason_of(tenant: &Tenant<'_>) -> String {
    text(&condition(&blueprint(tenant).await, "RolledOut"), "/reason").to_owned()
}

/// What happened to Machines since an entry of the ledger: the effect and the app.
async fn since(tenant: &Tenant<'_>, head: u64) -> Vec<(String, String)> {
    let changes = tenant.changes().await.unwrap().into_iter().filter(|change| change.seq > head);
    changes.map(|change| (change.effect, change.app)).collect()
}

/// The most Machines that were off at once.
fn most_off(effects: &[(String, String)]) -> usize {
    let (mut off, mut most) = (BTreeSet::new(), 0);
    for (effect, app) in effects {
        match effect.as_str() {
            "machine.stop" | "machine.exit" | "machine.delete" => drop(off.insert(app)),
            "machine.start" => drop(off.remove(app)),
            _ => {}
        }
        most = most.max(off.len());
    }
    most
}

/// The most Runtimes that said at once that they don't serve, as a watcher saw them.
fn most_unavailable(witness: &Witness) -> usize {
    let (mut down, mut most) = (BTreeMap::new(), 0);
    for object in witness.all() {
        let available = condition(&object, "Available")["status"] == "True";
        down.insert(text(&object, "/metadata/name").to_owned(), !available);
        most = most.max(down.values().filter(|down| **down).count());
    }
    most
}

#[tokio::test]
async fn two_hundred_are_rolled_out_a_few_at_a_time_and_a_bad_image_stops_at_once() {
    let mut rig = start(Vec::new()).await.unwrap();
    let here = tenant(&rig).await;
    make_blueprint(&here).await;
    let names: Vec<String> = (0..ALL).map(|n| format!("r{n}")).collect();
    futures::stream::iter(&names)
        .for_each_concurrent(8, async |name| {
            here.declare(name, json!({"blueprintRef": {"name": SPACE}})).await.unwrap();
        })
        .await;
    let old = text(&blueprint(&here).await, "/spec/image").to_owned();
    all(&here, "all to run", |object| runs(object, &old)).await;

    // Edited: everybody is told, and nobody is touched.
    let (head, new) = (here.fly.head().await.unwrap(), "ghcr.io/openclaw/openclaw:2026.10.1");
    edit(&here, json!({"image": new})).await;
    all(&here, "all to tell", |it| condition(it, "UpdateAvailable")["reason"] == "BlueprintChanged").await;
    assert_eq!(reason_of(&here).await, "ManualRollout");
    assert_eq!(since(&here, head).await, []);

    // Rolled out, with a kill on the way.
    let witness = Witness::new(here.runtimes());
    eventually("the watch", PATIENCE, async || {
        ensure!(witness.all().len() >= ALL, "not yet");
        Ok(())
    })
    .await
    .unwrap();
    edit(&here, json!({"rollout": {"strategy": "Staged", "maxUnavailable": MOST}})).await;
    eventually("a quarter", PATIENCE, async || {
        let updated = blueprint(&here).await["status"]["rollout"]["updated"].as_u64().unwrap_or_default();
        ensure!(updated >= 50, "{updated}");
        Ok(())
    })
    .await
    .unwrap();
    drop(here);
    rig.operator.kill().unwrap();
    rig.operator.restart().unwrap();
    let here = tenant(&rig).await;
    all(&here, "all to be upgraded", |object| runs(object, new)).await;
    let effects = since(&here, head).await;
    let (off, unavailable) = (most_off(&effects), most_unavailable(&witness));
    println!("at most {off} Machines off and {unavailable} Runtimes unavailable at once, of {ALL}");
    assert!((1..=MOST).contains(&off), "{off} Machines were off at once");
    assert!((1..=MOST).contains(&unavailable), "{unavailable} Runtimes were unavailable at once");
    let stops = effects.iter().filter(|(effect, _)| effect == "machine.stop").count();
    assert_eq!(stops, ALL, "each is stopped once");

    // An image that isn't there stops at the first, and what was is back.
    let missing = json!({"kind": "image_failure", "image": "missing:1", "how": "manifest_unknown"});
    here.fly.world(missing).await.unwrap();
    let head = here.fly.head().await.unwrap();
    edit(&here, json!({"image": "missing:1"})).await;
    eventually("it to pause", PATIENCE, async || {
        let blueprint = blueprint(&here).await;
        let counts = &blueprint["status"]["rollout"];
        let reason = condition(&blueprint, "RolledOut")["reason"].clone();
        ensure!(reason == "RolloutPaused" && counts["updating"] == 0, "{reason}: {counts}");
        Ok(())
    })
    .await
    .unwrap();
    all(&here, "all to serve", |object| runs(object, new)).await;
    let touched: BTreeSet<String> = since(&here, head).await.into_iter().map(|(_, app)| app).collect();
    println!("{} of {ALL} were touched before it paused", touched.len());
    assert!((1..=MOST).contains(&touched.len()), "{} were touched", touched.len());
    let failed = blueprint(&here).await["status"]["rollout"]["failed"].as_u64().unwrap();
    assert_eq!(usize::try_from(failed).unwrap(), touched.len());
}
