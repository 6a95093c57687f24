//! What a Runtime's `UpdateAvailable` says. Pure.

use super::target::{Cause, Current, Update};
use crate::api::condition::{ConditionStatus, ConditionType, Wanted};
use crate::api::name_claim::Pin;
use crate::api::reason;
use crate::control::runtime::facts::Facts;

/// What the Runtime would be moved to, if there is something newer than its pin.
pub fn update(facts: &Facts) -> Option<Update> {
    let pin = facts.pin()?;
    let (name, generation, spec) = facts.cluster.blueprint.as_ref()?;
    Current::new(name, *generation, spec, facts.cluster.newest_image.clone()).update_of(pin)
}

/// The condition; `None` while there is nothing newer.
pub fn condition(facts: &Facts) -> Option<Wanted> {
    let (pin, update) = (facts.pin()?, update(facts)?);
    let reason = match update.cause {
        Cause::Blueprint => reason::BLUEPRINT_CHANGED,
        Cause::Image => reason::IMAGE_MOVED,
    };
    let message =
        format!("{} Nothing is restarted for it until it is rolled out.", what_changed(pin, &update));
    Some(Wanted::new(ConditionType::UpdateAvailable, ConditionStatus::True, reason, message))
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
