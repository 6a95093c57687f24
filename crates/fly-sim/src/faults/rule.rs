//! A rule on calls: which ones, and what happens to them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use crate::ids::Ids;

/// Which calls a rule is for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Match {
    /// The method; any when empty.
    pub method: String,
    /// The route's pattern, such as `/v1/apps/{app}/machines`, or a beginning that ends with `*`; any when empty.
    pub route: String,
    /// The app; any when empty.
    pub app: String,
    /// The first matching call that it applies to, from 1; every one when absent.
    pub ordinal: Option<u64>,
    /// How many calls it applies to: 1 with an ordinal, else without end.
    pub count: Option<u64>,
    /// The chance, for each call that would otherwise be met.
    pub probability: Option<f64>,
}

/// Before or after the effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Nothing is committed.
    #[default]
    Before,
    /// The effect is committed first.
    After,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Action {
    /// The connection is closed before anything happens.
    Refuse,
    /// The effect is committed and the connection closed without a reply.
    DropReply,
    /// This status and body are answered.
    Status {
        /// The status.
        status: u16,
        /// The body: JSON, or a string for plain text.
        #[serde(default)]
        body: Value,
        /// Extra headers.
        #[serde(default)]
        headers: std::collections::BTreeMap<String, String>,
        /// Before or after the effect.
        #[serde(default)]
        when: When,
    },
    /// It takes longer; the effect is committed even if the client gives up.
    Latency {
        /// Real milliseconds.
        ms: u64,
        /// Before or after the effect.
        #[serde(default)]
        when: When,
    },
    /// A list is answered as it was.
    Stale {
        /// How far behind, in milliseconds.
        ms: i64,
    },
    /// A list is answered empty.
    Empty,
    /// A list is answered with its first entries only.
    Partial {
        /// How many.
        keep: usize,
    },
    /// The body ends in the middle and the connection is closed.
    Truncate,
    /// The body isn't JSON.
    Malformed,
    /// The effect is committed; the reply waits until it is released or the client goes away.
    Hold,
}

impl Action {
    /// The action's name, as the ledger shows it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::DropReply => "drop_reply",
            Self::Status { .. } => "status",
            Self::Latency { .. } => "latency",
            Self::Stale { .. } => "stale",
            Self::Empty => "empty",
            Self::Partial { .. } => "partial",
            Self::Truncate => "truncate",
            Self::Malformed => "malformed",
            Self::Hold => "hold",
        }
    }
}

/// A rule as it is asked for.
#[derive(Clone, Debug, Deserialize)]
pub struct RuleSpec {
    /// Which calls.
    #[serde(default, rename = "match")]
    pub matching: Match,
    /// What happens.
    pub action: Action,
}

/// A rule and what it did.
#[derive(Debug, Serialize)]
pub struct Rule {
    #[serde(rename = "match")]
    matching: Match,
    action: Action,
    seen: u64,
    /// How often it was applied.
    pub applied: u64,
    /// The requests whose replies it holds now.
    pub held: Vec<u64>,
    #[serde(skip)]
    gate: watch::Sender<u64>,
}

impl Rule {
    /// A rule that has seen nothing yet.
    pub fn new(spec: RuleSpec) -> Self {
        let gate = watch::Sender::new(0);
        Self { matching: spec.matching, action: spec.action, seen: 0, applied: 0, held: Vec::new(), gate }
    }

    /// What happens.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// Lets go what is held.
    pub fn release(&mut self) -> usize {
        self.gate.send_modify(|round| *round += 1);
        std::mem::take(&mut self.held).len()
    }

    /// What a held reply waits for: a change, or the rule's end.
    pub fn gate(&self) -> watch::Receiver<u64> {
        self.gate.subscribe()
    }

    /// Whether a call is met; counts it when it matches.
    pub fn hits(&mut self, method: &str, route: &str, app: &str, ids: &mut Ids) -> bool {
        if !self.matching.covers(method, route, app) {
            return false;
        }
        self.seen += 1;
        let first = self.matching.ordinal.unwrap_or(1);
        let count = self.matching.count.or(self.matching.ordinal.map(|_| 1));
        self.seen >= first
            && count.is_none_or(|count| self.applied < count)
            && self.matching.probability.is_none_or(|p| ids.chance(p))
    }
}

impl Match {
    fn covers(&self, method: &str, route: &str, app: &str) -> bool {
        let fits = |wanted: &str, actual: &str| match wanted.strip_suffix('*') {
            Some(start) => actual.starts_with(start),
            None => wanted.is_empty() || wanted == actual,
        };
        fits(&self.method, method) && fits(&self.route, route) && fits(&self.app, app)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(spec: &str, calls: usize) -> Vec<usize> {
        let mut faults = super::super::Faults::default();
        let mut ids = Ids::new(1, 0);
        faults.add_rule(serde_json::from_str(spec).unwrap());
        (1..=calls).filter(|_| faults.apply("GET", "/v1/apps", "", &mut ids).is_some()).collect()
    }

    #[test]
    fn an_ordinal_is_met_once_and_a_count_so_often() {
        assert_eq!(hits(r#"{"match":{"ordinal":2},"action":{"kind":"refuse"}}"#, 4), [2]);
        assert_eq!(hits(r#"{"match":{"ordinal":2,"count":2},"action":{"kind":"refuse"}}"#, 5), [2, 3]);
        assert_eq!(hits(r#"{"match":{"method":"POST"},"action":{"kind":"refuse"}}"#, 3), [0; 0]);
        assert_eq!(hits(r#"{"match":{"route":"/v1/*"},"action":{"kind":"refuse"}}"#, 2), [1, 2]);
    }
}
