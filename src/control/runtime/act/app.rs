//! Effects on an app: the app itself, its addresses and its secrets.

use std::collections::BTreeMap;

use fly_machines::types as fly;
use fly_machines::types::AppDeletion;
use jiff::Timestamp;
use secrecy::SecretString;

use super::super::desired;
use super::super::env_marks;
use super::super::facts::{Absence, AbsenceKind, Facts, Family, Known, Origin, SecretsFact};
use super::super::survey::{Found, Standing};
use super::{Failed, tell};
use crate::api::name_claim::RuntimeIdentity;
use crate::control::context::Context;

pub(super) async fn create_app(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    let app =
        fly::CreateApp::new(&identity.app, &ctx.config.fly.organization).network(desired::network(identity));
    ctx.fly.apps().create(&app).await?;
    // What we made just now is empty.
    let empty = Absence::at(now, AbsenceKind::NotMade);
    facts.known.app = Known::Present(Origin::Made);
    facts.known.v6 = Known::Missing(empty);
    facts.known.v4 = Known::Missing(empty);
    if identity.volume_id.is_none() {
        facts.known.volume = Known::Missing(empty);
        facts.known.machine = Known::Missing(empty);
    }
    Ok(())
}

pub(super) async fn allocate(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    family: Family,
) -> Result<(), Failed> {
    let kind = match family {
        Family::V6 => fly::IpKind::V6,
        Family::V4 => fly::IpKind::SharedV4,
    };
    let given = ctx.fly.addresses(&identity.app).assign(&fly::AssignIp::new(kind)).await?;
    if facts.known.machine_exists() {
        tell(ctx, facts, "An address of the app was taken away at Fly by somebody else; it has another one.");
    }
    let known = match family {
        Family::V6 => &mut facts.known.v6,
        Family::V4 => &mut facts.known.v4,
    };
    *known = if given.ip.is_empty() { Known::Unknown } else { Known::Present(given.ip) };
    Ok(())
}

pub(super) async fn release_address(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    ip: &str,
) -> Result<(), Failed> {
    match ctx.fly.addresses(&identity.app).release(ip).await {
        Err(error) if !error.is_not_found() => return Err(error.into()),
        _ => {}
    }
    for known in [&mut facts.known.v6, &mut facts.known.v4] {
        if known.present().is_some_and(|have| have == ip) {
            *known = Known::Missing(Absence::at(now, AbsenceKind::Gone));
        }
    }
    Ok(())
}

/// Sets what has changed, or isn't there, and removes what isn't wanted any more.
pub(super) async fn set_secrets(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    let (Some(wanted), Some(hash)) = (desired::secret_values(facts), desired::secrets_hash(facts)) else {
        return Ok(());
    };
    let secrets = ctx.fly.secrets(&identity.app);
    let mut values: BTreeMap<String, Option<SecretString>> =
        wanted.into_iter().map(|(name, value)| (name, Some(value))).collect();
    let empty = facts.known.app == Known::Present(Origin::Made) && !facts.known.machine_exists();
    if !empty {
        reduced(ctx, facts, identity, &mut values).await?;
    }
    let version = secrets.update(&values).await?.version;
    if let Some(found) = facts.known.survey.found() {
        for note in told(found) {
            tell(ctx, facts, note);
        }
    }
    facts.known.survey.mended(|found| {
        found.secrets = Standing::AsMade;
        found.digests.set();
    });
    facts.known.secrets = Some(SecretsFact { hash, version });
    Ok(())
}

/// Leaves out what the app has already, and adds what it has and shouldn't.
async fn reduced(
    ctx: &Context,
    facts: &Facts,
    identity: &RuntimeIdentity,
    values: &mut BTreeMap<String, Option<SecretString>>,
) -> Result<(), Failed> {
    let listed = ctx.fly.secrets(&identity.app).list().await?;
    let standing: Vec<String> = listed.into_iter().map(|secret| secret.name).collect();
    let unwanted = standing.iter().filter(|name| !values.contains_key(*name)).cloned().collect();
    let unwanted = ours(ctx, facts, identity, unwanted).await?;
    // Which of them somebody has set otherwise isn't known.
    let tampered = facts.known.survey.found().is_some_and(|found| found.digests.are_changed());
    // The token goes along, so that there is always something to set: its answer tells the version.
    let known = |name: &&String| !tampered && *name != desired::TOKEN_ENV && !env_marks::is_news(facts, name);
    for name in standing.iter().filter(known) {
        values.remove(name);
    }
    values.extend(unwanted.into_iter().map(|name| (name, None)));
    Ok(())
}

/// What people are told of what somebody else did to the secrets.
fn told(found: &Found) -> Vec<&'static str> {
    let names = "Somebody else changed which secrets the app has at Fly; they are as declared again.";
    let values = "The value of a secret was changed at Fly by somebody else; it is as declared again.";
    let all = [(found.secrets == Standing::Changed, names), (found.digests.are_changed(), values)];
    all.into_iter().filter(|(is_so, _)| *is_so).map(|(_, note)| note).collect()
}

/// Removes the app of an identity whose time is over, in which nothing is left. It is refused if a Machine runs in it.
///
/// # Errors
/// Fly's answer, or the lack of one.
pub async fn remove_empty_app(ctx: &Context, identity: &RuntimeIdentity) -> fly_machines::Result<()> {
    match ctx.fly.apps().delete(&identity.app, AppDeletion::IfStopped).await {
        Err(error) if error.is_not_found() => Ok(()),
        removed => removed,
    }
}

/// Which of these secrets we have set: all of an app that we made. What an adopted app brought along is its own, and so
/// is what stands behind a variable that was given as a literal.
async fn ours(
    ctx: &Context,
    facts: &Facts,
    identity: &RuntimeIdentity,
    mut names: Vec<String>,
) -> Result<Vec<String>, Failed> {
    if identity.network.is_none() {
        return Ok(names);
    }
    names.retain(|name| env_marks::knows(facts, name));
    let Some(machine) = facts.known.machine.present().filter(|_| !names.is_empty()) else {
        return Ok(Vec::new());
    };
    let config = ctx.fly.machines(&identity.app).get(&machine.id).await?.config;
    let literal = |name: &String| config.as_ref().is_none_or(|config| config.env.contains_key(name));
    names.retain(|name| !literal(name));
    Ok(names)
}

pub(super) async fn delete_app(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    match ctx.fly.apps().delete(&identity.app, AppDeletion::IfStopped).await {
        Err(error) if !error.is_not_found() => return Err(error.into()),
        _ => {}
    }
    facts.known.app_delete_asked = Some(now);
    facts.known.app = Known::Unknown;
    Ok(())
}
