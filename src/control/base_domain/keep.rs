//! Keeps the wildcard certificate: reads it from its Secret, and has every Runtime visited when it changed.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::acme::Keeper;
use super::expiry::Expiry;
use super::{BaseDomain, Lack, News};
use crate::control::context::Context;
use crate::domains::certificate::{Certificate, CertificateError};
use crate::engine::config::base_domain::{Acme, CertificateSource};

/// Pause between two looks at the Secret: a renewed certificate is in service within two minutes.
const PAUSE: Duration = Duration::from_secs(10);
/// The Secret that holds the certificate if we order it.
pub const SECRET: &str = "moorage-base-domain";

/// Keeps the certificate until `shutdown`; returns only then.
pub async fn keep(ctx: Arc<Context>, shutdown: CancellationToken) {
    let Some(base) = &ctx.base_domain else { return shutdown.cancelled().await };
    let (mut keeper, mut expiry) = (None, Expiry::default());
    loop {
        expiry.attend(&ctx, base);
        if let CertificateSource::Acme(settings) = &base.settings().certificate {
            tokio::select! {
                () = order(&ctx, base, settings, &mut keeper) => {}
                () = shutdown.cancelled() => return,
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
        if load(&ctx, base).await == News::Changed {
            ctx.triggers.runtimes.visit_all(&ctx.stores.runtimes, |_| true);
        }
    }
}

/// Orders the certificate, or renews it, as far as that gets now.
async fn order(ctx: &Context, base: &BaseDomain, settings: &Acme, keeper: &mut Option<Keeper>) {
    if keeper.is_none() {
        match Keeper::new(ctx, base, settings) {
            Ok(made) => *keeper = Some(made),
            Err(error) => tell(ctx, base, Some(error.message)),
        }
    }
    if let Some(keeper) = keeper {
        let hindrance = keeper.go_on(ctx, base).await.err();
        tell(ctx, base, hindrance);
    }
}

/// Says what keeps us from ordering a certificate, to those that wait for one.
fn tell(ctx: &Context, base: &BaseDomain, hindrance: Option<String>) {
    if base.hinder(hindrance) == News::Changed {
        ctx.triggers.runtimes.visit_all(&ctx.stores.runtimes, |_| true);
    }
}

/// Reads the certificate from its Secret.
pub async fn load(ctx: &Context, base: &BaseDomain) -> News {
    let (namespace, name) = place(ctx, base);
    let api: Api<Secret> = Api::namespaced(ctx.kube.clone(), &namespace);
    let certificate = match api.get_opt(&name).await {
        Ok(Some(secret)) => {
            read(ctx.clock.now(), base, &secret).map_err(|fault| fault.told(&namespace, &name))
        }
        // Whoever orders it says how far that is.
        Ok(None) if is_ordered(base) => return News::Same,
        Ok(None) => Err(Lack::Missing(format!("The certificate's Secret {namespace}/{name} doesn't exist."))),
        Err(error) => {
            // What was read before is as good as it was.
            tracing::warn!(%error, namespace, name, "the base domain's certificate can't be read");
            return News::Same;
        }
    };
    told(base.take(certificate), base)
}

fn told(news: News, base: &BaseDomain) -> News {
    if news == News::Changed {
        match base.offer("").certificate {
            super::Offer::Ready(fingerprint) => {
                tracing::info!(fingerprint, "the base domain has a certificate that Runtimes are given now");
            }
            super::Offer::Missing(why) | super::Offer::Expired(why) => {
                tracing::warn!(why, "the base domain has no certificate");
            }
        }
    }
    news
}

fn is_ordered(base: &BaseDomain) -> bool {
    matches!(base.settings().certificate, CertificateSource::Acme(_))
}

/// Namespace and name of the Secret.
fn place(ctx: &Context, base: &BaseDomain) -> (String, String) {
    match &base.settings().certificate {
        CertificateSource::Secret(secret) => {
            let namespace = secret.namespace.as_ref().unwrap_or(&ctx.config.namespace);
            (namespace.clone(), secret.name.clone())
        }
        CertificateSource::Acme(_) => (ctx.config.namespace.clone(), SECRET.to_owned()),
    }
}

/// Why what is in the Secret can't be used.
enum Fault {
    /// A part is missing.
    Part(&'static str),
    /// The certificate is none, or not one of ours now.
    Certificate(CertificateError),
}

impl From<CertificateError> for Fault {
    fn from(error: CertificateError) -> Self {
        Self::Certificate(error)
    }
}

impl Fault {
    fn told(&self, namespace: &str, name: &str) -> Lack {
        let whose = format!("The certificate in the Secret {namespace}/{name}");
        match self {
            Self::Part(key) => Lack::Missing(format!("{whose} can't be used: it has no `{key}`.")),
            Self::Certificate(CertificateError::Expired) => {
                Lack::Expired(format!("{whose} has expired, and browsers refuse it."))
            }
            Self::Certificate(error) => Lack::Missing(format!("{whose} can't be used: {error}.")),
        }
    }
}

fn read(now: Timestamp, base: &BaseDomain, secret: &Secret) -> Result<Certificate, Fault> {
    let text = |key: &'static str| {
        let bytes = secret.data.as_ref().and_then(|data| data.get(key));
        let text = bytes.and_then(|bytes| String::from_utf8(bytes.0.clone()).ok());
        text.ok_or(Fault::Part(key))
    };
    let key = SecretString::from(text("tls.key")?);
    let certificate = Certificate::read(&text("tls.crt")?, key)?;
    certificate.check(now, &[base.settings().wildcard()])?;
    Ok(certificate)
}
