//! Two customers race for one name.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::ensure;
use jiff::Timestamp;
use serde_json::{Value, json};
use testbed::eventually;

use crate::domains::{Customer, condition_of};
use crate::place::{CONTEST, holder, looked, place, rivals, target};
use crate::support::{SOON, text};

const HOST: &str = "www.race.test";

fn time(claim: &Value, pointer: &str) -> Timestamp {
    text(claim, pointer).parse().unwrap()
}

/// Waits until the claim says that it is contested.
async fn contested(customer: &Customer<'_>) -> Timestamp {
    let claim = eventually("a contest", SOON, async || {
        let claim = customer.claim(HOST).await?.unwrap_or_default();
        ensure!(claim.pointer("/spec/domain/contest/since").is_some(), "{claim}");
        Ok(claim)
    })
    .await
    .unwrap();
    time(&claim, "/spec/domain/contest/since")
}

/// The apps that have the hostname at Fly, and the most that ever had it together.
async fn at_fly() -> (BTreeSet<String>, usize) {
    let history = place().await.scene.fly().hostnames().await.unwrap()[HOST].clone();
    (history.apps, history.most_apps)
}

#[tokio::test]
async fn only_whom_dns_shows_has_the_name_and_it_changes_hands_only_after_a_contest() {
    let place = place().await;
    let scene = &place.scene;
    let [one, two] = rivals(scene, ["race-one", "race-two"], HOST).await;
    let (to_one, to_two) = (target(&one).await, target(&two).await);
    assert_ne!(to_one, to_two);
    crate::place::never_had(place, &one, HOST, &[&to_one, &to_two]).await.unwrap();

    // Who came second shows it first.
    scene.put(HOST, "CNAME", &[&to_two]).await.unwrap();
    two.wait_active("www").await.unwrap();
    let taken = one.wait_reason("www", "HostnameClaimed", "HostnameTaken").await.unwrap();
    assert!(!taken["status"].to_string().contains("race-two"), "whose it is isn't told: {taken}");
    assert_eq!(holder(&one, HOST).await.unwrap().as_deref(), Some("race-two"));
    let both = [one.tenant.app("ops").await.unwrap(), two.tenant.app("ops").await.unwrap()];
    assert_eq!(at_fly().await, (BTreeSet::from([both[1].clone()]), 1));

    // A CNAME in its turn takes nothing from a holder, however long it stands.
    scene.put(HOST, "CNAME", &[&to_one]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(CONTEST.unsigned_abs())).await;
    looked(&one).await;
    looked(&two).await;
    assert_eq!(condition_of(&one.get("www").await.unwrap(), "OwnershipVerified").0, "False");
    assert_eq!(holder(&one, HOST).await.unwrap().as_deref(), Some("race-two"));
    assert!(scene.server().records(&to_one, "A").await.unwrap().is_empty());

    // A text does, but the contest ends as soon as the holder's record is back.
    let listed = one.listed("www", &["Ownership"]).await.unwrap();
    let proof = listed.iter().find(|record| record["purpose"] == "Ownership").unwrap();
    scene.put(text(proof, "/name"), "TXT", &[text(proof, "/value")]).await.unwrap();
    contested(&one).await;
    scene.put(HOST, "CNAME", &[&to_two]).await.unwrap();
    eventually("no contest", SOON, async || {
        let claim = one.claim(HOST).await?.unwrap_or_default();
        ensure!(claim.pointer("/spec/domain/contest").is_none(), "{claim}");
        Ok(())
    })
    .await
    .unwrap();
    tokio::time::sleep(Duration::from_secs(CONTEST.unsigned_abs() + 2)).await;
    assert_eq!(holder(&one, HOST).await.unwrap().as_deref(), Some("race-two"));

    // Once only the other shows it, and has for long enough, it changes hands.
    scene.put(HOST, "CNAME", &[&to_one]).await.unwrap();
    let since = contested(&one).await;
    one.wait_active("www").await.unwrap();
    let claim = one.claim(HOST).await.unwrap().unwrap();
    assert_eq!(text(&claim, "/spec/holder/namespace"), "race-one");
    let seconds = since.duration_until(time(&claim, "/spec/domain/verifyTime")).as_secs();
    assert!(seconds >= CONTEST, "{seconds} s");
    two.wait_reason("www", "HostnameClaimed", "HostnameTaken").await.unwrap();
    assert_eq!(at_fly().await, (BTreeSet::from([both[0].clone()]), 1));
    assert!(scene.server().records(&to_two, "A").await.unwrap().is_empty(), "nothing leads to the loser");
    assert!(!scene.server().records(&to_one, "A").await.unwrap().is_empty());
    assert_eq!(scene.rig.problems(&["race-one", "race-two"], None).await.unwrap(), [""; 0]);
}

