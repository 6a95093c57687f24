//! Answers to a certificate authority's HTTP-01 challenges, by every replica: `/.well-known/acme-challenge/{token}`, to
//! which the platform's ingress sends what comes for customers' hostnames.
//!
//! Whoever asks for anything else is told nothing. A token that isn't known isn't asked for again within a moment, so that a
//! flood of them costs the API server little.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::webhooks::listen;
use crate::control::domain::answers::{find, is_token};

/// Questions to the API server at once.
const AT_ONCE: usize = 8;
/// Time for which a token that isn't known isn't asked for again.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);
/// Most of those that are remembered.
const MOST_UNKNOWN: usize = 512;
/// Longest time to an answer.
const WITHIN: Duration = Duration::from_secs(5);

struct Challenges {
    kube: Client,
    namespace: String,
    gate: Semaphore,
    unknown: Mutex<VecDeque<(Instant, String)>>,
}

/// Serves until `stop`.
pub async fn serve(listener: TcpListener, kube: Client, namespace: String, stop: CancellationToken) {
    let challenges = Challenges { kube, namespace, gate: Semaphore::new(AT_ONCE), unknown: Mutex::default() };
    let router = Router::new()
        .route("/.well-known/acme-challenge/{token}", get(answer))
        .with_state(Arc::new(challenges));
    listen::serve(listener, router, stop).await;
}

async fn answer(State(challenges): State<Arc<Challenges>>, Path(token): Path<String>) -> Response {
    if !is_token(&token) || challenges.is_unknown(&token) {
        return StatusCode::NOT_FOUND.into_response();
    }
    match tokio::time::timeout(WITHIN, challenges.find(&token)).await {
        Ok(Some(answer)) => ([(header::CONTENT_TYPE, "application/octet-stream")], answer).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

impl Challenges {
    async fn find(&self, token: &str) -> Option<String> {
        let _place = self.gate.acquire().await.ok()?;
        match find(&self.kube, &self.namespace, token).await {
            Ok(Some(answer)) => Some(answer),
            Ok(None) => {
                self.note_unknown(token);
                None
            }
            Err(error) => {
                tracing::debug!(%error, "an answer to a challenge can't be looked for");
                None
            }
        }
    }

    fn is_unknown(&self, token: &str) -> bool {
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        while unknown.front().is_some_and(|(at, _)| at.elapsed() >= UNKNOWN_FOR) {
            unknown.pop_front();
        }
        unknown.iter().any(|(_, known)| known == token)
    }

    fn note_unknown(&self, token: &str) {
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.len() >= MOST_UNKNOWN {
            unknown.pop_front();
        }
        unknown.push_back((Instant::now(), token.to_owned()));
    }
}
