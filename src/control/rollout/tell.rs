//! What a Runtime's `UpdateAvailable` says. Pure.

use super::target::{Cause, Current, Update};
use crate::api::blueprint::RolloutStrategy;
use crate::api::condition::{ConditionStatus, ConditionType, Wanted, find};
use crate::api::name_claim::{FailedUpgrade, Pin};
use crate::api::reason;
use crate::control::runtime::decide::is_deleted;
use crate::control::runtime::facts::{Facts, Source};

/// What the Runtime would be moved to, if there is something newer than its pin.
pub fn update(facts: &Facts) -> Option<Update> {
    let pin = facts.pin()?;
    let (name, generation, spec) = facts.cluster.blueprint.as_ref()?;
    Current::new(name, *generation, spec, facts.cluster.newest_image.clone()).update_of(pin)
}

/// The condition; `None` while there is nothing newer.
pub fn condition(facts: &Facts) -> Option<Wanted> {
    let pin = facts.pin()?;
    let Some(update) = update(facts) else { return seed(facts) };
    let (reason, state) = state(facts, &update);
    let message = format!("{} {state}", what_changed(pin, &update));
    Some(Wanted::new(ConditionType::UpdateAvailable, ConditionStatus::True, reason, message))
}

/// What the operator brings, where it has changed since the Machine was given it. An operator that starts doesn't write
/// that to all of them at once: each is told of when it is looked at itself.
fn seed(facts: &Facts) -> Option<Wanted> {
    let conditions = facts.runtime.status.as_ref().map(|status| status.conditions.as_slice());
    let shown = find(conditions.unwrap_or_default(), ConditionType::UpdateAvailable)
        .filter(|shown| shown.reason == reason::SEED_CHANGED);
    let Some(machine) = facts.known.machine.present() else {
        return shown.map(|shown| told(shown.message.to_string()));
    };
    let (brings, has) = (facts.cluster.settings.seed, machine.seed);
    let known = machine.source == Source::Machine || shown.is_some();
    (known && brings != has && !is_deleted(&facts.runtime)).then(|| {
        told(format!(
            "Moorage brings version {brings} of the start script and the base configuration, and this Runtime was given {has}. Nothing is restarted for that: it comes with the next change or upgrade, or with a restart that a RuntimeTask of type `Restart` asks for."
        ))
    })
}

fn told(message: String) -> Wanted {
    Wanted::new(ConditionType::UpdateAvailable, ConditionStatus::True, reason::SEED_CHANGED, message)
}

/// The last try of this update, if it failed.
pub fn failed<'f>(facts: &'f Facts, update: &Update) -> Option<&'f FailedUpgrade> {
    let failed = facts.own_claim()?.runtime.as_ref()?.failed_upgrade.as_ref()?;
    (failed.target == update.target()).then_some(failed)
}

/// Why it isn't applied, and what applies it.
fn state(facts: &Facts, update: &Update) -> (&'static str, String) {
    if let Some(failed) = failed(facts, update) {
        return (
            reason::UPDATE_FAILED,
            format!(
                "It was tried and taken back: {} It is tried again after a further edit of the Blueprint, or by a RuntimeTask of type `Upgrade`.",
                failed.message
            ),
        );
    }
    if !update.fits() {
        let (needs, has) = (update.pin.spec.minimum_memory_mb, update.pin.plan.memory_mb);
        return (
            reason::PLAN_TOO_SMALL,
            format!("It needs {needs} MB of memory, and the Plan has {has}: choose a larger Plan."),
        );
    }
    let reason = match update.cause {
        Cause::Blueprint => reason::BLUEPRINT_CHANGED,
        Cause::Image => reason::IMAGE_MOVED,
    };
    let staged = facts.cluster.blueprint.as_ref().and_then(|(_, _, spec)| spec.rollout.as_ref());
    let state = match staged.map(|rollout| rollout.strategy) {
        Some(RolloutStrategy::Staged) => "It is upgraded in its turn: the Blueprint's rollout is Staged.",
        Some(RolloutStrategy::Manual) | None => {
            "Nothing is restarted for it until a RuntimeTask of type `Upgrade` asks for it, or the Blueprint's rollout is Staged."
        }
    };
    (reason, state.to_owned())
}

fn what_changed(pin: &Pin, update: &Update) -> String {
    let to = &update.pin;
    match update.cause {
        Cause::Image => format!(
            "The image `{}` stands for {} now, and this Runtime runs {}.",
            pin.spec.image,
            short(to.image_digest.as_deref()),
            short(pin.image_digest.as_deref()),
        ),
        Cause::Blueprint if to.blueprint != pin.blueprint => format!(
            "The Blueprint `{}` is named with the image `{}`, and this Runtime runs `{}` with `{}`.",
            to.blueprint, to.spec.image, pin.blueprint, pin.spec.image
        ),
        Cause::Blueprint => format!(
            "The Blueprint `{}` is at generation {} with the image `{}`, and this Runtime runs generation {} with `{}`.",
            to.blueprint, to.blueprint_generation, to.spec.image, pin.blueprint_generation, pin.spec.image
        ),
    }
}

/// The first digits of a digest: enough for people to tell one from another.
fn short(digest: Option<&str>) -> String {
    digest.unwrap_or("another image").chars().take("sha256:".len() + 12).collect()
}
