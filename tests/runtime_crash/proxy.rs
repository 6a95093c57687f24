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
    /// Writes so far, by what they were.
    writes: Vec<String>,
    /// Which write to lose, counted from 0.
    lose: Option<(usize, Loss)>,
    /// Whether that came about.
    lost: bool,
}

/// The proxy's books.
#[derive(Clone, Default)]
pub struct Books(Arc<Mutex<BTreeMap<String, Marked>>>);

impl Books {
    /// Begins to count the writes that name `mark`, and loses one of them.
    pub fn mark(&self, mark: &str, lose: Option<(usize, Loss)>) {
        self.lock().insert(mark.to_owned(), Marked { lose, ..Marked::default() });
    }

    /// The writes that named `mark`.
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

    /// Notes that a write has taken effect and its answer won't arrive.
    fn note_lost(&self, path: &str, body: &[u8]) {
        let text = String::from_utf8_lossy(body);
        let mut all = self.lock();
        let named = |mark: &str| path.contains(mark) || text.contains(mark);
        if let Some((_, marked)) = all.iter_mut().find(|(mark, _)| named(mark)) {
            marked.lost = true;
        }
    }

    /// What to do with a write: it names at most one mark that is looked for.
    fn loss(&self, method: &Method, path: &str, body: &[u8]) -> Option<Loss> {
        let text = String::from_utf8_lossy(body);
        let mut all = self.lock();
        let named = |mark: &str| path.contains(mark) || text.contains(mark);
        let (_, marked) = all.iter_mut().find(|(mark, _)| named(mark))?;
        marked.writes.push(format!("{method} {path}"));
        let at = marked.writes.len() - 1;
        marked.lose.filter(|(lose, _)| *lose == at).map(|(_, loss)| loss)
    }
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
    let loss = if counts { proxy.books.loss(&head.method, &path, &body) } else { None };
    if loss == Some(Loss::Request) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let answer = forward(&proxy.client, head, body.clone()).await;
    if loss.is_some() {
        proxy.books.note_lost(&path, &body);
    }
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
