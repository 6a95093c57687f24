//! Judges whether something on offer is usable. Pure. The schema refuses most of what is wrong; this tells of the
//! rest, and of what was stored under an older schema.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use crate::api::blueprint::BlueprintStatus;
use crate::api::condition::{self, Condition, ConditionStatus, ConditionType, Conditions, Wanted};
use crate::api::label_key::POLICY_PREFIX;
use crate::api::plan::CatalogStatus;
use crate::api::{Blueprint, BlueprintSpec, Plan, PlanSpec, WorkspacePolicy, WorkspacePolicySpec, reason};
use crate::control::rollout::report::Report;
use crate::control::strays::{self, Strays};

/// A kind that is on offer.
pub trait Offer {
    /// What its status is made of.
    type Status: Clone + PartialEq + Serialize + Send + Sync;

    /// What is wrong with it, with the remedy.
    fn fault(&self) -> Option<String>;
    /// What its status says.
    fn standing(&self) -> Option<&Self::Status>;
    /// The generation and the conditions that its status says.
    fn observed(&self) -> Option<(i64, &[Condition])>;
    /// Conditions that it has beside `Ready`.
    fn more(&self, _around: &Around) -> Vec<Wanted> {
        Vec::new()
    }
    /// A status.
    fn status(generation: i64, conditions: Conditions, around: &Around) -> Self::Status;
}

/// What the status of something on offer tells of what is around it.
#[derive(Clone, Debug)]
pub struct Around {
    /// How its rollout goes.
    pub report: Report,
    /// Apps that nobody claims.
    pub strays: Strays,
}

fn observed(status: Option<&CatalogStatus>) -> Option<(i64, &[Condition])> {
    status.map(|status| (status.observed_generation, status.conditions.as_slice()))
}

impl Offer for Plan {
    type Status = CatalogStatus;

    fn fault(&self) -> Option<String> {
        plan(&self.spec)
    }

    fn standing(&self) -> Option<&CatalogStatus> {
        self.status.as_ref()
    }

    fn observed(&self) -> Option<(i64, &[Condition])> {
        observed(self.status.as_ref())
    }

    fn status(observed_generation: i64, conditions: Conditions, _around: &Around) -> CatalogStatus {
        CatalogStatus { observed_generation, conditions }
    }
}

impl Offer for Blueprint {
    type Status = BlueprintStatus;

    fn fault(&self) -> Option<String> {
        blueprint(&self.spec)
    }

    fn standing(&self) -> Option<&BlueprintStatus> {
        self.status.as_ref()
    }

    fn observed(&self) -> Option<(i64, &[Condition])> {
        self.status.as_ref().map(|status| (status.observed_generation, status.conditions.as_slice()))
    }

    fn more(&self, around: &Around) -> Vec<Wanted> {
        let old = self.observed().map(|(_, conditions)| conditions).unwrap_or_default();
        let rollout = around.report.condition.clone();
        [Some(rollout), strays::condition(around.strays, old)].into_iter().flatten().collect()
    }

    fn status(observed_generation: i64, conditions: Conditions, around: &Around) -> BlueprintStatus {
        BlueprintStatus { observed_generation, rollout: Some(around.report.counts), conditions }
    }
}

impl Offer for WorkspacePolicy {
    type Status = CatalogStatus;

    fn fault(&self) -> Option<String> {
        policy(&self.spec)
    }

    fn standing(&self) -> Option<&CatalogStatus> {
        self.status.as_ref()
    }

    fn observed(&self) -> Option<(i64, &[Condition])> {
        observed(self.status.as_ref())
    }

    fn status(observed_generation: i64, conditions: Conditions, _around: &Around) -> CatalogStatus {
        CatalogStatus { observed_generation, conditions }
    }
}

/// The status to write, given the one that stands.
pub fn status<K: Offer>(now: Timestamp, generation: i64, offer: &K, around: &Around) -> K::Status {
    let old = offer.observed().map(|(_, conditions)| conditions).unwrap_or_default();
    let mut wanted = match offer.fault() {
        None => {
            vec![Wanted::new(ConditionType::Ready, ConditionStatus::True, reason::VALID, "It can be used.")]
        }
        Some(fault) => vec![
            Wanted::new(ConditionType::Stalled, ConditionStatus::True, reason::INVALID, fault.clone()),
            Wanted::new(ConditionType::Ready, ConditionStatus::False, reason::INVALID, fault),
        ],
    };
    wanted.extend(offer.more(around));
    K::status(generation, condition::merge(old, wanted, generation, now), around)
}

