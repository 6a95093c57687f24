//! What is safe to do for a Runtime. Pure: everything that was seen comes in.

use jiff::Timestamp;
use kube::ResourceExt;

use super::{Place, Recover, Way};
use crate::admin::output::wrapped;
use crate::api::condition::{Condition, ConditionStatus, ConditionType, find, is_true};
use crate::api::name_claim::{DeletionPhase, RuntimeIdentity};
use crate::api::runtime::PowerState;
use crate::api::{NameClaim, Runtime, annotation, reason};

/// What was seen of the Runtime.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Where it is, or was.
    pub place: Place,
    /// It, if it is there.
    pub runtime: Option<Runtime>,
    /// Claims on slugs that a Runtime of its name holds or held, by name.
    pub claims: Vec<NameClaim>,
}

/// What is done, one step after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What is the matter.
    pub because: String,
    /// The steps.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The Runtime is declared again, with what its claim recorded.
    Declare(Box<Declared>),
    /// The Runtime that stands takes over what its earlier self left under this claim.
    TakeOver {
        /// Name of the claim.
        claim: String,
    },
    /// A task asks for a restart.
    Restart,
    /// A task asks for a restore.
    Restore {
        /// Of which snapshot; the newest if it isn't said.
        snapshot: Option<String>,
    },
    /// A task asks for an upgrade to the Blueprint as it is now.
    Redeploy,
}

/// A Runtime as its claim recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its slug.
    pub slug: String,
    /// Its Plan.
    pub plan: String,
    /// Its Blueprint.
    pub blueprint: String,
    /// The region of its volume.
    pub region: Option<String>,
}

impl Plan {
    /// The plan in lines.
    pub fn told(&self) -> Vec<String> {
        let mut lines = wrapped(0, &self.because);
        for (index, step) in self.steps.iter().enumerate() {
            lines.extend(wrapped(2, &format!("{}. {}", index + 1, step.told())));
        }
        lines
    }
}

impl Step {
    /// What it does, and what that means for the data.
    pub fn told(&self) -> String {
        match self {
            Self::Declare(made) => format!(
                "Declare the Runtime again: slug `{}`, Plan `{}`, Blueprint `{}`. Environment and persona aren't recorded: add them to it afterwards, or apply its manifest first and run this again.",
                made.slug, made.plan, made.blueprint
            ),
            Self::TakeOver { claim } => format!(
                "Confirm on the NameClaim `{claim}` that it takes over from its earlier self: app, volume and funding."
            ),
            Self::Restart => "Restart it: a few seconds without service, and no data is lost.".to_owned(),
            Self::Restore { snapshot } => format!(
                "Restore {}: what was written since isn't in it. The volume that stands is kept for a while.",
                snapshot
                    .as_ref()
                    .map_or_else(|| "its newest snapshot".to_owned(), |id| format!("the snapshot {id}"))
            ),
            Self::Redeploy => {
                "Deploy it again by the Blueprint as it is now: a snapshot first, and back to it if it fails."
                    .to_owned()
            }
        }
    }
}

/// The plan, or why there is none that is safe.
///
/// # Errors
/// Why nothing is done, and what to do instead.
pub fn plan(now: Timestamp, seen: &Seen, wanted: &Recover) -> Result<Plan, String> {
    match &seen.runtime {
        Some(runtime) => standing(seen, runtime, wanted),
        None => gone(now, seen, wanted),
    }
}

/// It is there.
fn standing(seen: &Seen, runtime: &Runtime, wanted: &Recover) -> Result<Plan, String> {
    if runtime.metadata.deletion_timestamp.is_some() {
        return Err("It is being deleted. A deletion that is held goes on with `moorage confirm deletions`; to bring it back, wait until it is gone and run this again.".into());
    }
    if runtime.annotations().get(annotation::PAUSED).is_some_and(|it| it == "true") {
        return Err(format!(
            "It is held by its annotation: `kubectl annotate runtime {} -n {} {}-`.",
            seen.place.name,
            seen.place.namespace,
            annotation::PAUSED
        ));
    }
    let conditions = runtime.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let Some(ready) = find(conditions, ConditionType::Ready) else {
        return Err("The operator hasn't looked at it yet: `moorage status` tells whether one acts.".into());
    };
    let because =
        format!("Runtime {}/{}: {}: {}", seen.place.namespace, seen.place.name, ready.reason, ready.message);
    let steps = match wanted.way {
        _ if ready.reason == reason::IDENTITY_CHANGED => vec![take_over(seen, runtime, wanted)?],
        Some(way) => vec![asked(way, runtime, ready, wanted)?],
        None => vec![remedy(runtime, conditions, ready, wanted)?],
    };
    Ok(Plan { because, steps })
}