/// Sets the records that are listed for a hostname and aren't found, whoever's stood there before.
async fn set_all(customer: &Customer<'_>, purposes: &[&str]) {
    for record in customer.listed("www", purposes).await.unwrap() {
        let (name, kind, value) = (text(&record, "/name"), text(&record, "/type"), text(&record, "/value"));
        customer.scene.put(name, kind, &[value]).await.unwrap();
    }
}

#[tokio::test]
async fn a_name_that_changes_hands_takes_no_certificate_along() {
    let (place, host) = (place().await, "acme.race.test");
    let scene = &place.scene;
    let (first, second) = (scene.customer("keeps").await.unwrap(), scene.customer("takes").await.unwrap());
    for customer in [&first, &second] {
        customer.runtime("ops").await.unwrap();
        let by_acme = json!({"certificate": {"source": "ACME"}});
        customer.declare("www", host, "ops", by_acme).await.unwrap();
    }
    set_all(&first, &["OwnershipAndRouting", "Certificate"]).await;
    first.wait_active("www").await.unwrap();
    let before = scene.fly().visit(host).await.unwrap();
    second.wait_reason("www", "HostnameClaimed", "HostnameTaken").await.unwrap();
    // The records for the authority alone bring nothing.
    let listed = second.listed("www", &["Certificate"]).await.unwrap();
    let delegated = listed.iter().find(|record| record["purpose"] == "Certificate").unwrap();
    scene.put(text(delegated, "/name"), "CNAME", &[text(delegated, "/value")]).await.unwrap();
    looked(&second).await;
    assert_eq!(scene.fly().visit(host).await.unwrap(), before);

    set_all(&second, &["Ownership", "Routing", "Certificate"]).await;
    second.wait_active("www").await.unwrap();
    let after = scene.fly().visit(host).await.unwrap();
    assert_ne!(after.serial, before.serial);
    let history = scene.fly().hostnames().await.unwrap()[host].clone();
    let (uploads, apps) = (history.uploads(), [&first, &second].map(|one| one.tenant.app("ops")));
    assert_eq!((uploads.len(), history.most_apps), (2, 1), "{history:?}");
    let [keeps, takes] = apps;
    let on = |app: &str, fingerprint: &str| {
        history.changes.iter().any(|change| change.app == app && change.detail["fingerprint"] == fingerprint)
    };
    let (keeps, takes) = (keeps.await.unwrap(), takes.await.unwrap());
    assert!(on(&keeps, uploads[0]) && !on(&takes, uploads[0]), "{history:?}");
    assert!(on(&takes, uploads[1]) && !on(&keeps, uploads[1]), "{history:?}");
    assert_eq!(history.apps, BTreeSet::from([takes]));
    // Orders count for the name, whoever's they were.
    let claim = second.claim(host).await.unwrap().unwrap();
    assert_eq!(claim["spec"]["domain"]["ordering"]["firstTimes"].as_array().map(Vec::len), Some(2));
    assert_eq!(scene.rig.problems(&["keeps", "takes"], None).await.unwrap(), [""; 0]);
}
