//! For tests: an API server as large as one controller needs, and what every controller is given, around it.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use axum::body::{Body as Answer, to_bytes};
use fly_machines::TokenSource;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use k8s_openapi::api::core::v1::Namespace;
use kube::client::Body;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{self, Store};
use serde_json::{Map, Value, json};
use tower::Service;

use super::claims::Claims;
use super::context::{Context, Index, Stores, Triggers};
use super::domain::authority::Acme;
use super::domain::memory::Memory as DomainMemory;
use super::history::History;
use super::memory::Memory;
use super::order::memory::Memory as OrderMemory;
use super::order::providers::Providers;
use super::order::receipts::Receipts;
use super::rollout::board::Board;
use super::runtime::probe::Prober;
use super::workspace::memory::Memory as WorkspaceMemory;
use super::workspace::pace::News;
use super::{strays, warm};
use crate::domains::dns::Lookout;
use crate::domains::secret::Secrets;
use crate::engine::clock::SystemClock;
use crate::engine::config::Config;
use crate::engine::lease::Leadership;
use crate::engine::metrics::Metrics;
use crate::engine::watch::Trigger;

/// The API server. Copies share everything.
#[derive(Clone, Debug, Default)]
pub struct SmallCluster {
    state: Arc<Mutex<State>>,
    delay: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// Objects by their paths.
    objects: BTreeMap<String, Value>,
    version: u64,
    /// Paths whose next change fails.
    failing: BTreeSet<String>,
    /// Changes that are asked for now, and the most that were at a time.
    changing: usize,
    most_changing: usize,
    changes: usize,
}

impl SmallCluster {
    /// One in which each change takes so long.
    pub fn slow(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    /// Puts an object there; what stands then.
    pub fn put(&self, path: &str, object: Value) -> Value {
        self.lock().put(path, object)
    }

    /// The object at this path.
    pub fn get(&self, path: &str) -> Option<Value> {
        self.lock().objects.get(path).cloned()
    }

    /// The next change of this object fails.
    pub fn fail(&self, path: &str) {
        self.lock().failing.insert(path.to_owned());
    }

    /// Changes that were asked for.
    pub fn changes(&self) -> usize {
        self.lock().changes
    }

    /// The most changes that were asked for at a time.
    pub fn most_at_once(&self) -> usize {
        self.lock().most_changing
    }

    /// What every controller is given, with these settings of customers' hostnames.
    pub fn context(&self, custom_domains: &Value) -> Context {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let kube = kube::Client::new(self.clone(), "default");
        let config: Config = serde_json::from_value(json!({
            "clusterID": "test", "fly": {"organization": "acme", "tokenFile": "/token"},
            "customDomains": custom_domains,
        }))
        .unwrap();
        let secrets = Secrets::new(kube.clone(), &config.namespace);
        let acme = config.custom_domains.acme.clone().map(|acme| Acme::new(acme, secrets).unwrap());
        Context {
            kube,
            fly: fly_machines::Client::builder(TokenSource::fixed("fm2_x".to_owned())).build().unwrap(),
            prober: Prober::new(None).unwrap(),
            base_domain: None,
            acme,
            lookout: Lookout::new(&config.custom_domains.dns, Vec::new()),
            clock: Arc::new(SystemClock),
            leadership: Leadership::unopposed(),
            metrics: Metrics::default(),
            stores: stores(),
            claims: Arc::new(Claims::default()),
            memory: Memory::default(),
            workspaces: WorkspaceMemory::default(),
            orders: OrderMemory::default(),
            domains: DomainMemory::new(config.concurrency),
            receipts: Receipts::default(),
            providers: Providers::new(&config.billing).unwrap(),
            rollouts: Board::default(),
            index: Index::default(),
            news: News::default(),
            history: History::new(&config.task_history),
            warm: warm::Board::default(),
            strays: strays::Board::default(),
            triggers: triggers(),
            config,
        }
    }

    async fn answer(self, request: Request<Body>) -> Response<Answer> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        if parts.method == Method::GET {
            return answer(self.get(&path).ok_or(404));
        }
        let body = to_bytes(Answer::new(body), usize::MAX).await.unwrap();
        let wanted: Value = serde_json::from_slice(&body).unwrap_or_default();
        {
            let mut state = self.lock();
            state.changes += 1;
            state.changing += 1;
            state.most_changing = state.most_changing.max(state.changing);
        }
        tokio::time::sleep(self.delay).await;
        let mut state = self.lock();
        state.changing -= 1;
        if state.failing.remove(&path) {
            return answer(Err(500));
        }
        let is_merge =
            parts.headers.get("content-type").is_some_and(|it| it == "application/merge-patch+json");
        answer(match parts.method {
            Method::DELETE => state.objects.remove(&path).ok_or(404),
            Method::PATCH if is_merge => state.merge(&path, &wanted),
            _ => Ok(state.put(&path, wanted)),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn merge(&mut self, path: &str, change: &Value) -> Result<Value, u16> {
        let mut object = self.objects.get(path).cloned().ok_or(404_u16)?;
        let read = change["metadata"]["resourceVersion"].as_str();
        if read.is_some_and(|read| object["metadata"]["resourceVersion"] != read) {
            return Err(409);
        }
        merge(&mut object, change);
        Ok(self.put(path, object))
    }
}

fn merge(into: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    for (key, value) in patch {
        match value {
            Value::Null => drop(into.as_object_mut().unwrap().remove(key)),
            value => merge(&mut into[key], value),
        }
    }
}

fn answer(object: Result<Value, u16>) -> Response<Answer> {
    let (code, body) = match object {
        Ok(object) => (200, object),
        Err(code) => (code, refusal(code)),
    };
    Response::builder().status(code).body(Answer::from(body.to_string())).unwrap()
}

fn refusal(code: u16) -> Value {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        _ => "InternalError",
    };
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": "no"})
}

impl Service<Request<Body>> for SmallCluster {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let cluster = self.clone();
        Box::pin(async move { Ok(cluster.answer(request).await) })
    }
}

fn stores() -> Stores {
    fn empty<K>() -> Store<K>
    where
        K: kube::Resource<DynamicType = ()> + Clone + 'static,
    {
        reflector::store().0
    }
    Stores {
        runtimes: empty(),
        workspaces: empty(),
        orders: empty(),
        domains: empty(),
        plans: empty(),
        blueprints: empty(),
        policies: empty(),
        namespaces: empty::<PartialObjectMeta<Namespace>>(),
    }
}

fn triggers() -> Triggers {
    Triggers {
        runtimes: Trigger::channel().0,
        workspaces: Trigger::channel().0,
        orders: Trigger::channel().0,
        domains: Trigger::channel().0,
        plans: Trigger::channel().0,
        blueprints: Trigger::channel().0,
        policies: Trigger::channel().0,
    }
}
