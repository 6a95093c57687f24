//! Looks at a whole cluster at once: the contract of every object, secrets that got out, work that goes on.

use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use kube::discovery::{oneshot, verbs};
use kube::{Client, ResourceExt};
use serde_json::Value;

use crate::conditions::{Moment, check_conditions};
use crate::control_plane::{AuditEvent, ControlPlane};
use crate::fly_sim::FlySim;
use crate::operator::Operator;

/// The API group of everything that the operator serves.
pub const GROUP: &str = "moorage.dev";

/// One object of the group, with whether its kind has a status.
#[derive(Debug, Clone)]
pub struct Found {
    /// The object, its `kind` included.
    pub object: Value,
    /// Whether its kind has a status subresource.
    pub has_status: bool,
}

impl Found {
    /// `Kind namespace/name`, for messages.
    pub fn title(&self) -> String {
        let text = |pointer: &str| self.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
    }
}

/// Every object of the group in the cluster.
pub async fn objects(client: &Client) -> Result<Vec<Found>> {
    let mut all = Vec::new();
    for (resource, capabilities) in oneshot::group(client, GROUP).await?.recommended_resources() {
        if !capabilities.supports_operation(verbs::LIST) {
            continue;
        }
        let has_status = capabilities.subresources.iter().any(|(sub, _)| sub.plural == "status");
        for object in Api::all_with(client.clone(), &resource).list(&ListParams::default()).await? {
            let mut object: Value = serde_json::to_value::<kube::api::DynamicObject>(object)?;
            object["kind"] = resource.kind.clone().into();
            all.push(Found { object, has_status });
        }
    }
    Ok(all)
}

/// Violations of the conditions' contract on any object in these namespaces, or of cluster-scoped kinds.
pub async fn broken_conditions(client: &Client, namespaces: &[&str], moment: Moment) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for found in objects(client).await?.into_iter().filter(|found| found.has_status) {
        let namespace = found.object.pointer("/metadata/namespace").and_then(Value::as_str);
        if namespace.is_none_or(|namespace| namespaces.contains(&namespace)) {
            let title = found.title();
            let broken = check_conditions(&found.object, moment);
            problems.extend(broken.into_iter().map(|problem| format!("{title}: {problem}")));
        }
    }
    Ok(problems)
}

/// Where `canary`, a value that only Secrets may hold, can be read.
pub async fn leaks(canary: &str, client: &Client, fly: &FlySim, operator: &Operator) -> Result<Vec<String>> {
    let mut places = Vec::new();
    for found in objects(client).await? {
        if found.object.to_string().contains(canary) {
            places.push(found.title());
        }
    }
    for event in Api::<Event>::all(client.clone()).list(&ListParams::default()).await? {
        if serde_json::to_string(&event)?.contains(canary) {
            places.push(format!("Event {}", event.name_any()));
        }
    }
    let ledger = fly.read("ledger").await?.to_string();
    let texts = [("the operator's log", operator.log()), ("Fly's ledger", ledger)];
    places
        .extend(texts.iter().filter(|(_, text)| text.contains(canary)).map(|(place, _)| (*place).to_owned()));
    if let Ok(metrics) = operator.metrics().await
        && metrics.contains(canary)
    {
        places.push("the operator's metrics".to_owned());
    }
    Ok(places)
}

/// What `user` wrote to the API server within `window`, from now on; a lease's renewal doesn't count.
/// The control plane's audit log must be on.
pub async fn writes_at_rest(cluster: &ControlPlane, user: &str, window: Duration) -> Result<Vec<AuditEvent>> {
    let before = cluster.audit_events()?.len();
    tokio::time::sleep(window).await;
    let mut events = cluster.audit_events()?.split_off(before);
    events.retain(|event| event.user == user && event.is_write() && event.resource != "leases");
    Ok(events)
}

/// What RBAC refused to `user` so far: each is a right that the operator lacks, or shouldn't ask for.
pub fn refused_rights(cluster: &ControlPlane, user: &str) -> Result<Vec<AuditEvent>> {
    let mut events = cluster.audit_events()?;
    events.retain(|event| event.user == user && event.is_refused_right());
    Ok(events)
}
