//! What people write that can't be used: it is refused where it is applied, or told of, and disturbs nothing else.

use serde_json::{Value, json};

use crate::domains::{BASE, Scene, condition_of};
use crate::support::{condition, text};

#[tokio::test]
async fn bad_hostnames_are_refused_or_told_of() {
    let scene = Scene::start(&["acme.test"], json!({"refusedZones": ["intern.test"]})).await.unwrap();
    let customer = scene.customer("acme").await.unwrap();
    let at_once = [
        "localhost",
        "192.0.2.1",
        "a.*.test",
        "https://www.acme.test",
        "www.acme.test:443",
        "under_score.acme.test",
        &format!("{}.test", "a.".repeat(140).trim_end_matches('.')),
    ];
    for host in at_once {
        let refused = customer.declare("bad", host, "ops", json!({})).await;
        assert!(refused.is_err(), "{host}");
    }
    let (invalid, not_allowed) = ("HostnameInvalid", "HostnameNotAllowed");
    let told = [
        ("suffix", "*.com", invalid),
        ("suffix-itself", "co.uk", invalid),
        ("homograph", "www.аpple.com", invalid),
        ("punycode", "xn--pple-43d.com", invalid),
        ("label", "-a.acme.test", invalid),
        ("ours", &format!("www.{BASE}"), not_allowed),
        ("fly", "mine.fly.dev", not_allowed),
        ("intern", "a.intern.test", not_allowed),
    ];
    for (name, host, reason) in told {
        customer
            .declare(name, host, "ops", json!({}))
            .await
            .unwrap_or_else(|error| panic!("{host}: {error:#}"));
        let object = customer.wait_reason(name, "Ready", reason).await.unwrap();
        assert_eq!(condition_of(&object, "Stalled").0, "True", "{host}: {}", object["status"]);
        assert_eq!(text(&object, "/status/state"), "error", "{host}");
        let message = text(&condition(&object, "Ready"), "/message").to_owned();
        assert!(message.len() > 20 && message.len() < 500, "{host}: {message}");
        assert_eq!(object["status"]["records"], Value::Null, "{host}: nothing has to be set");
    }
    assert_eq!(scene.rig.problems(&["acme"], None).await.unwrap(), [""; 0]);
    for (name, ..) in told {
        customer.delete(name).await.unwrap();
        customer.wait_gone(name).await.unwrap();
    }
}

#[tokio::test]
async fn a_hostname_never_changes_and_a_namespace_has_only_so_many() {
    let scene = Scene::start(&["acme.test"], json!({"perNamespace": 2})).await.unwrap();
    let customer = scene.customer("acme").await.unwrap();
    customer.runtime("ops").await.unwrap();
    for name in ["one", "two", "three"] {
        // The API server tells ages to the second.
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        customer.declare(name, &format!("{name}.acme.test"), "ops", json!({})).await.unwrap();
        customer.wait(name, "seen", |object| object["status"]["state"].is_string()).await.unwrap();
    }
    assert!(customer.patch("one", json!({"spec": {"hostname": "other.acme.test"}})).await.is_err());
    customer.wait_state("one", "pending_dns").await.unwrap();
    customer.wait_reason("three", "Ready", "DomainLimitReached").await.unwrap();
    customer.delete("one").await.unwrap();
    customer.wait_state("three", "pending_dns").await.unwrap();
}
