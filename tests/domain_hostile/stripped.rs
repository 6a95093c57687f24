//! Finalizers that are taken off.

use anyhow::ensure;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};
use testbed::eventually;

use crate::domains::Customer;
use crate::place::place;
use crate::support::{SOON, text};

/// What is kept for ordering certificates of a hostname.
async fn kept(customer: &Customer<'_>, host: &str) -> anyhow::Result<usize> {
    let secrets: Api<Secret> = Api::namespaced(customer.scene.client().await?, "moorage-system");
    let all = secrets.list(&ListParams::default()).await?;
    let of_host = |secret: &&Secret| {
        let annotations = secret.metadata.annotations.as_ref();
        annotations.is_some_and(|all| all.get("moorage.dev/hostname").is_some_and(|it| it == host))
    };
    Ok(all.iter().filter(of_host).count())
}

#[tokio::test]
async fn what_a_customdomain_held_that_vanished_is_taken_away_by_its_claim() {
    let place = place().await;
    let scene = &place.scene;
    let platform = scene.customer("stripped").await.unwrap();
    let tenant = Customer { scene, tenant: platform.tenant.owner().await.unwrap() };
    tenant.runtime("ops").await.unwrap();
    let by_acme = json!({"certificate": {"source": "ACME"}});
    let mut targets = Vec::new();
    for (name, more) in [("fly", json!({})), ("acme", by_acme)] {
        tenant.declare(name, &format!("{name}.stripped.test"), "ops", more).await.unwrap();
        let object = tenant.follow(name).await.unwrap();
        let all = object["status"]["records"].as_array().unwrap();
        targets.extend(all.iter().map(|record| text(record, "/value").to_owned()));
    }
    assert_eq!(kept(&platform, "acme.stripped.test").await.unwrap(), 1);
    for name in ["fly", "acme"] {
        // Held, so that the operator doesn't put the finalizer back in between.
        let hold = json!({"metadata": {"annotations": {"moorage.dev/paused": "true"}, "finalizers": []}});
        tenant.patch(name, hold).await.unwrap();
        tenant.delete(name).await.unwrap();
        tenant.wait_gone(name).await.unwrap();
    }
    for name in ["fly", "acme"] {
        let host = format!("{name}.stripped.test");
        eventually(&format!("nothing of {host}"), SOON, async || {
            let claim: Value = platform.claim(&host).await?.unwrap_or_default();
            ensure!(claim["spec"]["tombstone"].is_object(), "{}", claim["spec"]);
            Ok(())
        })
        .await
        .unwrap();
        assert!(scene.fly().hostnames().await.unwrap()[&host].apps.is_empty());
        assert!(scene.fly().visit(&host).await.is_err());
        assert_eq!(kept(&platform, &host).await.unwrap(), 0, "{host}");
    }
    for target in targets {
        for kind in ["A", "AAAA", "TXT"] {
            let left = scene.server().records(&target, kind).await.unwrap();
            assert!(left.is_empty(), "{target} {kind}: {left:?}");
        }
    }
    assert_eq!(scene.rig.problems(&["stripped"], None).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_finalizer_that_was_taken_off_comes_back() {
    let place = place().await;
    let tenant = place.scene.customer("strip").await.unwrap();
    tenant.runtime("ops").await.unwrap();
    tenant.declare("www", "back.stripped.test", "ops", json!({})).await.unwrap();
    tenant.follow("www").await.unwrap();
    tenant.patch("www", json!({"metadata": {"finalizers": []}})).await.unwrap();
    let is_back =
        |object: &Value| object["metadata"]["finalizers"].as_array().is_some_and(|all| all.len() == 1);
    tenant.wait("www", "its finalizer", is_back).await.unwrap();
    tenant.wait_active("www").await.unwrap();
}
