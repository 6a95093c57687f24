//! What goes wrong on purpose: rules on calls, and states of the world.

pub mod environment;
pub mod rule;

use std::collections::BTreeMap;

use serde::Serialize;

pub use environment::{Environment, Environments};
pub use rule::{Action, Match, Rule, RuleSpec};

use crate::ids::Ids;

/// All rules on calls.
#[derive(Debug, Default)]
pub struct Faults {
    rules: BTreeMap<u64, Rule>,
    next: u64,
    /// The states of the world.
    pub environments: Environments,
}

/// A rule as the control API answers it.
#[derive(Debug, Serialize)]
pub struct FaultView<'a> {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a Rule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a Environment>,
}

impl Faults {
    /// Adds a rule and returns its id.
    pub fn add_rule(&mut self, spec: RuleSpec) -> u64 {
        self.next += 1;
        self.rules.insert(self.next, Rule::new(spec));
        self.next
    }

    /// Adds a state of the world and returns its id.
    pub fn add_environment(&mut self, environment: Environment) -> u64 {
        self.next += 1;
        self.environments.insert(self.next, environment);
        self.next
    }

    /// Takes a rule or state away; what it held is let go.
    pub fn remove(&mut self, id: u64) -> bool {
        self.rules.remove(&id).is_some() | self.environments.remove(id)
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.rules.clear();
        self.environments.clear();
    }

    /// The rule of this id.
    pub fn rule_mut(&mut self, id: u64) -> Option<&mut Rule> {
        self.rules.get_mut(&id)
    }

    /// The first rule that applies to a call; counts the call for every rule that matches it.
    pub fn apply(&mut self, method: &str, route: &str, app: &str, ids: &mut Ids) -> Option<(u64, Action)> {
        let mut found = None;
        for (id, rule) in &mut self.rules {
            if rule.hits(method, route, app, ids) && found.is_none() {
                rule.applied += 1;
                found = Some((*id, rule.action().clone()));
            }
        }
        found
    }

    /// All of them, or one.
    pub fn views(&self, only: Option<u64>) -> Vec<FaultView<'_>> {
        let rules =
            self.rules.iter().map(|(id, rule)| FaultView { id: *id, rule: Some(rule), environment: None });
        let states = self.environments.iter().map(|(id, state)| FaultView {
            id,
            rule: None,
            environment: Some(state),
        });
        rules.chain(states).filter(|view| only.is_none_or(|id| id == view.id)).collect()
    }
}
