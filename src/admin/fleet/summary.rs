//! What the fleet comes to. Pure: the time and everything that was seen come in.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde_json::Value;

use super::gather::{Part, Seen};
use crate::admin::confirm;
use crate::api::condition::{Condition, ConditionType, find, is_true};
use crate::api::name_claim::ClaimType;
use crate::api::{
    Blueprint, CustomDomain, NameClaim, Plan, Runtime, RuntimeOrder, Workspace, WorkspacePolicy,
};
use crate::control::order::flagged::unsettled;

/// A lease that wasn't renewed for so many seconds has no holder that acts.
const STALE: i64 = 60;

/// The fleet at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fleet {
    /// Who acts.
    pub operator: Leader,
    /// Runtimes by state.
    pub runtimes: Tally,
    /// Orders by state.
    pub orders: Tally,
    /// CustomDomains by state.
    pub domains: Tally,
    /// Workspaces by state.
    pub workspaces: Tally,
    /// What is stalled, the most frequent reason first.
    pub stalled: Vec<Trouble>,
    /// What waits for a person.
    pub waiting: Vec<Trouble>,
    /// What waits for the platform's word on a claim.
    pub to_confirm: ToConfirm,
    /// Orders of which only the claim is left, as `namespace/name (uid)`.
    pub vanished_orders: Vec<String>,
    /// How many payments pay for nothing, and nobody has dealt with, if receipts could be read.
    pub flagged_receipts: Option<usize>,
    /// Names of apps at Fly that nobody claims, if they were counted.
    pub orphans: Option<Vec<String>>,
    /// What couldn't be read, and why.
    pub unread: Vec<String>,
    /// What to do next.
    pub hints: Vec<String>,
}

/// Which replica acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum Leader {
    /// This one.
    Acting {
        /// Its name.
        holder: String,
    },
    /// None has renewed the lease for a while.
    Stale {
        /// Who held it last.
        holder: Option<String>,
        /// When it was last renewed.
        renewed: Option<Timestamp>,
    },
    /// There is no lease: none runs here, or it runs without an election.
    None,
    /// The lease couldn't be read.
    Unknown,
}

/// How many there are in each state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// All of them.
    pub total: usize,
    /// By the portal's word; those that weren't looked at yet under `new`.
    pub by_state: BTreeMap<String, usize>,
}

/// Objects that one reason holds up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// Kind of the objects.
    pub kind: String,
    /// The reason.
    pub reason: String,
    /// How many there are.
    pub count: usize,
    /// One of them, as `namespace/name`.
    pub object: String,
    /// What that one says.
    pub message: String,
}

/// What waits for the platform's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToConfirm {
    /// Deletions that the brake holds.
    pub deletions: usize,
    /// Objects of a restored cluster.
    pub takeovers: usize,
}

/// One object, whatever its kind.
struct Row<'s> {
    kind: &'static str,
    object: String,
    state: String,
    conditions: &'s [Condition],
}

/// What was seen, at a glance.
pub fn summarise(now: Timestamp, seen: &Seen) -> Fleet {
    let runtimes = rows("Runtime", &seen.runtimes, |it: &Runtime| {
        it.status.as_ref().map(|status| (word(status.state.as_ref()), status.conditions.as_slice()))
    });
    let orders = rows("RuntimeOrder", &seen.orders, |it: &RuntimeOrder| {
        it.status.as_ref().map(|status| (word(status.state.as_ref()), status.conditions.as_slice()))
    });
    let domains = rows("CustomDomain", &seen.domains, |it: &CustomDomain| {
        it.status.as_ref().map(|status| (word(status.state.as_ref()), status.conditions.as_slice()))
    });
    let workspaces = rows("Workspace", &seen.workspaces, |it: &Workspace| {
        it.status.as_ref().map(|status| (word(status.state.as_ref()), status.conditions.as_slice()))
    });
    let catalogue = catalogue(seen);
    let all = || runtimes.iter().chain(&orders).chain(&domains).chain(&workspaces).chain(&catalogue);
    let mut fleet = Fleet {
        operator: leader(now, &seen.lease),
        runtimes: tally(&runtimes),
        orders: tally(&orders),
        domains: tally(&domains),
        workspaces: tally(&workspaces),
        stalled: troubles(all().filter_map(|row| Some((row, stalled(row)?)))),
        waiting: troubles(all().filter_map(|row| Some((row, waiting(row)?)))),
        to_confirm: to_confirm(seen),
        vanished_orders: vanished_orders(seen),
        flagged_receipts: seen
            .receipts
            .read()
            .map(|all| unsettled(all.iter().map(|receipt| &receipt.spec)).len()),
        orphans: seen.orphans.read().cloned(),
        unread: unread(seen),
        hints: Vec::new(),
    };
    fleet.hints = hints(seen, &fleet);
    fleet
}

