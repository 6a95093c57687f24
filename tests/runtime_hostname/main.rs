//! Runtimes under a base domain, with everything real but Fly and the control plane's nodes: records in Knot DNS, a
//! wildcard certificate from Pebble, and what a visitor is shown at the edge.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod others;
#[path = "../runtime_support/mod.rs"]
mod support;

use std::time::Duration;

use anyhow::ensure;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use support::{SOON, Tenant, condition, start, text};
use testbed::name_server::{TSIG_KEY, TSIG_NAME};
use testbed::{NameServer, Pebble, PebbleOptions, Rig, apply, eventually};

const DOMAIN: &str = "example.dev";

/// What the edge shows a visitor of this name: the certificate, and whether its chain leads to `root`.
async fn shown(rig: &Rig, host: &str, root: &str) -> anyhow::Result<Vec<u8>> {
    let edge: std::net::SocketAddr = rig.fly.edge().parse()?;
    let trusted = reqwest::Certificate::from_pem(root.as_bytes())?;
    let client = reqwest::Client::builder()
        .tls_certs_only([trusted])
        .tls_info(true)
        .resolve(host, edge)
        .timeout(Duration::from_secs(10))
        .pool_max_idle_per_host(0)
        .build()?;
    let answer = client.get(format!("https://{host}:{}/healthz", edge.port())).send().await?;
    ensure!(answer.status().is_success(), "{}", answer.status());
    let shown = answer.extensions().get::<reqwest::tls::TlsInfo>().and_then(|info| info.peer_certificate());
    Ok(shown.unwrap_or_default().to_vec())
}

async fn certificate_secret(rig: &Rig) -> anyhow::Result<Secret> {
    let secrets: Api<Secret> = Api::namespaced(rig.client().await?, "moorage-system");
    Ok(secrets.get("moorage-base-domain").await?)
}

/// Requests by which Machines were touched, or anything at all was asked for the app since.
async fn calls(tenant: &Tenant<'_>, app: &str, since: u64, wanted: &str) -> usize {
    let calls = tenant.fly.calls(app, since).await.unwrap();
    calls.iter().filter(|call| call.to_string().contains(wanted)).count()
}

