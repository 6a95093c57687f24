//! Control plane, simulator and operator together, as most cluster tests want them.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::conditions::Moment;
use crate::control_plane::{Audit, ControlPlane, ControlPlaneOptions};
use crate::fly_sim::{FlySim, FlySimOptions};
use crate::kubeconfig::Identity;
use crate::ledger::{self, Expectation};
use crate::operator::{Operator, OperatorOptions};
use crate::{platform, repository, survey};

const OPERATOR_READY_WITHIN: Duration = Duration::from_secs(30);
/// A task that was just made is told of by then.
const TOLD_OF_WITHIN: Duration = Duration::from_secs(10);

/// How a rig is set up.
#[derive(Debug, Clone)]
pub struct RigOptions {
    /// The API server's audit log. [`Rig::problems`] looks for refused rights in it.
    pub audit: Audit,
    /// The simulator.
    pub fly: FlySimOptions,
    /// Values in the operator's configuration, by JSON pointer such as `/timing/feedSeconds`.
    pub config: Vec<(&'static str, Value)>,
    /// More environment variables of the operator.
    pub env: Vec<(String, String)>,
}

impl Default for RigOptions {
    fn default() -> Self {
        Self { audit: Audit::Requests, fly: FlySimOptions::default(), config: Vec::new(), env: Vec::new() }
    }
}

/// A control plane with CRDs, rights, policies, Plans and Blueprint; a simulator; and an operator that acts
/// under exactly the rights that are shipped. Dropping it ends them all.
///
/// The operator serves the whole cluster: tests that kill or starve it, or count what it does, take a rig
/// each, the others may use [`Rig::shared`].
pub struct Rig {
    // Fields drop in this order: who uses a server goes before it.
    /// The operator.
    pub operator: Operator,
    /// The simulator.
    pub fly: FlySim,
    /// The control plane.
    pub cluster: ControlPlane,
}

impl Rig {
    /// Starts all and waits until the operator is ready, which takes about 5 seconds.
    pub async fn start(options: RigOptions) -> Result<Self> {
        let crds = Some(repository().join("crds"));
        let cluster_options = ControlPlaneOptions { audit: options.audit, crds, ..Default::default() };
        let cluster = ControlPlane::start(&cluster_options).await?;
        let fly = FlySim::start(options.fly).await?;
        let client = cluster.client(&Identity::Admin).await?;
        if by_external_dns(&options.config) {
            platform::install_external_dns_rights(&client).await?;
        } else {
            platform::install_rights(&client, &[]).await?;
        }
        platform::install_catalogue(&client).await?;
        let identity = Identity::service_account(platform::NAMESPACE, platform::SERVICE_ACCOUNT);
        let kubeconfig = cluster.kubeconfig(&identity).await?;
        let mut operator = OperatorOptions::new(kubeconfig, &cluster_id(&client).await?, &fly);
        operator.config["namespace"] = json!(platform::NAMESPACE);
        operator.env = options.env;
        for (pointer, value) in options.config {
            operator = operator.with(pointer, value);
        }
        let operator = Operator::start(operator)?;
        operator.wait_ready(OPERATOR_READY_WITHIN).await?;
        Ok(Self { operator, fly, cluster })
    }

    /// One for the whole process, on the instant driver, started by the first who asks.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Rig> = OnceCell::const_new();
        SHARED.get_or_try_init(|| Self::start(RigOptions::default())).await
    }

    /// A new client of the administrator, who is also the platform. Each test makes its own.
    pub async fn client(&self) -> Result<Client> {
        self.cluster.client(&Identity::Admin).await
    }

    /// Everything that must hold at the end of a test and doesn't: conditions of all objects in these
    /// namespaces, the ledger against what was expected, rights that the operator lacked.
    ///
    /// On the shared rig other tests are at work: pass no expectation there, and the ledger is left out.
    pub async fn problems(&self, namespaces: &[&str], expected: Option<&Expectation>) -> Result<Vec<String>> {
        let client = self.client().await?;
        let mut problems = at_rest(&client, namespaces).await?;
        if let Some(expected) = expected {
            let changes = ledger::changes(&self.fly.read("ledger").await?)?;
            problems.extend(ledger::check_ledger(&changes, expected));
        }
        let refused = survey::refused_rights(&self.cluster, platform::OPERATOR_USER)?;
        let tell = |event: &crate::AuditEvent| format!("RBAC refused {} {}", event.verb, event.resource);
        problems.extend(refused.iter().map(tell));
        Ok(problems)
    }
}

/// What is wrong with the conditions of all objects. A task is made before its status is written, which a slow machine may be in
/// the middle of: what is wrong with tasks alone has to stay so for a while.
async fn at_rest(client: &Client, namespaces: &[&str]) -> Result<Vec<String>> {
    let until = Instant::now() + TOLD_OF_WITHIN;
    loop {
        let broken = survey::broken_conditions(client, namespaces, Moment::AtRest).await?;
        if !is_of_tasks_alone(&broken) || Instant::now() > until {
            return Ok(broken);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn is_of_tasks_alone(problems: &[String]) -> bool {
    !problems.is_empty() && problems.iter().all(|problem| problem.starts_with("RuntimeTask "))
}

fn by_external_dns(config: &[(&'static str, Value)]) -> bool {
    config.iter().any(|(pointer, value)| *pointer == "/baseDomain" && value["dns"]["dnsEndpoint"].is_object())
}

/// An id that no other cluster has.
pub(crate) async fn cluster_id(client: &Client) -> Result<String> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let uid = namespaces.get("kube-system").await?.metadata.uid.context("a namespace without uid")?;
    Ok(format!("testbed-{}", uid.split('-').next().unwrap_or_default()))
}
