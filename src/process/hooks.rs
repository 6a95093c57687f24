//! What every replica serves from its start to its end, whether it leads or not: the payment providers' webhooks, and
//! answers to a certificate authority's challenges.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::clients::Clients;
use super::spawn;
use crate::engine::clock::Clock;
use crate::engine::config::Config;
use crate::engine::metrics::Metrics;
use crate::serve::challenges;
use crate::serve::webhooks::Webhooks;

/// One of the two, served from the replica's start on.
pub(super) struct Hooks {
    serving: AbortOnDropHandle<()>,
    stop: CancellationToken,
}

impl Hooks {
    /// Takes webhooks from now on.
    pub(super) fn webhooks(
        listener: TcpListener,
        config: &Config,
        clients: &Clients,
        clock: &Arc<dyn Clock>,
        metrics: &Metrics,
    ) -> Self {
        let (client, watching, clock) = (&clients.webhooks, &clients.kube, Arc::clone(clock));
        let webhooks = Webhooks::new(&config.billing, client, watching, clock, metrics.clone());
        let stop = CancellationToken::new();
        tracing::info!(address = %config.billing.webhook_address, "takes webhooks");
        Self { serving: spawn(webhooks.serve(listener, stop.clone())), stop }
    }

    /// Answers challenges from now on.
    pub(super) fn challenges(listener: TcpListener, config: &Config, clients: &Clients) -> Self {
        let stop = CancellationToken::new();
        let (client, namespace) = (clients.webhooks.clone(), config.namespace.clone());
        Self { serving: spawn(challenges::serve(listener, client, namespace, stop.clone())), stop }
    }

    /// Answers what it has begun to read, and writes down what it has answered.
    pub(super) async fn end(self) {
        self.stop.cancel();
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "a server of webhooks or challenges has ended early");
        }
    }
}
