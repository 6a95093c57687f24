//! Serving: a listening simulator, and its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use fly_sim::serve::accept;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::cli::Serve;
use crate::state::Sim;
use crate::{control, pages, payapp, pipeline, stripe};

/// What is due by itself is looked for so often.
const TICK: Duration = Duration::from_millis(100);
const BODY_LIMIT: usize = 1024 * 1024;

/// A simulator that listens until it is dropped.
pub struct Server {
    /// Its state.
    pub sim: Arc<Sim>,
    /// Where it listens.
    pub address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Starts to serve on the current runtime.
    ///
    /// # Errors
    /// If it can't listen.
    pub async fn start(options: &Serve) -> anyhow::Result<Self> {
        // It fails when there is a provider already, and then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .tls_certs_only(std::iter::empty())
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()?;
        let sim = Sim::new(options, http);
        let listener = TcpListener::bind(options.listen).await.context("it can't listen")?;
        let address = listener.local_addr()?;
        sim.at(format!("http://{address}"));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, router(&sim)));
        tasks.spawn(keep_time(Arc::clone(&sim)));
        Ok(Self { sim, address, _tasks: tasks })
    }

    /// Base URL of both providers.
    pub fn url(&self) -> &str {
        self.sim.url()
    }

    /// What the ready file says.
    pub fn ready(&self) -> serde_json::Value {
        json!({"stripe": self.url(), "payapp": format!("{}/oapi/apiLoad.html", self.url()), "control": self.url()})
    }
}

async fn keep_time(sim: Arc<Sim>) {
    loop {
        stripe::deliver::flush(&sim);
        payapp::notices::flush(&sim);
        tokio::time::sleep(TICK).await;
    }
}

fn router(sim: &Arc<Sim>) -> Router {
    Router::new()
        .merge(stripe::routes())
        .merge(payapp::routes())
        .layer(from_fn_with_state(Arc::clone(sim), pipeline::pass))
        .merge(pages::routes())
        .merge(control::routes())
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::clone(sim))
}
