//! Conditions: the contract with kstatus, Flux, Argo CD and `kubectl wait`.
//!
//! `Ready` means that the spec is realised. `Reconciling` and `Stalled` are present only while true. A condition
//! keeps its transition time until its status changes, so that writing an unchanged state changes nothing.

use jiff::Timestamp;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared_text::SharedText;

/// Longest message that a condition carries, in characters; longer ones are cut.
pub const MAX_MESSAGE: usize = 1024;

/// Every condition type in use. The order is the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
pub enum ConditionType {
    /// Abnormal-true: nothing more will happen at the usual pace until a person acts.
    Stalled,
    /// Abnormal-true: work towards the spec goes on, or it waits for a person.
    Reconciling,
    /// The spec is realised.
    Ready,
    /// Runtime: it serves.
    Available,
    /// Runtime: app, addresses, volume and Machine exist.
    Provisioned,
    /// Runtime: the Machine runs the declared configuration.
    ConfigApplied,
    /// Runtime: plan, policy and funding allow it to run.
    Entitled,
    /// Runtime: its Blueprint or its image has moved on since it was pinned. Present only while true.
    UpdateAvailable,
    /// Runtime, present only while true: it may sleep, and something that it configures works only while it is awake.
    DeafWhileAsleep,
    /// Runtime, present only while true: things stand in its app at Fly that Moorage didn't make.
    UnknownResources,
    /// Runtime: its hostname under the base domain leads to it, with a certificate. Absent without a base domain.
    HostnameReady,
    /// CustomDomain: a record shows whose the hostname is.
    OwnershipVerified,
    /// CustomDomain: the hostname is held for it, and for nobody else.
    HostnameClaimed,
    /// CustomDomain: the hostname leads to its Runtime.
    #[serde(rename = "DNSConfigured")]
    DnsConfigured,
    /// CustomDomain: a certificate for it is in service.
    CertificateIssued,
    /// RuntimeOrder: it can be paid.
    CheckoutOpen,
    /// RuntimeOrder: it is paid for now.
    Paid,
    /// RuntimeOrder: the Runtime that it funds serves.
    Fulfilled,
    /// Blueprint: every Runtime of it runs it as it is now.
    RolledOut,
    /// The Blueprint that the configuration names, present only while true: apps at Fly carry our mark, and no claim
    /// names them.
    OrphanApps,
    /// Workspace: its subdomain is its own.
    SubdomainClaimed,
    /// Workspace: its members hold their roles.
    MembersBound,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It doesn't.
    False,
    /// Not known yet.
    Unknown,
}

/// One observation about an object, in the shape of `meta/v1` Condition.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Generation of the spec that it was judged against.
    #[schemars(range(min = 0))]
    pub observed_generation: i64,
    /// When `status` last changed.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub last_transition_time: Timestamp,
    /// Why, in one CamelCase word; part of the API.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z][A-Za-z0-9]*$"))]
    pub reason: SharedText,
    /// Cause and remedy, for the person who reads it.
    #[schemars(length(max = 1024))]
    pub message: SharedText,
}

/// A condition as it is wanted, before it meets the one that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What it is about.
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why.
    pub reason: &'static str,
    /// Cause and remedy.
    pub message: String,
}

impl Wanted {
    /// A condition that is `status` because of `reason`.
    pub fn new(
        type_: ConditionType,
        status: ConditionStatus,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self { type_, status, reason, message: message.into() }
    }
}

/// The conditions of one object, sorted by type.
pub type Conditions = Vec<Condition>;

/// Builds the conditions to write: those wanted, each with the transition time of its forerunner if its status
/// didn't change. What isn't wanted is gone, which is how `Reconciling` and `Stalled` end.
pub fn merge(old: &[Condition], wanted: Vec<Wanted>, generation: i64, now: Timestamp) -> Conditions {
    let mut merged: Conditions = wanted
        .into_iter()
        .map(|want| {
            let since = find(old, want.type_)
                .filter(|have| have.status == want.status)
                .map_or_else(|| whole_seconds(now), |have| have.last_transition_time);
            Condition {
                type_: want.type_,
                status: want.status,
                observed_generation: generation,
                last_transition_time: since,
                reason: want.reason.into(),
                message: cut(want.message).into(),
            }
        })
        .collect();
    merged.sort_by_key(|condition| condition.type_);
    merged
}

/// The condition of that type, if there is one.
pub fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the condition of that type is there and true.
pub fn is_true(conditions: &[Condition], type_: ConditionType) -> bool {
    find(conditions, type_).is_some_and(|condition| condition.status == ConditionStatus::True)
}

/// Kubernetes' times have whole seconds: a finer one would differ from what the API server gives back.
pub fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn cut(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE) {
        message.truncate(end);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ready(status: ConditionStatus) -> Wanted {
        Wanted::new(ConditionType::Ready, status, "Reason", "message")
    }

    #[test]
    fn an_unchanged_status_keeps_its_time() {
        let first = merge(&[], vec![ready(ConditionStatus::True)], 1, at(10));
        let second = merge(&first, vec![ready(ConditionStatus::True)], 2, at(20));
        assert_eq!(second[0].last_transition_time, at(10));
        assert_eq!(second[0].observed_generation, 2);
    }

    #[test]
    fn a_changed_status_takes_the_new_time() {
        let first = merge(&[], vec![ready(ConditionStatus::Unknown)], 1, at(10));
        let second = merge(&first, vec![ready(ConditionStatus::True)], 1, at(20));
        assert_eq!(second[0].last_transition_time, at(20));
    }

    #[test]
    fn what_is_not_wanted_is_gone_and_the_order_is_fixed() {
        let stalled = Wanted::new(ConditionType::Stalled, ConditionStatus::True, "Bad", "");
        let first = merge(&[], vec![ready(ConditionStatus::False), stalled], 1, at(1));
        assert_eq!(first[0].type_, ConditionType::Stalled);
        let second = merge(&first, vec![ready(ConditionStatus::True)], 1, at(2));
        assert_eq!(second.len(), 1);
    }

    #[test]
    fn a_long_message_is_cut_on_a_character() {
        let long = "é".repeat(MAX_MESSAGE + 5);
        let wanted = Wanted::new(ConditionType::Ready, ConditionStatus::True, "Reason", long);
        assert_eq!(merge(&[], vec![wanted], 1, at(1))[0].message.chars().count(), MAX_MESSAGE);
    }
}
