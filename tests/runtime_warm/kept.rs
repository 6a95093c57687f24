//! What is kept, replaced and removed.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::ensure;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use moorage::api::{Blueprint, Plan};
use serde_json::json;
use testbed::{apply, eventually};

use crate::pool::{
    PLAN, apps, asked, claims, declare, make_plan, problems, run_blueprint, wait, wait_counted,
};
use crate::support::{SOON, Tenant, start};

#[tokio::test]
async fn an_edited_blueprint_replaces_them_and_at_rest_nothing_is_asked() {
    let rig = start(Vec::new()).await.unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "edited").await.unwrap();
    let blueprints: Api<Blueprint> = Api::all(tenant.client.clone());
    let shipped = serde_json::to_value(blueprints.get("openclaw").await.unwrap()).unwrap();
    let ours = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Blueprint", "metadata": {"name": "ours"},
        "spec": shipped["spec"]});
    apply(&tenant.client, &ours.to_string()).await.unwrap();
    make_plan(&tenant.client, 1).await;
    run_blueprint(&tenant.client, "ours").await;
    let before = wait(&tenant.client, tenant.fly, 1).await;
    wait_counted(&rig.operator, "ready", 1).await;
    at_rest(&tenant, &before).await;
    // One of another Blueprint isn't given it.
    declare(&tenant, "other", json!({})).await;
    tenant.wait_ready("other", "running").await.unwrap();
    assert!(!before.contains(&tenant.app("other").await.unwrap()));
    let patch = Patch::Merge(json!({"spec": {"image": "registry.fly.io/openclaw:edited"}}));
    blueprints.patch("ours", &PatchParams::default(), &patch).await.unwrap();
    eventually("the one of before to be replaced", SOON, async || {
        let now = apps(&tenant.client).await?;
        ensure!(now.len() == 1 && now.is_disjoint(&before), "{now:?}");
        Ok(())
    })
    .await
    .unwrap();
    let after = wait(&tenant.client, tenant.fly, 1).await;
    let mut standing = after.clone();
    standing.insert(tenant.app("other").await.unwrap());
    let wrong = problems(tenant.fly, &standing).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Without its Plan there is none.
    Api::<Plan>::all(tenant.client.clone()).delete(PLAN, &DeleteParams::default()).await.unwrap();
    wait(&tenant.client, tenant.fly, 0).await;
    let wrong = problems(tenant.fly, &BTreeSet::from([tenant.app("other").await.unwrap()])).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// While nothing changes, neither claims nor apps are written.
async fn at_rest(tenant: &Tenant<'_>, standing: &BTreeSet<String>) {
    let versions = async || -> Vec<Option<String>> {
        let all = claims(&tenant.client).await.unwrap();
        all.into_iter().map(|claim| claim.metadata.resource_version).collect()
    };
    let (head, before) = (tenant.fly.head().await.unwrap(), versions().await);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(versions().await, before);
    for app in standing {
        assert!(asked(tenant.fly, app, head).await.is_empty());
    }
}

#[tokio::test]
async fn one_that_stops_by_itself_is_started_again_before_it_is_given() {
    let rig = start(Vec::new()).await.unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "stopped").await.unwrap();
    make_plan(&tenant.client, 1).await;
    let standing = wait(&tenant.client, tenant.fly, 1).await;
    wait_counted(&rig.operator, "ready", 1).await;
    let app = standing.first().unwrap();
    let machine = tenant.fly.standing(app).await.unwrap()["machines"][0]["id"].clone();
    let head = tenant.fly.head().await.unwrap();
    tenant.fly.event(json!({"kind": "machine_stop", "machine": machine})).await.unwrap();
    eventually("it to be started again", SOON, async || {
        let asked = asked(tenant.fly, app, head).await;
        ensure!(asked.iter().any(|call| call.ends_with("/start")), "{asked:?}");
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(wait(&tenant.client, tenant.fly, 1).await, standing);
}
