//! No room, no quota, and names that others have.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use moorage::engine::hash::short_hash;
use serde_json::{Value, json};

use crate::support::{Tenant, text};
use crate::{tells, tenant};

#[tokio::test]
async fn a_full_region_is_passed_over_for_the_next() {
    let tenant = tenant("next").await;
    let full = tenant.fly.world(json!({"kind": "volume_capacity", "region": "ams"})).await.unwrap();
    tenant.declare("ops", json!({"regions": ["ams", "arn"]})).await.unwrap();
    let object = tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(object["status"]["external"]["region"], "arn");
    assert_eq!(tenant.problems(&["ops"], &[]).await.unwrap(), [""; 0]);
    tenant.fly.mend(full).await.unwrap();
}

#[tokio::test]
async fn so_is_one_without_room_for_machines() {
    let tenant = tenant("nextm").await;
    let matching =
        json!({"method": "POST", "route": "/v1/apps/{app}/machines", "app": "nextm-ops-*", "count": 1});
    let refusal = json!({"error": "could not find a candidate host for the machine"});
    let action = json!({"kind": "status", "status": 503, "body": refusal});
    let rule = tenant.fly.rule(matching, action).await.unwrap();
    tenant.declare("ops", json!({"regions": ["bom", "cdg"]})).await.unwrap();
    let object = tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(tenant.fly.applied(rule).await.unwrap(), 1);
    assert_eq!(object["status"]["external"]["region"], "cdg");
    assert_eq!(tenant.problems(&["ops"], &[]).await.unwrap(), [""; 0], "the spare volume is gone");
}

#[tokio::test]
async fn without_room_anywhere_it_waits_and_then_goes_on() {
    let tenant = tenant("full").await;
    let full = tenant.fly.world(json!({"kind": "volume_capacity", "region": "dfw"})).await.unwrap();
    tenant.declare("ops", json!({"regions": ["dfw"]})).await.unwrap();
    tenant.declare("other", json!({})).await.unwrap();
    let object = tenant.wait_reason("ops", "Capacity").await.unwrap();
    assert_eq!(object["status"]["state"], "error");
    tells(&object, "more regions in `spec.regions`");
    tenant.wait_ready("other", "running").await.unwrap();
    let before = tenant.changes().await.unwrap().len();
    tenant.patch("ops", json!({"spec": {"regions": ["dfw", "ewr"]}})).await.unwrap();
    let object = tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(object["status"]["external"]["region"], "ewr");
    assert!(tenant.changes().await.unwrap().len() > before);
    assert_eq!(tenant.problems(&["ops", "other"], &[]).await.unwrap(), [""; 0]);
    tenant.fly.mend(full).await.unwrap();
}

#[tokio::test]
async fn a_volume_on_a_full_host_is_given_up_and_removed() {
    let tenant = tenant("host").await;
    // The volume finds its place before the host fills up.
    let matching =
        json!({"method": "POST", "route": "/v1/apps/{app}/machines", "app": "host-ops-*", "count": 1});
    let refusal =
        json!({"error": "insufficient resources to create new machine with existing volume 'vol_x'"});
    let rule =
        tenant.fly.rule(matching, json!({"kind": "status", "status": 412, "body": refusal})).await.unwrap();
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(tenant.fly.applied(rule).await.unwrap(), 1);
    let changes = tenant.changes().await.unwrap();
    let count = |effect: &str| changes.iter().filter(|it| it.effect == effect).count();
    assert_eq!((count("volume.create"), count("volume.delete")), (2, 1), "{changes:?}");
    assert_eq!(tenant.problems(&["ops"], &[]).await.unwrap(), [""; 0]);
    assert_eq!(tenant.claim("ops").await.unwrap()["spec"]["runtime"]["spareVolumeIDs"], Value::Null);
}

#[tokio::test]
async fn a_used_up_quota_is_told_and_tried_again() {
    let tenant = tenant("quota").await;
    let matching = json!({"method": "POST", "route": "/v1/apps/{app}/machines", "app": "quota-ops-*"});
    let refusal =
        json!({"error": "Your organization has reached its machine limit. Please contact billing@fly.io"});
    let rule =
        tenant.fly.rule(matching, json!({"kind": "status", "status": 403, "body": refusal})).await.unwrap();
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.declare("other", json!({})).await.unwrap();
    let object = tenant.wait_reason("ops", "QuotaExceeded").await.unwrap();
    tells(&object, "raise the organisation's limit");
    tenant.wait_ready("other", "running").await.unwrap();
    tenant.fly.mend(rule).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(tenant.problems(&["ops", "other"], &[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_token_that_fly_refuses_is_told_and_nothing_is_lost() {
    let tenant = tenant("wrong").await;
    tenant.declare("old", json!({})).await.unwrap();
    let before = tenant.wait_ready("old", "running").await.unwrap();
    let refusal = json!({"error": "Authenticate: token validation error"});
    let action = json!({"kind": "status", "status": 401, "body": refusal});
    let rule = tenant.fly.rule(json!({"app": "wrong-*"}), action).await.unwrap();
    tenant.declare("ops", json!({})).await.unwrap();
    let object = tenant.wait_reason("ops", "FlyUnauthorized").await.unwrap();
    tells(&object, "token");
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let during = tenant.get("old").await.unwrap();
    assert_eq!(during["status"], before["status"], "an outage of the API says nothing of what runs");
    tenant.fly.mend(rule).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
}

/// The app that a Runtime will ask for: its identity is made from the cluster and its uid.
async fn app_to_be(tenant: &Tenant<'_>, name: &str) -> String {
    let namespaces: Api<Namespace> = Api::all(tenant.client.clone());
    let cluster = namespaces.get("kube-system").await.unwrap().metadata.uid.unwrap();
    let cluster = format!("testbed-{}", cluster.split('-').next().unwrap());
    let object = tenant.get(name).await.unwrap();
    let identity = short_hash(&[&cluster, text(&object, "/metadata/uid")], 10);
    format!("{}-{identity}", tenant.slug(name))
}

#[tokio::test]
async fn a_foreign_app_of_that_name_is_left_alone() {
    let tenant = tenant("taken").await;
    let hold = |value: Value| json!({"metadata": {"annotations": {"moorage.dev/paused": value}}});
    let spec =
        json!({"spec": {"planRef": {"name": "small"}, "slug": tenant.slug("ops"), "regions": ["fra"]}});
    let mut waiting = hold(json!("true"));
    crate::support::merge(&mut waiting, spec);
    tenant.apply("moorage.dev/v1alpha1", "Runtime", "ops", waiting).await.unwrap();
    let app = app_to_be(&tenant, "ops").await;
    let theirs = json!({"app_name": app, "org_slug": "demo", "network": "theirs"});
    let posted = reqwest::Client::new().post(format!("{}/v1/apps", tenant.fly.0.api_url()));
    let answer = posted.bearer_auth("theirs").json(&theirs).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    let head = tenant.fly.head().await.unwrap();

    tenant.patch("ops", hold(Value::Null)).await.unwrap();
    let object = tenant.wait_reason("ops", "AppNameTaken").await.unwrap();
    assert_eq!(tenant.app("ops").await.unwrap(), app);
    tells(&object, "another slug");
    tenant.delete("ops", "Delete").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    let touched: Vec<Value> = tenant.fly.calls(&app, head).await.unwrap();
    let changing = |call: &&Value| text(call, "/call/method") != "GET";
    assert_eq!(touched.iter().find(changing), None, "it isn't ours");
    assert_eq!(tenant.fly.standing(&app).await.unwrap()["network"], "theirs");
    tenant.wait_gone("ops").await.unwrap();
}
