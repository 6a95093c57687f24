//! Looks at everything in the app beside the Runtime's own Machine and volume, and at what the app was given.

use fly_machines::types::{self as fly, ListMachines};
use jiff::Timestamp;

use super::super::digests::{self, Digests};
use super::super::facts::{Facts, Known};
use super::super::survey::{self, Found, Standing, Survey, knows_machine, knows_volume, secrets_stand};
use super::super::trouble::Failure;
use super::identity;
use crate::api::name_claim::RuntimeIdentity;
use crate::control::context::Context;

/// Whatever can't be seen now is seen in a later round: it holds nothing up.
pub(super) async fn surroundings(ctx: &Context, now: Timestamp, facts: &mut Facts) {
    let Ok(identity) = identity(facts) else { return };
    match survey(ctx, now, facts, &identity).await {
        Ok(found) => facts.known.survey = Survey::of(found),
        Err(error) => {
            tracing::debug!(app = identity.app, %error, "an app can't be looked at as a whole; it is later");
            facts.known.survey = Survey::Unknown;
        }
    }
}

/// Machines and volumes in the app that the claim doesn't know, before the app is removed with all that is in it.
pub(super) async fn remains(ctx: &Context, facts: &mut Facts) -> Result<(), Failure> {
    let identity = identity(facts)?;
    match strangers(ctx, facts, &identity).await {
        Ok(found) => facts.known.survey = Survey::of(found),
        // Somebody was faster.
        Err(error) if error.is_not_found() => facts.known.app = Known::Unknown,
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Machines and volumes that the claim doesn't know.
async fn strangers(ctx: &Context, facts: &Facts, identity: &RuntimeIdentity) -> fly_machines::Result<Found> {
    let summary = ListMachines { summary: true, ..ListMachines::default() };
    let machines = ctx.fly.machines(&identity.app).list(&summary).await?;
    let volumes = ctx.fly.volumes(&identity.app).list().await?;
    let own = facts.known.machine.present().map(|machine| machine.id.clone());
    let strange = |machine: &fly::Machine| {
        !machine.state.is_gone() && own.as_ref() != Some(&machine.id) && !knows_machine(identity, &machine.id)
    };
    let odd = |volume: &fly::Volume| !volume.state.is_gone() && !knows_volume(identity, &volume.id);
    Ok(Found {
        machines: sorted(machines.into_iter().filter(strange).map(|machine| machine.id)),
        volumes: sorted(volumes.into_iter().filter(odd).map(|volume| volume.id)),
        ..Found::default()
    })
}

async fn survey(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> fly_machines::Result<Found> {
    let found = strangers(ctx, facts, identity).await?;
    let addresses = ctx.fly.addresses(&identity.app).list().await?;
    let secrets = ctx.fly.secrets(&identity.app).list().await?;
    let certificate = certificate(ctx, now, facts, identity).await?;
    let digests = seen_digests(facts, &secrets);
    let names: Vec<String> = secrets.into_iter().map(|secret| secret.name).collect();
    Ok(Found {
        addresses: sorted(super::note_addresses(now, facts, &addresses).into_iter()),
        secrets: secrets_stand(facts, identity, &names),
        digests,
        certificate,
        ..found
    })
}

fn seen_digests(facts: &Facts, secrets: &[fly::AppSecret]) -> Digests {
    let Some(machine) = facts.known.machine.present() else { return Digests::AsMarked };
    let shown = secrets.iter().map(|secret| (secret.name.as_str(), secret.digest.as_str()));
    let shown = digests::mark(facts, shown);
    let ours = |secret: &&fly::AppSecret| survey::secret_names(facts).any(|name| name == secret.name);
    let set = secrets.iter().filter(ours).filter_map(|secret| secret.updated_at).max();
    let before = facts.known.survey.found().map(|found| found.digests.clone()).unwrap_or_default();
    Digests::seen(machine.digests.as_deref(), &before, shown, set)
}

fn sorted(ids: impl Iterator<Item = String>) -> Vec<String> {
    let mut ids: Vec<String> = ids.collect();
    ids.sort();
    ids
}

/// Whether the app still has, for the Runtime's hostname, the certificate that it was given.
async fn certificate(
    ctx: &Context,
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
) -> fly_machines::Result<Standing> {
    let given = identity.hostname.as_ref().filter(|record| record.certificate.is_some());
    let Some(record) = given.filter(|_| facts.cluster.base.is_some()) else { return Ok(Standing::AsMade) };
    let stands = match ctx.fly.certificates(&identity.app).get(&record.name).await {
        Ok(detail) => detail.certificates.iter().any(|entry| {
            entry.source == fly::CertificateSource::Custom
                && entry.expires_at.is_none_or(|expiry| expiry > now)
        }),
        Err(error) if error.is_not_found() => false,
        Err(error) => return Err(error),
    };
    Ok(if stands { Standing::AsMade } else { Standing::Changed })
}
