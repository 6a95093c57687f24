//! What `make demo` runs: a Workspace and its Runtimes, brought from YAML to `running` before your eyes, one of them once
//! its checkout is paid, and a hostname of the customer's own, brought to `active`.

mod cluster;
mod domain;
mod gateway;
mod guide;
mod install;
mod memory;
mod shop;
mod table;
mod watch;

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use crate::fly_sim::{FlySim, FlySimOptions};
use crate::operator::{Operator, OperatorOptions};
use crate::progress::Progress;
use crate::{platform, rig};

pub use cluster::ClusterChoice;
pub use gateway::GatewayChoice;

/// How the demo ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It stays until somebody stops it.
    Stay,
    /// It ends well as soon as everything is ready, or badly with the cause.
    WhenReady,
}

/// What is demonstrated.
#[derive(Debug, Clone, Copy)]
pub struct DemoOptions {
    /// When it ends.
    pub ending: Ending,
    /// What a Machine runs.
    pub gateway: GatewayChoice,
    /// Where the objects live.
    pub cluster: ClusterChoice,
}

const OPERATOR_READY_WITHIN: Duration = Duration::from_mins(1);

/// Runs the demo until `stop` is done or, with [`Ending::WhenReady`], until its verdict.
pub async fn demo(options: DemoOptions, stop: impl Future<Output = Result<()>>) -> Result<()> {
    let mut stop = pin!(stop);
    let demo = tokio::select! {
        demo = Demo::start(options) => demo?,
        stopped = &mut stop => return stopped,
    };
    let verdict = tokio::select! {
        verdict = demo.watch(options.ending) => verdict,
        stopped = &mut stop => stopped,
    };
    demo.leave().await;
    verdict
}

struct Demo {
    // Fields drop in this order: who uses a server goes before it.
    operator: Operator,
    fly: FlySim,
    shop: shop::Shop,
    names: Option<domain::Names>,
    cluster: cluster::Cluster,
    declared: install::Declared,
}

impl Demo {
    async fn start(options: DemoOptions) -> Result<Self> {
        let progress = Progress::stderr();
        let names = domain::Names::start(progress).await.context("start DNS and a certificate authority")?;
        let declared = install::Declared::load(domain::folders(names.as_ref()))?;
        let driver = gateway::choose(options.gateway, declared.runtimes(), progress).await?;
        let cluster = cluster::Cluster::open(options.cluster, progress).await?;
        let resolver = names.as_ref().map(domain::Names::resolver);
        let fly = FlySim::start(FlySimOptions { driver, resolver, ..Default::default() }).await?;
        progress.note(&format!("Fly stands in at {} with its edge at {}", fly.api_url(), fly.edge()));
        let shop = shop::Shop::open().await.context("open the shop")?;
        progress.note(&format!("Stripe stands in at {}; no money moves", shop.url()));
        install::platform(&cluster, progress).await?;
        let operator = operator(&cluster, &fly, &shop, names.as_ref()).await.context("start the operator")?;
        progress.note("The operator is ready, under exactly the rights that it ships with");
        declared.apply(cluster.client()).await.context("apply the quickstart")?;
        Ok(Self { operator, fly, shop, names, cluster, declared })
    }

    /// A file with the authorities of what the edge shows.
    async fn trusted(&self) -> Result<PathBuf> {
        match &self.names {
            Some(names) => names.trusted(&self.fly).await,
            None => Ok(self.fly.edge_ca().to_owned()),
        }
    }

    async fn watch(&self, ending: Ending) -> Result<()> {
        watch::Watch::new(self, ending).run().await
    }

    /// A cluster of our own ends with us. One that was lent gets its objects taken back while the operator
    /// is still there to release them.
    async fn leave(&self) {
        if self.cluster.is_borrowed() {
            self.declared.take_back(self.cluster.client(), Progress::stderr()).await;
            // Asked nicely it releases its lease, and the next demo needn't wait for that to run out.
            let _ = self.operator.stop(Duration::from_secs(10)).await;
        }
    }
}

async fn operator(
    cluster: &cluster::Cluster,
    fly: &FlySim,
    shop: &shop::Shop,
    names: Option<&domain::Names>,
) -> Result<Operator> {
    let kubeconfig = cluster.operator_kubeconfig(platform::NAMESPACE, platform::SERVICE_ACCOUNT).await?;
    let mut config = OperatorOptions::new(kubeconfig, &rig::cluster_id(cluster.client()).await?, fly)
        .with("/namespace", json!(platform::NAMESPACE))
        .with("/billing", shop.config());
    for (pointer, value) in names.into_iter().flat_map(domain::Names::config) {
        config = config.with(pointer, value);
    }
    let operator = Operator::start(config)?;
    operator.wait_ready(OPERATOR_READY_WITHIN).await?;
    Ok(operator)
}
