//! SIGKILL after each effect of a pool's life, and each reply lost.

use std::collections::BTreeSet;

use anyhow::ensure;
use serde_json::{Value, json};
use testbed::{Rig, eventually};

use crate::pool::{apps, declare, make_plan, problems, resize, wait, wait_counted};
use crate::support::{SOON, Tenant, start};

/// What making, giving and removing one asks of Fly, each the first of its kind.
const MADE: [(&str, &str, u64); 6] = [
    ("POST", "/v1/apps", 1),
    ("POST", "/v1/apps/{app}/ip_assignments", 1),
    ("POST", "/v1/apps/{app}/ip_assignments", 2),
    ("POST", "/v1/apps/{app}/secrets", 1),
    ("POST", "/v1/apps/{app}/volumes", 1),
    ("POST", "/v1/apps/{app}/machines", 1),
];
const GIVEN: [(&str, &str, u64); 1] = [("POST", "/v1/apps/{app}/machines/{machine}/metadata/{key}", 1)];
const REMOVED: [(&str, &str, u64); 5] = [
    ("DELETE", "/v1/apps/{app}/ip_assignments/{ip}", 1),
    ("DELETE", "/v1/apps/{app}/ip_assignments/{ip}", 2),
    ("DELETE", "/v1/apps/{app}/machines/{machine}", 1),
    ("DELETE", "/v1/apps/{app}/volumes/{volume}", 1),
    ("DELETE", "/v1/apps/{app}", 1),
];

async fn rule(tenant: &Tenant<'_>, (method, route, ordinal): (&str, &str, u64), action: Value) -> u64 {
    let app = if route == "/v1/apps" { "" } else { "tiny-*" };
    let matching = json!({"method": method, "route": route, "app": app, "ordinal": ordinal});
    tenant.fly.rule(matching, action).await.unwrap()
}

/// Lets the call take place, and kills the operator before it hears of it.
async fn kill_after(rig: &mut Rig, site: (&str, &str, u64), begin: impl AsyncFnOnce(&Tenant<'_>)) {
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "killed").await.unwrap();
    let held = rule(&tenant, site, json!({"kind": "hold"})).await;
    begin(&tenant).await;
    eventually(&format!("{site:?}"), SOON, async || {
        ensure!(tenant.fly.holds(held).await?, "not held yet");
        Ok(())
    })
    .await
    .unwrap();
    drop(tenant);
    rig.operator.kill().unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "killed").await.unwrap();
    tenant.fly.mend(held).await.unwrap();
    drop(tenant);
    rig.operator.restart().unwrap();
}

#[tokio::test]
async fn after_each_effect_at_fly() {
    let mut rig = start(Vec::new()).await.unwrap();
    let client = rig.client().await.unwrap();
    make_plan(&client, 0).await;
    for site in MADE {
        kill_after(&mut rig, site, async |tenant| resize(&tenant.client, 1).await).await;
        let tenant = Tenant::new(&rig.cluster, &rig.fly, "killed").await.unwrap();
        let standing = wait(&tenant.client, tenant.fly, 1).await;
        let wrong = problems(tenant.fly, &standing).await;
        assert!(wrong.is_empty(), "made, {site:?}: {wrong:#?}");
        resize(&tenant.client, 0).await;
        wait(&tenant.client, tenant.fly, 0).await;
    }
    for site in REMOVED {
        resize(&client, 1).await;
        wait(&client, crate::support::Fly(&rig.fly), 1).await;
        kill_after(&mut rig, site, async |tenant| resize(&tenant.client, 0).await).await;
        let tenant = Tenant::new(&rig.cluster, &rig.fly, "killed").await.unwrap();
        wait(&tenant.client, tenant.fly, 0).await;
        let wrong = problems(tenant.fly, &BTreeSet::new()).await;
        assert!(wrong.is_empty(), "removed, {site:?}: {wrong:#?}");
    }
    for site in GIVEN {
        resize(&client, 1).await;
        let standing = wait(&client, crate::support::Fly(&rig.fly), 1).await;
        wait_counted(&rig.operator, "ready", 1).await;
        kill_after(&mut rig, site, async |tenant| declare(tenant, "ops", json!({})).await).await;
        let tenant = Tenant::new(&rig.cluster, &rig.fly, "killed").await.unwrap();
        tenant.wait_ready("ops", "running").await.unwrap();
        assert!(standing.contains(&tenant.app("ops").await.unwrap()));
        resize(&tenant.client, 0).await;
        wait(&tenant.client, tenant.fly, 0).await;
        let wrong = problems(tenant.fly, &standing).await;
        assert!(wrong.is_empty(), "given, {site:?}: {wrong:#?}");
    }
}

#[tokio::test]
async fn each_reply_lost() {
    let rig = start(Vec::new()).await.unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "lost").await.unwrap();
    make_plan(&tenant.client, 0).await;
    let mut rules = Vec::new();
    for site in MADE.into_iter().chain(GIVEN).chain(REMOVED) {
        rules.push(rule(&tenant, site, json!({"kind": "drop_reply"})).await);
    }
    resize(&tenant.client, 1).await;
    let standing = wait(&tenant.client, tenant.fly, 1).await;
    wait_counted(&rig.operator, "ready", 1).await;
    declare(&tenant, "ops", json!({})).await;
    tenant.wait_ready("ops", "running").await.unwrap();
    assert!(standing.contains(&tenant.app("ops").await.unwrap()));
    wait_counted(&rig.operator, "ready", 1).await;
    resize(&tenant.client, 0).await;
    wait(&tenant.client, tenant.fly, 0).await;
    for rule in rules {
        assert!(tenant.fly.applied(rule).await.unwrap() > 0, "a reply was never lost");
    }
    let wrong = problems(tenant.fly, &standing).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Killed again and again while Runtimes take what is ready: whoever has an app has it alone.
#[tokio::test]
async fn at_any_moment_of_a_hand_over() {
    let mut rig = start(Vec::new()).await.unwrap();
    let client = rig.client().await.unwrap();
    make_plan(&client, 3).await;
    wait(&client, crate::support::Fly(&rig.fly), 3).await;
    wait_counted(&rig.operator, "ready", 3).await;
    for round in 0..6_u64 {
        let tenant = Tenant::new(&rig.cluster, &rig.fly, "any").await.unwrap();
        futures::future::join_all(
            ["a", "b"].map(async |name| declare(&tenant, &format!("{name}{round}"), json!({})).await),
        )
        .await;
        tokio::time::sleep(std::time::Duration::from_millis(15 * round)).await;
        drop(tenant);
        rig.operator.kill().unwrap();
        rig.operator.restart().unwrap();
    }
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "any").await.unwrap();
    let mut used = BTreeSet::new();
    for round in 0..6 {
        for name in ["a", "b"] {
            tenant.wait_ready(&format!("{name}{round}"), "running").await.unwrap();
            used.insert(tenant.app(&format!("{name}{round}")).await.unwrap());
        }
    }
    assert_eq!(used.len(), 12, "{used:?}");
    resize(&tenant.client, 0).await;
    wait(&tenant.client, tenant.fly, 0).await;
    assert!(apps(&tenant.client).await.unwrap().is_empty());
    let wrong = problems(tenant.fly, &used).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}
