//! The place of these tests: all that a hostname takes, with gates between the operator and everything that it changes.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use moorage::api::NameClaim;
use moorage::control::domain::ownership::{Key, Proofs, target};
use moorage::domains::name::Hostname;
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{
    Audit, ControlPlane, ControlPlaneOptions, FlySim, FlySimOptions, Identity, Operator, OperatorOptions,
    Pebble, RateLimits, Rig, apply, platform, repository,
};

use crate::books::Books;
use crate::domains::{BASE, Customer, SYSTEM, Scene, base, domains, pebble, updates_key, without_limits};
use crate::gates;
use crate::support::{config, merge, prepare, text};

/// The customer's zone.
pub const ZONE: &str = "acme.test";
/// The customer's namespace.
pub const NAMESPACE: &str = "acme";
/// The namespace of another, who has a hostname next.
pub const OTHER: &str = "other";
/// Seconds that a contest lasts.
const CONTEST: i64 = 2;

/// The place, with two customers whose Runtimes serve.
pub struct Place {
    pub scene: Scene,
    pub authority: Pebble,
    pub books: Books,
    /// The customers' ids, and the key that proofs are made from.
    tenants: BTreeMap<String, String>,
    key: Key,
    _dir: TempDir,
}

/// Who has hostnames first, and who has those that change hands next.
pub struct Customers<'s> {
    pub first: Customer<'s>,
    pub next: Customer<'s>,
}

impl Place {
    /// Starts all of it. A first hostname has gone through before, so that what is made once is there.
    pub async fn start() -> Self {
        let (books, dir) = (Books::default(), tempfile::tempdir().unwrap());
        let internet = Scene::internet(&[ZONE]).await.unwrap();
        let authority = pebble(&internet, 90 * 24 * 3600, 5, json!({})).await.unwrap();
        let (directory, file) = gates::authority(books.clone(), &authority, dir.path()).await;
        let mut settings = json!({
            "acme": {"authority": {"directoryURL": directory, "caFile": file}}, "perNamespace": 1000,
            "contestSeconds": CONTEST,
            // Within this time a new process asks about renewals.
            "recheckSeconds": 15,
        });
        merge(&mut settings["acme"], without_limits(json!({"renewalInfoSeconds": 10})));
        let server = internet.servers[0].address();
        let updates = gates::updates(books.clone(), server).await;
        let more = vec![
            ("/timing/rotationSeconds", json!(2)),
            ("/baseDomain", base(updates, server)),
            ("/customDomains", domains(&internet, settings)),
        ];
        let rig = rig(&books, more).await;
        let scene = Scene::of(rig, internet, &[ZONE]).await.unwrap();
        let key = first(&scene, &books).await;
        scene.customer(OTHER).await.unwrap().runtime("ops").await.unwrap();
        let tenants = tenants(&scene).await;
        Self { scene, authority, books, tenants, key, _dir: dir }
    }

    /// The customers.
    pub async fn customers(&self) -> Customers<'_> {
        let customer = async |namespace| self.scene.customer(namespace).await.unwrap();
        Customers { first: customer(NAMESPACE).await, next: customer(OTHER).await }
    }

    /// What a customer has to set for a hostname.
    pub fn proofs(&self, namespace: &str, host: &str) -> Proofs {
        self.key.proofs(&self.tenants[namespace], &Hostname::parse(host).unwrap())
    }

    /// The name in the platform's zone that a hostname is told to lead to.
    pub fn target(&self, namespace: &str, host: &str) -> String {
        target(&self.proofs(namespace, host).label, BASE)
    }

    /// Another life for an operator that was killed.
    pub fn restart(&mut self) {
        self.scene.rig.operator.restart().unwrap();
    }
}

/// The rig, with gates before the API server and Fly.
async fn rig(books: &Books, more: Vec<(&'static str, Value)>) -> Rig {
    let crds = Some(repository().join("crds"));
    let options = ControlPlaneOptions { audit: Audit::Off, crds, ..ControlPlaneOptions::default() };
    let cluster = ControlPlane::start(&options).await.unwrap();
    let fly = FlySimOptions { rate_limits: RateLimits::Off, ..FlySimOptions::default() };
    let fly = FlySim::start(fly).await.unwrap();
    let client = cluster.client(&Identity::Admin).await.unwrap();
    platform::install_rights(&client, &[]).await.unwrap();
    platform::install_catalogue(&client).await.unwrap();
    prepare(&client).await.unwrap();
    apply(&client, &updates_key()).await.unwrap();
    let identity = Identity::service_account(platform::NAMESPACE, platform::SERVICE_ACCOUNT);
    let api = gates::kube(books.clone(), cluster.client(&identity).await.unwrap()).await;
    let kubeconfig = cluster.dir().join("gated.kubeconfig");
    std::fs::write(&kubeconfig, gated(&api)).unwrap();
    let mut options = OperatorOptions::new(kubeconfig, "crash", &fly);
    let own = vec![
        ("/namespace", json!(platform::NAMESPACE)),
        ("/fly/apiURL", json!(gates::fly(books.clone(), fly.api_url()).await)),
    ];
    for (pointer, value) in config().into_iter().chain(own).chain(more) {
        options = options.with(pointer, value);
    }
    let operator = Operator::start(options).unwrap();
    operator.wait_ready(Duration::from_mins(1)).await.unwrap();
    Rig { operator, fly, cluster }
}

fn gated(url: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "gated",
        "clusters": [{"name": "gated", "cluster": {"server": url}}],
        "users": [{"name": "gated", "user": {}}],
        "contexts": [{"name": "gated", "context": {"cluster": "gated", "user": "gated"}}],
    })
    .to_string()
}

/// The first hostname, after which the account and the key of proofs are there. That key.
async fn first(scene: &Scene, books: &Books) -> Key {
    let customer = scene.customer(NAMESPACE).await.unwrap();
    customer.runtime("ops").await.unwrap();
    books.mark("first", None);
    customer.declare("first", &format!("first.{ZONE}"), "ops", by_acme()).await.unwrap();
    customer.follow("first").await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(scene.client().await.unwrap(), SYSTEM);
    let data = secrets.get("moorage-domain-key").await.unwrap().data.unwrap();
    Key::new(&data["key"].0).unwrap()
}

/// The customers' ids, by namespace.
async fn tenants(scene: &Scene) -> BTreeMap<String, String> {
    let claims: Api<NameClaim> = Api::all(scene.client().await.unwrap());
    let mut tenants = BTreeMap::new();
    for namespace in [NAMESPACE, OTHER] {
        let claim = claims.get(&NameClaim::namespace_key(namespace)).await.unwrap();
        let id = text(&serde_json::to_value(claim).unwrap(), "/spec/tenantID").to_owned();
        tenants.insert(namespace.to_owned(), id);
    }
    tenants
}

/// A certificate that the operator orders.
pub fn by_acme() -> Value {
    json!({"certificate": {"source": "ACME"}})
}
