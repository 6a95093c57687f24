//! A proxy between the operator and the API server that counts the writes of each Runtime, and can lose one: the
//! request before it is passed on, or the answer once it has taken effect.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};
use kube::Client;

/// What is done to one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It never arrives.
    Request,
    /// It takes effect, and its answer is lost.
    Answer,
    /// It takes effect, and its answer is held until whoever asked has gone.
    Held,
}

#[derive(Debug, Default)]
struct Marked {
    /// What it is the mark of: a Runtime, and what is asked of it by a task of the same name.
    name: String,
    /// Writes so far that every run has, by what they were.
    writes: Vec<String>,
    /// Which write to lose, counted from 0.
    lose: Option<(usize, Loss)>,
    /// Whether that came about.
    lost: bool,
    /// Which statuses at rest count.
    rests: Rests,
}

/// Which statuses that tell of rest count as writes that every run has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Rests {
    /// None: what is being deleted may come to rest before the deletion is seen, or may not.
    #[default]
    None,
    /// Each that tells of another state, or of a newer spec, than the last.
    Since(Option<Rest>),
}

/// A state in which a Runtime is at rest, with the generation of the spec that it realises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    pub state: String,
    pub generation: i64,
}

impl Rest {
    /// What a Runtime's status tells of.
    pub fn told(status: &serde_json::Value) -> Option<Self> {
        let generation = status["observedGeneration"].as_i64()?;
        Some(Self { state: status["state"].as_str()?.to_owned(), generation })
    }
}

impl Marked {
    /// Whether the write is one that every run of a history has. How often a status tells of progress, and when a
    /// dashboard, a Blueprint or a task is brought up to date, depends on how fast a run is.
    fn counts(&self, path: &str, body: &[u8]) -> bool {
        if path.contains("/workspaces/") || path.contains("/blueprints/") {
            return false;
        }
        if path.contains("/runtimetasks") {
            let of_the_request = path.ends_with(&format!("/runtimetasks/{}/status", self.name));
            let text = String::from_utf8_lossy(body);
            let ended = text.contains(r#""completed""#) || text.contains(r#""failed""#);
            return of_the_request && ended;
        }
        match told(path, body) {
            None => true,
            Some(Told::Rest(rest)) => match &self.rests {
                Rests::None => false,
                Rests::Since(last) => last.as_ref() != Some(&rest),
            },
            // Before the app is made, its name is told in any case.
            Some(Told::Provisioning) => self.writes.iter().all(|write| !write.ends_with("/status")),
            Some(Told::Progress) => false,
        }
    }
}

/// What a Runtime's status tells.
enum Told {
    /// That it is at rest.
    Rest(Rest),
    /// That it is being made.
    Provisioning,
    /// That something else is under way.
    Progress,
}

/// What a Runtime's status that is being written tells.
fn told(path: &str, body: &[u8]) -> Option<Told> {
    let of_a_runtime = path.contains("/runtimes/") && path.ends_with("/status");
    let changes: serde_json::Value = of_a_runtime.then(|| serde_json::from_slice(body).ok()).flatten()?;
    let status = &changes.as_array()?.iter().find(|change| change["path"] == "/status")?["value"];
    let ready = status["conditions"].as_array()?.iter().find(|condition| condition["type"] == "Ready")?;
    Some(match (ready["status"].as_str()?, status["operation"]["type"].as_str()) {
        ("Unknown", Some("Provision")) => Told::Provisioning,
        // What waits for somebody, as one that is about to be adopted, is told only if there is time to.
        ("Unknown" | "False", _) => Told::Progress,
        _ => Told::Rest(Rest::told(status)?),
    })
}

/// The proxy's books.
#[derive(Clone, Default)]
pub struct Books(Arc<Mutex<BTreeMap<String, Marked>>>);

impl Books {
    /// Begins to count the writes that name `mark`, and loses one of them.
    pub fn mark(&self, mark: &str, rests: Rests, lose: Option<(usize, Loss)>) {
        let marked = Marked { name: mark.to_owned(), lose, rests, ..Marked::default() };
        self.lock().insert(mark.to_owned(), marked);
    }

    /// The writes that named `mark` and that every run has.
    pub fn writes(&self, mark: &str) -> Vec<String> {
        self.lock().get(mark).map(|marked| marked.writes.clone()).unwrap_or_default()
    }

    /// Whether the write that was to be lost came and was.
    pub fn lost(&self, mark: &str) -> bool {
        self.lock().get(mark).is_some_and(|marked| marked.lost)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Marked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be done to a write, which names at most one mark that is looked for.
    fn loss(&self, path: &str, body: &[u8]) -> Option<Loss> {
        let mut all = self.lock();
        let marked = named(&mut all, path, body)?;
        if !marked.counts(path, body) {
            return None;
        }
        let next = marked.writes.len();
        marked.lose.filter(|(lose, _)| *lose == next).map(|(_, loss)| loss)
    }

    /// Notes a write that has taken effect.
    fn note(&self, method: &Method, path: &str, body: &[u8], loss: Option<Loss>) {
        let mut all = self.lock();
        let Some(marked) = named(&mut all, path, body) else { return };
        if marked.counts(path, body) {
            marked.writes.push(format!("{method} {path}"));
            marked.lost |= loss.is_some();
        }
        if let (Rests::Since(last), Some(told)) = (&mut marked.rests, told(path, body)) {
            match told {
                Told::Rest(rest) => *last = Some(rest),
                Told::Provisioning => *last = None,
                Told::Progress => {}
            }
        }
    }
}

/// What is noted of the mark that a write names.
fn named<'m>(all: &'m mut BTreeMap<String, Marked>, path: &str, body: &[u8]) -> Option<&'m mut Marked> {
    let text = String::from_utf8_lossy(body);
    // The longest: `start0x` is a part of `restart0x`.
    let is_in = |mark: &str| path.contains(mark) || text.contains(mark);
    let (_, marked) = all.iter_mut().filter(|(mark, _)| is_in(mark)).max_by_key(|(mark, _)| mark.len())?;
    Some(marked)
}

#[derive(Clone)]
struct Proxy {
    client: Client,
    books: Books,
}

/// Starts one in front of the API server that `client` talks to, and as whom it does. Its address.
pub async fn start(client: Client, books: Books) -> String {
    let router = axum::Router::new().fallback(pass).with_state(Proxy { client, books });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn pass(State(proxy): State<Proxy>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    head.headers.remove(header::AUTHORIZATION);
    head.headers.remove(header::HOST);
    let body = axum::body::to_bytes(body, 4 << 20).await.unwrap_or_default();
    let path = head.uri.path().to_owned();
    let counts = head.method != Method::GET && !path.contains("/leases") && !path.contains("/events");
    let loss = if counts { proxy.books.loss(&path, &body) } else { None };
    if loss == Some(Loss::Request) {
        proxy.books.note(&head.method, &path, &body, loss);
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let method = head.method.clone();
    let answer = forward(&proxy.client, head, body.clone()).await;
    // What the API server refused has changed nothing.
    if !counts || !answer.status().is_success() {
        return answer;
    }
    proxy.books.note(&method, &path, &body, loss);
    match loss {
        Some(Loss::Answer) => StatusCode::GATEWAY_TIMEOUT.into_response(),
        Some(Loss::Held) => std::future::pending().await,
        _ => answer,
    }
}

async fn forward(client: &Client, head: http::request::Parts, body: Bytes) -> Response {
    let request = http::Request::from_parts(head, kube::client::Body::from(body));
    match client.send(request).await {
        Ok(answer) => answer.map(Body::new),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}
