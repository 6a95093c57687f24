//! Whether there is something newer than what a Runtime is pinned to. Pure.

use std::sync::Arc;

use super::images::SeenImage;
use crate::api::BlueprintSpec;
use crate::api::name_claim::{Pin, RuntimeIdentity};
use crate::engine::hash::short_hash;

/// A Blueprint as it is now, with what its image's tag was last seen to stand for.
#[derive(Clone, Debug)]
pub struct Current {
    name: String,
    generation: i64,
    content: Arc<BlueprintSpec>,
    image: Option<SeenImage>,
}

/// What a Runtime would be moved to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The pin that it would have.
    pub pin: Pin,
    /// What has changed.
    pub cause: Cause,
}

/// What has changed since a Runtime was pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The Blueprint.
    Blueprint,
    /// What the image's tag stands for.
    Image,
}

/// What is pinned of a Blueprint: neither what is only known about variables nor how it is rolled out.
pub fn pinned_content(spec: &BlueprintSpec) -> BlueprintSpec {
    BlueprintSpec { env_schema: Vec::new(), rollout: None, ..spec.clone() }
}

impl Update {
    /// The move from one pin to another.
    pub fn between(from: &Pin, to: Pin) -> Self {
        let same = from.blueprint == to.blueprint && from.spec == to.spec;
        Self { pin: to, cause: if same { Cause::Image } else { Cause::Blueprint } }
    }

    /// What tells one update from another: a failed one isn't tried again by itself.
    pub fn target(&self) -> String {
        let content = serde_json::json!([self.pin.blueprint, self.pin.spec]).to_string();
        let digest = match self.cause {
            Cause::Blueprint => None,
            Cause::Image => self.pin.image_digest.as_deref(),
        };
        short_hash(&[&content, digest.unwrap_or_default()], 16)
    }

    /// Whether the Runtime's size is enough for it.
    pub fn fits(&self) -> bool {
        self.pin.plan.memory_mb >= self.pin.spec.minimum_memory_mb
    }
}

impl Current {
    /// The Blueprint `name` at this generation.
    pub fn new(name: &str, generation: i64, spec: &BlueprintSpec, image: Option<SeenImage>) -> Self {
        Self { name: name.to_owned(), generation, content: Arc::new(pinned_content(spec)), image }
    }

    /// What tells it from what it was before, and will be.
    pub fn mark(&self) -> String {
        let content = serde_json::json!([self.name, self.content]).to_string();
        let digest = self.image.as_ref().map(|image| image.digest.as_str());
        short_hash(&[&content, digest.unwrap_or_default()], 16)
    }

    /// What a Runtime of this pin would be moved to; `None` if nothing that is pinned has changed. Its size isn't the
    /// Blueprint's and stays.
    pub fn update_of(&self, pin: &Pin) -> Option<Update> {
        let cause = self.cause(pin)?;
        let pin = Pin {
            plan: pin.plan.clone(),
            blueprint: self.name.clone(),
            blueprint_generation: self.generation,
            spec: Arc::clone(&self.content),
            image_digest: self.image.as_ref().map(|image| image.digest.clone()),
            image_seen_time: self.image.as_ref().map(|image| image.seen),
        };
        Some(Update { pin, cause })
    }

    /// Whether it failed on the Runtime, and hasn't proved itself there since: another try isn't its success.
    pub fn has_failed_on(&self, identity: &RuntimeIdentity) -> bool {
        let tried = || {
            let upgrade = identity.upgrade.as_ref()?;
            Some(Update::between(&upgrade.from, identity.pin.clone()))
        };
        let update = self.update_of(&identity.pin).or_else(tried);
        let failed = identity.failed_upgrade.as_ref();
        update.zip(failed).is_some_and(|(update, failed)| failed.target == update.target())
    }

    fn cause(&self, pin: &Pin) -> Option<Cause> {
        if self.content != pin.spec {
            return Some(Cause::Blueprint);
        }
        let (newest, pinned) = (self.image.as_ref()?, pin.image_digest.as_ref()?);
        let newer = pin.image_seen_time.is_none_or(|seen| seen <= newest.seen);
        (newer && newest.digest != *pinned).then_some(Cause::Image)
    }
}
