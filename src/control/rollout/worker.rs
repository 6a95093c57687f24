//! Goes through the Runtimes of every Blueprint whenever something changed, lets the next ones begin, and says how
//! each rollout goes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use tokio_util::sync::CancellationToken;

use super::board::{Failures, News};
use super::pick::{Member, OnFailure, Permit, Picked, Proof, Record, Stage, Standing, pick};
use super::report::{Named, report};
use super::target::Current;
use super::wire::named;
use crate::api::blueprint::{Rollout, RolloutStrategy};
use crate::api::name_claim::{Holder, RuntimeIdentity, UpgradePhase};
use crate::api::{Blueprint, Runtime};
use crate::control::context::Context;
use crate::control::hold;

/// Shortest time between two rounds.
const PAUSE: Duration = Duration::from_millis(500);
/// A round goes through all Runtimes, and each of very many that are made is news: the pause is so many times as long as
/// the round took.
const SHARE: u32 = 50;

/// Goes round until `shutdown`.
pub async fn run(ctx: Arc<Context>, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = ctx.rollouts.changed() => {}
            () = shutdown.cancelled() => return,
        }
        let began = Instant::now();
        round(&ctx);
        tokio::select! {
            () = tokio::time::sleep(PAUSE.max(began.elapsed() * SHARE)) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// One round through every Blueprint.
pub fn round(ctx: &Context) {
    // Before any claim is read: a failure that is recorded meanwhile takes back what is picked without it.
    let known = ctx.rollouts.failures();
    let blueprints: BTreeMap<String, Offer> = ctx
        .stores
        .blueprints
        .state()
        .into_iter()
        .map(|blueprint| (blueprint.name_any(), Offer::new(ctx, &blueprint)))
        .collect();
    let mut groups: BTreeMap<&str, Vec<Row>> =
        blueprints.keys().map(|name| (name.as_str(), Vec::new())).collect();
    for claim in ctx.claims.held_slugs() {
        let Some(identity) = &claim.spec.runtime else { continue };
        let Some((name, offer)) = blueprints.get_key_value(&identity.pin.blueprint) else { continue };
        let row = match live(ctx, &claim.spec.holder) {
            Some(runtime) => row(ctx, offer, &runtime, identity),
            None if offer.current.has_failed_on(identity) => {
                gone(&claim.spec.holder.uid, full_name(&claim.spec.holder))
            }
            None => continue,
        };
        groups.entry(name).or_default().push(row);
    }
    for (name, rows) in groups {
        if let Some(offer) = blueprints.get(name) {
            attend(ctx, name, offer, rows, known);
        }
    }
}

/// The Runtime that holds a slug, unless it is on its way out.
fn live(ctx: &Context, holder: &Holder) -> Option<Arc<Runtime>> {
    let reference = ObjectRef::<Runtime>::new(&holder.name).within(&holder.namespace);
    let runtime = ctx.stores.runtimes.get(&reference)?;
    let same = runtime.uid().as_deref() == Some(&holder.uid);
    (same && runtime.metadata.deletion_timestamp.is_none()).then_some(runtime)
}

fn full_name(holder: &Holder) -> String {
    format!("{}/{}", holder.namespace, holder.name)
}

/// A Blueprint as it is now.
struct Offer {
    current: Current,
    rollout: Rollout,
}

impl Offer {
    fn new(ctx: &Context, blueprint: &Blueprint) -> Self {
        let image = ctx.claims.newest_image(&blueprint.spec.image);
        let generation = blueprint.metadata.generation.unwrap_or_default();
        Self {
            current: Current::new(&blueprint.name_any(), generation, &blueprint.spec, image),
            rollout: blueprint.spec.rollout.clone().unwrap_or_default(),
        }
    }
}

/// A Runtime, and how to have it visited.
struct Row {
    reference: ObjectRef<Runtime>,
    named: Named,
}

/// A Runtime on which it failed and that is deleted: what failed there is no better for it.
fn gone(uid: &str, name: String) -> Row {
    let member = Member {
        uid: uid.to_owned(),
        stage: Stage::Gone,
        standing: Standing::Off,
        permit: Permit::None,
        record: Record::Failed,
    };
    Row { reference: ObjectRef::new(&name), named: Named { name, member } }
}

fn row(ctx: &Context, offer: &Offer, runtime: &Runtime, identity: &RuntimeIdentity) -> Row {
    let uid = runtime.uid().unwrap_or_default();
    // The permit first: one that is used from now on leaves its Runtime known to be down.
    let permit = ctx.rollouts.permit(&uid);
    let standing = match ctx.rollouts.standing(&uid) {
        // What was never up can't go down.
        Standing::Unknown | Standing::Down if identity.machine_id.is_none() => Standing::Off,
        known => known,
    };
    let stage = stage(ctx, offer, runtime, identity, standing);
    if matches!(stage, Stage::Moving | Stage::GoingBack) {
        ctx.rollouts.recorded(&uid);
    } else if stage != Stage::Outdated {
        ctx.rollouts.withdraw(&uid);
    }
    let name = format!("{}/{}", runtime.namespace().unwrap_or_default(), runtime.name_any());
    let record = if offer.current.has_failed_on(identity) { Record::Failed } else { Record::Clean };
    Row {
        reference: ObjectRef::from_obj(runtime),
        named: Named { name, member: Member { uid, stage, standing, permit, record } },
    }
}

fn stage(
    ctx: &Context,
    offer: &Offer,
    runtime: &Runtime,
    identity: &RuntimeIdentity,
    standing: Standing,
) -> Stage {
    if let Some(upgrade) = &identity.upgrade {
        // One that is off proves itself at its next start, whenever that is.
        let waits = upgrade.phase == UpgradePhase::Trial && standing == Standing::Off;
        match upgrade.phase {
            UpgradePhase::Rollback => return Stage::GoingBack,
            _ if !waits => return Stage::Moving,
            _ => {}
        }
    }
    let Some(update) = offer.current.update_of(&identity.pin) else {
        return if identity.upgrade.is_some() { Stage::Unproved } else { Stage::Current };
    };
    if offer.current.has_failed_on(identity) && identity.upgrade.is_none() {
        return Stage::Failed;
    }
    let held = hold::held(&runtime.metadata, ctx.config.mode).is_some()
        || identity.upgrade.is_some()
        || identity.machine_id.is_none()
        || !update.fits()
        || named(runtime, &ctx.config.defaults.blueprint) != identity.pin.blueprint;
    if held { Stage::Held } else { Stage::Outdated }
}

/// Lets the next ones begin, and says how it goes.
fn attend(ctx: &Context, name: &str, offer: &Offer, mut rows: Vec<Row>, known: Failures) {
    let (rollout, mark) = (&offer.rollout, offer.current.mark());
    let serves = |row: &Row| {
        (row.named.member.stage, row.named.member.standing) == (Stage::Current, Standing::Serving)
    };
    if rows.iter().any(serves) {
        ctx.rollouts.prove(name, mark.clone());
    }
    rows.extend(fallen(ctx, name, offer, &rows));
    let picked = picked(rollout, ctx.rollouts.proof(name, &mark), &rows);
    for row in &mut rows {
        let uid = &row.named.member.uid;
        match &picked {
            Some(picked) if picked.grants.contains(uid) => {
                ctx.rollouts.grant(uid, known);
                row.named.member.permit = Permit::Granted;
                ctx.triggers.runtimes.visit_ref(row.reference.clone());
            }
            Some(picked) if !picked.withdrawals.contains(uid) => {}
            _ => ctx.rollouts.withdraw(uid),
        }
    }
    let all: Vec<Named> = rows.into_iter().map(|row| row.named).collect();
    if ctx.rollouts.say(name, report(name, rollout, &all, picked.as_ref())) == News::Some {
        ctx.triggers.blueprints.visit_ref(ObjectRef::new(name));
    }
}

/// Those on which it failed and that have gone altogether since. Where failures pause nothing they are forgotten.
fn fallen(ctx: &Context, name: &str, offer: &Offer, rows: &[Row]) -> Vec<Row> {
    if !offer.rollout.pause_on_failure {
        ctx.rollouts.forgive(name);
        return Vec::new();
    }
    let known: HashSet<&str> = rows.iter().map(|row| row.named.member.uid.as_str()).collect();
    let failed = rows.iter().filter(|row| row.named.member.has_failed());
    let failed = failed.map(|row| (row.named.member.uid.clone(), row.named.name.clone()));
    let fallen = ctx.rollouts.fallen(name, &offer.current.mark(), &known, failed);
    fallen.into_iter().map(|(uid, name)| gone(&uid, name)).collect()
}

fn picked(rollout: &Rollout, proof: Proof, rows: &[Row]) -> Option<Picked> {
    if rollout.strategy != RolloutStrategy::Staged {
        return None;
    }
    let members: Vec<Member> = rows.iter().map(|row| row.named.member.clone()).collect();
    let on_failure = if rollout.pause_on_failure { OnFailure::Pause } else { OnFailure::GoOn };
    Some(pick(usize::try_from(rollout.max_unavailable).unwrap_or(1), on_failure, proof, &members))
}
