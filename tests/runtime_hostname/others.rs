//! Records that external-dns keeps, and a certificate that somebody else keeps, such as cert-manager.

use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use rcgen::{CertificateParams, Issuer, KeyPair};
use serde_json::{Value, json};
use testbed::{Rig, apply, eventually, platform};

use crate::support::{SOON, Tenant, condition, start, text};
use crate::{calls, shown};

const DOMAIN: &str = "others.example";
/// The part of external-dns' definition that matters here: a schema as strict as its own in what we write.
const DEFINITION: &str = r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: dnsendpoints.externaldns.k8s.io
  annotations: {api-approved.kubernetes.io: 'unapproved, a stand-in for tests'}
spec:
  group: externaldns.k8s.io
  scope: Namespaced
  names: {kind: DNSEndpoint, plural: dnsendpoints, singular: dnsendpoint, listKind: DNSEndpointList}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              endpoints:
                type: array
                items:
                  type: object
                  properties:
                    dnsName: {type: string}
                    recordType: {type: string}
                    recordTTL: {type: integer, format: int64}
                    setIdentifier: {type: string}
                    labels: {type: object, additionalProperties: {type: string}}
                    targets: {type: array, items: {type: string}}
                    providerSpecific:
                      type: array
                      items: {type: object, properties: {name: {type: string}, value: {type: string}}}
          status:
            type: object
            properties: {observedGeneration: {type: integer, format: int64}}
";

/// An authority that somebody else orders certificates from.
struct Elsewhere {
    root: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Elsewhere {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap().pem();
        Self { root, issuer: Issuer::new(params, key) }
    }

    /// A new wildcard certificate in its Secret, as cert-manager leaves one.
    async fn renew(&self, tenant: &Tenant<'_>) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([format!("*.{DOMAIN}")]).unwrap();
        let chain = params.signed_by(&key, &self.issuer).unwrap().pem();
        let secrets: Api<Secret> = Api::namespaced(tenant.client.clone(), "certificates");
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "wildcard"},
            "type": "kubernetes.io/tls", "stringData": {"tls.crt": chain, "tls.key": key.serialize_pem()}});
        let params = PatchParams::apply("cert-manager").force();
        secrets.patch("wildcard", &params, &Patch::Apply(secret)).await.unwrap();
    }
}

/// What external-dns is told, by record type.
async fn told(tenant: &Tenant<'_>) -> Result<Vec<Value>> {
    let gvk = GroupVersionKind::gvk("externaldns.k8s.io", "v1alpha1", "DNSEndpoint");
    let resource = ApiResource::from_gvk_with_plural(&gvk, "dnsendpoints");
    let api: Api<DynamicObject> = Api::namespaced_with(tenant.client.clone(), platform::NAMESPACE, &resource);
    let all = api.list(&ListParams::default().labels("external-dns=public")).await?.items;
    Ok(all
        .into_iter()
        .flat_map(|one| one.data["spec"]["endpoints"].as_array().cloned().unwrap_or_default())
        .collect())
}

async fn in_service(tenant: &Tenant<'_>, name: &str) -> Value {
    let what = format!("{name} at its hostname");
    let host = format!("https://{}.{DOMAIN}", tenant.slug(name));
    let there = |object: &Value| {
        condition(object, "HostnameReady")["reason"] == "HostnameInService"
            && text(object, "/status/url") == host
    };
    tenant.wait(name, &what, there).await.unwrap()
}

async fn prepared() -> (Rig, Elsewhere) {
    let certificate = json!({"secret": {"namespace": "certificates", "name": "wildcard"}});
    let dns = json!({"dnsEndpoint": {"labels": {"external-dns": "public"}}});
    let rig = start(vec![("/baseDomain", json!({"name": DOMAIN, "dns": dns, "certificate": certificate}))]);
    let rig = rig.await.unwrap();
    let client = rig.client().await.unwrap();
    // Fly finds soon that the records lead to the app.
    let soon = json!({"certificateRecheckMs": 500});
    rig.fly.send(http::Method::POST, "settings", &soon).await.unwrap();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "certificates"}});
    apply(&client, &namespace.to_string()).await.unwrap();
    (rig, Elsewhere::new())
}