/// What its own condition asks for.
fn remedy(
    runtime: &Runtime,
    conditions: &[Condition],
    ready: &Condition,
    wanted: &Recover,
) -> Result<Step, String> {
    if ready.status == ConditionStatus::True {
        return Err(format!(
            "It is well ({}): nothing is to be recovered. `--way restart` restarts it all the same.",
            ready.reason
        ));
    }
    if !is_true(conditions, ConditionType::Stalled) && !ready.reason.starts_with("Awaiting") {
        return Err(format!(
            "It is on its way ({}): {} Wait; it reads `error` if it takes too long.",
            ready.reason, ready.message
        ));
    }
    match ready.reason.as_str() {
        reason::VOLUME_LOST => asked(Way::Restore, runtime, ready, wanted),
        reason::CRASH_LOOP
        | reason::OUT_OF_MEMORY
        | reason::HEALTH_CHECK_FAILING
        | reason::UNHEALTHY
        | reason::DEADLINE_EXCEEDED => asked(Way::Restart, runtime, ready, wanted),
        reason::HOST_UNREACHABLE => Err(format!(
            "{} If it can't be waited for, `--way restore` puts the newest snapshot on another host; what was written since isn't in it.",
            ready.message
        )),
        reason::CONFIGURATION_REFUSED => Err(format!(
            "{} A restart would be refused the same: correct what was changed last; or `--way restore` takes its data back to a snapshot, `--way redeploy` takes the Blueprint as it is now.",
            ready.message
        )),
        _ => Err(format!(
            "{}: {} No restart or restore mends that; docs/runbook.md says what does.",
            ready.reason, ready.message
        )),
    }
}

/// A way that somebody chose.
fn asked(way: Way, runtime: &Runtime, ready: &Condition, wanted: &Recover) -> Result<Step, String> {
    if ready.reason.starts_with("Awaiting") {
        return Err(format!(
            "It waits for a person, and nothing is done before: {}: {}",
            ready.reason, ready.message
        ));
    }
    if wanted.snapshot.is_some() && way != Way::Restore {
        return Err("--snapshot goes with `--way restore` only.".into());
    }
    match way {
        Way::Restart if runtime.spec.power_state == PowerState::Stopped => {
            Err("It is declared to be stopped: set `spec.powerState: Running`.".into())
        }
        Way::Restart => Ok(Step::Restart),
        Way::Redeploy => Ok(Step::Redeploy),
        Way::Restore => Ok(Step::Restore { snapshot: wanted.snapshot.clone() }),
    }
}

fn take_over(seen: &Seen, runtime: &Runtime, wanted: &Recover) -> Result<Step, String> {
    let slug = wanted.slug.as_ref().or(runtime.spec.slug.as_ref());
    let uid = runtime.uid();
    let claim = claim_of(seen, slug)?;
    if claim.spec.takeover_confirmed(uid.as_deref()) {
        return Err(
            "It is confirmed already, and the operator hasn't taken it in yet: see `moorage status`.".into(),
        );
    }
    Ok(Step::TakeOver { claim: claim.name_any() })
}

/// The one claim that is meant.
fn claim_of<'s>(seen: &'s Seen, slug: Option<&String>) -> Result<&'s NameClaim, String> {
    let mut meant = seen.claims.iter().filter(|claim| slug.is_none_or(|slug| claim.spec.name == *slug));
    match (meant.next(), meant.next()) {
        (Some(claim), None) => Ok(claim),
        (None, _) => Err(format!(
            "No claim knows a Runtime {}/{}: nothing of it is left. Declare it anew.",
            seen.place.namespace, seen.place.name
        )),
        (Some(_), Some(_)) => {
            let slugs: Vec<&str> = seen.claims.iter().map(|claim| claim.spec.name.as_str()).collect();
            Err(format!("There were several of this name; choose one with --slug: {}.", slugs.join(", ")))
        }
    }
}

/// It is gone, and its claim says what is left.
fn gone(now: Timestamp, seen: &Seen, wanted: &Recover) -> Result<Plan, String> {
    let claim = claim_of(seen, wanted.slug.as_ref())?;
    let Some(identity) = &claim.spec.runtime else {
        return Err(
            "Nothing is left at Fly under its name: it was removed with its data. Declare it anew.".into()
        );
    };
    if wanted.way.is_some_and(|way| way != Way::Restore) {
        return Err("It is gone: only `--way restore` brings it back.".into());
    }
    let left = left(now, identity)?;
    match claim.spec.deletion_phase() {
        Some(DeletionPhase::Held) => {
            return Err("Its deletion is held: what stands at Fly is as it was. Apply its manifest, then run this again.".into());
        }
        Some(_) if claim.spec.tombstone.is_none() => {
            return Err("What it left is being taken down as its deletion policy says; wait until that is over (its claim has a tombstone), and run this again.".into());
        }
        _ => {}
    }
    let declared = Declared {
        slug: claim.spec.name.clone(),
        plan: identity.pin.plan.name.clone(),
        blueprint: identity.pin.blueprint.clone(),
        region: identity.region.clone(),
    };
    let mut steps = vec![Step::Declare(Box::new(declared)), Step::TakeOver { claim: claim.name_any() }];
    if left == Left::Snapshot {
        steps.push(Step::Restore { snapshot: wanted.snapshot.clone() });
    }
    let because = format!(
        "Runtime {}/{} is gone. {} is left in the app {}.",
        seen.place.namespace,
        seen.place.name,
        if left == Left::Snapshot { "Its last snapshot" } else { "Its volume" },
        identity.app
    );
    Ok(Plan { because, steps })
}

/// What is left of its data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Volume,
    Snapshot,
}

fn left(now: Timestamp, identity: &RuntimeIdentity) -> Result<Left, String> {
    match &identity.snapshot {
        None => Ok(Left::Volume),
        Some(snapshot) if snapshot.expiry_time > now => Ok(Left::Snapshot),
        Some(snapshot) => Err(format!(
            "Its last snapshot ({}) was kept until {}; nothing of its data is left. Declare it anew.",
            snapshot.id, snapshot.expiry_time
        )),
    }
}

#[cfg(test)]
mod tests;
