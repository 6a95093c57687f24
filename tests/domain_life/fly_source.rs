//! Certificates that Fly issues.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::{condition_is, eventually};

use crate::domains::{BASE, Scene, condition_of, record};
use crate::support::{SOON, text};

/// From a declaration to visitors, and back to nothing.
#[tokio::test]
async fn a_hostname_comes_into_service_by_one_record_and_leaves_nothing_behind() {
    let scene = Scene::start(&["acme.test"], json!({})).await.unwrap();
    let acme = scene.customer("acme").await.unwrap();
    acme.runtime("ops").await.unwrap();
    let app = acme.tenant.app("ops").await.unwrap();
    acme.declare("ai", "AI.Acme.test.", "ops", json!({})).await.unwrap();

    // What has to be set is told, exactly; nothing is held meanwhile, and nothing done at Fly.
    let waiting = acme.wait_state("ai", "pending_dns").await.unwrap();
    let listed = waiting["status"]["records"].as_array().unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    let alias = record(&waiting, "OwnershipAndRouting").unwrap();
    assert_eq!(text(&alias, "/type"), "CNAME");
    assert_eq!(text(&alias, "/name"), "ai.acme.test");
    assert!(text(&alias, "/value").ends_with(&format!(".dom.{BASE}")), "{alias}");
    assert!(!alias.to_string().contains("fly.dev"));
    assert_eq!(text(&alias, "/state"), "Missing");
    assert!(acme.claim("ai.acme.test").await.unwrap().is_none());
    assert!(scene.fly().hostnames().await.unwrap().is_empty());

    let before = Instant::now();
    acme.set_listed("ai", &["OwnershipAndRouting"]).await.unwrap();
    let active = acme.wait_active("ai").await.unwrap();
    let took = before.elapsed();
    assert!(took < Duration::from_mins(1), "{took:?}");
    assert_eq!(text(&active, "/status/routedBy"), "CNAME");
    for kind in ["OwnershipVerified", "HostnameClaimed", "DNSConfigured", "CertificateIssued", "Ready"] {
        assert!(condition_is(&active, kind, "True"), "{kind}: {}", active["status"]);
    }
    let visit = scene.fly().visit("ai.acme.test").await.unwrap();
    assert_eq!(visit.names, ["ai.acme.test"]);
    assert!(visit.status.is_some(), "it leads to the gateway");
    let addresses = scene.server().records(text(&alias, "/value"), "A").await.unwrap();
    assert_eq!(addresses.len(), 1);

    let_in(&scene, &acme, "ai.acme.test").await;
    rests(&scene, &acme).await;

    acme.delete("ai").await.unwrap();
    acme.wait_gone("ai").await.unwrap();
    assert!(scene.fly().visit("ai.acme.test").await.is_err());
    let history = scene.fly().hostnames().await.unwrap()["ai.acme.test"].clone();
    assert!(history.apps.is_empty());
    assert_eq!((history.issued(), history.most_apps), (1, 1));
    assert!(history.changes.iter().all(|change| change.app == app));
    for kind in ["A", "AAAA", "TXT"] {
        assert!(scene.server().records(text(&alias, "/value"), kind).await.unwrap().is_empty(), "{kind}");
    }
    let claim = acme.claim("ai.acme.test").await.unwrap().unwrap();
    assert!(claim["spec"]["tombstone"].is_object(), "{claim}");
    eventually("the gateway lets nobody in by it any more", SOON, async || {
        anyhow::ensure!(!scene.origins(&app).await?.contains(&"https://ai.acme.test".to_owned()));
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(scene.rig.problems(&["acme"], None).await.unwrap(), [""; 0]);
}

/// The gateway is started anew, once, with the name among those that browsers may open it by.
async fn let_in(scene: &Scene, acme: &crate::domains::Customer<'_>, host: &str) {
    let app = acme.tenant.app("ops").await.unwrap();
    eventually("the gateway lets browsers in by the name", SOON, async || {
        let origins = scene.origins(&app).await?;
        anyhow::ensure!(origins.contains(&format!("https://{host}")), "{origins:?}");
        Ok(())
    })
    .await
    .unwrap();
    acme.tenant.wait_ready("ops", "running").await.unwrap();
    let changes = acme.tenant.changes().await.unwrap();
    let updates = changes.iter().filter(|change| change.effect == "machine.update").count();
    assert_eq!(updates, 1, "{changes:?}");
}

/// At rest, and after a restart, nothing is asked of Fly or written.
async fn rests(scene: &Scene, acme: &crate::domains::Customer<'_>) {
    let app = acme.tenant.app("ops").await.unwrap();
    let since = acme.tenant.fly.head().await.unwrap();
    let version = acme.get("ai").await.unwrap()["metadata"]["resourceVersion"].clone();
    let claim = acme.claim("ai.acme.test").await.unwrap();
    tokio::time::sleep(Duration::from_secs(8)).await;
    let calls = acme.tenant.fly.calls(&app, since).await.unwrap();
    let hostname: Vec<&Value> =
        calls.iter().filter(|call| call.to_string().contains("certificates")).collect();
    assert!(hostname.is_empty(), "{hostname:?}");
    assert_eq!(acme.get("ai").await.unwrap()["metadata"]["resourceVersion"], version);
    assert_eq!(acme.claim("ai.acme.test").await.unwrap(), claim);
    assert_eq!(condition_of(&acme.get("ai").await.unwrap(), "Ready").0, "True");
    let _ = scene;
}
