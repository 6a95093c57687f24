//! Two customers race for one name.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::ensure;
use jiff::Timestamp;
use serde_json::Value;
use testbed::eventually;

use crate::domains::{Customer, condition_of};
use crate::place::{CONTEST, holder, place, rivals, target};
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
    tokio::time::sleep(Duration::from_secs(CONTEST.unsigned_abs() + 6)).await;
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
    let lasted = since.duration_until(time(&claim, "/spec/domain/verifyTime")).as_secs();
    assert!(lasted >= CONTEST, "{lasted} s");
    two.wait_reason("www", "HostnameClaimed", "HostnameTaken").await.unwrap();
    assert_eq!(at_fly().await, (BTreeSet::from([both[0].clone()]), 1));
    assert!(scene.server().records(&to_two, "A").await.unwrap().is_empty(), "nothing leads to the loser");
    assert!(!scene.server().records(&to_one, "A").await.unwrap().is_empty());
    assert_eq!(scene.rig.problems(&["race-one", "race-two"], None).await.unwrap(), [""; 0]);
}
