//! Finds out that a Secret with a hostname's certificate has changed, or that the copy of one has gone, without a list or
//! watch on Secrets: each is asked for by name, its metadata only, one after the other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use tokio_util::sync::CancellationToken;

use super::view::secret_name;
use crate::api::CustomDomain;
use crate::api::custom_domain::CertificateSource;
use crate::control::context::Context;

/// The shortest pause between two questions.
const LEAST: Duration = Duration::from_millis(20);

/// What each Secret's version was when it was last asked for; `None` if there was none.
type Seen = HashMap<String, Option<String>>;

/// Asks until `shutdown`.
pub async fn follow(ctx: Arc<Context>, shutdown: CancellationToken) {
    let mut seen = Seen::new();
    let whole = Duration::from_secs(u64::from(ctx.config.timing.rotation_seconds));
    loop {
        let all: Vec<_> =
            ctx.stores.domains.state().into_iter().filter(|it| secret_of(it).is_some()).collect();
        seen.retain(|uid, _| all.iter().any(|domain| domain.uid().as_ref() == Some(uid)));
        let count = u32::try_from(all.len().max(1)).unwrap_or(u32::MAX);
        for domain in all {
            if ctx.leadership.is_current() {
                ask(&ctx, &mut seen, &domain).await;
            }
            tokio::select! {
                () = tokio::time::sleep((whole / count).max(LEAST)) => {}
                () = shutdown.cancelled() => return,
            }
        }
        if seen.is_empty() {
            tokio::select! {
                () = tokio::time::sleep(whole.min(Duration::from_secs(10))) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }
}

/// The Secret that holds its certificate.
fn secret_of(domain: &CustomDomain) -> Option<String> {
    let spec = &domain.spec.certificate;
    match spec.source {
        _ if domain.metadata.deletion_timestamp.is_some() => None,
        CertificateSource::Secret => spec.secret_ref.as_ref().map(|secret| secret.name.clone()),
        CertificateSource::Acme => {
            // Before there is a certificate there is no copy of it.
            domain.status.as_ref()?.certificate.as_ref()?.secret_name.as_ref()?;
            Some(secret_name(&domain.name_any()))
        }
        CertificateSource::Fly => None,
    }
}

async fn ask(ctx: &Context, seen: &mut Seen, domain: &CustomDomain) {
    let (Some(name), Some(uid)) = (secret_of(domain), domain.uid()) else { return };
    let namespace = domain.namespace().unwrap_or_default();
    let secrets: Api<Secret> = Api::namespaced(ctx.kube.clone(), &namespace);
    let version = match secrets.get_metadata_opt(&name).await {
        Ok(found) => found.and_then(|secret| secret.resource_version()),
        Err(error) => return tracing::debug!(namespace, name, %error, "a Secret can't be asked for"),
    };
    let before = seen.insert(uid.clone(), version.clone());
    let is_copy = domain.spec.certificate.source == CertificateSource::Acme;
    // A copy that stands is as it was made; whoever changes it has something else in mind, until it is removed.
    let changed = if is_copy { version.is_none() } else { before.as_ref() != Some(&version) };
    if changed {
        ctx.domains.wish(&uid, |wishes| wishes.secret = true);
        ctx.triggers.domains.visit(domain);
    }
}
