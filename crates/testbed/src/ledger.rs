//! What must hold of everything that was done at Fly, read from the simulator's ledger.
//!
//! Only whoever runs a test knows what was meant to be deleted and what may stay: [`Expectation`] says it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// What somebody wanted to become of an app's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Intent {
    /// Everything goes, and the app with it.
    Delete,
    /// The volume goes once a snapshot is made; the app stays for the snapshot's sake.
    Snapshot,
    /// The Machine stops and nothing goes.
    Retain,
}

/// What a test expects of the end.
#[derive(Debug, Clone, Default)]
pub struct Expectation {
    /// Apps that may still be there, beside those that `intents` keeps.
    pub kept: BTreeSet<String>,
    /// Apps whose Runtimes were deleted, with what their owners wanted.
    pub intents: BTreeMap<String, Intent>,
    /// Ids of volumes, and of Machines, that claims list as displaced: they may stand beside those that took their
    /// place.
    pub displaced: BTreeSet<String>,
}

/// One change at Fly, in the order of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Change {
    /// Its number.
    pub seq: u64,
    /// Name of the effect, such as `machine.create`.
    #[serde(default)]
    pub effect: String,
    /// The app.
    #[serde(default)]
    pub app: String,
    /// The id of what changed.
    #[serde(default)]
    pub id: String,
    /// More on it.
    #[serde(default)]
    pub detail: Value,
}

/// What stands in an app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct App {
    /// The app's network, which is its owner's mark.
    pub network: String,
    /// Ids of Machines that nobody destroyed.
    pub machines: BTreeSet<String>,
    /// Ids of volumes that nobody deleted.
    pub volumes: BTreeSet<String>,
    /// Volumes of which a snapshot was asked for, and the entry of the last one.
    snapshotted: BTreeMap<String, u64>,
    /// Volumes that were made from another.
    successors: BTreeMap<String, Successor>,
    /// Volumes that a Machine was made with.
    booted: BTreeSet<String>,
    /// The entry since which no Machine in the app writes; none while one does.
    quiet: Option<u64>,
    /// The volume that was made last.
    newest: Option<String>,
}

/// A volume that was made from another, or from a snapshot of another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Successor {
    /// The entry that made it.
    seq: u64,
    /// The volume that it is a copy of; `None` if it was made from a snapshot.
    copy_of: Option<String>,
}

impl App {
    /// Whether another volume serves in the place of this one, and all that this one held is kept: in the copy, or in
    /// a snapshot that was made since.
    fn is_replaced(&self, volume: &str) -> bool {
        let kept = |made: &Successor| {
            let saved = self.snapshotted.get(volume).is_some_and(|seq| *seq > made.seq);
            saved || made.copy_of.as_deref() == Some(volume)
        };
        let mut others = self.successors.iter().filter(|(id, _)| *id != volume && self.booted.contains(*id));
        others.any(|(_, made)| kept(made))
    }
}

/// The effects of a ledger, given as the simulator prints it: a list of entries, or an object that has one.
pub fn changes(ledger: &Value) -> Result<Vec<Change>> {
    let list = ledger.as_array().or_else(|| ledger["entries"].as_array()).context("the ledger is no list")?;
    let effects = list.iter().filter(|entry| entry["kind"] == "effect");
    effects.map(|entry| Change::deserialize(entry).context("an entry of the ledger")).collect()
}

/// Everything wrong with the history: what was done without intent or out of order, what there is twice,
/// and what was left over.
pub fn check_ledger(changes: &[Change], expected: &Expectation) -> Vec<String> {
    let mut replay = Replay { expected, apps: BTreeMap::new(), problems: Vec::new() };
    for change in changes {
        replay.step(change);
    }
    replay.check_end();
    replay.problems
}

/// What stands at the end of the history.
pub fn standing(changes: &[Change]) -> BTreeMap<String, App> {
    let nothing = Expectation::default();
    let mut replay = Replay { expected: &nothing, apps: BTreeMap::new(), problems: Vec::new() };
    for change in changes {
        replay.step(change);
    }
    replay.apps
}

