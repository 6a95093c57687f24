//! What else stands in a Runtime's app at Fly, and what has gone from there: what the organisation's list of Machines
//! doesn't show. Pure.
//!
//! What is ours and gone is put right. What nobody here made is explained and left alone: only a person knows what it
//! is for.

use jiff::{SignedDuration, Timestamp};

use super::decide::is_deleted;
use super::desired;
pub use super::digests::Digests;
use super::facts::{Facts, Refusal};
use super::step::Look;
use crate::api::condition::{ConditionStatus, ConditionType, Wanted, find};
use crate::api::name_claim::RuntimeIdentity;
use crate::api::reason;

/// Most ids of a kind that are named.
const NAMED: usize = 5;

/// What is known of what else stands in the app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Survey {
    /// Nothing, in this process's life.
    #[default]
    Unknown,
    /// It is to be looked at.
    Due,
    /// Nothing was found amiss.
    Clear,
    /// Something was.
    Found(Box<Found>),
}

/// What was found amiss.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Ids of Machines that nobody recorded.
    pub machines: Vec<String>,
    /// Ids of volumes that nobody recorded.
    pub volumes: Vec<String>,
    /// Addresses beside the app's own two.
    pub addresses: Vec<String>,
    /// Whether the app has the secrets that it should have, by their names.
    pub secrets: Standing,
    /// Whether their values are those that were set, by Fly's digests.
    pub digests: Digests,
    /// Whether the app has the certificate that it was given.
    pub certificate: Standing,
}

/// Whether something that we made stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It does, as far as is known.
    #[default]
    AsMade,
    /// Somebody took it away, or added to it.
    Changed,
}

impl Survey {
    /// What a look came to.
    pub fn of(found: Found) -> Self {
        if found == Found::default() { Self::Clear } else { Self::Found(Box::new(found)) }
    }

    /// It is to be looked at. What is being put right is looked at in the end anyway.
    pub fn ask(&mut self) {
        if !self.found().is_some_and(|found| found.digests.are_mended()) {
            *self = Self::Due;
        }
    }

    /// What was found amiss.
    pub fn found(&self) -> Option<&Found> {
        match self {
            Self::Found(found) => Some(found),
            Self::Unknown | Self::Due | Self::Clear => None,
        }
    }

    /// Whatever runs is started anew: it gets the values that were set again.
    pub fn launched(&mut self) {
        self.mended(|found| {
            if matches!(found.digests, Digests::SetAgain(_)) {
                found.digests = Digests::Stale;
            }
        });
    }

    /// Notes what has been put right.
    pub fn mended(&mut self, mend: impl FnOnce(&mut Found)) {
        if let Self::Found(found) = self {
            mend(found);
            *self = Self::of((**found).clone());
        }
    }
}

impl Found {
    /// Whether somebody has to look at it: nothing of ours is told of here.
    fn is_foreign(&self) -> bool {
        !(self.machines.is_empty() && self.volumes.is_empty() && self.addresses.is_empty())
    }
}

/// Whether the claim knows the Machine.
pub fn knows_machine(identity: &RuntimeIdentity, id: &str) -> bool {
    let left = identity.displaced.iter().any(|left| left.machine_id.as_deref() == Some(id));
    left || identity.machine_id.as_deref() == Some(id)
}

/// Whether the claim knows the volume.
pub fn knows_volume(identity: &RuntimeIdentity, id: &str) -> bool {
    let left = identity.displaced.iter().any(|left| left.volume_id == id);
    let spare = identity.spare_volume_ids.iter().any(|spare| spare == id);
    left || spare || identity.volume_id.as_deref() == Some(id)
}

/// Names of the secrets that the app should have.
pub fn secret_names(facts: &Facts) -> impl Iterator<Item = &str> {
    let declared = facts.runtime.spec.env.iter().filter(|env| env.value_from.is_some());
    declared.map(|env| env.name.as_str()).chain([desired::TOKEN_ENV])
}

/// Whether these are the app's secrets, all of them. What an adopted app brought along is its own.
pub fn secrets_stand(facts: &Facts, identity: &RuntimeIdentity, names: &[String]) -> Standing {
    let lacks = secret_names(facts).any(|wanted| !names.iter().any(|name| name == wanted));
    let added = names.iter().any(|name| !secret_names(facts).any(|wanted| wanted == name));
    if lacks || (added && identity.network.is_none()) { Standing::Changed } else { Standing::AsMade }
}

/// What the claim doesn't know of what was found, by now.
fn foreign(facts: &Facts) -> Option<Found> {
    let identity = facts.own_claim()?.runtime.as_ref()?;
    let mut found = facts.known.survey.found()?.clone();
    found.machines.retain(|id| !knows_machine(identity, id));
    found.volumes.retain(|id| !knows_volume(identity, id));
    Some(found).filter(Found::is_foreign)
}

