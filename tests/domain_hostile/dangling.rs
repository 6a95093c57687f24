//! A name that was left behind in DNS.

use serde_json::json;

use crate::domains::condition_of;
use crate::place::{holder, looked, place, rivals, target};
use crate::support::text;

#[tokio::test]
async fn a_record_that_was_left_behind_proves_nothing_for_the_next_who_wants_the_name() {
    let (place, host) = (place().await, "www.left.test");
    let scene = &place.scene;
    let first = scene.customer("left-first").await.unwrap();
    first.runtime("ops").await.unwrap();
    first.declare("www", host, "ops", json!({})).await.unwrap();
    let old = target(&first).await;
    scene.put(host, "CNAME", &[&old]).await.unwrap();
    first.wait_active("www").await.unwrap();
    first.delete("www").await.unwrap();
    first.wait_gone("www").await.unwrap();

    // The CNAME stands, and leads nowhere. Two others want the name now.
    let [one, two] = rivals(scene, ["left-one", "left-two"], host).await;
    for customer in [&one, &two] {
        assert_ne!(target(customer).await, old, "nobody is given another's name");
        let object = customer.wait_state("www", "pending_dns").await.unwrap();
        assert_eq!(condition_of(&object, "OwnershipVerified").0, "False", "{}", object["status"]);
    }
    tokio::join!(looked(&one), looked(&two));
    let before = scene.fly().hostnames().await.unwrap()[host].clone();
    assert!(before.apps.is_empty(), "{before:?}");
    assert!(before.changes.iter().all(|change| change.app.starts_with("left-first-")), "{before:?}");
    assert!(scene.fly().visit(host).await.is_err(), "nobody is served");
    assert_eq!(holder(&one, host).await.unwrap(), None);
    assert!(scene.server().records(&old, "A").await.unwrap().is_empty());

    // A CNAME doesn't do for a name that another had; a text does.
    scene.put(host, "CNAME", &[&target(&one).await]).await.unwrap();
    looked(&one).await;
    looked(&one).await;
    assert_eq!(holder(&one, host).await.unwrap(), None);
    let listed = one.listed("www", &["Ownership"]).await.unwrap();
    let proof = listed.iter().find(|record| record["purpose"] == "Ownership").unwrap();
    scene.put(text(proof, "/name"), "TXT", &[text(proof, "/value")]).await.unwrap();
    one.wait_active("www").await.unwrap();
    assert_eq!(holder(&one, host).await.unwrap().as_deref(), Some("left-one"));
    two.wait_reason("www", "HostnameClaimed", "HostnameTaken").await.unwrap();
    assert_eq!(scene.fly().hostnames().await.unwrap()[host].most_apps, 1);
    assert_eq!(scene.rig.problems(&["left-first", "left-one", "left-two"], None).await.unwrap(), [""; 0]);
}
