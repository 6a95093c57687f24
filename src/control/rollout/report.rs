//! What a Blueprint's status says of its rollout. Pure, and stable: it changes only when the rollout does.

use super::pick::{Member, Picked, Progress, Stage, Standing};
use crate::api::blueprint::{Rollout, RolloutCounts, RolloutStrategy};
use crate::api::condition::{ConditionStatus, ConditionType, Wanted};
use crate::api::reason;

/// Most Runtimes that a message names.
const NAMED: usize = 3;

/// What is said of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many Runtimes it has reached.
    pub counts: RolloutCounts,
    /// The condition `RolledOut`.
    pub condition: Wanted,
}

/// A Runtime with the name that people know it by.
#[derive(Clone, Debug)]
pub struct Named {
    /// Its namespace and name.
    pub name: String,
    /// What matters of it.
    pub member: Member,
}

impl Default for Report {
    fn default() -> Self {
        Self { counts: RolloutCounts::default(), condition: up_to_date() }
    }
}

/// The report on a Blueprint's Runtimes.
pub fn report(blueprint: &str, rollout: &Rollout, all: &[Named], picked: Option<&Picked>) -> Report {
    Report { counts: counts(all), condition: condition(blueprint, rollout, all, picked) }
}

fn counts(all: &[Named]) -> RolloutCounts {
    let count = |wanted: fn(Stage) -> bool| {
        i32::try_from(all.iter().filter(|one| wanted(one.member.stage)).count()).unwrap_or(i32::MAX)
    };
    RolloutCounts {
        total: count(|stage| stage != Stage::Gone),
        updated: count(|stage| matches!(stage, Stage::Current | Stage::Unproved)),
        updating: count(|stage| matches!(stage, Stage::Moving | Stage::GoingBack)),
        pending: count(|stage| matches!(stage, Stage::Outdated | Stage::Held)),
        failed: count(|stage| stage == Stage::Failed),
    }
}

fn condition(blueprint: &str, rollout: &Rollout, all: &[Named], picked: Option<&Picked>) -> Wanted {
    if all.iter().all(|one| matches!(one.member.stage, Stage::Current | Stage::Unproved | Stage::Gone)) {
        return up_to_date();
    }
    let no = |reason, message| Wanted::new(ConditionType::RolledOut, ConditionStatus::False, reason, message);
    let Some(picked) = picked.filter(|_| rollout.strategy == RolloutStrategy::Staged) else {
        return no(reason::MANUAL_ROLLOUT, manual());
    };
    match picked.progress {
        Progress::Going => no(
            reason::ROLLING_OUT,
            format!("Runtimes are upgraded, at most {} at a time.", rollout.max_unavailable),
        ),
        Progress::Waiting => no(reason::ROLLOUT_WAITING, waiting(all)),
        Progress::Unproved => no(reason::ROLLOUT_WAITING, unproved(all)),
        Progress::Paused => no(reason::ROLLOUT_PAUSED, paused(blueprint, all)),
        Progress::Done => no(reason::UPDATE_FAILED, ended(all)),
    }
}

fn up_to_date() -> Wanted {
    Wanted::new(
        ConditionType::RolledOut,
        ConditionStatus::True,
        reason::UP_TO_DATE,
        "Every Runtime of it runs it as it is now.",
    )
}

fn manual() -> String {
    "Runtimes run an older one. Each is upgraded when a RuntimeTask of type `Upgrade` asks for it; with \
     `spec.rollout.strategy: Staged` it is done by itself."
        .into()
}

fn waiting(all: &[Named]) -> String {
    let down = names(all, |member| member.standing == Standing::Down);
    if down.is_empty() {
        return "The Runtimes that are left can't be upgraded: they are held by `moorage.dev/paused`, name another \
                Blueprint, or have a Plan with too little memory."
            .into();
    }
    format!(
        "As many Runtimes should serve and don't as `spec.rollout.maxUnavailable` allows: {down}. Mend or stop them, or allow more."
    )
}

fn unproved(all: &[Named]) -> String {
    let failed = names(all, Member::has_failed);
    let moved = names(all, |member| member.stage == Stage::Unproved);
    let why = match (failed.is_empty(), moved.is_empty()) {
        (false, _) => format!("It failed on {failed}, where `UpdateAvailable` tells why"),
        (true, false) => format!("{moved} were moved to it and haven't started since"),
        (true, true) => "Those that are up don't run it".to_owned(),
    };
    format!(
        "Those that are left are off, and wait until it has served somewhere. {why}. It goes on by itself once one of them has started and serves."
    )
}

fn paused(blueprint: &str, all: &[Named]) -> String {
    format!(
        "The upgrade failed on {}, where `UpdateAvailable` tells why; no other is begun. Edit the Blueprint, or go on with the others: `kubectl patch blueprint {blueprint} --type merge -p '{{\"spec\":{{\"rollout\":{{\"pauseOnFailure\":false}}}}}}'`.",
        names(all, Member::has_failed)
    )
}

fn ended(all: &[Named]) -> String {
    format!(
        "The upgrade failed on {}, where `UpdateAvailable` tells why. Edit the Blueprint, or try again by a RuntimeTask of type `Upgrade`.",
        names(all, Member::has_failed)
    )
}

fn told(one: &Named) -> String {
    if one.member.stage == Stage::Gone { format!("{} (deleted since)", one.name) } else { one.name.clone() }
}

/// The first names of those that are meant, and how many more there are.
fn names(all: &[Named], meant: impl Fn(&Member) -> bool) -> String {
    let mut names: Vec<String> = all.iter().filter(|one| meant(&one.member)).map(told).collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let listed = names.join(", ");
    if more == 0 { listed } else { format!("{listed} and {more} more") }
}
