//! What somebody else changed on a Machine: the fields that we own, as Fly reports them, against what we last asked
//! for. Pure.
//!
//! What we ask for goes along as a mark in the Machine's metadata. So nothing has to be worked out anew to compare, a
//! newer operator that would ask for something else restarts nothing, and the mark goes with whoever reads the Machine.
//! Fly may put a field in other words than ours. What it reports at the very version that a write of ours made is its
//! own way, and is marked as such; at any other version a difference is somebody else's.

use fly_machines::types as fly;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::config_mark;
use super::desired::{self, metadata};
use super::facts::{Facts, MachineFact};
use super::names;
use super::resolve::Resolved;
use crate::engine::hash::short_hash;

/// Characters of each field's hash.
const LENGTH: usize = 6;
/// Begins a mark: one that was made from other fields, or in another way, isn't compared.
const KIND: &str = "1";

/// The fields that are compared, as people know them. Mounts aren't among them: Fly itself changes them when it moves a
/// Machine to another host.
const FIELDS: [&str; 10] = [
    "image",
    "guest",
    "env",
    "services",
    "init",
    "restart",
    "stop_config",
    "checks",
    "files",
    "auto_destroy",
];
/// Stands for marks that were taken away.
const METADATA: &str = "metadata";

/// How often a Machine is put right within an hour before it is left alone for as long.
const MOST: u32 = 3;
/// Time in which that is counted.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// How what Fly reports of a Machine differs from what we asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Fields that somebody else changed.
    pub changed: Vec<&'static str>,
    /// Fields that Fly is known to put in its own way.
    pub spelled: Vec<&'static str>,
    /// All fields as they are reported.
    pub reported: String,
}

/// Our last change of a Machine, and how often it had to be put right of late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mends {
    /// The version that it made.
    pub version: String,
    /// What was declared then.
    wanted: String,
    /// How often it was put right since `since`.
    count: u32,
    /// Since when that is counted.
    since: Timestamp,
}

/// The mark of a configuration that is asked for.
pub fn mark(config: &fly::MachineConfig) -> String {
    let hashes = owned(config).map(|field| short_hash(&[&field.to_string()], LENGTH));
    format!("{KIND}{}", hashes.concat())
}

/// How a configuration, as Fly reports it, differs from what its marks say was asked for; `None` if it doesn't, or if
/// that isn't known.
pub fn drift(config: &fly::MachineConfig) -> Option<Box<Drift>> {
    let asked = config.metadata.get(metadata::ASKED)?;
    let reported = mark(config);
    if *asked == reported || !asked.starts_with(KIND) || asked.len() != reported.len() {
        return None;
    }
    let own = config.metadata.get(metadata::SPELLED);
    let same = |other: &str, at| field(other, at) == field(&reported, at);
    let differing = (0..FIELDS.len()).filter(|at| !same(asked, *at));
    let (spelled, changed): (Vec<usize>, Vec<usize>) =
        differing.partition(|at| own.is_some_and(|own| same(own, *at)));
    let names = |fields: Vec<usize>| fields.into_iter().map(|at| FIELDS[at]).collect();
    Some(Box::new(Drift { changed: names(changed), spelled: names(spelled), reported }))
}

fn field(mark: &str, at: usize) -> Option<&str> {
    let begin = KIND.len() + at * LENGTH;
    mark.get(begin..begin + LENGTH)
}

/// The fields, in the order of their names; what can be put in two ways is read as one.
fn owned(config: &fly::MachineConfig) -> [Value; FIELDS.len()] {
    let guest = config.guest.as_ref();
    let init = config.init.clone().unwrap_or_default();
    let stop = config.stop_config.as_ref();
    [
        json!(config.image),
        json!([guest.map(|it| &it.cpu_kind), guest.map(|it| it.cpus), guest.map(|it| it.memory_mb)]),
        json!(config.env),
        config.services.iter().map(service).collect(),
        json!([&init.exec, &init.entrypoint, &init.cmd]),
        json!(config.restart.as_ref().map(|restart| &restart.policy)),
        json!([stop.map(|stop| &stop.timeout), stop.map(|stop| &stop.signal)]),
        config.checks.iter().map(|(name, check)| json!([name, self::check(check)])).collect(),
        config.files.iter().map(file).collect(),
        json!(config.auto_destroy == Some(true)),
    ]
}

fn service(service: &fly::Service) -> Value {
    let port = |port: &fly::ServicePort| json!([port.port, port.handlers, port.force_https == Some(true)]);
    let ports: Vec<Value> = service.ports.iter().map(port).collect();
    let idling = json!([
        service.autostop.as_ref().filter(|autostop| **autostop != fly::Autostop::Off),
        service.autostart == Some(true),
        service.min_machines_running.unwrap_or_default(),
    ]);
    json!([service.protocol, service.internal_port, ports, idling])
}

