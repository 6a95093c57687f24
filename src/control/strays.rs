//! Apps at Fly that carry our mark and that no claim names: counted and told, never touched. The platform lists and
//! removes them by `moorage orphans`.

use std::sync::Arc;
use std::time::Duration;

use fly_machines::types::App;
use tokio_util::sync::CancellationToken;

use super::context::Context;

/// Pause between two looks at all apps of the organisation.
const PAUSE: Duration = Duration::from_mins(10);
/// Most that are named in the log.
const NAMED: usize = 10;

/// Whether an app is ours by its prefix and its network, and nobody claims it.
pub fn is_stray(app: &App, prefix: &str, is_claimed: impl Fn(&str) -> bool) -> bool {
    app.name.starts_with(prefix) && app.network.starts_with("m-") && !is_claimed(&app.name)
}

/// Counts until `shutdown`.
pub async fn count(ctx: Arc<Context>, shutdown: CancellationToken) {
    loop {
        if ctx.leadership.is_current() {
            look(&ctx).await;
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

async fn look(ctx: &Context) {
    let apps = match ctx.fly.apps().list(&ctx.config.fly.organization).await {
        Ok(apps) => apps,
        Err(error) => {
            tracing::debug!(%error, "the organisation's apps can't be listed; they are later");
            return;
        }
    };
    let claimed = |name: &str| ctx.claims.by_app(name).is_some();
    let stray = |app: &&App| is_stray(app, &ctx.config.fly.app_prefix, claimed);
    let names: Vec<&str> = apps.iter().filter(stray).map(|app| app.name.as_str()).collect();
    ctx.metrics.orphan_apps(names.len());
    if !names.is_empty() {
        let some = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        tracing::warn!(
            apps = names.len(),
            some,
            "apps carry our mark and no claim names them; see `moorage orphans`"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stray_has_our_prefix_and_network_and_no_claim() {
        let app =
            |name: &str, network: &str| App { name: name.into(), network: network.into(), ..App::default() };
        let free = |_: &str| false;
        assert!(is_stray(&app("m-ops-abc", "m-abc"), "m-", free));
        assert!(!is_stray(&app("ops-abc", "m-abc"), "m-", free));
        assert!(!is_stray(&app("m-ops-abc", "default"), "m-", free));
        assert!(!is_stray(&app("m-ops-abc", "m-abc"), "m-", |_| true));
    }
}
