//! What only Secrets may hold is nowhere else: not in status, events, logs at their most talkative, metrics or Fly's
//! plain configuration; and a Fly token that is wrong, or no token at all, isn't shown either.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod rotation;
#[path = "../runtime_support/mod.rs"]
mod support;

use std::time::Duration;

use serde_json::json;
use support::{Tenant, start};
use testbed::Rig;
use testbed::survey::leaks;

const ENV_CANARY: &str = "canary-of-the-environment-7f3a9";
const FLY_CANARY: &str = "canaryOfTheFlyToken4b1d";
const BROKEN_CANARY: &str = "canaryOfABrokenToken9e2c";

fn file() -> std::path::PathBuf {
    let dir = std::env::temp_dir().join(format!("moorage-fly-token-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir.join("token")
}

async fn nowhere(rig: &Rig, tenant: &Tenant<'_>, canaries: &[&str]) {
    for canary in canaries {
        let places = leaks(canary, &tenant.client, &rig.fly, &rig.operator).await.unwrap();
        assert_eq!(places, [""; 0], "{canary}");
    }
}

#[tokio::test]
async fn secrets_stay_where_they_are() {
    let token_file = file();
    std::fs::write(&token_file, format!("FlyV1 fm2_{FLY_CANARY}")).unwrap();
    let mut rig =
        start(vec![("/fly/tokenFile", json!(token_file)), ("/logging/level", json!("trace"))]).await.unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "secrets").await.unwrap();
    let secret = json!({"metadata": {"labels": {"moorage.dev/use": "runtime-env"}}, "stringData": {"key": ENV_CANARY}});
    tenant.apply("v1", "Secret", "keys", secret).await.unwrap();
    let from = json!({"secretKeyRef": {"name": "keys", "key": "key"}});
    let env = json!({"env": [{"name": "OPENAI_API_KEY", "valueFrom": from}]});
    tenant.declare("ops", env.clone()).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let secrets = tenant.api("v1", "Secret").await.unwrap();
    let own = serde_json::to_value(secrets.get("ops-gateway-token").await.unwrap()).unwrap();
    let own: k8s_openapi::ByteString = serde_json::from_value(own["data"]["token"].clone()).unwrap();
    let own = String::from_utf8(own.0).unwrap();

    // Refused while they are on their way, and echoed by whoever refuses.
    let echo = json!({"error": format!("invalid secret value {ENV_CANARY} for FlyV1 fm2_{FLY_CANARY}")});
    let matching = json!({"method": "POST", "route": "/v1/apps/{app}/secrets", "app": "secrets-echo-*"});
    let rule =
        tenant.fly.rule(matching, json!({"kind": "status", "status": 422, "body": echo})).await.unwrap();
    tenant.declare("echo", env).await.unwrap();
    tenant.wait_reason("echo", "FlyRefused").await.unwrap();
    nowhere(&rig, &tenant, &[ENV_CANARY, FLY_CANARY, &own]).await;
    tenant.fly.mend(rule).await.unwrap();
    tenant.wait_ready("echo", "running").await.unwrap();

    // A file with a token that can't even be sent leaves the one that was; at a start there is none.
    std::fs::write(&token_file, format!("FlyV1 fm2_{BROKEN_CANARY}\u{7}\nsecond line")).unwrap();
    tenant
        .patch("ops", json!({"metadata": {"annotations": {"moorage.dev/restarted-at": "1"}}}))
        .await
        .unwrap();
    tenant.wait("ops", "restarted", |it| it["status"]["lastHandledRestartAt"] == "1").await.unwrap();
    rig.operator.kill().unwrap();
    drop(tenant);
    rig.operator.restart().unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let told = rig.operator.log();
    assert!(told.to_lowercase().contains("token"), "why it can't start is said");
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "secrets").await.unwrap();
    nowhere(&rig, &tenant, &[ENV_CANARY, FLY_CANARY, BROKEN_CANARY, &own]).await;
    std::fs::write(&token_file, format!("FlyV1 fm2_{FLY_CANARY}")).unwrap();
    drop(tenant);
    rig.operator.restart().unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "secrets").await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    tenant.delete("ops", "Delete").await.unwrap();
    tenant.wait_gone("ops").await.unwrap();
    nowhere(&rig, &tenant, &[ENV_CANARY, FLY_CANARY, BROKEN_CANARY, &own]).await;
    assert_eq!(rig.problems(&["secrets"], None).await.unwrap(), [""; 0]);
    std::fs::remove_dir_all(token_file.parent().unwrap()).unwrap();
}
