use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::support::{Tenant, text};
use crate::tenant;
use crate::waits::Waits;

/// Machines of the app of a Runtime stay in this state, once they come into it.
async fn stuck(tenant: &Tenant<'_>, state: &str) -> u64 {
    tenant
        .fly
        .world(json!({"kind": "stuck", "state": state, "app": tenant.app("ops").await.unwrap()}))
        .await
        .unwrap()
}

/// Waits until a Runtime is in this state.
async fn state(tenant: &Tenant<'_>, name: &str, state: &str) -> Value {
    tenant.wait(name, state, |object| text(object, "/status/state") == state).await.unwrap()
}

async fn begin(tenant: &Tenant<'_>, name: &str) -> Waits {
    Waits::begin(tenant, "Runtime", name).await
}

async fn provisioning_and_starting_go_on_until_it_runs() {
    let tenant = tenant("waits-up").await;
    let creates = json!({"method": "POST", "route": "/v1/apps/{app}/volumes", "app": "waits-up-ops-*"});
    let held = tenant.fly.rule(creates, json!({"kind": "hold"})).await.unwrap();
    tenant.declare("ops", json!({})).await.unwrap();
    state(&tenant, "ops", "provisioning").await;
    let mut waits = begin(&tenant, "ops").await;
    waits.go_on().await;
    let starting = stuck(&tenant, "starting").await;
    tenant.fly.mend(held).await.unwrap();
    state(&tenant, "ops", "starting").await;
    let mut later = begin(&tenant, "ops").await;
    later.go_on().await;
    tenant.fly.mend(starting).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    waits.end_well().await;
    later.end_well().await;
}

async fn stopping_goes_on_until_it_has_stopped_or_its_time_is_over() {
    let tenant = tenant("waits-stop").await;
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let stopping = stuck(&tenant, "stopping").await;
    tenant.patch("ops", json!({"spec": {"powerState": "Stopped"}})).await.unwrap();
    state(&tenant, "ops", "stopping").await;
    let mut waits = begin(&tenant, "ops").await;
    waits.go_on().await;
    tenant.wait_reason("ops", "DeadlineExceeded").await.unwrap();
    waits.end_in_failure().await;
    tenant.fly.mend(stopping).await.unwrap();
    tenant.wait_ready("ops", "stopped").await.unwrap();
    begin(&tenant, "ops").await.end_well().await;
}

async fn what_waits_for_a_person_goes_on_until_that_person_acts() {
    let tenant = tenant("waits-person").await;
    tenant.declare("unpaid", json!({"planRef": {"name": "openclaw-basic"}})).await.unwrap();
    let paused = json!({"metadata": {"annotations": {"moorage.dev/paused": "true"}}});
    tenant.declare("paused", json!({"powerState": "Stopped"})).await.unwrap();
    tenant.wait_ready("paused", "stopped").await.unwrap();
    tenant.patch("paused", paused).await.unwrap();
    tenant.patch("paused", json!({"spec": {"powerState": "Running"}})).await.unwrap();
    tenant.wait_reason("unpaid", "AwaitingOrder").await.unwrap();
    tenant.wait_reason("paused", "AwaitingUnpause").await.unwrap();
    let (mut unpaid, mut held) = (begin(&tenant, "unpaid").await, begin(&tenant, "paused").await);
    unpaid.go_on().await;
    held.go_on().await;
    tenant.patch("paused", json!({"metadata": {"annotations": {"moorage.dev/paused": null}}})).await.unwrap();
    held.end_well().await;
}

async fn a_bad_spec_fails_until_it_is_mended() {
    let tenant = tenant("waits-bad").await;
    let missing = json!({"secretKeyRef": {"name": "none", "key": "none"}});
    let env = json!([{"name": "ANTHROPIC_API_KEY", "valueFrom": missing}]);
    tenant.declare("ops", json!({"env": env})).await.unwrap();
    tenant.wait_reason("ops", "SecretNotFound").await.unwrap();
    begin(&tenant, "ops").await.end_in_failure().await;
    tenant.patch("ops", json!({"spec": {"env": []}})).await.unwrap();
    // Nothing may look done or failed from the edit on: these begin before the operator has seen it.
    begin(&tenant, "ops").await.end_well().await;
}

async fn destroying_goes_on_until_it_has_gone() {
    let tenant = tenant("waits-down").await;
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let stopping = stuck(&tenant, "stopping").await;
    tenant.runtimes().delete("ops", &DeleteParams::background()).await.unwrap();
    state(&tenant, "ops", "destroying").await;
    // Whoever saw it ready before is told at once; a deletion is waited for with `--for=delete`.
    let mut waits = begin(&tenant, "ops").await;
    waits.go_on().await;
    tenant.fly.mend(stopping).await.unwrap();
    tenant.wait_gone("ops").await.unwrap();
}

/// Their waits are long and their work is small: side by side they take as long as the longest.
#[tokio::test]
async fn a_runtime_in_each_situation() {
    tokio::join!(
        provisioning_and_starting_go_on_until_it_runs(),
        stopping_goes_on_until_it_has_stopped_or_its_time_is_over(),
        what_waits_for_a_person_goes_on_until_that_person_acts(),
        a_bad_spec_fails_until_it_is_mended(),
        destroying_goes_on_until_it_has_gone()
    );
}