fn rows<'s, K: ResourceExt + Resource>(
    kind: &'static str,
    part: &'s Part<Vec<K>>,
    stands: impl Fn(&'s K) -> Option<(String, &'s [Condition])>,
) -> Vec<Row<'s>> {
    let all = part.read().map(Vec::as_slice).unwrap_or_default();
    let rows = all.iter().map(|object| {
        let (state, conditions) = stands(object).unwrap_or_default();
        let place = object.namespace().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let name = format!("{place}{}", object.name_any());
        Row { kind, object: name, state, conditions }
    });
    rows.collect()
}

/// What is on offer: it has no state, and may be stalled.
fn catalogue(seen: &Seen) -> Vec<Row<'_>> {
    let mut all = rows("Plan", &seen.plans, |it: &Plan| {
        it.status.as_ref().map(|status| (String::new(), status.conditions.as_slice()))
    });
    all.extend(rows("Blueprint", &seen.blueprints, |it: &Blueprint| {
        it.status.as_ref().map(|status| (String::new(), status.conditions.as_slice()))
    }));
    all.extend(rows("WorkspacePolicy", &seen.policies, |it: &WorkspacePolicy| {
        it.status.as_ref().map(|status| (String::new(), status.conditions.as_slice()))
    }));
    all
}

/// A state as its word; empty before the first visit.
fn word(state: Option<&impl Serialize>) -> String {
    let word = serde_json::to_value(state).ok();
    word.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn tally(rows: &[Row<'_>]) -> Tally {
    let mut by_state = BTreeMap::new();
    for row in rows {
        let state = if row.state.is_empty() { "new" } else { &row.state };
        *by_state.entry(state.to_owned()).or_insert(0) += 1;
    }
    Tally { total: rows.len(), by_state }
}

fn stalled<'s>(row: &Row<'s>) -> Option<&'s Condition> {
    find(row.conditions, ConditionType::Stalled).filter(|_| is_true(row.conditions, ConditionType::Stalled))
}

/// What waits for a person says so by its reason.
fn waiting<'s>(row: &Row<'s>) -> Option<&'s Condition> {
    find(row.conditions, ConditionType::Ready).filter(|ready| ready.reason.starts_with("Awaiting"))
}

/// Objects by kind and reason: the most first, and then by name.
fn troubles<'r, 's: 'r>(found: impl Iterator<Item = (&'r Row<'s>, &'s Condition)>) -> Vec<Trouble> {
    let mut by_reason: BTreeMap<(&str, &str), Trouble> = BTreeMap::new();
    for (row, condition) in found {
        let one = by_reason.entry((row.kind, &condition.reason)).or_insert_with(|| Trouble {
            kind: row.kind.to_owned(),
            reason: condition.reason.to_string(),
            count: 0,
            object: row.object.clone(),
            message: condition.message.to_string(),
        });
        one.count += 1;
        if row.object < one.object {
            one.object.clone_from(&row.object);
            one.message = condition.message.to_string();
        }
    }
    let mut all: Vec<Trouble> = by_reason.into_values().collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.count));
    all
}

fn to_confirm(seen: &Seen) -> ToConfirm {
    let claims: &[NameClaim] = seen.claims.read().map(Vec::as_slice).unwrap_or_default();
    let takeovers = confirm::takeovers(
        claims,
        seen.runtimes.read().map(Vec::as_slice).unwrap_or_default(),
        seen.workspaces.read().map(Vec::as_slice).unwrap_or_default(),
        seen.orders.read().map(Vec::as_slice).unwrap_or_default(),
        seen.domains.read().map(Vec::as_slice).unwrap_or_default(),
    );
    ToConfirm { deletions: confirm::held(claims).len(), takeovers: takeovers.len() }
}

