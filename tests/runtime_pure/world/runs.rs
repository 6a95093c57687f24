//! Whole histories.

use super::*;

/// Runs until the Runtime rests or is gone, with one fault at the effect number `at`.
pub fn run(world: &mut World, fault: Option<(usize, Fault)>) -> Rest {
    let known = world.fresh();
    match run_for(world, known, 2_000, fault).0 {
        Some(rest) => rest,
        None => {
            panic!("it doesn't come to rest: {:?}", world.ledger.iter().rev().take(10).collect::<Vec<_>>())
        }
    }
}

/// Takes so many steps at most, from what is known, with one fault at the effect number `at`. Where it rests, if it
/// does, and what is known then.
pub fn run_for(
    world: &mut World,
    mut known: Knowledge,
    steps: usize,
    fault: Option<(usize, Fault)>,
) -> (Option<Rest>, Knowledge) {
    let mut effects = 0;
    for _ in 0..steps {
        let mut facts = world.facts(known.clone());
        let step = decide(world.now, &facts);
        let old = world.runtime.status.clone().unwrap_or_default();
        let shown = view(world.now, &facts, &step, &old);
        assert!(shown.conditions.iter().all(|condition| !condition.reason.is_empty()));
        world.check();
        match step {
            // The hostname's turn comes while the Runtime itself is at rest.
            Step::Rest(rest) => match hostname::again(world.now, &facts) {
                Some(again) if rest != Rest::Gone => world.now += again,
                _ => {
                    world.runtime.status = Some(shown);
                    return (Some(rest), known);
                }
            },
            Step::Wait(wait) => {
                world.runtime.status = Some(shown);
                let again =
                    hostname::again(world.now, &facts).map_or(wait.again, |again| again.min(wait.again));
                world.now += again.max(SignedDuration::from_millis(10));
            }
            Step::Look(look) => {
                world.look(look, &mut facts);
                known = facts.known;
            }
            Step::Do(effect) => {
                let strikes = fault.filter(|(at, _)| *at == effects).map(|(_, fault)| fault);
                effects += 1;
                known = strike(world, facts, &effect, strikes);
            }
        }
        world.now += SignedDuration::from_millis(5);
    }
    (None, known)
}

/// Runs until something is so, or it rests.
pub fn run_until(world: &mut World, is_so: impl Fn(&World) -> bool) {
    let mut known = Knowledge::default();
    while !is_so(world) {
        let mut facts = world.facts(known.clone());
        match decide(world.now, &facts) {
            Step::Rest(_) => return,
            Step::Wait(wait) => world.now += wait.again.max(SignedDuration::from_millis(10)),
            Step::Look(look) => {
                world.look(look, &mut facts);
                known = facts.known;
            }
            Step::Do(effect) => known = strike(world, facts, &effect, None),
        }
    }
}

pub fn strike(world: &mut World, mut facts: Facts, effect: &Effect, fault: Option<Fault>) -> Knowledge {
    moorage::control::runtime::act::begin(world.now, &mut facts, effect);
    let before = facts.own_claim().and_then(|claim| claim.runtime.clone());
    world.attempts += 1;
    let mut told = facts.clone();
    let refused = world.refuses(effect, &mut told);
    if world.misses_image(effect, &facts) {
        let remedy = Refusal::new("ImageNotFound", "Fly can't find the image.");
        moorage::control::runtime::trouble::note(world.now, &mut facts, remedy.into());
        return facts.known;
    }
    if let Some(failure) = world.puts_off(effect) {
        moorage::control::runtime::act::forget(&mut facts, effect);
        moorage::control::runtime::trouble::note(world.now, &mut facts, failure);
        return facts.known;
    }
    match fault {
        None if refused => told.known,
        None => {
            world.apply(effect, &facts);
            let mut facts = Facts { runtime: Arc::new(world.runtime.clone()), ..facts };
            facts.cluster = world.facts(Knowledge::default()).cluster;
            world.learn_move(effect, before.as_ref(), &mut facts);
            // What was known of a snapshot was known for the step that ends with this.
            let upgrade = |identity: Option<RuntimeIdentity>| identity.and_then(|identity| identity.upgrade);
            let after = world.claim.as_ref().and_then(|claim| claim.runtime.clone());
            if upgrade(before) != upgrade(after) {
                facts.known.snapshot = Known::Unknown;
                facts.known.snapshot_asked = None;
            }
            world.learn(effect, &mut facts);
            facts.known
        }
        Some(Fault::CrashBefore) => {
            world.requests.iter_mut().for_each(|request| request.origin = Origin::Found);
            world.fresh()
        }
        Some(Fault::CrashAfter) if refused => Knowledge::default(),
        Some(_) if refused => {
            moorage::control::runtime::act::forget(&mut facts, effect);
            facts.known
        }
        Some(Fault::CrashAfter) => {
            world.apply(effect, &facts);
            world.requests.iter_mut().for_each(|request| request.origin = Origin::Found);
            world.listed()
        }
        Some(Fault::LostReply) => {
            world.apply(effect, &facts);
            moorage::control::runtime::act::forget(&mut facts, effect);
            facts.known
        }
        Some(Fault::LostRequest) => {
            moorage::control::runtime::act::forget(&mut facts, effect);
            facts.known
        }
    }
}
