//! The place of these tests: a control plane, a simulator, and an operator behind a proxy that tests may kill.

use std::time::Duration;

use testbed::{
    Audit, ControlPlane, ControlPlaneOptions, FlySim, FlySimOptions, Identity, Operator, OperatorOptions,
    RateLimits, platform, repository,
};

use crate::proxy::{self, Books};
use crate::support::{Tenant, config, prepare};

pub struct Scene {
    pub operator: Operator,
    pub fly: FlySim,
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
        let fly = FlySim::start(fly).await.unwrap();
        let client = cluster.client(&Identity::Admin).await.unwrap();
        platform::install_rights(&client, &[]).await.unwrap();
        platform::install_catalogue(&client).await.unwrap();
        prepare(&client).await.unwrap();
        let identity = Identity::service_account(platform::NAMESPACE, platform::SERVICE_ACCOUNT);
        let books = Books::default();
        let url = proxy::start(cluster.client(&identity).await.unwrap(), books.clone()).await;
        let kubeconfig = cluster.dir().join("proxied.kubeconfig");
        std::fs::write(&kubeconfig, proxied(&url)).unwrap();
        let mut options = OperatorOptions::new(kubeconfig, "crash", &fly);
        options = options.with("/namespace", serde_json::json!(platform::NAMESPACE));
        for (pointer, value) in config() {
            options = options.with(pointer, value);
        }
        let operator = Operator::start(options).unwrap();
        operator.wait_ready(Duration::from_mins(1)).await.unwrap();
        Self { operator, fly, cluster, books }
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

fn proxied(url: &str) -> String {
    serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "proxied",
        "clusters": [{"name": "proxied", "cluster": {"server": url}}],
        "users": [{"name": "proxied", "user": {}}],
        "contexts": [{"name": "proxied", "context": {"cluster": "proxied", "user": "proxied"}}],
    })
    .to_string()
}
