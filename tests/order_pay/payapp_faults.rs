//! Calls that end something at PayApp are lost, answered badly, or the process is killed right after: nobody can pay or is
//! charged afterwards.

use anyhow::ensure;
use serde_json::{Value, json};
use testbed::eventually;

use crate::payapp::{CALLS, pay, place};
use crate::scene::Scene;
use crate::shop::wait;
use crate::support::{SOON, Tenant};

fn losses() -> [(&'static str, Value); 6] {
    [
        ("reply", json!({"kind": "drop_reply"})),
        ("request", json!({"kind": "refuse"})),
        ("before", json!({"kind": "status", "status": 500, "when": "before"})),
        ("after", json!({"kind": "status", "status": 503, "when": "after"})),
        ("cut", json!({"kind": "truncate"})),
        ("slow", json!({"kind": "status", "status": 429, "when": "before"})),
    ]
}

/// What is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    /// A request to pay once that nobody paid.
    Request,
    /// A registration that nobody paid.
    Registration,
    /// A registration that is paid.
    Paid,
}

const CASES: [Case; 3] = [Case::Request, Case::Registration, Case::Paid];

impl Case {
    async fn prepare(self, scene: &Scene, tenant: &Tenant<'_>, name: &str) {
        place(tenant, name, if self == Self::Request { "OneTime" } else { "Subscription" }).await;
        scene.session(tenant, name).await;
        if self == Self::Paid {
            pay(scene, tenant, name).await;
            wait(tenant, name, "running").await.unwrap();
        }
    }
}

async fn delete(tenant: &Tenant<'_>, name: &str) {
    let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await.unwrap();
    orders.delete(name, &kube::api::DeleteParams::default()).await.unwrap();
}

/// The order is gone, and with it everything by which money could come.
async fn ended(scene: &Scene, tenant: &Tenant<'_>, name: &str) {
    let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await.unwrap();
    eventually(&format!("order {name} is gone"), SOON, async || {
        ensure!(orders.get_opt(name).await?.is_none());
        Ok(())
    })
    .await
    .unwrap();
    let all = scene.sim.read("payapp").await.unwrap();
    let going = |it: &&Value| it["standing"] == "pending" || it["standing"] == "active";
    let rebills: Vec<&Value> = all["rebills"].as_array().unwrap().iter().filter(going).collect();
    assert!(rebills.is_empty(), "{name}: {rebills:?}");
    let open = |it: &&Value| it["standing"] == "open" && it["rebill"].is_null();
    let requests: Vec<&Value> = all["requests"].as_array().unwrap().iter().filter(open).collect();
    assert!(requests.is_empty(), "{name}: {requests:?}");
}

#[tokio::test]
async fn a_loss_at_any_end_leaves_nothing_to_be_paid() {
    let scene = Scene::start(json!({})).await.unwrap();
    let tenant = scene.tenant("app-ends").await;
    for case in CASES {
        for (word, action) in losses() {
            let name = format!("{case:?}-{word}").to_lowercase();
            case.prepare(&scene, &tenant, &name).await;
            scene.rule(CALLS, action).await;
            delete(&tenant, &name).await;
            ended(&scene, &tenant, &name).await;
        }
    }
}

#[tokio::test]
async fn a_kill_after_any_end_leaves_nothing_to_be_paid() {
    let mut scene = Scene::start(json!({})).await.unwrap();
    for case in CASES {
        let name = format!("{case:?}-kill").to_lowercase();
        let effect = if case == Case::Request { "request.cancel" } else { "rebill.change" };
        let before = scene.effects(effect).await.len();
        let rule = {
            let tenant = scene.tenant("app-ends-kill").await;
            case.prepare(&scene, &tenant, &name).await;
            let rule = scene.rule(CALLS, json!({"kind": "hold"})).await;
            delete(&tenant, &name).await;
            eventually(&format!("the call of {name}"), SOON, async || {
                ensure!(scene.effects(effect).await.len() > before, "not called yet");
                Ok(())
            })
            .await
            .unwrap();
            rule
        };
        scene.rig.operator.kill().unwrap();
        scene.sim.send(&format!("faults/{rule}/release"), &json!({})).await.unwrap();
        scene.rig.operator.restart().unwrap();
        let tenant = scene.tenant("app-ends-kill").await;
        ended(&scene, &tenant, &name).await;
    }
}