fn plan(spec: &PlanSpec) -> Option<String> {
    let sized = spec.cpus > 0 && spec.memory_mb > 0 && spec.volume_gb > 0;
    if !sized {
        return Some(
            "`cpus`, `memoryMB` and `volumeGB` must be above 0. Make a new Plan: this one can't change."
                .into(),
        );
    }
    (spec.amount < 0).then(|| "`amount` must not be negative. Make a new Plan: this one can't change.".into())
}

fn blueprint(spec: &BlueprintSpec) -> Option<String> {
    if spec.image.trim().is_empty() {
        return Some("`image` must name an image.".into());
    }
    if spec.command.first().is_none_or(|program| program.trim().is_empty()) {
        return Some("`command` must begin with the program to run.".into());
    }
    if !(1..=65_535).contains(&spec.port) {
        return Some("`port` must be from 1 to 65535.".into());
    }
    if !spec.mount_path.starts_with('/') || spec.mount_path.split('/').any(|part| part == "..") {
        return Some("`mountPath` must be an absolute path without `..`.".into());
    }
    let wrong = spec.gateway.trusted_proxies.iter().find(|range| !is_range(range))?;
    Some(format!(
        "`gateway.trustedProxies` must hold addresses or ranges that don't trust everyone; `{wrong}` is none."
    ))
}

/// An IP address, or a range of them that isn't all.
fn is_range(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else { return text.parse::<IpAddr>().is_ok() };
    let longest = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    prefix.parse::<u8>().is_ok_and(|bits| (1..=longest).contains(&bits))
}

fn policy(spec: &WorkspacePolicySpec) -> Option<String> {
    let selector = &spec.selector;
    if selector.namespaces.is_empty() && selector.match_labels.is_empty() {
        return Some("`selector` selects nothing. Name `namespaces` or `matchLabels`.".into());
    }
    let foreign = selector.match_labels.keys().find(|key| !key.starts_with(POLICY_PREFIX))?;
    Some(format!(
        "`selector.matchLabels` must use keys below `{POLICY_PREFIX}`, which only the platform can set; `{foreign}` is none."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Blueprint {
        serde_saphyr::from_str(include_str!("../../../examples/platform/blueprint-openclaw.yaml")).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_shipped_blueprint_is_valid() {
        assert_eq!(shipped().fault(), None);
    }

    #[test]
    fn each_fault_of_a_blueprint_is_named() {
        type Change = fn(&mut BlueprintSpec);
        let faults: [(Change, &str); 5] = [
            (|spec| spec.image = " ".into(), "`image`"),
            (|spec| spec.command.clear(), "`command`"),
            (|spec| spec.mount_path = "/data/../etc".into(), "`mountPath`"),
            (|spec| spec.port = 0, "`port`"),
            (|spec| spec.gateway.trusted_proxies = vec!["0.0.0.0/0".into()], "`0.0.0.0/0`"),
        ];
        for (change, named) in faults {
            let mut blueprint = shipped();
            change(&mut blueprint.spec);
            let fault = blueprint.fault().unwrap();
            assert!(fault.contains(named), "{fault}");
        }
    }

    #[test]
    fn ranges_are_told_from_other_text() {
        for range in ["127.0.0.1", "172.16.0.0/12", "fdaa::/16", "::1"] {
            assert!(is_range(range), "{range}");
        }
        for other in ["", "localhost", "10.0.0.0/33", "10.0.0.0/", "::/0", "10.0.0.0/-1"] {
            assert!(!is_range(other), "{other}");
        }
    }

    #[test]
    fn a_status_keeps_its_contract_and_is_written_once() {
        let mut blueprint = shipped();
        blueprint.metadata.generation = Some(3);
        for (text, strays) in [("127.0.0.1", Strays::Elsewhere), ("everyone", Strays::Counted(2))] {
            blueprint.spec.gateway.trusted_proxies = vec![text.into()];
            let around = Around { report: Report::default(), strays };
            let first = status(at(5), 3, &blueprint, &around);
            blueprint.status = Some(first.clone());
            assert_eq!(status(at(9), 3, &blueprint, &around), first);
            let told = condition::is_true(&first.conditions, ConditionType::OrphanApps);
            assert_eq!(told, strays == Strays::Counted(2));
            // An operator that starts hasn't counted yet, and writes nothing.
            if told {
                let unknown = Around { strays: Strays::Uncounted, ..around };
                assert_eq!(status(at(9), 3, &blueprint, &unknown), first);
            }
            let object = serde_json::to_value(&blueprint).unwrap();
            assert_eq!(testbed::check_conditions(&object, testbed::Moment::AtRest), Vec::<String>::new());
        }
    }
}
