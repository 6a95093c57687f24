//! The hostname at Fly, and its certificates there.

use fly_machines::ErrorClass;
use fly_machines::types::{CertificateDetail, CustomCertificate};
use jiff::Timestamp;

use super::super::certificate::Material;
use super::super::edge::{Asking, EdgeFact, Hosted};
use super::super::facts::{Asked, Facts};
use crate::api::custom_domain::CertificateSource;
use crate::api::reason;
use crate::control::context::Context;
use crate::control::runtime::facts::Refusal;
use crate::control::runtime::trouble::Failure;
use crate::domains::certificate::Certificate;

/// Has Fly issue a certificate. One that exists is found as it is.
pub(super) async fn request(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let Some((app, host)) = place(facts) else { return Ok(()) };
    let certificates = ctx.fly.certificates(&app);
    let detail = match certificates.request(&host).await {
        Ok(detail) => detail,
        Err(error) if matches!(error.class(), ErrorClass::AlreadyExists) => certificates.get(&host).await?,
        Err(error) => return Err(error.into()),
    };
    note(facts, now, app, &detail);
    let asked =
        facts.edge().and_then(|edge| edge.hostname.as_ref()).is_some_and(|it| it.asked == Asking::Yes);
    if asked {
        return Ok(());
    }
    let message = "Fly has the hostname with an imported certificate, and takes no request for one of its own. Set `certificate.source` back, or delete this CustomDomain and create it anew.";
    Err(Refusal::new(reason::FLY_REFUSED, message).into())
}

/// Has Fly look at the hostname's records now.
pub(super) async fn check(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let Some((app, host)) = place(facts) else { return Ok(()) };
    match ctx.fly.certificates(&app).check(&host).await {
        Ok(detail) => note(facts, now, app, &detail),
        Err(error) if error.is_not_found() => gone(facts, now, app),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Imports the certificate at hand.
pub(super) async fn import(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let (Some((app, host)), Some(certificate)) = (place(facts), at_hand(facts)) else { return Ok(()) };
    let import = CustomCertificate {
        hostname: host,
        fullchain: certificate.chain.clone(),
        private_key: certificate.key.clone(),
    };
    let fingerprint = certificate.fingerprint.clone();
    let detail = ctx.fly.certificates(&app).import(&import).await?;
    note(facts, now, app, &detail);
    facts.known.deeds.imported = Some(fingerprint);
    Ok(())
}

/// Takes the imported certificate from the app, and keeps the hostname.
pub(super) async fn drop_import(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let Some((app, host)) = place(facts) else { return Ok(()) };
    match ctx.fly.certificates(&app).delete_custom(&host).await {
        Ok(detail) => note(facts, now, app, &detail),
        Err(error) if error.is_not_found() => gone(facts, now, app),
        Err(error) => return Err(error.into()),
    }
    facts.known.deeds.imported = None;
    Ok(())
}

/// Takes Fly's own certificate from the app, and keeps the hostname.
pub(super) async fn drop_issued(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let Some((app, host)) = place(facts) else { return Ok(()) };
    match ctx.fly.certificates(&app).delete_acme(&host).await {
        Ok(detail) => note(facts, now, app, &detail),
        Err(error) if error.is_not_found() => gone(facts, now, app),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Takes the hostname with all its certificates from the app that it led to.
pub(super) async fn take_away(ctx: &Context, facts: &mut Facts, app: &str) -> Result<(), Failure> {
    let Ok(host) = &facts.host else { return Ok(()) };
    detach(ctx, app, host.as_str()).await?;
    facts.known.deeds.detached.insert(app.to_owned());
    facts.known.edge = None;
    Ok(())
}

/// Takes a hostname with all its certificates from an app.
///
/// # Errors
/// If Fly refuses or doesn't answer.
pub async fn detach(ctx: &Context, app: &str, host: &str) -> Result<(), Failure> {
    match ctx.fly.certificates(app).delete(host).await {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}

/// The app and the hostname.
fn place(facts: &Facts) -> Option<(String, String)> {
    Some((facts.app()?.to_owned(), facts.host.as_ref().ok()?.as_str().to_owned()))
}

fn at_hand(facts: &Facts) -> Option<&Certificate> {
    match facts.domain.spec.certificate.source {
        CertificateSource::Fly => None,
        CertificateSource::Acme => facts.known.stored.as_ref()?.certificate.as_deref(),
        CertificateSource::Secret => match facts.known.material.as_ref()? {
            Material::Ready(certificate) => Some(certificate),
            Material::Unfit(_) => None,
        },
    }
}

fn note(facts: &mut Facts, now: Timestamp, app: String, detail: &CertificateDetail) {
    let before = facts.known.edge.take().filter(|edge| edge.app == app);
    let count = before.map_or(0, |edge| edge.count.saturating_add(1));
    facts.known.deeds.detached.remove(&app);
    facts.known.edge_asked = Asked::No;
    facts.known.edge = Some(EdgeFact { app, at: now, count, hostname: Some(Hosted::of(detail, now)) });
}

fn gone(facts: &mut Facts, now: Timestamp, app: String) {
    facts.known.edge = Some(EdgeFact { app, at: now, count: 0, hostname: None });
}
