//! Who has to hear of an edited Blueprint and of a tag that moved.

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use crate::api::{Blueprint, Runtime};
use crate::control::context::Context;

/// Has every Runtime looked at that names the Blueprint.
pub fn blueprint_changed(ctx: &Context, blueprint: &Blueprint) {
    let (name, default) = (blueprint.name_any(), &ctx.config.defaults.blueprint);
    ctx.triggers.runtimes.visit_all(&ctx.stores.runtimes, |runtime| named(runtime, default) == name);
}

/// The Blueprint that a Runtime names.
pub fn named<'r>(runtime: &'r Runtime, default: &'r str) -> &'r str {
    runtime.spec.blueprint_ref.as_ref().map_or(default, |reference| &reference.name)
}

/// Has every Runtime looked at whose image's tag was seen to stand for another image since this was last called.
pub fn claim_changed(ctx: &Context) {
    ctx.rollouts.tell();
    let moved = ctx.claims.take_moved_images();
    if moved.is_empty() {
        return;
    }
    for claim in ctx.claims.held_slugs() {
        let pinned = claim.spec.runtime.as_ref().map(|identity| &identity.pin.spec.image);
        if pinned.is_some_and(|image| moved.contains(image)) {
            let holder = &claim.spec.holder;
            ctx.triggers.runtimes.visit_ref(ObjectRef::new(&holder.name).within(&holder.namespace));
        }
    }
}
