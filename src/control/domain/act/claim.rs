//! Writes the hostname's claim.

use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::super::facts::{Deeds, Facts};
use super::super::step::Standing;
use super::super::wire;
use crate::api::NameClaimSpec;
use crate::api::condition::whole_seconds;
use crate::api::domain_record::{Contest, DomainRecord, OwnershipMethod};
use crate::api::name_claim::{ClaimType, Tombstone};
use crate::control::claim_writer;
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;

/// Makes the claim: whoever comes second finds it.
pub(super) async fn create(ctx: &Context, facts: &mut Facts, record: &DomainRecord) -> Result<(), Failure> {
    let Ok(host) = &facts.host else { return Ok(()) };
    let spec = NameClaimSpec {
        domain: Some(Box::new(record.clone())),
        ..NameClaimSpec::new(ClaimType::Hostname, host.as_str(), facts.holder())
    };
    facts.known.deeds = Deeds::default();
    let key = spec.key();
    claim_writer::create(ctx, &key, spec).await?;
    wire::wrote(ctx, &key);
    Ok(())
}

/// Takes over the claim of an earlier object of the name. What stands under it stays as it was.
pub(super) async fn take_over(ctx: &Context, facts: &Facts) -> Result<(), Failure> {
    write(ctx, facts, json!({"holder": facts.holder(), "confirm": null})).await
}

/// Takes a name over that its last holder gave up, or can't prove any more. Nothing of theirs is left on it but the times
/// of its orders.
pub(super) async fn reclaim(ctx: &Context, facts: &mut Facts, record: &DomainRecord) -> Result<(), Failure> {
    facts.known.deeds = Deeds::default();
    facts.known.stored = None;
    facts.known.edge = None;
    let mut domain = json!(record);
    for gone in ["missingSince", "astraySince", "contest", "certificate", "serviceTime", "route", "ordering"]
    {
        if domain.get(gone).is_none() {
            domain[gone] = Value::Null;
        }
    }
    write(ctx, facts, json!({"holder": facts.holder(), "confirm": null, "tombstone": null, "domain": domain}))
        .await
}

/// Records that it is contested, or isn't any more. What was taken away or set before may stand otherwise by now.
pub(super) async fn contest(
    ctx: &Context,
    facts: &mut Facts,
    contest: Option<&Contest>,
) -> Result<(), Failure> {
    let contest = contest.map(|contest| {
        let mut value = json!(contest);
        // A merge leaves what isn't named.
        value["decideTime"] = json!(contest.decide_time);
        value
    });
    let mut domain = json!({"contest": contest});
    if contest.is_none() && was_taken(facts) {
        domain["route"] = json!({"addresses": null});
    }
    write(ctx, facts, json!({"domain": domain})).await?;
    facts.known.deeds = Deeds::default();
    facts.known.edge = None;
    Ok(())
}

/// Whether something may have been taken from the name's holder: it was decided that the name changes hands.
fn was_taken(facts: &Facts) -> bool {
    let record = facts.cluster.claim.as_ref().and_then(|claim| claim.spec.domain.as_ref());
    record.is_some_and(|it| {
        it.route.is_some() && it.contest.as_ref().is_some_and(|contest| contest.decide_time.is_some())
    })
}

/// Records since when the record that proves it has been missing.
pub(super) async fn missing(ctx: &Context, facts: &Facts, since: Timestamp) -> Result<(), Failure> {
    write(ctx, facts, json!({"domain": {"missingSince": since}})).await
}

/// Records that a record of this kind proves it: nothing is missing, and nobody contests it any more.
pub(super) async fn shown(ctx: &Context, facts: &Facts, method: OwnershipMethod) -> Result<(), Failure> {
    write(ctx, facts, json!({"domain": {"method": method, "missingSince": null, "contest": null}})).await
}

/// Records since when it has led elsewhere.
pub(super) async fn astray(ctx: &Context, facts: &Facts, since: Option<Timestamp>) -> Result<(), Failure> {
    write(ctx, facts, json!({"domain": {"astraySince": since}})).await
}

/// Records where it leads from now on; what stood under the way before is gone.
pub(super) async fn route(ctx: &Context, facts: &mut Facts, app: Option<&str>) -> Result<(), Failure> {
    let route = app.map(|app| json!({"app": app, "addresses": null}));
    let domain = json!({"route": route, "certificate": null, "serviceTime": null});
    write(ctx, facts, json!({"domain": domain})).await?;
    facts.known.deeds = Deeds::default();
    facts.known.edge = None;
    Ok(())
}

/// Records what stands.
pub(super) async fn standing(ctx: &Context, facts: &Facts, standing: &Standing) -> Result<(), Failure> {
    let Some(route) = facts.record().and_then(|record| record.route.as_ref()) else { return Ok(()) };
    let certificate = standing.certificate.as_ref().map(|certificate| {
        let mut certificate = json!(certificate);
        // A merge leaves what isn't named.
        for gone in ["fingerprint", "renewalTime", "serial", "issuer"] {
            if certificate.get(gone).is_none() {
                certificate[gone] = Value::Null;
            }
        }
        certificate
    });
    let domain = json!({
        "route": {"app": route.app, "addresses": standing.addresses},
        "certificate": certificate,
        "serviceTime": standing.service_time,
    });
    write(ctx, facts, json!({"domain": domain})).await
}

/// Gives the name up: it is kept for its tenant for a while.
pub(super) async fn release(ctx: &Context, now: Timestamp, facts: &Facts) -> Result<(), Failure> {
    let message = "Nothing is left under this name. It is kept for its last tenant for a while.".to_owned();
    let tombstone = Tombstone { release_time: whole_seconds(now), message };
    let domain = json!({
        "route": null, "certificate": null, "serviceTime": null, "missingSince": null,
        "astraySince": null, "contest": null,
    });
    write(ctx, facts, json!({"tombstone": tombstone, "domain": domain})).await
}

/// Nothing is done next that relies on it: what to do is decided anew from what stands then.
async fn write(ctx: &Context, facts: &Facts, spec: Value) -> Result<(), Failure> {
    let Some(standing) = &facts.cluster.claim else { return Ok(()) };
    claim_writer::change(ctx, standing, spec).await.map(drop)?;
    wire::wrote(ctx, &standing.name_any());
    Ok(())
}
