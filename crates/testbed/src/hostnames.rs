//! What was done about hostnames and their certificates at Fly, read from the simulator's ledger.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::Change;

/// What was done about one hostname, on whichever apps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The changes, in order: `certificate.add`, `.acme_add`, `.upload`, `.check`, `.issued`, `.acme_delete`,
    /// `.custom_delete`, `.delete`.
    pub changes: Vec<Change>,
    /// The apps that have it now.
    pub apps: BTreeSet<String>,
    /// The most apps that had it together.
    pub most_apps: usize,
}

impl History {
    /// How often something was done, such as `certificate.check`.
    pub fn count(&self, effect: &str) -> usize {
        self.changes.iter().filter(|change| change.effect == effect).count()
    }

    /// How many certificates Fly has issued, renewals left out.
    pub fn issued(&self) -> usize {
        let issued = self.changes.iter().filter(|change| change.effect == "certificate.issued");
        issued.filter(|change| change.detail["renewal"] != true).count()
    }

    /// Fingerprints of the certificates that were uploaded, each upload by itself.
    pub fn uploads(&self) -> Vec<&str> {
        let uploads = self.changes.iter().filter(|change| change.effect == "certificate.upload");
        uploads.filter_map(|change| change.detail["fingerprint"].as_str()).collect()
    }

    fn step(&mut self, change: &Change) {
        match change.effect.as_str() {
            "certificate.add" => drop(self.apps.insert(change.app.clone())),
            "certificate.delete" => drop(self.apps.remove(&change.app)),
            _ => {}
        }
        self.most_apps = self.most_apps.max(self.apps.len());
        self.changes.push(change.clone());
    }
}

/// The history of each hostname that was ever added.
pub fn histories(changes: &[Change]) -> BTreeMap<String, History> {
    let mut all: BTreeMap<String, History> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.effect.starts_with("certificate.")) {
        all.entry(change.id.clone()).or_default().step(change);
    }
    all
}

/// Everything wrong with the histories, where each hostname may only ever be on the app that `owners` names: names on
/// other apps, on several at once, and more than one certificate that Fly had to have issued.
pub fn check_hostnames(changes: &[Change], owners: &BTreeMap<String, String>) -> Vec<String> {
    let mut problems = Vec::new();
    for (hostname, history) in histories(changes) {
        let apps: BTreeSet<&String> = history.changes.iter().map(|change| &change.app).collect();
        let strange = apps.into_iter().filter(|app| owners.get(&hostname) != Some(*app));
        problems.extend(strange.map(|app| format!("{hostname} was on {app}, where it doesn't belong")));
        if history.most_apps > 1 {
            problems.push(format!("{hostname} was on {} apps at once", history.most_apps));
        }
        if history.issued() > 1 {
            problems.push(format!("{hostname} was issued {} certificates", history.issued()));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(effect: &str, app: &str, detail: serde_json::Value) -> Change {
        let effect = format!("certificate.{effect}");
        Change { seq: 1, effect, app: app.to_owned(), id: "ai.example.com".to_owned(), detail }
    }

    fn problems(changes: &[Change]) -> String {
        let owners = BTreeMap::from([("ai.example.com".to_owned(), "a".to_owned())]);
        check_hostnames(changes, &owners).join("; ")
    }

    #[test]
    fn a_good_life_passes() {
        let first = change("issued", "a", json!({"renewal": false}));
        let life = [
            change("add", "a", json!({})),
            first,
            change("issued", "a", json!({"renewal": true})),
            change("upload", "a", json!({"fingerprint": "f1"})),
            change("delete", "a", json!({})),
        ];
        assert_eq!(problems(&life), "");
        let history = &histories(&life)["ai.example.com"];
        assert_eq!((history.issued(), history.uploads(), history.apps.len()), (1, vec!["f1"], 0));
        assert_eq!(history.count("certificate.issued"), 2);
    }

    #[test]
    fn strangers_doubles_and_repetitions_are_found() {
        let add = |app| change("add", app, json!({}));
        assert!(problems(&[add("b")]).contains("was on b, where it doesn't belong"));
        assert!(problems(&[add("a"), add("b")]).contains("on 2 apps at once"));
        let issued = change("issued", "a", json!({"renewal": false}));
        assert!(problems(&[add("a"), issued.clone(), issued]).contains("issued 2 certificates"));
    }
}
