//! Which variables a Machine was given, as a mark in its metadata: a short hash for each name and value. By it a
//! change is found variable by variable, and whether it is worth a restart, without reading anything back. Pure.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;

use super::desired::{TOKEN_ENV, secrets_hash};
use super::facts::{Compared, EnvFact, Facts, MachineFact, MachinePhase, Token};
use crate::api::blueprint::OnChange;
use crate::api::runtime::EnvVar;
use crate::engine::hash::short_hash;

/// Characters of each hash.
const LENGTH: usize = 6;

/// Stands in the mark for all secrets that the app had when the Machine was configured.
const SECRETS: &str = "";

/// How a Machine's variables differ from those declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// They don't, as far as is known.
    None,
    /// In variables of these names, each of which may wait for the next start.
    Later(Vec<String>),
    /// In one that takes effect by a restart.
    Now,
}

/// The mark for what is declared now; it goes with a configuration, for which every value has to be known.
pub fn mark(facts: &Facts) -> String {
    let known = |(name, value): (String, Option<String>)| Some(format!("{name}{}", value?));
    let given = (key(SECRETS), secrets_hash(facts).map(|hash| short_hash(&[&hash], LENGTH)));
    wanted(facts).into_iter().chain([given]).filter_map(known).collect::<Vec<_>>().join(" ")
}

/// How the Machine's variables differ from those declared. Secret values that weren't read are taken to be the same.
pub fn difference(facts: &Facts, machine: &MachineFact) -> Difference {
    let Some(have) = machine.env_mark.as_deref().map(read) else { return Difference::Now };
    let wanted = wanted(facts);
    let is_same = |key: &str, value: Option<&str>| match (have.get(key), value) {
        (Some(have), Some(value)) => *have == value,
        (have, None) => have.is_some(),
        (None, Some(_)) => false,
    };
    let mut changed: Vec<&str> = wanted
        .iter()
        .filter(|(key, value)| !is_same(key, value.as_deref()))
        .map(|(key, _)| key.as_str())
        .collect();
    let given = key(SECRETS);
    changed.extend(have.keys().copied().filter(|key| *key != given && !wanted.contains_key(*key)));
    if changed.is_empty() {
        return Difference::None;
    }
    let names: Option<Vec<String>> = changed.into_iter().map(|key| may_wait(facts, key)).collect();
    names.map_or(Difference::Now, Difference::Later)
}

/// The variables that take effect at the next start only.
pub fn pending(facts: &Facts) -> Vec<String> {
    let Some(machine) = facts.known.machine.present() else { return Vec::new() };
    let mut names = match difference(facts, machine) {
        Difference::Later(names) => names,
        Difference::None | Difference::Now => Vec::new(),
    };
    if matches!(facts.known.env, EnvFact::Unknown) && has_newer_secrets(machine) {
        names.extend(shown(facts));
    }
    names.sort();
    names.dedup();
    names
}

/// Whether secret values have to be read and compared with what the Machine was given: they may have changed, or it is
/// off and the time has come for what waits for its next start.
pub fn is_due(facts: &Facts) -> bool {
    let off = |machine: &MachineFact| machine.phase == MachinePhase::Stopped && has_newer_secrets(machine);
    is_to_compare(facts) || facts.known.machine.present().is_some_and(off)
}

/// Whether they may have changed. At a start of the operator those of a spec that was brought to an end wait for their
/// turn in the round over all Secrets.
fn is_to_compare(facts: &Facts) -> bool {
    let generation = facts.runtime.metadata.generation.unwrap_or_default();
    let refers = facts.runtime.spec.env.iter().any(|env| env.value_from.is_some());
    match facts.known.compared {
        Some(Compared::Never) => true,
        Some(Compared::With(compared)) => refers && compared != generation,
        None => {
            let observed = facts.runtime.status.as_ref().map(|status| status.observed_generation);
            refers && observed != Some(generation)
        }
    }
}

/// Whether its app has been given other secrets since the Machine was configured.
fn has_newer_secrets(machine: &MachineFact) -> bool {
    let (Some(mark), Some(hash)) = (&machine.env_mark, &machine.secrets_hash) else { return false };
    read(mark).get(key(SECRETS).as_str()).is_some_and(|given| *given != short_hash(&[hash], LENGTH))
}