/// Whether it is time to look, at rest: asked for, or to see whether what was found, or shown before a restart, is still
/// there.
pub fn is_due(now: Timestamp, facts: &Facts) -> bool {
    match &facts.known.survey {
        Survey::Due => true,
        Survey::Clear => false,
        Survey::Unknown => shown(facts) && rested(now, facts) == SignedDuration::ZERO,
        Survey::Found(_) => foreign(facts).is_some() && rested(now, facts) == SignedDuration::ZERO,
    }
}

/// When to look again, if something foreign was found.
pub fn again(now: Timestamp, facts: &Facts) -> Option<SignedDuration> {
    let waits = foreign(facts).is_some() || (facts.known.survey == Survey::Unknown && shown(facts));
    waits.then(|| rested(now, facts).max(SignedDuration::from_secs(1)))
}

fn rested(now: Timestamp, facts: &Facts) -> SignedDuration {
    let pause = facts.cluster.settings.slow_retry;
    let age = facts.known.since_look(Look::Surroundings, now);
    if age >= pause { SignedDuration::ZERO } else { pause - age }
}

fn shown(facts: &Facts) -> bool {
    standing(facts).is_some()
}

fn standing(facts: &Facts) -> Option<&crate::api::condition::Condition> {
    find(&facts.runtime.status.as_ref()?.conditions, ConditionType::UnknownResources)
}

/// What stands in the app that nobody here made; present only while something does. What was shown before a restart is
/// shown until it has been looked at.
pub fn condition(facts: &Facts) -> Option<Wanted> {
    if is_deleted(&facts.runtime) {
        return None;
    }
    let say = |reason, message: String| {
        Some(Wanted::new(ConditionType::UnknownResources, ConditionStatus::True, reason, message))
    };
    if matches!(facts.known.survey, Survey::Unknown | Survey::Due) {
        let told = standing(facts)?;
        return say(word(&told.reason), told.message.to_string());
    }
    let found = foreign(facts)?;
    let app = &facts.own_claim()?.runtime.as_ref()?.app;
    say(reason_of(&found), message(app, &found))
}

/// What stands in the app of a deleted Runtime that nobody recorded.
pub fn in_the_way(facts: &Facts) -> Option<Refusal> {
    let mut found = foreign(facts)?;
    // Lists go on for a while to show what we removed.
    found.machines.retain(|id| !facts.known.moving.cleared_machines.contains(id));
    found.volumes.retain(|id| !facts.known.removed_volumes.contains(id));
    if found.machines.is_empty() && found.volumes.is_empty() {
        return None;
    }
    let app = &facts.own_claim()?.runtime.as_ref()?.app;
    let message = format!(
        "In the app `{app}` stands what Moorage doesn't know: {}. Nobody would know of it once the Runtime has gone, and it would go with the app. The deletion goes on by itself once nothing else is there: save what is needed, then {}.",
        standing_there(&found),
        remedy(app, &found)
    );
    Some(Refusal::new(reason_of(&found), message))
}

fn reason_of(found: &Found) -> &'static str {
    match (found.machines.is_empty(), found.volumes.is_empty()) {
        (false, _) => reason::UNKNOWN_MACHINE,
        (true, false) => reason::UNKNOWN_VOLUME,
        (true, true) => reason::UNKNOWN_ADDRESS,
    }
}

/// The reason that stands, as a constant.
fn word(reason: &str) -> &'static str {
    let all = [reason::UNKNOWN_MACHINE, reason::UNKNOWN_VOLUME];
    all.into_iter().find(|word| *word == reason).unwrap_or(reason::UNKNOWN_ADDRESS)
}

fn message(app: &str, found: &Found) -> String {
    let risk = if found.machines.is_empty() {
        ""
    } else {
        " Visitors' requests may end at such a Machine instead of the Runtime's own."
    };
    format!(
        "In the app `{app}` stand at Fly, beside what belongs to this Runtime: {}.{risk} Moorage didn't make them, leaves them alone and doesn't know what they are for; they cost. Remove them there if nobody needs them: {}.",
        standing_there(found),
        remedy(app, found)
    )
}

fn standing_there(found: &Found) -> String {
    let machines = listed("a Machine", "Machines", &found.machines);
    let volumes = listed("a volume", "volumes", &found.volumes);
    let addresses = listed("an address", "addresses", &found.addresses);
    [machines, volumes, addresses].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn listed(one: &str, many: &str, ids: &[String]) -> Option<String> {
    let named = ids.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(" ");
    match ids.len() {
        0 => None,
        1 => Some(format!("{one} ({named})")),
        count if count > NAMED => Some(format!("{count} {many} ({named} …)")),
        count => Some(format!("{count} {many} ({named})")),
    }
}

fn remedy(app: &str, found: &Found) -> String {
    let one = |ids: &[String], command: &str| ids.first().map(|id| format!("`fly {command} {id} -a {app}`"));
    let commands = [
        one(&found.machines, "machine destroy"),
        one(&found.volumes, "volumes destroy"),
        one(&found.addresses, "ips release"),
    ];
    commands.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
