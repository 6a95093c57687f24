//! What `kubectl` shows.

use std::process::Command;

use serde_json::{Value, json};
use testbed::Identity;

use crate::tenant;

async fn kubectl(words: &[&str]) -> String {
    let rig = crate::support::shared().await;
    let kubeconfig = rig.cluster.kubeconfig(&Identity::Admin).await.unwrap();
    let output = Command::new(rig.cluster.kubectl()).arg("--kubeconfig").arg(kubeconfig).args(words).output();
    let output = output.unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "kubectl {words:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn the_table_fits_a_terminal_and_tells_the_story() {
    let tenant = tenant("shown").await;
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.declare("waiting", json!({"planRef": {"name": "openclaw-basic"}})).await.unwrap();
    tenant.declare("wrong", json!({"planRef": {"name": "none"}})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    tenant.wait_reason("waiting", "AwaitingOrder").await.unwrap();
    tenant.wait_reason("wrong", "PlanNotFound").await.unwrap();
    let table = kubectl(&["get", "mrt", "-n", "shown"]).await;
    let widest = table.lines().map(str::len).max().unwrap_or_default();
    assert!(widest <= 100, "{widest} columns:\n{table}");
    for (name, words) in [("ops", "running True"), ("waiting", "AwaitingOrder"), ("wrong", "PlanNotFound")] {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(line.contains(words), "{words:?} in {line:?}");
    }
    kubectl(&["wait", "--for=condition=Ready", "runtime/ops", "-n", "shown", "--timeout=10s"]).await;
    kubectl(&[
        "wait",
        "--for=jsonpath={.status.state}=running",
        "runtime/ops",
        "-n",
        "shown",
        "--timeout=10s",
    ])
    .await;
    let described = kubectl(&["describe", "mrt", "wrong", "-n", "shown"]).await;
    assert!(described.contains("kubectl get plans"), "the remedy is in it:\n{described}");
}

#[tokio::test]
async fn a_change_that_takes_its_time_is_called_what_it_is() {
    let tenant = tenant("named").await;
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let app = tenant.app("ops").await.unwrap();
    let restart = json!({"metadata": {"annotations": {"moorage.dev/restarted-at": "once"}}});
    let changes = [("Update", json!({"spec": {"persona": {"name": "Grace"}}})), ("Restart", restart)];
    for (kind, change) in changes {
        let stuck = json!({"kind": "stuck", "state": "starting", "app": app});
        let stuck = tenant.fly.world(stuck).await.unwrap();
        tenant.patch("ops", change).await.unwrap();
        let named = |object: &Value| !object["status"]["operation"].is_null();
        let object = tenant.wait("ops", "an operation", named).await.unwrap();
        assert_eq!(object["status"]["operation"]["type"], kind, "{}", object["status"]);
        tenant.fly.mend(stuck).await.unwrap();
        tenant.wait_ready("ops", "running").await.unwrap();
    }
}
