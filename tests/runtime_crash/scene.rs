//! The place of these tests: a control plane, a simulator, and an operator behind a proxy that tests may kill.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use testbed::name_server::{TSIG_KEY, TSIG_NAME};
use testbed::{
    Audit, ControlPlane, ControlPlaneOptions, FlySim, FlySimOptions, Identity, NameServer, Operator,
    OperatorOptions, RateLimits, apply, platform, repository, wildcard_certificate,
};

use crate::proxy::{self, Books};
use crate::support::{Tenant, config, prepare};

/// Id of the cluster.
pub const CLUSTER: &str = "crash";
/// The domain under which every Runtime has its hostname.
pub const DOMAIN: &str = "example.dev";

pub struct Scene {
    pub operator: Operator,
    pub fly: FlySim,
    pub dns: NameServer,
    pub cluster: ControlPlane,
    pub books: Books,
}

impl Scene {
    /// Starts all of it.
    pub async fn start() -> Self {
        let options = ControlPlaneOptions {
            audit: Audit::Off,
            crds: Some(repository().join("crds")),
            ..ControlPlaneOptions::default()
        };
        let cluster = ControlPlane::start(&options).await.unwrap();
        let fly = FlySimOptions { rate_limits: RateLimits::Off, ..FlySimOptions::default() };
        let mut fly = FlySim::start(fly).await.unwrap();
        // What may sleep is awake when a history begins, however long others take.
        let awake = json!({"autostopIdleMs": 3_600_000});
        fly.send(Method::POST, "settings", &awake).await.unwrap();
        let dns = NameServer::start(DOMAIN).await.unwrap();
        // Fly shows no certificate before the hostname's records lead to the app.
        fly.resolve_at(dns.address()).await.unwrap();
        let client = cluster.client(&Identity::Admin).await.unwrap();
        platform::install_rights(&client, &[]).await.unwrap();
        platform::install_catalogue(&client).await.unwrap();
        prepare(&client).await.unwrap();
        apply(&client, &secrets()).await.unwrap();
        let identity = Identity::service_account(platform::NAMESPACE, platform::SERVICE_ACCOUNT);
        let books = Books::default();
        let url = proxy::start(cluster.client(&identity).await.unwrap(), books.clone()).await;
        let kubeconfig = cluster.dir().join("proxied.kubeconfig");
        std::fs::write(&kubeconfig, proxied(&url)).unwrap();
        let mut options = OperatorOptions::new(kubeconfig, CLUSTER, &fly);
        options = options.with("/namespace", json!(platform::NAMESPACE));
        for (pointer, value) in config().into_iter().chain(more(&dns)) {
            options = options.with(pointer, value);
        }
        let operator = Operator::start(options).unwrap();
        operator.wait_ready(Duration::from_mins(1)).await.unwrap();
        Self { operator, fly, dns, cluster, books }
    }

    /// A namespace in it.
    pub async fn tenant(&self, namespace: &str) -> Tenant<'_> {
        Tenant::new(&self.cluster, &self.fly, namespace).await.unwrap()
    }

    /// SIGKILL, and another life.
    pub fn kill(&mut self) {
        self.operator.kill().unwrap();
        self.operator.restart().unwrap();
    }
}

/// What is configured beside the timings of all tests.
fn more(dns: &NameServer) -> Vec<(&'static str, Value)> {
    let tsig = json!({"name": TSIG_NAME, "key": {"secretRef": {"name": "dns", "key": "tsig"}}});
    let base = json!({
        "name": DOMAIN,
        "dns": {"rfc2136": {"server": dns.address(), "tsig": tsig}},
        "nameServers": [dns.address()],
        "certificate": {"secret": {"name": "wildcard"}},
    });
    vec![
        ("/baseDomain", base),
        ("/timing/keepDisplacedSeconds", json!(2)),
        ("/timing/rotationSeconds", json!(4)),
    ]
}

/// The key for updates of the zone, and the wildcard certificate.
fn secrets() -> String {
    let (certificate, key) = wildcard_certificate(DOMAIN).unwrap();
    let named = |name: &str| json!({"name": name, "namespace": platform::NAMESPACE});
    let dns = json!({"apiVersion": "v1", "kind": "Secret", "metadata": named("dns"),
        "stringData": {"tsig": TSIG_KEY}});
    let tls = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": named("wildcard"), "stringData": {"tls.crt": certificate, "tls.key": key}});
    format!("{dns}\n---\n{tls}")
}

fn proxied(url: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "proxied",
        "clusters": [{"name": "proxied", "cluster": {"server": url}}],
        "users": [{"name": "proxied", "user": {}}],
        "contexts": [{"name": "proxied", "context": {"cluster": "proxied", "user": "proxied"}}],
    })
    .to_string()
}