struct Replay<'a> {
    expected: &'a Expectation,
    apps: BTreeMap<String, App>,
    problems: Vec<String>,
}

impl Replay<'_> {
    fn step(&mut self, change: &Change) {
        match change.effect.as_str() {
            "app.create" => {
                let network = change.detail["network"].as_str().unwrap_or_default().to_owned();
                self.apps.insert(change.app.clone(), App { network, ..App::default() });
            }
            "app.delete" => self.delete_app(change),
            "machine.destroy" => self.destroy_machine(change),
            "volume.delete" => self.delete_volume(change),
            _ => self.add(change),
        }
    }

    fn add(&mut self, change: &Change) {
        let Some(app) = self.apps.get_mut(&change.app) else { return };
        match change.effect.as_str() {
            "machine.start" => app.quiet = None,
            // A new version that is meant to run starts after it.
            "machine.update" => app.quiet = Some(change.seq),
            "machine.stop" | "machine.suspend" | "machine.exit" | "machine.failed" | "machine.destroyed" => {
                app.quiet.get_or_insert(change.seq);
            }
            "machine.create" => {
                app.machines.insert(change.id.clone());
                let named = change.detail["volume"].as_str().map(str::to_owned);
                app.booted.extend(named.or_else(|| app.newest.clone()));
            }
            "volume.create" => {
                app.volumes.insert(change.id.clone());
                app.newest = Some(change.id.clone());
                // Fly moves a Machine with its volume, which has another id then: the Machine is on it at once.
                if let Some(old) = change.detail["migratedFrom"].as_str() {
                    let copy_of = Some(old.to_owned());
                    app.successors.insert(change.id.clone(), Successor { seq: change.seq, copy_of });
                    app.booted.insert(change.id.clone());
                }
                if let (Some(source), from) = (change.detail["source"].as_str(), &change.detail["from"]) {
                    let copy_of = (from == source).then(|| source.to_owned());
                    app.successors.insert(change.id.clone(), Successor { seq: change.seq, copy_of });
                }
            }
            "snapshot.create" => {
                app.snapshotted
                    .extend(change.detail["volume"].as_str().map(|id| (id.to_owned(), change.seq)));
            }
            _ => {}
        }
    }

    fn intent(&self, app: &str) -> Option<Intent> {
        self.expected.intents.get(app).copied()
    }

    fn delete_app(&mut self, change: &Change) {
        let (intent, app) = (self.intent(&change.app), self.apps.remove(&change.app).unwrap_or_default());
        if intent != Some(Intent::Delete) {
            self.problem(change, "nobody wanted this app deleted");
        }
        if !app.machines.is_empty() {
            self.problem(change, "a Machine went with its app, not before it");
        }
        if !app.volumes.is_empty() {
            self.problem(change, "a volume went with its app, not before it");
        }
    }

    fn destroy_machine(&mut self, change: &Change) {
        if self.intent(&change.app) == Some(Intent::Retain) {
            self.problem(change, "the Machine of a retained Runtime must only stop");
        }
        if let Some(app) = self.apps.get_mut(&change.app) {
            app.machines.remove(&change.id);
        }
    }

    fn delete_volume(&mut self, change: &Change) {
        let intent = self.intent(&change.app);
        let Some(app) = self.apps.get_mut(&change.app) else { return };
        app.volumes.remove(&change.id);
        let spare = !app.booted.contains(&change.id);
        let saved = app.snapshotted.get(&change.id);
        let last = saved.is_some_and(|seq| app.quiet.is_some_and(|quiet| quiet < *seq));
        let replaced = app.is_replaced(&change.id);
        let occupied = !app.machines.is_empty();
        match intent {
            _ if spare || replaced => {}
            Some(Intent::Delete) if occupied => self.problem(change, "the volume went before its Machine"),
            Some(Intent::Snapshot) if saved.is_none() => {
                self.problem(change, "the volume went without a snapshot");
            }
            Some(Intent::Snapshot) if !last => {
                self.problem(change, "its last snapshot was made while its Machine still ran");
            }
            Some(Intent::Delete | Intent::Snapshot) => {}
            Some(Intent::Retain) | None => self.problem(change, "nobody wanted this volume deleted"),
        }
    }

    fn check_end(&mut self) {
        let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut found = Vec::new();
        for (name, app) in &self.apps {
            owners.entry(app.network.clone()).or_default().push(name.clone());
            for (ids, what) in [(&app.machines, "Machines"), (&app.volumes, "volumes")] {
                let count = ids.difference(&self.expected.displaced).count();
                if count > 1 {
                    found.push(format!("{name} has {count} {what}"));
                }
            }
            found.extend(self.left_over(name, app));
        }
        for (network, apps) in owners.iter().filter(|(network, _)| !network.is_empty()) {
            if apps.len() > 1 {
                found.push(format!("the owner {network} has {} apps: {}", apps.len(), apps.join(", ")));
            }
        }
        self.problems.append(&mut found);
    }

    fn left_over(&self, name: &str, app: &App) -> Option<String> {
        match self.intent(name) {
            Some(Intent::Delete) => Some(format!("{name} was to be deleted and is still there")),
            Some(Intent::Snapshot) if !app.machines.is_empty() || !app.volumes.is_empty() => {
                Some(format!("{name} was to keep only a snapshot"))
            }
            Some(Intent::Snapshot | Intent::Retain) => None,
            None if self.expected.kept.contains(name) => None,
            None => Some(format!("{name} is left over: it belongs to no one")),
        }
    }

    fn problem(&mut self, change: &Change, what: &str) {
        let Change { seq, effect, app, id, .. } = change;
        self.problems.push(format!("entry {seq}, {effect} {id} in {app}: {what}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A ledger from `effect id` words, all in the app `a` of the network `m-1`.
    fn ledger(effects: &[&str]) -> Vec<Change> {
        let entries: Vec<Value> = effects
            .iter()
            .enumerate()
            .map(|(index, effect)| {
                let (effect, id) = effect.split_once(' ').unwrap_or((effect, "a"));
                let app = if effect == "app.create" { id } else { "a" };
                json!({"seq": index + 1, "kind": "effect", "effect": effect, "app": app, "id": id,
                    "detail": detail(effect, id)})
            })
            .collect();
        changes(&json!(entries)).unwrap()
    }

    /// `f…` is a copy of the first volume, `r…` made from a snapshot of it; a Machine mounts the volume of its number.
    fn detail(effect: &str, id: &str) -> Value {
        let from = match id.get(..1) {
            Some("f") => json!("v1"),
            Some("r") => json!("s1"),
            _ => Value::Null,
        };
        if let (true, Some(old)) = (effect == "volume.create", id.strip_prefix("moved-")) {
            return json!({"migratedFrom": old});
        }
        let made = effect == "volume.create" && !from.is_null();
        let mounts = if id == "m-new" { "r2" } else { "v1" };
        let mounts = if id == "m-copy" { "f2" } else { mounts };
        if made { json!({"source": "v1", "from": from}) } else { json!({"network": "m-1", "volume": mounts}) }
    }

    const RUNNING: [&str; 4] = ["app.create a", "volume.create v1", "machine.create m1", "machine.start m1"];

    fn problems(more: &[&str], kept: &[&str], intent: Option<Intent>) -> String {
        let expected = Expectation {
            kept: kept.iter().map(|&name| name.to_owned()).collect(),
            intents: intent.map(|intent| ("a".to_owned(), intent)).into_iter().collect(),
            displaced: BTreeSet::new(),
        };
        check_ledger(&ledger(&[&RUNNING, more].concat()), &expected).join("; ")
    }

    #[test]
    fn each_way_to_end_well_passes() {
        let gone = ["machine.stop m1", "machine.destroy m1", "volume.delete v1", "app.delete a"];
        let saved = ["machine.stop m1", "snapshot.create s1", "machine.destroy m1", "volume.delete v1"];
        assert_eq!(problems(&[], &["a"], None), "");
        assert_eq!(problems(&gone, &[], Some(Intent::Delete)), "");
        assert_eq!(problems(&saved, &[], Some(Intent::Snapshot)), "");
        assert_eq!(problems(&["machine.stop m1"], &[], Some(Intent::Retain)), "");
        let moved = ["volume.create moved-v1", "volume.delete v1"];
        let then_gone = ["machine.destroy m1", "volume.delete moved-v1", "app.delete a"];
        assert_eq!(problems(&moved, &["a"], None), "", "Fly moved it");
        assert_eq!(problems(&[&moved[..], &then_gone].concat(), &[], Some(Intent::Delete)), "");
        assert_ne!(problems(&[moved[0], moved[1], then_gone[1]], &["a"], None), "", "that was the only one");
        assert_eq!(problems(&["volume.create v2", "volume.delete v2"], &["a"], None), "", "it never booted");
    }

    #[test]
    fn each_way_to_lose_data_is_found() {
        for (more, intent, expected) in [
            (&["machine.destroy m1", "volume.delete v1"][..], None, "nobody wanted this volume deleted"),
            (&["volume.delete v1"], Some(Intent::Delete), "went before its Machine"),
            (&["machine.destroy m1", "volume.delete v1"], Some(Intent::Snapshot), "without a snapshot"),
            (
                &["snapshot.create s1", "machine.stop m1", "machine.destroy m1", "volume.delete v1"],
                Some(Intent::Snapshot),
                "while its Machine still ran",
            ),
            (&["machine.destroy m1", "app.delete a"], Some(Intent::Delete), "a volume went with its app"),
            (&["app.delete a"], None, "nobody wanted this app deleted"),
            (&["machine.destroy m1"], Some(Intent::Retain), "must only stop"),
        ] {
            let found = problems(more, &["a"], intent);
            assert!(found.contains(expected), "{more:?}: {found}");
        }
    }

    #[test]
    fn what_another_volume_took_the_place_of_may_go_once_all_is_kept() {
        let copied = ["machine.destroy m1", "volume.create f2", "machine.create m-copy", "volume.delete v1"];
        assert_eq!(problems(&copied, &["a"], None), "");
        let restored =
            ["snapshot.create s1", "machine.destroy m1", "volume.create r2", "machine.create m-new"];
        let saved = [&restored[..], &["snapshot.create s2", "volume.delete v1"]].concat();
        assert_eq!(problems(&saved, &["a"], None), "");
        let unsaved = [&restored[..], &["volume.delete v1"]].concat();
        assert!(problems(&unsaved, &["a"], None).contains("nobody wanted this volume deleted"));
        let unserved = ["machine.destroy m1", "volume.create f2", "volume.delete v1"];
        assert!(problems(&unserved, &["a"], None).contains("nobody wanted this volume deleted"));
        let standing = &copied[..3];
        assert!(problems(standing, &["a"], None).contains("2 volumes"));
        let mut told = Expectation { kept: ["a".to_owned()].into(), ..Expectation::default() };
        told.displaced.insert("v1".into());
        assert_eq!(check_ledger(&ledger(&[&RUNNING, standing].concat()), &told), [""; 0]);
    }

    #[test]
    fn what_is_twice_or_left_over_is_found() {
        assert!(problems(&["machine.create m2"], &["a"], None).contains("2 Machines"));
        assert!(problems(&["volume.create v2"], &["a"], None).contains("2 volumes"));
        assert!(problems(&["app.create b"], &["a", "b"], None).contains("m-1 has 2 apps: a, b"));
        assert!(problems(&[], &[], None).contains("left over"));
        assert!(problems(&[], &[], Some(Intent::Delete)).contains("still there"));
        assert!(problems(&["snapshot.create s1"], &[], Some(Intent::Snapshot)).contains("only a snapshot"));
    }

    #[test]
    fn what_stands_can_be_asked_for() {
        let standing = standing(&ledger(&RUNNING));
        assert_eq!(standing["a"].machines, BTreeSet::from(["m1".to_owned()]));
        assert_eq!(standing["a"].network, "m-1");
    }
}
