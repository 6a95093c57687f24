//! The brake on mass destruction: when very many Runtimes go at once, the rest wait for the platform.
//!
//! Nothing at Fly changes for one that waits: it goes on running. What may go is counted on the claims, where the
//! effect is performed, so that visits at the same time can't overshoot.

use super::super::facts::{Facts, Refusal};
use super::super::step::{Effect, Look, Rest, Step};
use super::{Reached, seen};
use crate::api::name_claim::{ClaimType, DeletionPhase, NameClaimSpec, RuntimeIdentity};
use crate::api::{NameClaim, reason};

/// The deletion may go on. One that never had a volume loses nothing, and doesn't count.
pub(super) fn released(facts: &Facts, claim: &NameClaimSpec, identity: &RuntimeIdentity) -> Reached<()> {
    // A warm app never held anybody's data.
    if claim.type_ == ClaimType::Warm {
        return Ok(());
    }
    match claim.deletion_phase() {
        Some(DeletionPhase::Begun | DeletionPhase::Confirmed) => Ok(()),
        Some(DeletionPhase::Held) if !claim.deletion_confirmed() => {
            // It goes on running, or doesn't: that is told by looking at it.
            if identity.machine_id.is_some() {
                seen(&facts.known.machine, Look::Machine)?;
            }
            Err(Step::Rest(Rest::Awaiting(held(facts, claim))))
        }
        None if identity.volume_id.is_none() => Ok(()),
        Some(DeletionPhase::Held) | None => Err(Step::Do(Effect::BeginDeletion)),
    }
}

fn held(facts: &Facts, claim: &NameClaimSpec) -> Refusal {
    let brake = facts.cluster.settings.deletion_brake;
    Refusal::new(
        reason::AWAITING_CONFIRM,
        format!(
            "Its deletion is held: too many Runtimes were deleted within {} minutes. It goes on running and its data is safe. If they are meant to go, the platform says so for all at once: `moorage confirm deletions --all` (without the program: `kubectl patch nameclaim {} --type merge -p '{{\"spec\":{{\"confirm\":{{\"action\":\"Deletion\",\"uid\":\"{}\"}}}}}}'`).",
            brake.window_minutes,
            NameClaim::label_key(&claim.name),
            claim.holder.uid,
        ),
    )
}
