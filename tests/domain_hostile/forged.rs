//! A status in which everything is claimed to be done, and claims that nobody but the operator writes.

use anyhow::ensure;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use moorage::api::NameClaim;
use serde_json::{Value, json};
use testbed::eventually;

use crate::domains::{Customer, condition_of};
use crate::place::{never_had, place, target};
use crate::support::{SOON, text};

/// A status by which a hostname is verified, held, led here, and served.
fn forged(host: &str) -> Value {
    let conditions: Vec<Value> =
        ["OwnershipVerified", "HostnameClaimed", "DNSConfigured", "CertificateIssued", "Ready"]
            .iter()
            .map(|kind| {
                json!({"type": kind, "status": "True", "reason": "Verified", "message": "forged",
                    "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z"})
            })
            .collect();
    let record = json!({"type": "CNAME", "name": host, "value": "evil.dom.moor.test",
        "purpose": "OwnershipAndRouting", "state": "Found"});
    json!({"status": {
        "observedGeneration": 1, "state": "active", "hostname": host, "url": format!("https://{host}"),
        "records": [record], "routedBy": "CNAME",
        "certificate": {"source": "Fly", "issuer": "forged", "expireTime": "2036-01-01T00:00:00Z", "serial": "01"},
        "conditions": conditions,
    }})
}

async fn forge(customer: &Customer<'_>, name: &str, status: &Value) {
    let patch = Patch::Merge(status);
    customer.domains().patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test]
async fn a_forged_status_is_put_right_and_brings_nothing() {
    let place = place().await;
    let scene = &place.scene;
    let platform = scene.customer("forger").await.unwrap();
    let tenant = platform.tenant.owner().await.unwrap();
    let forger = Customer { scene, tenant };
    forger.runtime("ops").await.unwrap();
    let by_acme = json!({"certificate": {"source": "ACME"}});
    for (name, more) in [("www", json!({})), ("acme", by_acme)] {
        let host = format!("{name}.forged.test");
        forger.declare(name, &host, "ops", more).await.unwrap();
        // From its first moment on, and again whenever it was put right.
        for _ in 0..4 {
            forge(&forger, name, &forged(&host)).await;
            forger
                .wait(name, "put right", |object| {
                    object["status"]["state"] == "pending_dns" && object["status"]["certificate"].is_null()
                })
                .await
                .unwrap();
        }
        let object = forger.wait_state(name, "pending_dns").await.unwrap();
        for kind in ["OwnershipVerified", "HostnameClaimed", "DNSConfigured", "CertificateIssued", "Ready"] {
            assert_ne!(condition_of(&object, kind).0, "True", "{kind}: {}", object["status"]);
        }
        never_had(place, &platform, &host, &[]).await.unwrap();
    }
    assert_eq!(scene.rig.problems(&["forger"], None).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn what_is_held_is_read_from_the_claim_which_no_tenant_writes() {
    let place = place().await;
    let scene = &place.scene;
    let victim = scene.customer("victim").await.unwrap();
    victim.runtime("ops").await.unwrap();
    let host = "bank.forged.test";
    victim.declare("www", host, "ops", json!({})).await.unwrap();
    scene.put(host, "CNAME", &[&target(&victim).await]).await.unwrap();
    let before = victim.wait_active("www").await.unwrap();
    let claim = victim.claim(host).await.unwrap().unwrap();

    let platform = scene.customer("thief").await.unwrap();
    let thief = Customer { scene, tenant: platform.tenant.owner().await.unwrap() };
    thief.runtime("ops").await.unwrap();
    thief.declare("www", host, "ops", json!({})).await.unwrap();
    let claims: Api<NameClaim> = Api::all(thief.tenant.client.clone());
    let mine = json!({"spec": {"holder": {"namespace": "thief"}}});
    let stolen =
        claims.patch(&NameClaim::hostname_key(host), &PatchParams::default(), &Patch::Merge(mine)).await;
    assert!(stolen.is_err(), "{stolen:?}");
    let mut other = claim.clone();
    other["metadata"] = json!({"name": "host.new.forged.test"});
    other["spec"]["name"] = json!("new.forged.test");
    let other: NameClaim = serde_json::from_value(other).unwrap();
    let made = claims.create(&PostParams::default(), &other).await;
    assert!(made.is_err(), "{made:?}");
    for _ in 0..4 {
        forge(&thief, "www", &forged(host)).await;
        thief.wait_reason("www", "HostnameClaimed", "HostnameTaken").await.unwrap();
    }
    let wiped = json!({"status": null});
    forge(&victim, "www", &wiped).await;
    eventually("the victim's status again", SOON, async || {
        let now = victim.get("www").await?;
        ensure!(now["status"]["certificate"] == before["status"]["certificate"], "{}", now["status"]);
        ensure!(now["status"]["state"] == "active", "{}", now["status"]);
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(victim.claim(host).await.unwrap().unwrap()["spec"], claim["spec"]);
    let history = scene.fly().hostnames().await.unwrap()[host].clone();
    let app = text(&claim, "/spec/domain/route/app");
    assert!(history.changes.iter().all(|change| change.app == app), "{history:?}");
    assert_eq!((history.issued(), history.count("certificate.delete")), (1, 0));
    assert_eq!(scene.rig.problems(&["victim", "thief"], None).await.unwrap(), [""; 0]);
}
