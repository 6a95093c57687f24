//! What the API server fills in, and what it throws away.

use kube::Api;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::rule::{KINDS, valid};
use crate::world::{api, create, merge, namespace, try_create, write_status};

async fn made(kind: &'static str, more: &Value) -> DynamicObject {
    namespace("defaults").await;
    let name = format!("defaults-{}", kind.to_lowercase());
    let mut object = valid(kind);
    merge(&mut object, &json!({"metadata": {"name": name}}));
    if kind == "NameClaim" {
        merge(&mut object, &json!({"metadata": {"name": "label.defaults"}, "spec": {"name": "defaults"}}));
    }
    merge(&mut object, more);
    let made = create("defaults", &object).await;
    let api: Api<DynamicObject> = api(kind, "defaults").await;
    api.get(&made.metadata.name.unwrap()).await.unwrap()
}

#[tokio::test]
async fn nothing_looks_current_before_its_first_visit() {
    for kind in KINDS {
        // Whoever creates an object can't give it a status.
        let forged = json!({"status": {"observedGeneration": 1, "state": "running"}});
        let status = made(kind, &forged).await.data["status"].take();
        if matches!(kind, "NameClaim" | "PaymentReceipt") {
            assert_eq!(status, Value::Null, "{kind}");
        } else {
            assert_eq!(status, json!({"observedGeneration": -1}), "{kind}");
        }
    }
}

#[tokio::test]
async fn a_status_without_a_generation_has_looked_at_none() {
    let named = json!({"metadata": {"name": "partial"}});
    made("Runtime", &named).await;
    write_status("defaults", "Runtime", "partial", &json!({"observedGeneration": null, "state": "running"}))
        .await;
    let status = api("Runtime", "defaults").await.get("partial").await.unwrap().data["status"].take();
    assert_eq!(status, json!({"observedGeneration": -1, "state": "running"}));
}

#[tokio::test]
async fn only_what_has_one_obvious_value_has_a_default() {
    let named = |name: &str| json!({"metadata": {"name": name}});
    let spec = |mut object: DynamicObject| object.data["spec"].take();
    let runtime = spec(made("Runtime", &named("plain")).await);
    assert_eq!(runtime, json!({"powerState": "Running", "deletionPolicy": "Snapshot"}));
    assert_eq!(spec(made("Plan", &named("plain")).await)["requiresOrder"], true);
    assert_eq!(spec(made("WorkspacePolicy", &named("plain")).await)["suspended"], false);
}

#[tokio::test]
async fn null_means_absent_and_unknown_fields_go() {
    let odd = json!({"metadata": {"name": "odd"}, "spec": {"nothing": {"of": "ours"}}});
    let mut object = made("Runtime", &odd).await;
    assert_eq!(object.data["spec"].take().get("nothing"), None);
    let mut null = valid("Runtime");
    null["spec"] = json!({"slug": null, "env": null, "powerState": null});
    assert_eq!(try_create("defaults", &null).await, Ok(()));
}
