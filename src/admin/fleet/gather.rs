//! What there is to be seen of the fleet.

use std::collections::HashSet;

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};

use super::Status;
use crate::admin::{AdminError, FlyFile, list};
use crate::api::{
    Blueprint, CustomDomain, NameClaim, PaymentReceipt, Plan, Runtime, RuntimeOrder, Workspace,
    WorkspacePolicy,
};
use crate::control::strays::is_stray;
use crate::rights;

/// Something that was read, or why it couldn't be.
#[derive(Debug)]
pub enum Part<T> {
    /// It was read.
    Read(T),
    /// It couldn't be: why, and what to do.
    Unread(String),
}

/// Everything that was looked at.
#[derive(Debug)]
pub struct Seen {
    /// Runtimes of all namespaces.
    pub runtimes: Part<Vec<Runtime>>,
    /// Orders of all namespaces.
    pub orders: Part<Vec<RuntimeOrder>>,
    /// CustomDomains of all namespaces.
    pub domains: Part<Vec<CustomDomain>>,
    /// Workspaces of all namespaces.
    pub workspaces: Part<Vec<Workspace>>,
    /// Plans.
    pub plans: Part<Vec<Plan>>,
    /// Blueprints.
    pub blueprints: Part<Vec<Blueprint>>,
    /// Policies.
    pub policies: Part<Vec<WorkspacePolicy>>,
    /// Claims.
    pub claims: Part<Vec<NameClaim>>,
    /// What was paid.
    pub receipts: Part<Vec<PaymentReceipt>>,
    /// The operator's lease, if there is one.
    pub lease: Part<Option<Lease>>,
    /// Names of apps at Fly that nobody claims.
    pub orphans: Part<Vec<String>>,
}

impl<T> Part<T> {
    /// What was read.
    pub fn read(&self) -> Option<&T> {
        match self {
            Self::Read(value) => Some(value),
            Self::Unread(_) => None,
        }
    }

    /// Why it wasn't.
    pub fn unread(&self) -> Option<&str> {
        match self {
            Self::Read(_) => None,
            Self::Unread(why) => Some(why),
        }
    }
}

impl<T> From<Result<T, AdminError>> for Part<T> {
    fn from(result: Result<T, AdminError>) -> Self {
        match result {
            Ok(value) => Self::Read(value),
            Err(error) => Self::Unread(remedy(&error)),
        }
    }
}

/// The error with what to do about it.
fn remedy(error: &AdminError) -> String {
    let code = match error {
        AdminError::Kubernetes { source, .. } => match source.as_ref() {
            kube::Error::Api(status) => status.code,
            _ => 0,
        },
        _ => 0,
    };
    match code {
        403 => format!(
            "{error}. Bind the ClusterRole `moorage-platform` to whoever runs this: `kubectl auth whoami` tells who that is."
        ),
        404 => format!(
            "{error}. Moorage's definitions aren't in this cluster: install the chart, or look at another by `kubectl config use-context`."
        ),
        _ => error.to_string(),
    }
}

/// Looks at everything.
pub(super) async fn seen(client: &Client, status: &Status) -> Result<Seen, AdminError> {
    let runtimes = match list::<Runtime>(client, "Runtimes").await {
        // No answer at all: the rest would only wait for the same.
        Err(error) if !error.is_answer() => return Err(error),
        runtimes => runtimes,
    };
    let claims: Part<_> = list::<NameClaim>(client, "NameClaims").await.into();
    let leases: Api<Lease> = Api::namespaced(client.clone(), &status.operator_namespace);
    let lease = leases.get_opt(rights::NAME).await;
    Ok(Seen {
        runtimes: runtimes.into(),
        orders: list(client, "RuntimeOrders").await.into(),
        domains: list(client, "CustomDomains").await.into(),
        workspaces: list(client, "Workspaces").await.into(),
        plans: list(client, "Plans").await.into(),
        blueprints: list(client, "Blueprints").await.into(),
        policies: list(client, "WorkspacePolicies").await.into(),
        receipts: list(client, "PaymentReceipts").await.into(),
        orphans: orphans(status, &claims).await,
        claims,
        lease: lease.map_err(AdminError::kubernetes("read the operator's lease")).into(),
    })
}

/// Apps that carry our mark and that no claim names.
async fn orphans(status: &Status, claims: &Part<Vec<NameClaim>>) -> Part<Vec<String>> {
    let Some(config) = &status.config else {
        return Part::Unread("Apps at Fly that nobody claims are counted with `--config`.".into());
    };
    let Some(claims) = claims.read() else {
        return Part::Unread("Apps at Fly can't be told from orphans without the claims.".into());
    };
    stray(FlyFile { config: config.clone() }, claims).await.into()
}

async fn stray(file: FlyFile, claims: &[NameClaim]) -> Result<Vec<String>, AdminError> {
    let (config, fly) = file.connect()?;
    let claimed: HashSet<&str> =
        claims.iter().filter_map(|claim| Some(claim.spec.runtime.as_ref()?.app.as_str())).collect();
    let apps = fly.apps().list(&config.fly.organization).await.map_err(AdminError::fly("list the apps"))?;
    let stray =
        apps.iter().filter(|app| is_stray(app, &config.fly.app_prefix, |name| claimed.contains(name)));
    let mut names: Vec<String> = stray.map(|app| app.name.clone()).collect();
    names.sort();
    Ok(names)
}
