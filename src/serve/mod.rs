//! The HTTP servers of the process: `/healthz`, `/readyz` and `/metrics`, and apart from them what payment providers
//! send.

pub mod challenges;
mod health;
pub mod webhooks;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

pub use health::{Health, Phase};

use crate::engine::metrics::{self, Metrics};

#[derive(Clone)]
struct Shown {
    health: Health,
    metrics: Metrics,
}

/// Serves until it is dropped.
///
/// # Errors
/// If the listener fails.
pub async fn serve(listener: TcpListener, health: Health, metrics: Metrics) -> std::io::Result<()> {
    axum::serve(listener, router(health, metrics)).await
}

fn router(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(show_metrics))
        .with_state(Shown { health, metrics })
}

async fn readyz(State(shown): State<Shown>) -> (StatusCode, String) {
    let phase = shown.health.phase();
    let status = if phase.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, phase.to_string())
}

async fn show_metrics(State(shown): State<Shown>) -> Response {
    match shown.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
