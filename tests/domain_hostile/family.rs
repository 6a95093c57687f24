//! A name and the names below it, of different customers.

use std::collections::BTreeSet;

use serde_json::json;

use crate::domains::condition_of;
use crate::place::{holder, looked, place, target};
use crate::support::text;

#[tokio::test]
async fn who_holds_a_domain_and_who_holds_a_name_below_it_have_each_their_own() {
    let place = place().await;
    let scene = &place.scene;
    let (parent, child) = (scene.customer("parent").await.unwrap(), scene.customer("child").await.unwrap());
    for customer in [&parent, &child] {
        customer.runtime("ops").await.unwrap();
    }
    parent.declare("apex", "family.test", "ops", json!({})).await.unwrap();
    parent.declare("all", "*.family.test", "ops", json!({})).await.unwrap();
    parent.follow("apex").await.unwrap();
    parent.follow("all").await.unwrap();

    // Below a name that another customer holds, a CNAME proves nothing: a wildcard of theirs might have made it.
    let host = "x.family.test";
    child.declare("www", host, "ops", json!({})).await.unwrap();
    scene.put(host, "CNAME", &[&target(&child).await]).await.unwrap();
    looked(&child).await;
    looked(&child).await;
    let object = child.get("www").await.unwrap();
    assert_eq!(condition_of(&object, "OwnershipVerified").0, "False", "{}", object["status"]);
    assert_eq!(holder(&child, host).await.unwrap(), None);
    assert!(!scene.fly().hostnames().await.unwrap().contains_key(host));

    let listed = child.listed("www", &["Ownership"]).await.unwrap();
    let proof = listed.iter().find(|record| record["purpose"] == "Ownership").unwrap();
    scene.put(text(proof, "/name"), "TXT", &[text(proof, "/value")]).await.unwrap();
    child.wait_active("www").await.unwrap();
    let apps = [parent.tenant.app("ops").await.unwrap(), child.tenant.app("ops").await.unwrap()];
    let all = scene.fly().hostnames().await.unwrap();
    for (name, app) in [("family.test", &apps[0]), ("*.family.test", &apps[0]), (host, &apps[1])] {
        let history = &all[name];
        assert_eq!(history.apps, BTreeSet::from([app.clone()]), "{name}: {history:?}");
        assert!(history.changes.iter().all(|change| change.app == *app), "{name}: {history:?}");
    }
    assert_eq!(scene.fly().visit(host).await.unwrap().names, [host]);
    assert_eq!(scene.fly().visit("other.family.test").await.unwrap().names, ["*.family.test"]);
    for name in ["apex", "all"] {
        parent.wait_active(name).await.unwrap();
    }
    assert_eq!(scene.rig.problems(&["parent", "child"], None).await.unwrap(), [""; 0]);
}
