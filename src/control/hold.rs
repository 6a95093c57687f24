//! What holds an object, whatever its kind: a person's annotation, or the mode of the operator. Pure.

use kube::api::ObjectMeta;

use super::runtime::facts::Refusal;
use crate::api::{annotation, reason};
use crate::engine::config::Mode;

/// Whether a person holds the object by `moorage.dev/paused`.
pub fn is_paused(meta: &ObjectMeta) -> bool {
    let annotations = meta.annotations.as_ref();
    annotations.and_then(|all| all.get(annotation::PAUSED)).is_some_and(|value| value == "true")
}

/// Why nothing may be done for the object now; `None` if anything may.
pub fn held(meta: &ObjectMeta, mode: Mode) -> Option<Refusal> {
    if is_paused(meta) {
        return Some(Refusal::new(
            reason::AWAITING_UNPAUSE,
            "Held by the annotation `moorage.dev/paused`. Remove it to go on.",
        ));
    }
    (mode == Mode::ReadOnly).then(|| {
        Refusal::new(
            reason::AWAITING_WRITE_MODE,
            "The operator runs in read-only mode and changes nothing. It goes on once the mode is ReadWrite.",
        )
    })
}
