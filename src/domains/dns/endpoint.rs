//! Records by external-dns: `DNSEndpoint` objects in the operator's own namespace.
//!
//! external-dns keeps its own marks of what is its, so none stand in here.

use std::collections::BTreeMap;
use std::net::IpAddr;

use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::{ADDRESS_TTL, Change, Host, Provider, TEXT_TTL, Text};
use crate::api::{FIELD_MANAGER, label_key};
use crate::domains::DomainError;

/// The API group of external-dns.
pub const GROUP: &str = "externaldns.k8s.io";

/// The objects of one namespace.
pub struct Endpoints {
    api: Api<DynamicObject>,
    labels: BTreeMap<String, String>,
}

impl Endpoints {
    /// With these labels on each object.
    pub fn new(kube: Client, namespace: &str, labels: BTreeMap<String, String>) -> Self {
        let api = Api::namespaced_with(kube, namespace, &resource());
        Self { api, labels }
    }

    async fn apply(&self, name: &str, endpoints: Value) -> Result<(), DomainError> {
        let mut labels = self.labels.clone();
        labels.insert(label_key::MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned());
        let object = json!({
            "apiVersion": format!("{GROUP}/v1alpha1"),
            "kind": "DNSEndpoint",
            "metadata": {"name": name, "labels": labels},
            "spec": {"endpoints": endpoints},
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.api.patch(name, &params, &Patch::Apply(&object)).await.map(drop).map_err(|error| refusal(&error))
    }

    async fn delete(&self, name: &str) -> Result<(), DomainError> {
        match self.api.delete(name, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(refusal(&error)),
        }
    }

    /// The texts that an object holds.
    async fn values(&self, name: &str) -> Result<Vec<String>, DomainError> {
        let object = self.api.get_opt(name).await.map_err(|error| refusal(&error))?;
        let targets = object.and_then(|object| {
            serde_json::from_value(object.data.pointer("/spec/endpoints/0/targets")?.clone()).ok()
        });
        Ok(targets.unwrap_or_default())
    }

    async fn set_texts(&self, text: &Text, values: &[String]) -> Result<(), DomainError> {
        let name = object_name(&text.name);
        if values.is_empty() {
            return self.delete(&name).await;
        }
        self.apply(&name, json!([endpoint(&text.name, "TXT", TEXT_TTL, values)])).await
    }

    async fn set(&self, host: &Host, addresses: &[IpAddr]) -> Result<(), DomainError> {
        let of = |wanted: bool| -> Vec<String> {
            addresses.iter().filter(|one| one.is_ipv4() == wanted).map(ToString::to_string).collect()
        };
        let kinds = [("A", of(true)), ("AAAA", of(false))];
        let endpoints: Vec<Value> = kinds
            .iter()
            .filter(|(_, targets)| !targets.is_empty())
            .map(|(kind, targets)| endpoint(&host.name, kind, ADDRESS_TTL, targets))
            .collect();
        self.apply(&object_name(&host.name), Value::Array(endpoints)).await
    }
}

impl Provider for Endpoints {
    fn set_addresses<'c>(&'c self, host: &'c Host, addresses: &'c [IpAddr]) -> Change<'c> {
        Box::pin(self.set(host, addresses))
    }

    fn remove_addresses<'c>(&'c self, host: &'c Host) -> Change<'c> {
        Box::pin(async move { self.delete(&object_name(&host.name)).await })
    }

    fn add_text<'c>(&'c self, text: &'c Text) -> Change<'c> {
        Box::pin(async move {
            let mut values = self.values(&object_name(&text.name)).await?;
            if !values.contains(&text.value) {
                values.push(text.value.clone());
            }
            self.set_texts(text, &values).await
        })
    }

    fn remove_text<'c>(&'c self, text: &'c Text) -> Change<'c> {
        Box::pin(async move {
            let mut values = self.values(&object_name(&text.name)).await?;
            values.retain(|value| *value != text.value);
            self.set_texts(text, &values).await
        })
    }
}

fn endpoint(name: &str, kind: &str, ttl: u32, targets: &[String]) -> Value {
    json!({"dnsName": name, "recordType": kind, "recordTTL": ttl, "targets": targets})
}

/// Objects' names have no underscores.
fn object_name(name: &str) -> String {
    name.replace('_', "moorage")
}

fn resource() -> ApiResource {
    ApiResource {
        group: GROUP.into(),
        version: "v1alpha1".into(),
        api_version: format!("{GROUP}/v1alpha1"),
        kind: "DNSEndpoint".into(),
        plural: "dnsendpoints".into(),
    }
}

fn refusal(error: &kube::Error) -> DomainError {
    tracing::debug!(%error, "a DNSEndpoint can't be written");
    match error {
        kube::Error::Api(status) if (400..429).contains(&status.code) && status.code != 409 => {
            DomainError::dns_refused(format!(
                "The API server refuses a DNSEndpoint with {}. Install external-dns' CustomResourceDefinition and the operator's rights for it.",
                status.code
            ))
        }
        _ => {
            DomainError::dns_unavailable("The API server doesn't take a DNSEndpoint now; it is tried again.")
        }
    }
}