#[tokio::test]
async fn external_dns_is_told_and_a_certificate_that_is_swapped_reaches_every_app_without_a_restart() {
    let (rig, elsewhere) = prepared().await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "others").await.unwrap();
    for name in ["one", "two"] {
        tenant.declare(name, json!({})).await.unwrap();
    }
    // Neither external-dns nor the certificate is there yet: it runs, and says what its hostname lacks.
    let object = tenant.wait_ready("one", "running").await.unwrap();
    assert_eq!(condition(&object, "HostnameReady")["status"], "False", "{object}");
    elsewhere.renew(&tenant).await;
    apply(&tenant.client, DEFINITION).await.unwrap();
    for name in ["one", "two"] {
        // Fly shows no certificate before external-dns has set what it is told.
        let told = |object: &Value| condition(object, "HostnameReady")["reason"] == "AwaitingDNS";
        let object = tenant.wait(name, "its records", told).await.unwrap();
        assert!(text(&object, "/status/url").ends_with(".fly.dev"), "{object}");
        let records = records_lead_to(&tenant, name, &object["status"]["external"]["addresses"]).await;
        rig.fly.send(http::Method::POST, "dns", &records).await.unwrap();
        in_service(&tenant, name).await;
    }
    let hosts = ["one", "two"].map(|name| format!("{}.{DOMAIN}", tenant.slug(name)));
    let mut first = Vec::new();
    for host in &hosts {
        let at_edge = eventually("the certificate at the edge", SOON, async || {
            shown(&rig, host, &elsewhere.root).await
        });
        first.push(at_edge.await.unwrap());
    }
    assert_eq!(first[0], first[1], "one certificate for all");

    swapped(&rig, &tenant, &elsewhere, &hosts, &first[0]).await;

    for name in ["one", "two"] {
        tenant.delete(name, "Delete").await.unwrap();
        tenant.wait_gone(name).await.unwrap();
    }
    assert_eq!(told(&tenant).await.unwrap(), [Value::Null; 0], "nothing is left behind");
    assert_eq!(rig.problems(&["others"], None).await.unwrap(), [""; 0]);
}

/// What external-dns would make of what it is told, once it is seen to be right.
async fn records_lead_to(tenant: &Tenant<'_>, name: &str, addresses: &Value) -> Value {
    let host = format!("{}.{DOMAIN}", tenant.slug(name));
    let all = told(tenant).await.unwrap();
    let mut targets: Vec<Value> = Vec::new();
    let mut records = json!({"name": host});
    for kind in ["A", "AAAA"] {
        let of: Vec<_> = all.iter().filter(|it| it["dnsName"] == *host && it["recordType"] == kind).collect();
        assert_eq!(of.len(), 1, "{kind} of {all:?}");
        targets.extend(of[0]["targets"].as_array().unwrap().clone());
        records[kind.to_lowercase()] = of[0]["targets"].clone();
    }
    assert_eq!(targets.len(), 2, "{targets:?}");
    assert!(
        targets.iter().all(|one| addresses.as_array().unwrap().contains(one)),
        "{targets:?} of {addresses}"
    );
    records
}

/// The Secret holds another certificate: each app is given it once, and nothing is restarted or written.
async fn swapped(rig: &Rig, tenant: &Tenant<'_>, elsewhere: &Elsewhere, hosts: &[String], first: &[u8]) {
    let apps = [tenant.app("one").await.unwrap(), tenant.app("two").await.unwrap()];
    let since = tenant.fly.head().await.unwrap();
    let expiry = "moorage_base_domain_certificate_expiry_timestamp_seconds";
    assert!(rig.operator.metrics().await.unwrap().lines().any(|line| line.starts_with(expiry)));
    elsewhere.renew(tenant).await;
    for host in hosts {
        eventually("the new certificate at the edge", SOON, async || {
            ensure!(shown(rig, host, &elsewhere.root).await? != first, "still the first");
            Ok(())
        })
        .await
        .unwrap();
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    for app in &apps {
        assert_eq!(calls(tenant, app, since, "certificates/custom").await, 1, "imported once");
        for touch in ["PATCH", "/start", "/stop", "/restart"] {
            assert_eq!(calls(tenant, app, since, touch).await, 0, "{touch}");
        }
    }
}