fn check(check: &fly::Check) -> Value {
    json!([check.kind_of_probe, check.port, check.method, check.path, check.interval, check.timeout])
}

fn file(file: &fly::File) -> Value {
    json!([file.guest_path, file.raw_value, file.secret_name])
}

/// What somebody else changed on the Machine, by what is told of it. That marks are missing tells it only of a spec
/// that was seen to be realised: before, they may never have been there.
pub fn changed(facts: &Facts, machine: &MachineFact) -> Vec<&'static str> {
    let observed = facts.runtime.status.as_ref().map(|status| status.observed_generation);
    let realised = observed.is_some() && observed == facts.runtime.metadata.generation;
    let stripped = realised && (machine.config_hash.is_none() || machine.env_mark.is_none());
    let fields = machine.drift.iter().flat_map(|drift| drift.changed.iter().copied());
    fields.chain(stripped.then_some(METADATA)).collect()
}

/// Whether the Machine is at the version that our last change made: what Fly reports of that is its own way.
pub fn is_own_version(facts: &Facts, machine: &MachineFact) -> bool {
    facts.known.mends.as_ref().is_some_and(|mends| mends.version == machine.version)
}

/// Whether it was put right so often that it is left as it is for a while.
pub fn is_held(now: Timestamp, facts: &Facts, resolved: &Resolved) -> bool {
    facts.known.mends.as_ref().is_some_and(|mends| {
        mends.count >= MOST
            && mends.wanted == wanted(facts, resolved)
            && mends.since.duration_until(now) < WINDOW
    })
}

/// Whether it was put right as often as that.
pub fn is_fought_over(facts: &Facts) -> bool {
    facts.known.mends.as_ref().is_some_and(|mends| mends.count >= MOST)
}

/// Notes a change of ours that made this version: whether it puts right what it says, or asks for the same again, it
/// counts.
pub fn note(now: Timestamp, facts: &mut Facts, resolved: &Resolved, fields: &[&str], version: &str) {
    let wanted = wanted(facts, resolved);
    let before = facts.known.mends.take();
    let again = !fields.is_empty() || before.as_ref().is_some_and(|before| before.wanted == wanted);
    let (count, since) = match before.filter(|_| again) {
        None => (u32::from(again), now),
        Some(before) if before.since.duration_until(now) < WINDOW => {
            (before.count.saturating_add(1), before.since)
        }
        // Once it has come to that, it is put right once in that time.
        Some(before) if before.count >= MOST => (MOST, now),
        Some(_) => (1, now),
    };
    facts.known.mends = Some(Box::new(Mends { version: version.to_owned(), wanted, count, since }));
}

/// Forgets what no longer matters of a Machine at rest.
pub fn forget(now: Timestamp, facts: &mut Facts) {
    let known = &mut facts.known;
    let as_asked = known.machine.present().is_some_and(MachineFact::is_as_asked);
    let over = |mends: &Mends| mends.count == 0 || mends.since.duration_until(now) >= WINDOW;
    if as_asked && known.mends.as_ref().is_some_and(|mends| over(mends)) {
        known.mends = None;
    }
}

/// What is declared, in one word.
fn wanted(facts: &Facts, resolved: &Resolved) -> String {
    let generation = facts.runtime.metadata.generation.unwrap_or_default().to_string();
    let secrets = desired::secrets_hash(facts).unwrap_or_default();
    let addresses = facts.known.addresses().join(",");
    let names = names::mark(&facts.cluster.names).unwrap_or_default();
    short_hash(&[&config_mark::mark(facts, resolved), &generation, &secrets, &addresses, &names], 10)
}

/// What people are told of a change that is put right.
pub fn told(fields: &[&str]) -> String {
    format!(
        "The Machine was changed at Fly by somebody else ({}). It is put back to what is declared; change the declaration instead.",
        fields.join(", ")
    )
}

/// What people are told of one that others change again and again.
pub fn fought_over(fields: &[&str]) -> String {
    let what = if fields.is_empty() { String::new() } else { format!(" ({})", fields.join(", ")) };
    format!(
        "Something else changes the Machine at Fly again and again{what}. It was put back {MOST} times within an hour, and is from now on once an hour. Find what does it, and stop it there."
    )
}

/// What people are told of what Fly puts in its own way.
pub fn spelled(fields: &[&str]) -> String {
    format!(
        "Fly reports {} otherwise than asked, right after the change itself; it is left so.",
        fields.join(", ")
    )
}
