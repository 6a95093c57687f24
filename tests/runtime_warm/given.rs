//! What a new Runtime is given.

use std::collections::BTreeSet;

use anyhow::ensure;
use serde_json::json;
use testbed::eventually;

use crate::pool::{PLAN, apps, asked, declare, make_plan, problems, resize, wait, wait_counted};
use crate::support::{SOON, Tenant, start, text};

#[tokio::test]
async fn a_plain_one_restarts_nothing_and_one_that_declares_more_restarts_once() {
    let rig = start(Vec::new()).await.unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "given").await.unwrap();
    make_plan(&tenant.client, 2).await;
    let first = wait(&tenant.client, tenant.fly, 2).await;
    wait_counted(&rig.operator, "ready", 2).await;
    let head = tenant.fly.head().await.unwrap();
    declare(&tenant, "ops", json!({})).await;
    let ops = tenant.wait_ready("ops", "running").await.unwrap();
    let app = tenant.app("ops").await.unwrap();
    assert!(first.contains(&app), "{app} isn't one of {first:?}");
    assert_eq!(text(&ops, "/status/url"), format!("https://{app}.fly.dev"));
    let marks = ["POST /v1/apps/{app}/machines/{machine}/metadata/{key}"];
    assert_eq!(asked(tenant.fly, &app, head).await, marks);
    declare(&tenant, "ada", json!({"persona": {"name": "Ada"}})).await;
    tenant.wait_ready("ada", "running").await.unwrap();
    let other = tenant.app("ada").await.unwrap();
    assert!(first.contains(&other) && other != app);
    let calls = asked(tenant.fly, &other, head).await;
    assert_eq!(calls, ["POST /v1/apps/{app}/machines/{machine}"], "one restart, and nothing is made");
    // Both places are filled again, and what was given is no warm app any more.
    let second = eventually("the pool to be filled again", SOON, async || {
        let now = apps(&tenant.client).await?;
        ensure!(now.len() == 2 && now.is_disjoint(&first), "{now:?}");
        Ok(now)
    })
    .await
    .unwrap();
    wait_counted(&rig.operator, "ready", 2).await;
    assert_eq!(tenant.claim("ops").await.unwrap()["spec"]["runtime"]["fromPool"], PLAN);
    // Who had one gives it to nobody.
    tenant.delete("ops", "Delete").await.unwrap();
    tenant.wait_gone("ops").await.unwrap();
    assert!(tenant.fly.standing(&app).await.unwrap().is_null());
    resize(&tenant.client, 0).await;
    wait(&tenant.client, tenant.fly, 0).await;
    for app in second {
        assert!(tenant.fly.standing(&app).await.unwrap().is_null(), "{app} is left over");
    }
    let wrong = problems(tenant.fly, &BTreeSet::from([other])).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn of_many_at_once_each_has_its_own() {
    let rig = start(Vec::new()).await.unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "many").await.unwrap();
    make_plan(&tenant.client, 2).await;
    let first = wait(&tenant.client, tenant.fly, 2).await;
    wait_counted(&rig.operator, "ready", 2).await;
    resize(&tenant.client, 2).await;
    let names = ["one", "two", "three", "four"];
    futures::future::join_all(names.map(|name| declare(&tenant, name, json!({})))).await;
    let mut all = BTreeSet::new();
    for name in names {
        tenant.wait_ready(name, "running").await.unwrap();
        all.insert(tenant.app(name).await.unwrap());
    }
    assert_eq!(all.len(), names.len(), "two have the same app: {all:?}");
    assert!(first.is_subset(&all), "{first:?} aren't among {all:?}");
    resize(&tenant.client, 0).await;
    wait(&tenant.client, tenant.fly, 0).await;
    let wrong = problems(tenant.fly, &all).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}
