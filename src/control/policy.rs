//! What the platform allows in a namespace: every WorkspacePolicy that selects it, the strictest of each field.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::WorkspacePolicySpec;
use crate::api::label_key::POLICY_PREFIX;
use crate::api::runtime::DeletionPolicy;

/// What holds for one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectivePolicy {
    /// Plans that may be used; `None` allows every Plan that requires an order.
    pub plans: Option<BTreeSet<String>>,
    /// Blueprints that may be used; `None` allows all.
    pub blueprints: Option<BTreeSet<String>>,
    /// Regions that may be used; `None` allows all.
    pub regions: Option<BTreeSet<String>>,
    /// Deletion policies that may be used; `None` allows all.
    pub deletion: Option<Vec<DeletionPolicy>>,
    /// Most Runtimes.
    pub max_runtimes: i32,
    /// Most orders that aren't paid; `None` leaves it to the operator's default.
    pub max_open_orders: Option<i32>,
    /// Whether the namespace is suspended.
    pub suspension: Suspension,
}

/// Whether the platform has suspended a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspension {
    /// It has not.
    Active,
    /// It has: nothing runs.
    Suspended,
}

/// Whether a Plan has to be paid for by an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Funding {
    /// An order has to fund it.
    Order,
    /// It runs without one, where a policy lists it.
    Free,
}

impl EffectivePolicy {
    /// The policy of a namespace that no WorkspacePolicy selects.
    pub fn unselected(max_runtimes: i32) -> Self {
        Self {
            plans: None,
            blueprints: None,
            regions: None,
            deletion: None,
            max_runtimes,
            max_open_orders: None,
            suspension: Suspension::Active,
        }
    }

    /// Combines the policies that select the namespace.
    pub fn of<'p>(
        policies: impl IntoIterator<Item = &'p WorkspacePolicySpec>,
        namespace: &str,
        labels: &BTreeMap<String, String>,
        default_max: i32,
    ) -> Self {
        let mut effective = Self::unselected(default_max);
        let mut limit: Option<i32> = None;
        for policy in policies.into_iter().filter(|policy| selects(policy, namespace, labels)) {
            narrow(&mut effective.plans, policy.allowed_plans.as_ref());
            narrow(&mut effective.blueprints, policy.allowed_blueprints.as_ref());
            narrow(&mut effective.regions, policy.allowed_regions.as_ref());
            narrow_deletion(&mut effective.deletion, policy.allowed_deletion_policies.as_ref());
            limit = [limit, policy.max_runtimes].into_iter().flatten().min();
            let open = [effective.max_open_orders, policy.max_open_orders];
            effective.max_open_orders = open.into_iter().flatten().min();
            if policy.suspended {
                effective.suspension = Suspension::Suspended;
            }
        }
        effective.max_runtimes = limit.unwrap_or(default_max);
        effective
    }

    /// Whether the Plan may be used here.
    pub fn allows_plan(&self, plan: &str, funding: Funding) -> bool {
        match (&self.plans, funding) {
            (Some(allowed), _) => allowed.contains(plan),
            (None, Funding::Order) => true,
            (None, Funding::Free) => false,
        }
    }

    /// Whether the Blueprint may be used here.
    pub fn allows_blueprint(&self, blueprint: &str) -> bool {
        self.blueprints.as_ref().is_none_or(|allowed| allowed.contains(blueprint))
    }

    /// Whether the region may be used here.
    pub fn allows_region(&self, region: &str) -> bool {
        self.regions.as_ref().is_none_or(|allowed| allowed.contains(region))
    }

    /// Whether data may be treated so here.
    pub fn allows_deletion(&self, policy: DeletionPolicy) -> bool {
        self.deletion.as_ref().is_none_or(|allowed| allowed.contains(&policy))
    }
}

fn selects(policy: &WorkspacePolicySpec, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
    let selector = &policy.selector;
    let by_name = selector.namespaces.iter().any(|name| name == namespace);
    let by_label = !selector.match_labels.is_empty()
        && selector
            .match_labels
            .iter()
            .all(|(key, value)| key.starts_with(POLICY_PREFIX) && labels.get(key) == Some(value));
    by_name || by_label
}