/// Which of them those are was seen when they were read, and stands in the status since.
fn shown(facts: &Facts) -> impl Iterator<Item = String> {
    let status = facts.runtime.status.iter().flat_map(|status| &status.env);
    status.filter(|env| env.effective.is_some() && env.secret_key_ref.is_some()).map(|env| env.name.clone())
}

/// Whether a secret has to be set anew: its value isn't the one that the Machine was given, or can be another than the
/// one that was set last.
pub fn is_news(facts: &Facts, name: &str) -> bool {
    let key = key(name);
    let Some(machine) = facts.known.machine.present() else { return true };
    let have = machine.env_mark.as_deref().map(read).unwrap_or_default();
    let wanted = wanted(facts).remove(&key).flatten();
    have.get(key.as_str()).copied() != wanted.as_deref() || may_wait(facts, &key).is_some()
}

/// Whether the Machine was given a variable of this name.
pub fn knows(facts: &Facts, name: &str) -> bool {
    let marked = facts.known.machine.present().and_then(|machine| machine.env_mark.as_deref());
    marked.map(read).is_some_and(|given| given.contains_key(key(name).as_str()))
}

/// Whether the Machine has this very literal.
pub fn was_given(facts: &Facts, env: &EnvVar) -> bool {
    let marked = facts.known.machine.present().and_then(|machine| machine.env_mark.as_deref());
    let given = marked.map(read).and_then(|given| given.get(key(&env.name).as_str()).copied());
    let wanted = env.value.as_ref().map(|literal| short_hash(&[literal], LENGTH));
    wanted.is_some() && given == wanted.as_deref()
}

/// The name of a variable that needs no restart, by its hash. What waits for its next start goes on waiting whatever
/// becomes of the Blueprint: an edit of that restarts nothing.
fn may_wait(facts: &Facts, wanted: &str) -> Option<String> {
    waits(facts, wanted).or_else(|| may_wait_by_rule(facts, wanted))
}

/// One that the status of this very spec says to wait.
fn waits(facts: &Facts, wanted: &str) -> Option<String> {
    let status = facts.runtime.status.as_ref();
    let status = status.filter(|it| Some(it.observed_generation) == facts.runtime.metadata.generation)?;
    let waiting = status.env.iter().find(|env| env.effective.is_some() && key(&env.name) == wanted);
    waiting.map(|env| env.name.clone())
}

fn may_wait_by_rule(facts: &Facts, wanted: &str) -> Option<String> {
    let (_, _, blueprint) = facts.cluster.blueprint.as_ref()?;
    let rule = blueprint.env_schema.iter().find(|rule| key(&rule.name) == wanted)?;
    (rule.on_change == OnChange::NextStart).then(|| rule.name.clone())
}

/// Every declared variable and the token: hash of the name, and of the value where it is known.
fn wanted(facts: &Facts) -> BTreeMap<String, Option<String>> {
    let token = match &facts.known.token {
        Token::Known(token) => Some(token.expose_secret()),
        Token::Unknown | Token::Invalid => None,
    };
    let mut all: BTreeMap<_, _> =
        facts.runtime.spec.env.iter().map(|env| (key(&env.name), value(facts, env, token))).collect();
    all.insert(key(TOKEN_ENV), token.map(|token| short_hash(&[token], LENGTH)));
    all
}

/// A secret's hash is salted by the token, which is random: it tells nothing about the value.
fn value(facts: &Facts, env: &EnvVar, token: Option<&str>) -> Option<String> {
    match (&env.value, &facts.known.env) {
        (Some(literal), _) => Some(short_hash(&[literal], LENGTH)),
        (None, EnvFact::Known(values)) => {
            Some(short_hash(&[token?, values.get(&env.name)?.expose_secret()], LENGTH))
        }
        (None, EnvFact::Unknown | EnvFact::Refused(_)) => None,
    }
}

fn key(name: &str) -> String {
    short_hash(&[name], LENGTH)
}

fn read(mark: &str) -> BTreeMap<&str, &str> {
    mark.split(' ').filter_map(|entry| entry.split_at_checked(LENGTH)).collect()
}
