//! The place of these tests: all that a hostname takes, with gates between the operator and everything that it changes.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use moorage::api::NameClaim;
use moorage::control::domain::ownership::{Key, target};
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
const NAMESPACE: &str = "acme";

/// The place, with a customer whose Runtime serves.
pub struct Place {
    pub scene: Scene,
    pub authority: Pebble,
    pub books: Books,
    /// The customer's id, and the key that proofs are made from.
    tenant: String,
    key: Key,
    _dir: TempDir,
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
        let (tenant, key) = first(&scene, &books).await;
        Self { scene, authority, books, tenant, key, _dir: dir }
    }

    /// The customer.
    pub async fn customer(&self) -> Customer<'_> {
        self.scene.customer(NAMESPACE).await.unwrap()
    }

    /// First label of the name in the platform's zone that a hostname is told to lead to.
    pub fn label(&self, host: &str) -> String {
        self.key.proofs(&self.tenant, &Hostname::parse(host).unwrap()).label
    }

    /// That name.
    pub fn target(&self, host: &str) -> String {
        target(&self.label(host), BASE)
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

/// The first hostname, after which the account and the key of proofs are there. The customer's id, and that key.
async fn first(scene: &Scene, books: &Books) -> (String, Key) {
    let customer = scene.customer(NAMESPACE).await.unwrap();
    customer.runtime("ops").await.unwrap();
    books.mark("first", None);
    customer.declare("first", &format!("first.{ZONE}"), "ops", by_acme()).await.unwrap();
    customer.follow("first").await.unwrap();
    let claims: Api<NameClaim> = Api::all(scene.client().await.unwrap());
    let claim = claims.get(&NameClaim::namespace_key(NAMESPACE)).await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(scene.client().await.unwrap(), SYSTEM);
    let data = secrets.get("moorage-domain-key").await.unwrap().data.unwrap();
    let tenant = text(&serde_json::to_value(claim).unwrap(), "/spec/tenantID").to_owned();
    (tenant, Key::new(&data["key"].0).unwrap())
}

/// A certificate that the operator orders.
pub fn by_acme() -> Value {
    json!({"certificate": {"source": "ACME"}})
}
