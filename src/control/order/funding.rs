//! Which order funds which Runtime, by what is recorded on the orders' claims.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::name_claim::ClaimType;
use crate::api::order_record::OrderRecord;
use crate::api::runtime_order::FundingPhase;
use crate::api::{NameClaim, NameClaimSpec};

/// Keys of orders' claims, by what is asked for.
#[derive(Debug, Default)]
pub struct Orders {
    /// By the UID of the Runtime that is funded.
    funded: HashMap<String, BTreeSet<String>>,
    /// By namespace and name of the Runtime that they are for.
    for_name: HashMap<String, BTreeSet<String>>,
    /// By namespace and name of the order, save those given up.
    named: HashMap<String, BTreeSet<String>>,
    /// By namespace, those that aren't paid and still may be.
    open: HashMap<String, BTreeSet<String>>,
    /// Keys of slugs' claims that weren't given up, by the UID of the order that last funded them.
    slugs: HashMap<String, BTreeSet<String>>,
}

impl Orders {
    /// Takes in a claim.
    pub fn note(&mut self, key: &str, claim: &NameClaimSpec) {
        self.each(claim, |map, at| {
            map.entry(at).or_default().insert(key.to_owned());
        });
    }

    /// Forgets a claim.
    pub fn forget(&mut self, key: &str, claim: &NameClaimSpec) {
        self.each(claim, |map, at| {
            let Some(keys) = map.get_mut(&at) else { return };
            keys.remove(key);
            if keys.is_empty() {
                map.remove(&at);
            }
        });
    }

    /// Orders that fund, or funded, the Runtime of this UID.
    pub fn of_runtime(&self, uid: &str) -> Vec<String> {
        keys(&self.funded, uid)
    }

    /// Orders for the Runtime of this name.
    pub fn for_runtime(&self, namespace: &str, name: &str) -> Vec<String> {
        keys(&self.for_name, &path(namespace, name))
    }

    /// Claims of orders of this name that weren't given up.
    pub fn named(&self, namespace: &str, name: &str) -> Vec<String> {
        keys(&self.named, &path(namespace, name))
    }

    /// How many orders of the namespace aren't paid and still may be.
    pub fn open_in(&self, namespace: &str) -> usize {
        self.open.get(namespace).map(BTreeSet::len).unwrap_or_default()
    }

    /// How many slugs that weren't given up were last funded by the order of this UID.
    pub fn slugs_funded_by(&self, order: &str) -> usize {
        self.slugs.get(order).map(BTreeSet::len).unwrap_or_default()
    }

    fn each(
        &mut self,
        claim: &NameClaimSpec,
        mut change: impl FnMut(&mut HashMap<String, BTreeSet<String>>, String),
    ) {
        let is_held = claim.tombstone.is_none();
        let funded = claim.runtime.as_ref().filter(|_| is_held && claim.type_ == ClaimType::Slug);
        if let Some(order) = funded.and_then(|runtime| runtime.order.as_ref()) {
            change(&mut self.slugs, order.clone());
        }
        let Some(order) = &claim.order else { return };
        if is_held {
            change(&mut self.named, path(&claim.holder.namespace, &claim.holder.name));
        }
        if is_held && order.is_open() {
            change(&mut self.open, claim.holder.namespace.clone());
        }
        let Some(funds) = &order.funds else { return };
        change(&mut self.for_name, path(&claim.holder.namespace, &funds.name));
        if let Some(uid) = &funds.uid {
            change(&mut self.funded, uid.clone());
        }
    }
}

fn keys(map: &HashMap<String, BTreeSet<String>>, at: &str) -> Vec<String> {
    map.get(at).map(|keys| keys.iter().cloned().collect()).unwrap_or_default()
}

fn path(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

/// The order with the best right to a Runtime.
pub fn best(candidates: impl IntoIterator<Item = Arc<NameClaim>>) -> Option<Arc<NameClaim>> {
    candidates.into_iter().min_by_key(|claim| rank(claim))
}

/// Among orders, the lower has the better right: one that is paid, and of several one that wasn't given up.
pub fn rank(claim: &NameClaim) -> (bool, bool, Timestamp, String) {
    let funds = record(claim).is_some_and(|order| order.phase.funds());
    let created = claim.creation_timestamp().map_or(Timestamp::MAX, |time| time.0);
    (!funds, claim.spec.tombstone.is_some(), created, claim.name_any())
}

/// Whether an order was given up and leaves its Runtime to ours, if that is for another Plan: it funds the Runtime until
/// ours is paid, and again once ours is over.
pub fn gives_way(claim: &NameClaim, ours: Option<&OrderRecord>, plan: &str) -> bool {
    let is_over = ours.is_some_and(OrderRecord::is_over);
    let is_other = || record(claim).is_some_and(|order| order.price.plan.name != plan);
    claim.spec.tombstone.is_some() && !is_over && is_other()
}

/// Whether a Runtime's data is kept for an order: it is paid, or may be paid again.
pub fn keeps(claim: &NameClaim) -> bool {
    let kept = |phase| matches!(phase, FundingPhase::Suspended | FundingPhase::Refunded);
    record(claim).is_some_and(|order| order.phase.funds() || kept(order.phase))
}

/// What is recorded of the order.
pub fn record(claim: &NameClaim) -> Option<&OrderRecord> {
    claim.spec.order.as_deref()
}
