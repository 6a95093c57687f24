//! The account at the certificate authority: a Secret in the operator's namespace holds its key. Another key is asked for
//! by an annotation on that Secret.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::authority::Acme;
use crate::api::{FIELD_MANAGER, annotation, label_key};
use crate::control::context::Context;
use crate::domains::DomainError;
use crate::domains::acme::{AcmeError, Authority, Cause, Credentials};

/// The Secret in the operator's namespace.
pub const SECRET: &str = "moorage-acme-account";
/// Where the credentials stand in it.
const CURRENT: &str = "account.json";
/// Where those with a new key stand, until the authority has taken it.
const NEXT: &str = "next.json";
/// On the Secret: the request that the key was last changed for.
const CHANGED_FOR: &str = "moorage.dev/key-changed-for";
/// Pause between two looks for requests.
const PAUSE: Duration = Duration::from_mins(1);

/// What is stored of an account.
struct Stored {
    current: Option<Credentials>,
    next: Option<Credentials>,
    /// A request for a new key that wasn't carried out.
    wish: Option<String>,
}

/// The credentials of the account: those that are stored, if they are this authority's, or new ones.
pub(super) async fn ready(ctx: &Context, authority: &Authority) -> Result<Credentials, AcmeError> {
    let stored = read(ctx, authority).await?;
    match (stored.current, stored.next) {
        (Some(current), Some(next)) => finish(ctx, authority, &current, next, stored.wish.as_deref()).await,
        (Some(current), None) => Ok(current),
        (None, _) => {
            let made = authority.register().await?;
            write(ctx, &made, None, None).await?;
            tracing::info!(account = made.account_uri(), "an account was made at the certificate authority");
            Ok(made)
        }
    }
}

/// The address of the account whose credentials are stored, if they are this authority's.
pub(super) async fn stored_uri(ctx: &Context, authority: &Authority) -> Result<Option<String>, AcmeError> {
    let stored = read(ctx, authority).await?;
    Ok(stored.current.map(|current| current.account_uri().to_owned()))
}

/// Forgets the account, unless another has taken its place already.
pub(super) async fn remove(ctx: &Context, uri: &str) -> kube::Result<()> {
    let secret = api(ctx).get_opt(SECRET).await?;
    let Some(standing) = secret else { return Ok(()) };
    let current = credentials(&standing, CURRENT);
    if current.as_ref().map(Credentials::account_uri) != Some(uri) {
        return Ok(());
    }
    match api(ctx).delete(SECRET, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
}

/// Changes the account's key whenever somebody asks for it, until `shutdown`.
pub async fn keep(ctx: Arc<Context>, shutdown: CancellationToken) {
    let Some(acme) = &ctx.acme else { return shutdown.cancelled().await };
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
        if ctx.config.mode == crate::engine::config::Mode::ReadOnly || !ctx.leadership.is_current() {
            continue;
        }
        match changed(&ctx, acme).await {
            Ok(()) => {}
            Err(error) if error.cause == Cause::AccountUnknown => {}
            Err(error) => {
                tracing::warn!(%error, "the key of the ACME account can't be changed; it is tried again");
            }
        }
    }
}

/// The key is the one that was asked for.
async fn changed(ctx: &Context, acme: &Acme) -> Result<(), AcmeError> {
    let authority = acme.authority();
    let stored = read(ctx, authority).await?;
    if stored.current.is_none() || stored.wish.is_none() {
        return Ok(());
    }
    acme.replaced(change(ctx, authority)).await
}

async fn change(ctx: &Context, authority: &Authority) -> Result<(), AcmeError> {
    let stored = read(ctx, authority).await?;
    let (Some(current), Some(wish)) = (stored.current, stored.wish) else { return Ok(()) };
    let next = if let Some(next) = stored.next {
        next
    } else {
        let next = current.with_new_key()?;
        write(ctx, &current, Some(&next), None).await?;
        next
    };
    finish(ctx, authority, &current, next, Some(&wish)).await.map(drop)
}

/// The authority takes the new key; only then the old one is forgotten.
async fn finish(
    ctx: &Context,
    authority: &Authority,
    current: &Credentials,
    next: Credentials,
    wish: Option<&str>,
) -> Result<Credentials, AcmeError> {
    authority.change_key(current, &next).await?;
    write(ctx, &next, None, wish).await?;
    tracing::info!(account = next.account_uri(), "the key of the ACME account was changed");
    Ok(next)
}

async fn read(ctx: &Context, authority: &Authority) -> Result<Stored, AcmeError> {
    let secret = api(ctx).get_opt(SECRET).await.map_err(|error| unreadable(&error))?.unwrap_or_default();
    let ours = |it: &Credentials| it.directory() == authority.directory();
    let annotations = secret.annotations();
    let wish = annotations.get(annotation::NEW_KEY_REQUESTED_AT).cloned();
    let done = annotations.get(CHANGED_FOR);
    Ok(Stored {
        current: credentials(&secret, CURRENT).filter(ours),
        next: credentials(&secret, NEXT).filter(ours),
        wish: wish.filter(|wish| Some(wish) != done),
    })
}

fn credentials(secret: &Secret, key: &str) -> Option<Credentials> {
    let bytes = secret.data.as_ref()?.get(key)?;
    Credentials::parse(&SecretString::from(String::from_utf8(bytes.0.clone()).ok()?)).ok()
}

async fn write(
    ctx: &Context,
    current: &Credentials,
    next: Option<&Credentials>,
    done: Option<&str>,
) -> Result<(), AcmeError> {
    let bytes = |it: &Credentials| ByteString(it.to_secret().expose_secret().as_bytes().to_vec());
    let mut data = BTreeMap::from([(CURRENT, bytes(current))]);
    data.extend(next.map(|next| (NEXT, bytes(next))));
    let mut secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "labels": {label_key::MANAGED_BY: FIELD_MANAGER}},
        "type": "Opaque",
        "data": data,
    });
    if let Some(done) = done {
        secret["metadata"]["annotations"] = json!({CHANGED_FOR: done});
    }
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api(ctx)
        .patch(SECRET, &params, &Patch::Apply(&secret))
        .await
        .map(drop)
        .map_err(|error| unreadable(&error))
}

pub(super) fn unreadable(error: &kube::Error) -> AcmeError {
    tracing::debug!(%error, "the ACME account's Secret can't be read or written");
    DomainError::authority_unavailable("The ACME account can't be read or stored; it is tried again.").into()
}

fn api(ctx: &Context) -> Api<Secret> {
    Api::namespaced(ctx.kube.clone(), &ctx.config.namespace)
}