/// An order whose finalizer was taken off goes without a word: what it was paid for is funded to its end, and its
/// subscription ends only then, or once its Runtime has gone too.
fn vanished_orders(seen: &Seen) -> Vec<String> {
    let (Some(claims), Some(orders)) = (seen.claims.read(), seen.orders.read()) else { return Vec::new() };
    let standing: HashSet<(String, String)> =
        orders.iter().map(|order| (order.namespace().unwrap_or_default(), order.name_any())).collect();
    let left = claims.iter().map(|claim| &claim.spec).filter(|claim| {
        let place = (claim.holder.namespace.clone(), claim.holder.name.clone());
        claim.type_ == ClaimType::Order && claim.tombstone.is_none() && !standing.contains(&place)
    });
    let mut names: Vec<String> =
        left.map(|it| format!("{}/{} ({})", it.holder.namespace, it.holder.name, it.name)).collect();
    names.sort();
    names
}

fn leader(now: Timestamp, lease: &Part<Option<Lease>>) -> Leader {
    let Some(lease) = lease.read() else { return Leader::Unknown };
    let Some(spec) = lease.as_ref().and_then(|lease| lease.spec.as_ref()) else { return Leader::None };
    let renewed = spec.renew_time.as_ref().map(|time| time.0);
    let holder = spec.holder_identity.clone().filter(|holder| !holder.is_empty());
    let fresh = renewed.is_some_and(|at| now.as_second() - at.as_second() <= STALE);
    match holder {
        Some(holder) if fresh => Leader::Acting { holder },
        holder => Leader::Stale { holder, renewed },
    }
}

fn unread(seen: &Seen) -> Vec<String> {
    let parts = [
        seen.runtimes.unread(),
        seen.orders.unread(),
        seen.domains.unread(),
        seen.workspaces.unread(),
        seen.plans.unread(),
        seen.blueprints.unread(),
        seen.policies.unread(),
        seen.claims.unread(),
        seen.receipts.unread(),
        seen.lease.unread(),
        seen.orphans.unread(),
    ];
    parts.into_iter().flatten().map(ToOwned::to_owned).collect()
}

/// What to do next, the most urgent first.
fn hints(seen: &Seen, fleet: &Fleet) -> Vec<String> {
    let mut hints = Vec::new();
    let mut hint = |holds: bool, text: &str| {
        if holds {
            hints.push(text.to_owned());
        }
    };
    hint(
        matches!(fleet.operator, Leader::Stale { .. }),
        "No operator acts: look at its Pods and their logs. What runs goes on running meanwhile.",
    );
    hint(fleet.to_confirm.deletions > 0, "Deletions are held: `moorage confirm deletions` shows them.");
    hint(fleet.to_confirm.takeovers > 0, "Takeovers wait: `moorage confirm takeovers` shows them.");
    hint(
        !fleet.vanished_orders.is_empty(),
        "Orders vanished and left their claims, as where a finalizer was taken off or a cluster is being restored: \
         docs/runbook.md says what to do about their subscriptions.",
    );
    hint(
        fleet.flagged_receipts.is_some_and(|count| count > 0),
        "Payments came that pay for nothing: `moorage billing lookup` shows them. Refund each at its provider, or \
         approve it by `moorage billing resolve` with the payment's id as the reference.",
    );
    hint(
        !fleet.stalled.is_empty(),
        "docs/runbook.md says for each reason what to look at; `moorage recover NAMESPACE/NAME` does what is safe.",
    );
    hint(
        fleet.orphans.as_ref().is_some_and(|orphans| !orphans.is_empty()),
        "Apps that nobody claims cost money: `moorage orphans` shows them.",
    );
    hint(
        seen.runtimes.read().is_some_and(Vec::is_empty),
        "There is no Runtime yet: declare a Workspace and a Runtime, or place a RuntimeOrder; examples/ shows how.",
    );
    hint(
        fleet.runtimes.by_state.get("new").is_some_and(|new| *new > 0),
        "Runtimes under `new` were never looked at: see whether an operator acts.",
    );
    hints
}

#[cfg(test)]
mod tests;
