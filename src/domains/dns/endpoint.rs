//! Records by external-dns: `DNSEndpoint` objects in the operator's own namespace.
//!
//! external-dns keeps its own marks of what is its, so none stand in here.

use std::collections::BTreeMap;
use std::net::IpAddr;

use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::{ADDRESS_TTL, Change, Host, Provider, TEXT_TTL, Text};
use crate::api::{FIELD_MANAGER, label_key};
use crate::domains::DomainError;

/// The API group of external-dns.
pub const GROUP: &str = "externaldns.k8s.io";

/// Most tries at a change that others make at the same time.
const TRIES: usize = 8;

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

    fn object(&self, name: &str, endpoints: &Value) -> Value {
        let mut labels = self.labels.clone();
        labels.insert(label_key::MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned());
        json!({
            "apiVersion": format!("{GROUP}/v1alpha1"),
            "kind": "DNSEndpoint",
            "metadata": {"name": name, "labels": labels},
            "spec": {"endpoints": endpoints},
        })
    }

    async fn apply(&self, name: &str, endpoints: Value) -> Result<(), DomainError> {
        let object = self.object(name, &endpoints);
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

    /// Changes the texts under a name. A name and its wildcard have theirs in one object: what is written is what was
    /// read, changed, and nobody else's change gets lost.
    async fn change_texts(&self, name: &str, change: impl Fn(&mut Vec<String>)) -> Result<(), DomainError> {
        let object_name = object_name(name);
        for _ in 0..TRIES {
            let standing = self.api.get_opt(&object_name).await.map_err(|error| refusal(&error))?;
            let before = standing.as_ref().map(values).unwrap_or_default();
            let mut wanted = before.clone();
            change(&mut wanted);
            if wanted == before {
                return Ok(());
            }
            let endpoints = json!([endpoint(name, "TXT", TEXT_TTL, &wanted)]);
            let written = match &standing {
                None => self.create(&object_name, endpoints).await,
                Some(object) if wanted.is_empty() => self.remove(object).await,
                Some(object) => self.replace(object, endpoints).await,
            };
            match written {
                Err(kube::Error::Api(status)) if is_outdated(status.code, standing.as_ref()) => {}
                other => return other.map_err(|error| refusal(&error)),
            }
        }
        Err(DomainError::dns_unavailable(
            "A DNSEndpoint is changed by others all the time; it is tried again.",
        ))
    }

    async fn create(&self, name: &str, endpoints: Value) -> kube::Result<()> {
        let object =
            serde_json::from_value(self.object(name, &endpoints)).map_err(kube::Error::SerdeError)?;
        let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        self.api.create(&params, &object).await.map(drop)
    }

    /// Writes over what was read, and over nothing else.
    async fn replace(&self, read: &DynamicObject, endpoints: Value) -> kube::Result<()> {
        let name = read.name_any();
        let mut object = self.object(&name, &endpoints);
        object["metadata"]["resourceVersion"] = json!(read.resource_version());
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        self.api.patch(&name, &params, &Patch::Merge(&object)).await.map(drop)
    }

    /// Removes what was read, and nothing else.
    async fn remove(&self, read: &DynamicObject) -> kube::Result<()> {
        let preconditions = Preconditions { resource_version: read.resource_version(), uid: read.uid() };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        self.api.delete(&read.name_any(), &params).await.map(drop)
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
        Box::pin(self.change_texts(&text.name, |values| {
            if !values.contains(&text.value) {
                values.push(text.value.clone());
            }
        }))
    }

    fn remove_text<'c>(&'c self, text: &'c Text) -> Change<'c> {
        Box::pin(self.change_texts(&text.name, |values| values.retain(|value| *value != text.value)))
    }
}

/// The texts that an object holds.
fn values(object: &DynamicObject) -> Vec<String> {
    let targets = object.data.pointer("/spec/endpoints/0/targets");
    targets.and_then(|targets| serde_json::from_value(targets.clone()).ok()).unwrap_or_default()
}