fn narrow(effective: &mut Option<BTreeSet<String>>, allowed: Option<&Vec<String>>) {
    let Some(allowed) = allowed else { return };
    let allowed: BTreeSet<String> = allowed.iter().cloned().collect();
    *effective = Some(match effective.take() {
        Some(so_far) => so_far.intersection(&allowed).cloned().collect(),
        None => allowed,
    });
}

fn narrow_deletion(effective: &mut Option<Vec<DeletionPolicy>>, allowed: Option<&Vec<DeletionPolicy>>) {
    let Some(allowed) = allowed else { return };
    *effective = Some(match effective.take() {
        Some(so_far) => so_far.into_iter().filter(|policy| allowed.contains(policy)).collect(),
        None => allowed.clone(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::workspace_policy::PolicySelector;

    fn policy(namespaces: &[&str]) -> WorkspacePolicySpec {
        WorkspacePolicySpec {
            selector: PolicySelector {
                namespaces: namespaces.iter().map(ToString::to_string).collect(),
                match_labels: BTreeMap::new(),
            },
            allowed_plans: None,
            allowed_blueprints: None,
            allowed_regions: None,
            allowed_deletion_policies: None,
            max_runtimes: None,
            max_open_orders: None,
            suspended: false,
        }
    }

    fn effective(policies: &[WorkspacePolicySpec]) -> EffectivePolicy {
        EffectivePolicy::of(policies, "acme", &BTreeMap::new(), 10)
    }

    #[test]
    fn without_a_policy_only_plans_with_an_order_are_allowed() {
        let none = effective(&[]);
        assert!(none.allows_plan("basic", Funding::Order));
        assert!(!none.allows_plan("trial", Funding::Free));
        assert_eq!(none.max_runtimes, 10);
    }

    #[test]
    fn a_free_plan_must_be_listed_by_every_policy_that_lists_plans() {
        let mut lists = policy(&["acme"]);
        lists.allowed_plans = Some(vec!["trial".into(), "basic".into()]);
        let mut narrower = policy(&["acme"]);
        narrower.allowed_plans = Some(vec!["basic".into()]);
        assert!(effective(std::slice::from_ref(&lists)).allows_plan("trial", Funding::Free));
        assert!(!effective(&[lists, narrower]).allows_plan("trial", Funding::Free));
        assert!(!effective(&[policy(&["acme"])]).allows_plan("trial", Funding::Free));
    }

    #[test]
    fn the_strictest_limit_holds_and_may_exceed_the_default() {
        let mut wide = policy(&["acme"]);
        wide.max_runtimes = Some(50);
        let mut tight = policy(&["acme"]);
        tight.max_runtimes = Some(3);
        assert_eq!(effective(std::slice::from_ref(&wide)).max_runtimes, 50);
        assert_eq!(effective(&[wide, tight]).max_runtimes, 3);
        let open = |most: i32| WorkspacePolicySpec { max_open_orders: Some(most), ..policy(&["acme"]) };
        assert_eq!(effective(&[open(5), open(2), policy(&["acme"])]).max_open_orders, Some(2));
        assert_eq!(effective(&[policy(&["acme"])]).max_open_orders, None);
    }

    #[test]
    fn labels_outside_the_platforms_prefix_select_nothing() {
        let mut forged = policy(&[]);
        forged.selector.match_labels = BTreeMap::from([("tier".into(), "gold".into())]);
        forged.max_runtimes = Some(1000);
        let labels = BTreeMap::from([("tier".to_owned(), "gold".to_owned())]);
        assert_eq!(EffectivePolicy::of([&forged], "acme", &labels, 10).max_runtimes, 10);
    }

    #[test]
    fn one_suspending_policy_suspends() {
        let mut suspends = policy(&["acme"]);
        suspends.suspended = true;
        assert_eq!(effective(&[policy(&["acme"]), suspends]).suspension, Suspension::Suspended);
    }
}
