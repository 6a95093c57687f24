//! A volume that Fly still fills from what it is a copy of: it is in use already, and a snapshot or a copy of it would
//! have holes.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{Facts, Filling, Known, VolumePhase};
use super::super::step::{Look, Rest, Step, Wait, Waiting};
use super::{Reached, look_again};

/// Time between two looks at one that is waited for.
const PAUSE: SignedDuration = SignedDuration::from_secs(15);

/// The volume of this id has all that it was made from, or is gone.
pub(super) fn whole(now: Timestamp, facts: &Facts, volume: &str) -> Reached<()> {
    match &facts.known.volume {
        Known::Unknown => Err(Step::Look(Look::Volume)),
        Known::Present(known)
            if known.id == volume
                && known.phase == VolumePhase::Usable
                && known.filling != Filling::Whole =>
        {
            Err(look_again(now, facts, Look::Volume, PAUSE, Waiting::Filled))
        }
        Known::Missing(_) | Known::Present(_) => Ok(()),
    }
}

/// The same for what goes on aside, while the Runtime rests.
pub(super) fn whole_aside(now: Timestamp, facts: &Facts, volume: &str, rest: &Rest) -> Reached<()> {
    whole(now, facts, volume).map_err(|step| match step {
        Step::Wait(wait) => Step::Wait(Wait { what: Waiting::Aside(Box::new(rest.clone())), ..wait }),
        step => step,
    })
}
