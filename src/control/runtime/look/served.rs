//! Looks at the hostname under the base domain, as Fly has it.

use jiff::Timestamp;

use super::identity;
use crate::control::context::Context;
use crate::control::domain::edge::Hosted;
use crate::control::runtime::facts::Facts;
use crate::control::runtime::trouble::Failure;

/// Has Fly look at the name's records, and notes whether it shows what was imported.
pub(super) async fn look(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let identity = identity(facts)?;
    let (Some(record), Some(base)) = (&identity.hostname, &facts.cluster.base) else { return Ok(()) };
    let records = base.records;
    let deeds = &mut facts.known.hostname;
    let Some(fingerprint) = deeds.over(record).certificate else { return Ok(()) };
    match ctx.fly.certificates(&identity.app).check(&record.name).await {
        Ok(detail) => deeds.take(&fingerprint, &Hosted::of(&detail, now), records),
        Err(error) if error.is_not_found() => {
            // It has gone meanwhile, and is imported again.
            deeds.note(&record.name, |standing| standing.certificate = None);
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