#[tokio::test]
async fn a_runtime_is_reached_at_its_hostname_with_the_wildcard_and_leaves_nothing_behind() {
    let dns = NameServer::start(DOMAIN).await.unwrap();
    let pebble =
        Pebble::start(PebbleOptions { dns: dns.address(), validity: 7200, bad_nonces: 5 }).await.unwrap();
    let tsig = json!({"name": TSIG_NAME, "key": {"secretRef": {"name": "dns", "key": "tsig"}}});
    let base = json!({
        "name": DOMAIN,
        "dns": {"rfc2136": {"server": dns.address(), "tsig": tsig}},
        "nameServers": [dns.address()],
        "certificate": {"acme": {"directoryURL": pebble.directory(), "caFile": pebble.ca_file()}},
    });
    let mut rig = start(vec![("/baseDomain", base)]).await.unwrap();
    // Fly shows no certificate before the hostname's records lead to the app.
    rig.fly.resolve_at(dns.address()).await.unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "named").await.unwrap();
    let host = format!("{}.{DOMAIN}", tenant.slug("ops"));

    // The key isn't there yet: the Runtime runs, and says what its hostname lacks.
    tenant.declare("ops", json!({})).await.unwrap();
    let object = tenant.wait_ready("ops", "running").await.unwrap();
    assert!(text(&object, "/status/url").ends_with(".fly.dev"), "{object}");
    let condition_of = |object: &Value| condition(object, "HostnameReady");
    assert_eq!(condition_of(&object)["status"], "False", "{object}");
    let key = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "dns", "namespace": "moorage-system"}, "stringData": {"tsig": TSIG_KEY}});
    apply(&tenant.client, &key.to_string()).await.unwrap();
    let object = tenant
        .wait("ops", "its hostname", |object| {
            condition_of(object)["reason"] == "HostnameInService"
                && text(object, "/status/url") == format!("https://{host}")
        })
        .await
        .unwrap();
    let addresses = object["status"]["external"]["addresses"].as_array().unwrap().clone();
    for kind in ["A", "AAAA"] {
        let records = dns.records(&host, kind).await.unwrap();
        assert_eq!(records.len(), 1, "{kind}");
        assert!(addresses.contains(&json!(records[0])), "{records:?} of {addresses:?}");
    }
    let root = pebble.roots().await.unwrap();
    let first = shown(&rig, &host, &root).await.unwrap();
    eventually("no proof is left", SOON, async || {
        let proofs = dns.records("_acme-challenge.example.dev", "TXT").await?;
        ensure!(proofs.is_empty(), "{proofs:?}");
        Ok(())
    })
    .await
    .unwrap();
    let elsewhere = shown(&rig, &format!("stranger.{DOMAIN}"), &root).await;
    assert!(elsewhere.is_err(), "the wildcard is imported under exact names only");

    // At rest, and after a restart, nothing is asked or written for it.
    let app = tenant.app("ops").await.unwrap();
    let since = tenant.fly.head().await.unwrap();
    let claim = tenant.claim("ops").await.unwrap();
    drop(tenant);
    rig.operator.kill().unwrap();
    rig.operator.restart().unwrap();
    rig.operator.wait_ready(SOON).await.unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "named").await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(calls(&tenant, &app, since, "certificates").await, 0);
    assert_eq!(tenant.claim("ops").await.unwrap(), claim);

    renewed(&rig, &tenant, &pebble, &host, &first).await;

    tenant.delete("ops", "Delete").await.unwrap();
    tenant.wait_gone("ops").await.unwrap();
    for name in [host.clone(), format!("_moorage.{host}")] {
        for kind in ["A", "AAAA", "TXT"] {
            assert!(dns.records(&name, kind).await.unwrap().is_empty(), "{name} {kind}");
        }
    }
    assert_eq!(rig.problems(&["named"], None).await.unwrap(), [""; 0]);
}

/// The authority wants the certificate renewed: the app is given the new one, and nothing is restarted.
async fn renewed(rig: &Rig, tenant: &Tenant<'_>, pebble: &Pebble, host: &str, first: &[u8]) {
    let app = tenant.app("ops").await.unwrap();
    let since = tenant.fly.head().await.unwrap();
    let version = tenant.get("ops").await.unwrap()["metadata"]["resourceVersion"].clone();
    let standing = certificate_secret(rig).await.unwrap();
    let chain = String::from_utf8(standing.data.unwrap()["tls.crt"].0.clone()).unwrap();
    let window = json!({"suggestedWindow": {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}});
    pebble.suggest_renewal(&chain, &window).await.unwrap();
    // It asks a few times a day; an operator that doesn't remember having asked does so at once.
    forget_renewal(tenant).await;
    let root = pebble.roots().await.unwrap();
    eventually("the renewed certificate at the edge", SOON, async || {
        let now = shown(rig, host, &root).await?;
        ensure!(now != first, "still the first");
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(calls(tenant, &app, since, "certificates/custom").await, 1, "imported once");
    for touch in ["PATCH", "/start", "/stop", "/restart"] {
        assert_eq!(calls(tenant, &app, since, touch).await, 0, "{touch}");
    }
    let after = tenant.get("ops").await.unwrap()["metadata"]["resourceVersion"].clone();
    assert_eq!(version, after, "its status has nothing new to say");
}

async fn forget_renewal(tenant: &Tenant<'_>) {
    let secrets: Api<Secret> = Api::namespaced(tenant.client.clone(), "moorage-system");
    let state = secrets.get("moorage-base-domain-acme").await.unwrap();
    let mut state: Value = serde_json::from_slice(&state.data.unwrap()["state.json"].0).unwrap();
    state["renewal"] = Value::Null;
    let patch = json!({"stringData": {"state.json": state.to_string()}});
    secrets.patch("moorage-base-domain-acme", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}
