//! The ways to the API server.

use std::time::Duration;

use http::HeaderValue;
use http::header::USER_AGENT;
use kube::client::ClientBuilder;
use kube::{Client, Config};
use tower::timeout::TimeoutLayer;

use super::BoxError;

/// Longest time to an answer's beginning, retries included.
const ANSWER: Duration = Duration::from_secs(30);
/// The same where a late answer is worse than none.
const BRIEF: Duration = Duration::from_secs(5);
/// Longest silence on a connection. A quiet watch is ended by the server after less than five minutes.
const SILENCE: Duration = Duration::from_secs(330);

/// The clients of the process.
pub(super) struct Clients {
    /// For everything. It retries what the server refuses for the moment.
    pub(super) kube: Client,
    /// For the lease and the checks. It never retries by itself: fifteen tries take longer than a lease.
    pub(super) brief: Client,
    /// For webhooks, on connections of their own: a flood of them must not delay the lease.
    pub(super) webhooks: Client,
}

/// Finds the API server by KUBECONFIG, or as a Pod does.
pub(super) async fn connect() -> Result<Clients, BoxError> {
    let config = with_limits(Config::infer().await?);
    let mut brief = config.clone();
    brief.default_retry = false;
    brief.read_timeout = Some(BRIEF);
    let webhooks = client(brief.clone(), BRIEF)?;
    Ok(Clients { kube: client(config, ANSWER)?, brief: client(brief, BRIEF)?, webhooks })
}

fn with_limits(mut config: Config) -> Config {
    config.connect_timeout = Some(Duration::from_secs(5));
    config.write_timeout = Some(ANSWER);
    config.read_timeout = Some(SILENCE);
    config.reset_reader_on_write = true;
    let name = concat!("moorage/", env!("CARGO_PKG_VERSION"));
    config.headers.push((USER_AGENT, HeaderValue::from_static(name)));
    config
}

fn client(config: Config, answer: Duration) -> Result<Client, BoxError> {
    Ok(ClientBuilder::try_from(config)?.with_layer(&TimeoutLayer::new(answer)).build())
}