/// Whether an answer with this code says that the object isn't as it was read any more.
fn is_outdated(code: u16, read: Option<&DynamicObject>) -> bool {
    code == 409 || (code == 404 && read.is_some())
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http::{Method, Request, Response, StatusCode};
    use kube::client::Body;

    use super::*;

    /// An API server that holds one object. Before the first write somebody else adds a text of their own.
    #[derive(Default)]
    struct Server {
        texts: Option<Vec<String>>,
        version: u32,
        rivals: Vec<String>,
    }

    impl Server {
        fn answer(&mut self, method: &Method, body: &Value) -> (u16, Value) {
            if *method == Method::GET {
                return self.object();
            }
            if let Some(rival) = self.rivals.pop() {
                self.texts.get_or_insert_default().push(rival);
                self.version += 1;
            }
            let read = match *method {
                Method::DELETE => &body["preconditions"]["resourceVersion"],
                _ => &body["metadata"]["resourceVersion"],
            };
            let outdated = match (method == Method::POST, &self.texts) {
                (true, standing) => standing.is_some(),
                (false, _) => *read != json!(self.version.to_string()),
            };
            if outdated {
                return (
                    409,
                    json!({"status": "Failure", "message": "changed", "reason": "Conflict", "code": 409}),
                );
            }
            self.version += 1;
            self.texts = match *method {
                Method::DELETE => None,
                _ => serde_json::from_value(body["spec"]["endpoints"][0]["targets"].clone()).unwrap(),
            };
            if self.texts.is_none() {
                (200, json!({"kind": "Status", "status": "Success"}))
            } else {
                self.object()
            }
        }

        fn object(&self) -> (u16, Value) {
            let Some(texts) = &self.texts else {
                return (
                    404,
                    json!({"status": "Failure", "message": "none", "reason": "NotFound", "code": 404}),
                );
            };
            let metadata = json!({"name": "text", "resourceVersion": self.version.to_string(), "uid": "uid"});
            let object = json!({
                "apiVersion": "externaldns.k8s.io/v1alpha1", "kind": "DNSEndpoint", "metadata": metadata,
                "spec": {"endpoints": [endpoint("name", "TXT", TEXT_TTL, texts)]},
            });
            (200, object)
        }
    }

    fn endpoints(server: Server) -> (Endpoints, Arc<Mutex<Server>>) {
        let server = Arc::new(Mutex::new(server));
        let shared = Arc::clone(&server);
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = Arc::clone(&shared);
            async move {
                let (parts, body) = request.into_parts();
                let bytes = body.collect_bytes().await?;
                let body = serde_json::from_slice(&bytes).unwrap_or_default();
                let (code, told) = server.lock().unwrap().answer(&parts.method, &body);
                let mut response = Response::new(Body::from(serde_json::to_vec(&told).unwrap()));
                *response.status_mut() = StatusCode::from_u16(code).unwrap();
                Ok::<_, kube::Error>(response)
            }
        });
        (Endpoints::new(Client::new(service, "ops"), "ops", BTreeMap::new()), server)
    }

    fn text(value: &str) -> Text {
        Text { name: "_acme-challenge.a.dom.example.dev".into(), value: value.into() }
    }

    #[tokio::test]
    async fn a_name_and_its_wildcard_lose_none_of_each_others_texts() {
        for standing in [None, Some(vec!["old".to_owned()])] {
            let before = standing.clone().unwrap_or_default();
            let rivals = vec!["wildcard-2".to_owned(), "wildcard-1".to_owned()];
            let (endpoints, server) = endpoints(Server { texts: standing, rivals, ..Server::default() });
            endpoints.add_text(&text("name")).await.unwrap();
            let now = server.lock().unwrap().texts.clone().unwrap();
            let own = ["wildcard-1", "wildcard-2", "name"].map(str::to_owned);
            assert_eq!(now, [before, own.to_vec()].concat());
        }
    }

    #[tokio::test]
    async fn what_another_added_meanwhile_is_not_removed_with_the_last_text() {
        let (texts, rivals) = (Some(vec!["name".to_owned()]), vec!["wildcard".to_owned()]);
        let (endpoints, server) = endpoints(Server { texts, rivals, ..Server::default() });
        endpoints.remove_text(&text("name")).await.unwrap();
        assert_eq!(server.lock().unwrap().texts, Some(vec!["wildcard".to_owned()]));
        endpoints.remove_text(&text("wildcard")).await.unwrap();
        assert_eq!(server.lock().unwrap().texts, None, "nothing is left");
    }
}
