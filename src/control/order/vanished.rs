//! Orders that vanished without a word, because their finalizer was taken off: what would have been done when they were
//! deleted is done from their claims, once it is proved that they are gone. A claim that was restored from a backup, and
//! whose order has yet to be, is none of these: nobody here has had it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Api, ResourceExt};

use super::facts::{Knowledge, Remains};
use super::observe::{gather, remains};
use super::step::{Rest, Step};
use crate::api::order_record::OrderRecord;
use crate::api::refs::NameRef;
use crate::api::runtime_order::{FundingPhase, OrderedRuntime, Payment};
use crate::api::{NameClaim, NameClaimSpec, ORDER_FINALIZER, Runtime, RuntimeOrder, RuntimeOrderSpec};
use crate::control::context::Context;
use crate::control::orphans::was_ours;
use crate::control::rounds::rounds;
use crate::engine::backoff::Backoff;

/// Pauses before what wasn't proved gone is asked for again: after a restore thousands may wait for theirs, for days.
const UNPROVED: Backoff = Backoff::between(Duration::from_secs(30), Duration::from_mins(30));

/// What is to be done about an order that is gone, beside recording where its funding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It funds no Runtime: nobody can pay it any more, nothing further is collected, and its claim is given up, as if it
    /// had been deleted.
    GiveUp,
    /// The Runtime that it funded has gone: nothing further is collected, and what comes all the same is flagged.
    RecordGone,
}

/// What is due if what is missed is gone. Pure.
pub fn suspected(claim: &NameClaimSpec, order: &OrderRecord, remains: Remains) -> Option<Due> {
    let has_runtime = order.funds.as_ref().is_some_and(|funds| funds.uid.is_some());
    match has_runtime {
        // Another order of its name is to take it over, by the platform's word.
        false if claim.tombstone.is_some() || claim.confirm.is_some() => None,
        false => Some(Due::GiveUp),
        true if order.runtime_gone_time.is_some() || remains == Remains::Claim => None,
        true => Some(Due::RecordGone),
    }
}

/// The order as its claim remembers it, deleted when it was first missed.
pub fn stand_in(claim: &NameClaimSpec, order: &OrderRecord, missed: Timestamp) -> RuntimeOrder {
    let name = order.funds.as_ref().map(|funds| funds.name.clone()).unwrap_or_default();
    let spec = RuntimeOrderSpec {
        plan_ref: NameRef::new(&order.price.plan.name),
        runtime: Some(OrderedRuntime { name, slug: None }),
        runtime_ref: None,
        payment: Payment { provider: order.provider, mode: order.mode },
    };
    let mut stand_in = RuntimeOrder::new(&claim.holder.name, spec);
    stand_in.metadata.namespace = Some(claim.holder.namespace.clone());
    stand_in.metadata.uid = Some(claim.holder.uid.clone());
    stand_in.metadata.generation = Some(1);
    stand_in.metadata.deletion_timestamp = Some(Time(missed));
    stand_in.metadata.finalizers = Some(vec![ORDER_FINALIZER.into()]);
    stand_in
}

/// What is missed, by name of its claim.
#[derive(Debug, Default)]
pub struct Missing(HashMap<String, Missed>);

#[derive(Debug)]
struct Missed {
    since: Timestamp,
    /// When it is asked for again, at the earliest.
    next: Timestamp,
    /// How often it was asked for and not proved gone.
    asked: u32,
    known: Knowledge,
}

impl Missed {
    /// Missed for the first time: a cache may be behind, so that it isn't asked for before the grace is over.
    fn first(now: Timestamp, grace: SignedDuration) -> Self {
        let next = now.saturating_add(grace).unwrap_or(Timestamp::MAX);
        Self { since: now, next, asked: 0, known: Knowledge::default() }
    }

    fn put_off(&mut self, now: Timestamp, key: &str) {
        self.asked = self.asked.saturating_add(1);
        self.next = now.saturating_add(UNPROVED.pause(key, self.asked)).unwrap_or(Timestamp::MAX);
    }
}

impl Missing {
    /// Forgets all claims but these.
    pub fn keep(&mut self, claims: &[Arc<NameClaim>]) {
        let kept: HashSet<String> = claims.iter().map(|claim| claim.name_any()).collect();
        self.0.retain(|key, _| kept.contains(key));
    }

    /// What is due for a claim whose order is gone, as far as that is proved.
    pub async fn due(&mut self, ctx: &Context, now: Timestamp, claim: &NameClaim) -> Option<Due> {
        let (key, order) = (claim.name_any(), claim.spec.order.as_deref()?);
        let Some(due) = suspected(&claim.spec, order, remains(ctx, claim)) else {
            self.0.remove(&key);
            return None;
        };
        let grace = SignedDuration::from_secs(ctx.config.timing.absence_grace_seconds.into());
        let missed = self.0.entry(key.clone()).or_insert_with(|| Missed::first(now, grace));
        if missed.next > now {
            return None;
        }
        if proved(ctx, claim, order, due).await {
            missed.asked = 0;
            return Some(due);
        }
        missed.put_off(now, &key);
        None
    }

    /// Goes on as for an order that is deleted, until its claim is given up.
    pub async fn give_up(&mut self, ctx: &Context, claim: &NameClaim) {
        let key = claim.name_any();
        let (Some(order), Some(missed)) = (claim.spec.order.as_deref(), self.0.get_mut(&key)) else { return };
        let stand_in = stand_in(&claim.spec, order, missed.since).into();
        let mut facts = gather(ctx, stand_in, std::mem::take(&mut missed.known));
        let step = rounds(ctx, &mut facts).await;
        missed.known = facts.known;
        if step == Step::Rest(Rest::Gone) {
            tracing::warn!(claim = key, "given up by its claim: its order had gone without a trace");
        }
    }
}

/// The API server says that it is gone, and this cluster's operator has had it.
async fn proved(ctx: &Context, claim: &NameClaim, order: &OrderRecord, due: Due) -> bool {
    let gone = match due {
        Due::GiveUp => order_is_gone(ctx, claim, order).await,
        Due::RecordGone => runtime_is_gone(ctx, claim, order).await,
    };
    match gone {
        Ok(gone) => gone && was_ours(ctx, claim).await,
        Err(error) => {
            tracing::debug!(claim = claim.name_any(), %error, "what is missed can't be asked for");
            false
        }
    }
}

/// Of one that nobody paid nothing is lost. What was paid is kept for another order of its name, which the platform may
/// have take it over.
async fn order_is_gone(ctx: &Context, claim: &NameClaim, order: &OrderRecord) -> Result<bool, kube::Error> {
    let holder = &claim.spec.holder;
    let api = Api::<RuntimeOrder>::namespaced(ctx.kube.clone(), &holder.namespace);
    let found = api.get_metadata_opt(&holder.name).await?;
    Ok(found.is_none_or(|found| {
        order.phase == FundingPhase::Unpaid && found.metadata.uid.as_ref() != Some(&holder.uid)
    }))
}

async fn runtime_is_gone(ctx: &Context, claim: &NameClaim, order: &OrderRecord) -> Result<bool, kube::Error> {
    let Some(funds) = &order.funds else { return Ok(false) };
    let api = Api::<Runtime>::namespaced(ctx.kube.clone(), &claim.spec.holder.namespace);
    let found = api.get_metadata_opt(&funds.name).await?;
    Ok(found.is_none_or(|found| found.metadata.uid != funds.uid))
}
