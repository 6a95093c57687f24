//! A stand-in for the API server that keeps objects by their path.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::task::AbortHandle;

/// Where claims are.
pub const CLAIMS: &str = "/apis/moorage.dev/v1alpha1/nameclaims";
/// Where receipts are.
pub const RECEIPTS: &str = "/apis/moorage.dev/v1alpha1/paymentreceipts";

#[derive(Default)]
struct Kept {
    objects: BTreeMap<String, Value>,
    calls: Vec<(Method, String)>,
    is_down: bool,
}

/// One that is running.
pub struct ApiServer {
    url: String,
    kept: Arc<Mutex<Kept>>,
    serving: AbortHandle,
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl ApiServer {
    pub async fn start() -> Self {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&kept));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, kept, serving: serving.abort_handle() }
    }

    pub fn client(&self) -> Client {
        let mut config = Config::new(self.url.parse().unwrap());
        config.default_retry = false;
        Client::try_from(config).unwrap()
    }

    pub fn put(&self, collection: &str, object: Value) {
        let name = object["metadata"]["name"].as_str().unwrap();
        let path = format!("{collection}/{name}");
        self.kept.lock().unwrap().objects.insert(path, object);
    }

    pub fn get(&self, collection: &str, name: &str) -> Value {
        let path = format!("{collection}/{name}");
        self.kept.lock().unwrap().objects.get(&path).cloned().unwrap_or_default()
    }

    pub fn all(&self, collection: &str) -> Vec<Value> {
        let kept = self.kept.lock().unwrap();
        let own = kept.objects.iter().filter(|(path, _)| path.starts_with(collection));
        own.map(|(_, object)| object.clone()).collect()
    }

    pub fn down(&self, is_down: bool) {
        self.kept.lock().unwrap().is_down = is_down;
    }

    pub fn calls(&self) -> usize {
        self.kept.lock().unwrap().calls.len()
    }

    pub fn patches(&self) -> usize {
        self.kept.lock().unwrap().calls.iter().filter(|(method, _)| method == Method::PATCH).count()
    }
}

async fn answer(State(kept): State<Arc<Mutex<Kept>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = head.uri.path().to_owned();
    let mut kept = kept.lock().unwrap();
    kept.calls.push((head.method.clone(), path.clone()));
    if kept.is_down {
        return failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
    }
    match head.method {
        Method::GET => match kept.objects.get(&path) {
            Some(object) => axum::Json(object.clone()).into_response(),
            None => failure(StatusCode::NOT_FOUND, "NotFound"),
        },
        Method::POST => {
            let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap());
            if kept.objects.contains_key(&path) {
                return failure(StatusCode::CONFLICT, "AlreadyExists");
            }
            kept.objects.insert(path, body.clone());
            (StatusCode::CREATED, axum::Json(body)).into_response()
        }
        Method::PATCH => match kept.objects.get_mut(&path) {
            Some(object) => patch(object, &body),
            None => failure(StatusCode::NOT_FOUND, "NotFound"),
        },
        _ => failure(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
    }
}

/// A list is a JSON patch, anything else a merge patch.
fn patch(object: &mut Value, body: &Value) -> Response {
    if body.is_array() {
        let patch: json_patch::Patch = serde_json::from_value(body.clone()).unwrap();
        if json_patch::patch(object, &patch).is_err() {
            return failure(StatusCode::UNPROCESSABLE_ENTITY, "Invalid");
        }
    } else {
        json_patch::merge(object, body);
    }
    axum::Json(object.clone()).into_response()
}

fn failure(status: StatusCode, reason: &str) -> Response {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason,
        "message": reason, "code": status.as_u16()});
    (status, axum::Json(body)).into_response()
}
