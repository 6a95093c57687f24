//! Upgraded connections, such as `WebSocket`: after `101` the edge only copies bytes.

use http::header;
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;

use super::forward::Guard;

/// The client's side of an upgrade, if it asked for one.
pub(super) fn requested(incoming: &mut hyper::Request<Incoming>) -> Option<OnUpgrade> {
    incoming.headers().contains_key(header::UPGRADE).then(|| hyper::upgrade::on(incoming))
}

/// Joins both sides until one closes. The Machine's load counts as long.
pub(super) fn splice(client: Option<OnUpgrade>, machine: OnUpgrade, guard: Guard) {
    let Some(client) = client else { return };
    tokio::spawn(async move {
        if let Err(error) = copy(client, machine).await {
            tracing::debug!(%error, "an upgraded connection ended early");
        }
        drop(guard);
    });
}

async fn copy(client: OnUpgrade, machine: OnUpgrade) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (client, machine) = tokio::try_join!(client, machine)?;
    tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(machine)).await?;
    Ok(())
}
