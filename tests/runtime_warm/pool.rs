//! A Plan with a pool, and what is seen of it.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client};
use moorage::api::name_claim::ClaimType;
use moorage::api::{NameClaim, Plan};
use serde_json::{Value, json};
use testbed::ledger::{Change, Expectation, Intent, changes, check_ledger};
use testbed::{apply, eventually};

use crate::support::{Fly, SOON, Tenant, text};

/// The Plan whose apps are made ahead. No other test uses its cluster.
pub const PLAN: &str = "tiny";

/// Makes the Plan with a pool of this size.
pub async fn make_plan(client: &Client, size: i32) {
    let pool = json!({"size": size, "regions": ["fra"]});
    let spec = json!({"displayName": "Tiny", "cpuKind": "Shared", "cpus": 2, "memoryMB": 2048, "volumeGB": 3,
        "amount": 0, "currency": "USD", "interval": "Month", "requiresOrder": false, "warmPool": pool});
    let plan = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Plan", "metadata": {"name": PLAN}, "spec": spec});
    apply(client, &plan.to_string()).await.unwrap();
}

/// Changes its size.
pub async fn resize(client: &Client, size: i32) {
    let patch = Patch::Merge(json!({"spec": {"warmPool": {"size": size}}}));
    Api::<Plan>::all(client.clone()).patch(PLAN, &PatchParams::default(), &patch).await.unwrap();
}

/// Has it run this Blueprint.
pub async fn run_blueprint(client: &Client, blueprint: &str) {
    let patch = Patch::Merge(json!({"spec": {"warmPool": {"blueprintRef": {"name": blueprint}}}}));
    Api::<Plan>::all(client.clone()).patch(PLAN, &PatchParams::default(), &patch).await.unwrap();
}

/// The claims of warm apps.
pub async fn claims(client: &Client) -> Result<Vec<NameClaim>> {
    let all = Api::<NameClaim>::all(client.clone()).list(&ListParams::default()).await?.items;
    Ok(all.into_iter().filter(|claim| claim.spec.type_ == ClaimType::Warm).collect())
}

/// The apps that the claims of warm apps name.
pub async fn apps(client: &Client) -> Result<BTreeSet<String>> {
    let all = claims(client).await?;
    Ok(all.into_iter().filter_map(|claim| Some(claim.spec.runtime?.app)).collect())
}

/// Waits until so many serve, and nothing else is under way.
pub async fn wait(client: &Client, fly: Fly<'_>, size: usize) -> BTreeSet<String> {
    eventually(&format!("{size} warm apps"), SOON, async || {
        let all = claims(client).await?;
        ensure!(all.len() == size, "{} claims", all.len());
        for claim in &all {
            let identity = claim.spec.runtime.as_ref().unwrap();
            ensure!(identity.pin.image_digest.is_some(), "{} is being made", identity.app);
            let standing = fly.standing(&identity.app).await?;
            ensure!(text(&standing, "/machines/0/state") == "started", "{} doesn't run", identity.app);
        }
        apps(client).await
    })
    .await
    .unwrap()
}

/// Waits until the operator counts so many in a state.
pub async fn wait_counted(operator: &testbed::Operator, state: &str, count: usize) {
    let line = format!("moorage_warm_apps{{state=\"{state}\"}} {count}");
    eventually(&line, SOON, async || {
        let metrics = operator.metrics().await?;
        ensure!(metrics.contains(&line), "{}", warm_lines(&metrics));
        Ok(())
    })
    .await
    .unwrap();
}

fn warm_lines(metrics: &str) -> String {
    metrics.lines().filter(|line| line.starts_with("moorage_warm")).collect::<Vec<_>>().join(", ")
}

/// Declares a Runtime of the Plan.
pub async fn declare(tenant: &Tenant<'_>, name: &str, more: Value) {
    let mut spec = json!({"planRef": {"name": PLAN}});
    crate::support::merge(&mut spec, more);
    tenant.declare(name, spec).await.unwrap();
}

/// What was asked of Fly that changes something in an app, since an entry of the ledger.
pub async fn asked(fly: Fly<'_>, app: &str, since: u64) -> Vec<String> {
    let calls = fly.calls(app, since).await.unwrap();
    let changing = calls.iter().filter(|call| text(call, "/call/method") != "GET");
    changing.map(|call| format!("{} {}", text(call, "/call/method"), text(call, "/call/route"))).collect()
}

/// What is wrong with all that was done to apps of the Plan: those in `kept` may stand, all others must be gone.
pub async fn problems(fly: Fly<'_>, kept: &BTreeSet<String>) -> Vec<String> {
    let mut all: Vec<Change> = changes(&fly.ledger(0).await.unwrap()).unwrap();
    all.retain(|change| change.app.starts_with(&format!("{PLAN}-")) || kept.contains(&change.app));
    let mut expected = Expectation { kept: kept.clone(), ..Expectation::default() };
    for change in &all {
        if !kept.contains(&change.app) {
            expected.intents.insert(change.app.clone(), Intent::Delete);
        }
    }
    check_ledger(&all, &expected)
}
