//! Dynamic updates (RFC 2136) against Knot DNS.

use std::net::IpAddr;
use std::sync::Arc;

use moorage::api::reason;
use moorage::domains::dns::{Authority, Host, Provider, Sight};
use serde_json::json;
use testbed::NameServer;
use testbed::name_server::TSIG_NAME;

use crate::{HOST, configured, host, text};

fn updates(server: &NameServer, key: &str) -> Arc<dyn Provider> {
    let key_file = server.key_file().unwrap();
    let tsig = json!({"name": key, "key": {"file": key_file}});
    configured(json!({"rfc2136": {"server": server.address(), "tsig": tsig}}))
}

fn addresses(all: &[&str]) -> Vec<IpAddr> {
    all.iter().map(|one| one.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_host_has_exactly_its_owners_addresses() {
    let server = NameServer::start("example.dev").await.unwrap();
    let provider = updates(&server, TSIG_NAME);
    let ours = host("prod/abc");
    provider.set_addresses(&ours, &addresses(&["192.0.2.1", "2a09:8280:1::1"])).await.unwrap();
    provider.set_addresses(&ours, &addresses(&["192.0.2.1", "2a09:8280:1::1"])).await.unwrap();
    assert_eq!(server.records(HOST, "A").await.unwrap(), ["192.0.2.1"]);
    assert_eq!(server.records(HOST, "AAAA").await.unwrap(), ["2a09:8280:1::1"]);
    provider.set_addresses(&ours, &addresses(&["192.0.2.2"])).await.unwrap();
    assert_eq!(server.records(HOST, "A").await.unwrap(), ["192.0.2.2"], "replaced, not added");
    assert!(server.records(HOST, "AAAA").await.unwrap().is_empty(), "none left of those before");

    // Another Runtime of this name, or another cluster, neither takes nor removes it.
    let theirs = host("staging/xyz");
    let refused = provider.set_addresses(&theirs, &addresses(&["192.0.2.9"])).await.unwrap_err();
    assert_eq!(refused.reason, reason::HOSTNAME_TAKEN);
    provider.remove_addresses(&theirs).await.unwrap();
    assert_eq!(server.records(HOST, "A").await.unwrap(), ["192.0.2.2"]);

    provider.remove_addresses(&ours).await.unwrap();
    provider.remove_addresses(&ours).await.unwrap();
    for kind in ["A", "AAAA", "TXT"] {
        assert!(server.records(HOST, kind).await.unwrap().is_empty(), "{kind}");
        assert!(server.records(&format!("_moorage.{HOST}"), kind).await.unwrap().is_empty(), "{kind}");
    }
    provider.set_addresses(&theirs, &addresses(&["192.0.2.9"])).await.unwrap();
}

#[tokio::test]
async fn records_that_people_made_are_left_alone() {
    let server = NameServer::start("example.dev").await.unwrap();
    let provider = updates(&server, TSIG_NAME);
    let www = Host { name: "www.example.dev".into(), owner: "prod/abc".into() };
    let refused = provider.set_addresses(&www, &addresses(&["192.0.2.1"])).await.unwrap_err();
    assert_eq!(refused.reason, reason::HOSTNAME_TAKEN);
    assert!(refused.message.contains("www.example.dev"), "{}", refused.message);
    provider.remove_addresses(&www).await.unwrap();
    assert_eq!(server.records("www.example.dev", "A").await.unwrap(), ["192.0.2.80"]);
}

#[tokio::test]
async fn texts_stand_beside_each_other_and_show_at_the_authority() {
    let server = NameServer::start("example.dev").await.unwrap();
    let provider = updates(&server, TSIG_NAME);
    let authority = Authority::new("example.dev", &[server.address().to_string()]);
    let both = [text("one"), text("two")];
    assert_eq!(authority.shows(&both).await.unwrap(), Sight::NotAt(server.address().to_string()));
    for text in &both {
        provider.add_text(text).await.unwrap();
        provider.add_text(text).await.unwrap();
    }
    assert_eq!(authority.shows(&both).await.unwrap(), Sight::Everywhere);
    provider.remove_text(&both[0]).await.unwrap();
    provider.remove_text(&both[0]).await.unwrap();
    assert_eq!(authority.shows(&both[1..]).await.unwrap(), Sight::Everywhere);
    provider.remove_text(&both[1]).await.unwrap();
    assert!(server.records("_acme-challenge.example.dev", "TXT").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_name_of_another_zone_is_let_go() {
    let server = NameServer::start("example.dev").await.unwrap();
    let provider = updates(&server, TSIG_NAME);
    for name in ["acme-ops.example.com", "acme-ops.notexample.dev"] {
        let old = Host { name: name.into(), owner: "prod/abc".into() };
        provider.remove_addresses(&old).await.unwrap();
    }
}

#[tokio::test]
async fn what_goes_wrong_is_told_with_its_remedy() {
    let server = NameServer::start("example.dev").await.unwrap();
    let unknown = updates(&server, "stranger").add_text(&text("x")).await.unwrap_err();
    assert_eq!(unknown.reason, reason::DNS_REFUSED);
    assert!(unknown.message.contains("TSIG"), "{}", unknown.message);
    let provider = updates(&server, TSIG_NAME);
    server.process().kill().unwrap();
    let silent = provider.add_text(&text("x")).await.unwrap_err();
    assert_eq!(silent.reason, reason::DNS_UNAVAILABLE);
    assert!(silent.message.contains(&server.address().to_string()), "{}", silent.message);
    let no_key = json!({"name": "moorage", "key": {"file": "/nowhere/at/all"}});
    let keyless = configured(json!({"rfc2136": {"server": server.address(), "tsig": no_key}}));
    let error = keyless.add_text(&text("x")).await.unwrap_err();
    assert_eq!(error.reason, reason::SECRET_VALUE_INVALID);
}
