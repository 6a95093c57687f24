//! Each call that changes something at Stripe is lost, answered badly, or the process is killed right after it.

use anyhow::ensure;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use testbed::eventually;

use crate::plans::dearer;
use crate::scene::{Scene, bought, place};
use crate::shop::{get, record, wait};
use crate::support::{SOON, Tenant, text};

const SESSIONS: &str = "/v1/checkout/sessions";
const EXPIRE: &str = "/v1/checkout/sessions/{id}/expire";
const SUBSCRIPTION: &str = "/v1/subscriptions/{id}";

fn losses() -> [(&'static str, Value); 6] {
    [
        ("reply", json!({"kind": "drop_reply"})),
        ("request", json!({"kind": "refuse"})),
        ("before", json!({"kind": "status", "status": 500, "when": "before"})),
        ("after", json!({"kind": "status", "status": 503, "when": "after"})),
        ("busy", json!({"kind": "status", "status": 409, "when": "before"})),
        ("slow", json!({"kind": "status", "status": 429, "when": "before"})),
    ]
}

/// What is done of an order when the fault befalls it.
#[derive(Clone, Copy, Debug)]
enum Case {
    Open,
    Close,
    End,
    Change,
}

const CASES: [(Case, &str); 4] =
    [(Case::Open, SESSIONS), (Case::Close, EXPIRE), (Case::End, SUBSCRIPTION), (Case::Change, SUBSCRIPTION)];

impl Case {
    async fn prepare(self, scene: &Scene, tenant: &Tenant<'_>, name: &str) {
        match self {
            Self::Open => {}
            Self::Close => {
                place(tenant, name, "OneTime").await;
                scene.session(tenant, name).await;
            }
            Self::End | Self::Change => {
                bought(scene, tenant, name, "Subscription").await;
            }
        }
    }

    async fn begin(self, tenant: &Tenant<'_>, name: &str) {
        match self {
            Self::Open => place(tenant, name, "OneTime").await,
            Self::Close | Self::End => delete(tenant, name).await,
            Self::Change => {
                let wish = json!({"spec": {"planRef": {"name": "late"}}});
                tenant.patch(name, wish).await.unwrap();
            }
        }
    }

    async fn end(self, scene: &Scene, tenant: &Tenant<'_>, name: &str, uid: &str) {
        match self {
            Self::Open => {
                scene.pay(tenant, name).await;
                wait(tenant, name, "running").await.unwrap();
                let uid = text(&get(tenant, name).await.unwrap(), "/metadata/uid").to_owned();
                assert_eq!(scene.sessions_of(&uid).await, 1, "{name}: one checkout");
            }
            Self::Close | Self::End => gone(tenant, name).await,
            Self::Change => {
                changed(scene, tenant, name).await;
            }
        }
        if matches!(self, Self::End) {
            let subscriptions = scene.sim.read("stripe/subscription").await.unwrap();
            let ours = subscriptions["data"].as_array().unwrap().iter();
            let ours: Vec<_> = ours.filter(|it| it["metadata"]["order"] == uid).collect();
            assert_eq!(ours.len(), 1, "{name}");
            assert_eq!(ours[0]["cancel_at_period_end"], true, "{name}: {}", ours[0]);
        }
        if matches!(self, Self::Close) {
            let sessions = scene.sim.read("stripe/checkout.session").await.unwrap();
            let ours = sessions["data"].as_array().unwrap().iter();
            let open = ours.filter(|it| it["client_reference_id"] == uid && it["status"] == "open").count();
            assert_eq!(open, 0, "{name}: a page is open");
        }
    }
}

/// The dearer Plan is bought, and its difference was taken once.
async fn changed(scene: &Scene, tenant: &Tenant<'_>, name: &str) {
    let record = eventually(&format!("{name} is changed"), SOON, async || {
        let record = record(tenant, name).await?;
        ensure!(text(&record, "/spec/order/price/plan/name") == "late", "{record}");
        Ok(record)
    })
    .await
    .unwrap();
    let subscription = text(&record, "/spec/order/subscriptionID");
    assert_eq!(scene.counted("subscription.change", subscription).await, 1, "{name}");
    let charges = scene.effects("charge").await;
    let ours = charges.iter().filter(|charge| charge["detail"]["order"] == record["spec"]["order"]["uid"]);
    assert_eq!(ours.count(), 2, "{name}: the first interval and the difference");
}

async fn delete(tenant: &Tenant<'_>, name: &str) {
    let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await.unwrap();
    orders.delete(name, &DeleteParams::default()).await.unwrap();
}

pub async fn gone(tenant: &Tenant<'_>, name: &str) {
    let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await.unwrap();
    eventually(&format!("order {name} is gone"), SOON, async || {
        ensure!(orders.get_opt(name).await?.is_none());
        Ok(())
    })
    .await
    .unwrap();
}

async fn uid_of(tenant: &Tenant<'_>, name: &str) -> String {
    record(tenant, name).await.map(|it| text(&it, "/spec/order/uid").to_owned()).unwrap_or_default()
}

/// Stripe tells of what happens there.
pub async fn events(scene: &Scene) {
    let webhook = json!({"webhook": scene.payments.stripe_webhook()});
    scene.sim.send("settings", &webhook).await.unwrap();
}

#[tokio::test]
async fn a_loss_at_any_call_changes_nothing_in_the_end() {
    let scene = Scene::start(json!({})).await.unwrap();
    events(&scene).await;
    dearer(&scene).await;
    let tenant = scene.tenant("pay-loss").await;
    for (case, route) in CASES {
        for (word, action) in losses() {
            let name = format!("{case:?}-{word}").to_lowercase();
            case.prepare(&scene, &tenant, &name).await;
            let uid = uid_of(&tenant, &name).await;
            scene.rule(route, action).await;
            case.begin(&tenant, &name).await;
            case.end(&scene, &tenant, &name, &uid).await;
        }
    }
}

#[tokio::test]
async fn a_kill_after_any_call_changes_nothing_in_the_end() {
    let mut scene = Scene::start(json!({})).await.unwrap();
    events(&scene).await;
    dearer(&scene).await;
    for (case, route) in CASES {
        let name = format!("{case:?}-kill").to_lowercase();
        let (uid, rule) = {
            let tenant = scene.tenant("pay-kill").await;
            case.prepare(&scene, &tenant, &name).await;
            let uid = uid_of(&tenant, &name).await;
            let rule = scene.rule(route, json!({"kind": "hold"})).await;
            case.begin(&tenant, &name).await;
            let effect = match case {
                Case::Open => "session.create",
                Case::Close => "session.expire",
                Case::End => "subscription.cancel_at_period_end",
                Case::Change => "subscription.change",
            };
            eventually(&format!("the call of {name}"), SOON, async || {
                let done = scene.effects(effect).await;
                ensure!(!done.is_empty(), "not called yet");
                Ok(())
            })
            .await
            .unwrap();
            (uid, rule)
        };
        scene.rig.operator.kill().unwrap();
        scene.sim.send(&format!("faults/{rule}/release"), &json!({})).await.unwrap();
        scene.rig.operator.restart().unwrap();
        let tenant = scene.tenant("pay-kill").await;
        case.end(&scene, &tenant, &name, &uid).await;
    }
}
