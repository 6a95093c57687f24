//! Controllers whose replica doesn't hold the lease, or not any more: they change nothing, at Fly nor in the cluster, until
//! it does.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use fly_machines::TokenSource;
use kube::Api;
use kube::api::ListParams;
use moorage::api::NameClaim;
use moorage::control::run::run;
use moorage::engine::clock::SystemClock;
use moorage::engine::config::Config;
use moorage::engine::lease::{Elector, KubeLease, Timings};
use moorage::engine::metrics::Metrics;
use moorage::process::Parts;
use moorage::serve::{Health, Phase};
use serde_json::{Value, json};
use testbed::{
    ControlPlane, ControlPlaneOptions, FlySim, FlySimOptions, Identity, OperatorOptions, RateLimits,
    eventually, platform, repository,
};
use tokio_util::sync::CancellationToken;

use crate::support::{self, SOON, Tenant};

/// Time in which controllers that may act have long acted.
const LONG: Duration = Duration::from_secs(5);

/// What the controllers could have changed: the Runtime, the claims of the cluster, and what Fly has of it.
async fn changed(tenant: &Tenant<'_>, fly: &FlySim) -> (Value, usize, usize) {
    let runtime = serde_json::to_value(tenant.runtimes().get("ops").await.unwrap()).unwrap();
    let told = json!([runtime["metadata"]["finalizers"], runtime["status"]["conditions"]]);
    let claims: Api<NameClaim> = Api::all(tenant.client.clone());
    let claims = claims.list(&ListParams::default()).await.unwrap().items.len();
    let ledger = testbed::ledger::changes(&fly.read("ledger").await.unwrap()).unwrap();
    (told, claims, ledger.len())
}

#[tokio::test]
async fn who_doesn_t_hold_the_lease_changes_nothing_until_it_does() {
    let options =
        ControlPlaneOptions { crds: Some(repository().join("crds")), ..ControlPlaneOptions::default() };
    let cluster = ControlPlane::start(&options).await.unwrap();
    let fly = FlySim::start(FlySimOptions { rate_limits: RateLimits::Off, ..FlySimOptions::default() })
        .await
        .unwrap();
    let admin = cluster.client(&Identity::Admin).await.unwrap();
    platform::install_catalogue(&admin).await.unwrap();
    support::prepare(&admin).await.unwrap();
    let tenant = Tenant::new(&cluster, &fly, "deposed").await.unwrap();
    tenant.declare("ops", json!({})).await.unwrap();

    let lease = KubeLease::new(admin.clone(), "default", "moorage");
    let elector = Arc::new(Elector::new(lease, "one".into(), Timings::default(), Arc::new(SystemClock)));
    let stop = CancellationToken::new();
    let parts = Parts {
        config: config(&cluster, &fly).await,
        kube: admin,
        fly: fly_machines::Client::builder(TokenSource::fixed("FlyV1 fm2_testbed".to_owned()))
            .base_url(fly.api_url())
            .build()
            .unwrap(),
        clock: Arc::new(SystemClock),
        metrics: Metrics::new(),
        health: Health::default(),
        leadership: elector.leadership(),
        stop: stop.clone(),
    };
    let health = parts.health.clone();
    health.enter(Phase::Filling);
    let controllers = tokio::spawn(run(parts));
    eventually("the caches are filled", SOON, async || {
        ensure!(health.phase().is_ready(), "{:?}", health.phase());
        Ok(())
    })
    .await
    .unwrap();
    let before = changed(&tenant, &fly).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(changed(&tenant, &fly).await, before);
    assert_eq!((before.0, before.1, before.2), (json!([null, null]), 0, 0));

    let held = elector.acquire(drop).await;
    let holding = tokio::spawn({
        let (elector, stop) = (Arc::clone(&elector), stop.clone());
        async move { elector.hold(held, stop).await }
    });
    eventually("it acts", SOON, async || {
        let (told, claims, effects) = changed(&tenant, &fly).await;
        ensure!(told[0][0].is_string() && told[1].is_array() && claims > 0 && effects > 0, "{told}");
        Ok(())
    })
    .await
    .unwrap();
    stop.cancel();
    controllers.await.unwrap().unwrap();
    holding.await.unwrap().unwrap();
}

/// An operator's configuration, as the process would read it.
async fn config(cluster: &ControlPlane, fly: &FlySim) -> Config {
    let kubeconfig = cluster.kubeconfig(&Identity::Admin).await.unwrap();
    let mut options =
        OperatorOptions::new(kubeconfig, "deposed", fly).with("/fly/tokenFile", json!("/unused"));
    for (pointer, value) in support::config() {
        options = options.with(pointer, value);
    }
    serde_json::from_value(options.config).unwrap()
}
