//! What is missing from the pools, and what is too much in them. Pure.

use std::sync::Arc;

use jiff::Timestamp;

use crate::api::name_claim::{NameClaimSpec, Pin};
use crate::api::warm::WarmPhase;
use crate::api::{BlueprintSpec, Plan};
use crate::control::rollout::images::SeenImage;
use crate::control::runtime::resolve::pin;
use crate::control::runtime::warm::is_current;
use crate::engine::config::DefaultLimits;

/// Most apps that are being made at once.
const MAX_PREPARING: usize = 4;

/// What a Plan wants in a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where.
    pub region: String,
    /// How many.
    pub size: usize,
    /// What they are made from.
    pub pin: Pin,
    /// What the image's tag was last seen to stand for.
    pub newest: Option<SeenImage>,
}

/// A warm app, as its claim has it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'c> {
    /// Name of its claim.
    pub name: &'c str,
    /// The claim.
    pub spec: &'c NameClaimSpec,
    /// Whether it serves.
    pub readiness: Readiness,
    /// When its claim was made.
    pub made: Timestamp,
}

/// Whether a warm app serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Readiness {
    /// It does.
    Ready,
    /// Not yet.
    Preparing,
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Todo<'w> {
    /// One app for each.
    pub make: Vec<&'w Wanted>,
    /// Names of claims whose apps go.
    pub drop: Vec<String>,
}

/// What all Plans want. One whose Blueprint isn't there, or needs more memory, gets nothing: no Runtime could be made
/// from it either.
pub fn wanted(
    plans: &[Arc<Plan>],
    blueprint: impl Fn(&str) -> Option<(i64, BlueprintSpec)>,
    newest: impl Fn(&str) -> Option<SeenImage>,
    defaults: &DefaultLimits,
) -> Vec<Wanted> {
    let mut all = Vec::new();
    for plan in plans {
        let (Some(name), Some(pool)) = (&plan.metadata.name, &plan.spec.warm_pool) else { continue };
        let named = pool.blueprint_ref.as_ref().map_or(&defaults.blueprint, |reference| &reference.name);
        let Some((generation, spec)) = blueprint(named) else { continue };
        if plan.spec.memory_mb < spec.minimum_memory_mb {
            continue;
        }
        let pin = pin(name, &plan.spec, named, generation, &spec);
        let first = defaults.regions.first().map(std::slice::from_ref).unwrap_or_default();
        let regions = if pool.regions.is_empty() { first } else { pool.regions.as_slice() };
        all.extend(regions.iter().map(|region| Wanted {
            region: region.clone(),
            size: usize::try_from(pool.size).unwrap_or_default(),
            newest: newest(&spec.image),
            pin: pin.clone(),
        }));
    }
    all
}

/// What is next for the pools. What was given or dropped is none of theirs any more.
pub fn next<'w>(wanted: &'w [Wanted], entries: &[Entry<'_>]) -> Todo<'w> {
    let mut kept: Vec<&Entry<'_>> = entries.iter().filter(|entry| is_kept(entry)).collect();
    // Those that serve stay first, then the oldest.
    kept.sort_by_key(|entry| (entry.readiness, entry.made, entry.name));
    let mut todo = Todo::default();
    let mut fitting = Vec::new();
    for want in wanted {
        let mine: Vec<&str> =
            kept.iter().filter(|entry| want.fits(entry.spec)).map(|entry| entry.name).collect();
        fitting.extend(mine.iter().take(want.size).copied());
        todo.make.extend((mine.len()..want.size).map(|_| want));
    }
    todo.drop =
        kept.iter().map(|entry| entry.name).filter(|name| !fitting.contains(name)).map(Into::into).collect();
    let preparing =
        |entry: &&&Entry<'_>| entry.readiness == Readiness::Preparing && fitting.contains(&entry.name);
    todo.make.truncate(MAX_PREPARING.saturating_sub(kept.iter().filter(preparing).count()));
    todo
}

fn is_kept(entry: &Entry<'_>) -> bool {
    entry.spec.warm.as_ref().is_some_and(|app| app.phase == WarmPhase::Kept)
}

impl Wanted {
    /// Whether a warm app is one of these.
    fn fits(&self, claim: &NameClaimSpec) -> bool {
        let region = claim.warm.as_ref().map(|app| &app.region);
        let made = claim.runtime.as_ref().map(|identity| &identity.pin);
        region == Some(&self.region)
            && made.is_some_and(|made| is_current(made, &self.pin, self.newest.as_ref()))
    }
}
