//! A gateway whose checks at Fly fail, while it serves or not. Fly tells nobody when they pass again.

use jiff::SignedDuration;
use moorage::control::runtime::decide::decide;
use moorage::control::runtime::facts::{Facts, Health, Knowledge, Known, ProbeFact, ProbeResult};
use moorage::control::runtime::step::{Look, Rest, Step};

use crate::world::{World, run, second};

/// Where it rests, its gateway answering whatever the checks say.
fn rests(world: &mut World, facts: &mut Facts) -> (Rest, u32) {
    let mut looks = 0;
    loop {
        match decide(world.now, facts) {
            Step::Rest(rest) => return (rest, looks),
            Step::Wait(wait) => world.now += wait.again,
            Step::Look(Look::Probe) => {
                let version = world.machine.as_ref().unwrap().version.clone();
                let probe = ProbeFact { machine_version: version, result: ProbeResult::Live, at: world.now };
                facts.known.probe = Some(probe);
                facts.known.looked.insert(Look::Probe, world.now);
            }
            Step::Look(look) => {
                looks += u32::from(look == Look::Machine);
                world.look(look, facts);
            }
            Step::Do(effect) => panic!("{effect:?}"),
        }
    }
}

fn health(world: &mut World, health: Health) {
    world.machine.as_mut().unwrap().health = health;
}

/// One that has just been started, its checks failing.
fn just_started() -> (World, Facts) {
    let mut world = World::new();
    assert_eq!(run(&mut world, None), Rest::Running);
    health(&mut world, Health::Failing);
    world.machine.as_mut().unwrap().since = world.now;
    let facts = world.facts(Knowledge::default());
    (world, facts)
}

#[test]
fn it_is_looked_at_until_they_pass_ever_less_often() {
    let mut world = World::new();
    assert_eq!(run(&mut world, None), Rest::Running);
    world.now += second(60);
    health(&mut world, Health::Failing);
    let mut facts = world.facts(Knowledge::default());
    let began = world.now;
    let (mut looks, mut longest) = (0, SignedDuration::ZERO);
    while began.duration_until(world.now) < SignedDuration::from_hours(2) {
        let (rest, more) = rests(&mut world, &mut facts);
        let Rest::Degraded(again) = rest else { panic!("{rest:?}") };
        assert!(again > SignedDuration::ZERO, "it would spin");
        looks += more;
        longest = longest.max(again);
        world.now += again;
    }
    assert_eq!(longest, SignedDuration::from_mins(5));
    assert!((30..80).contains(&looks), "{looks} looks in two hours");
    health(&mut world, Health::Passing);
    assert_eq!(rests(&mut world, &mut facts), (Rest::Running, 1));
}

#[test]
fn one_that_answers_just_before_its_check_is_due_runs_seconds_later() {
    let (mut world, mut facts) = just_started();
    world.now += second(31);
    let (rest, _) = rests(&mut world, &mut facts);
    assert!(matches!(rest, Rest::Degraded(again) if again <= second(5)), "{rest:?}");
    health(&mut world, Health::Passing);
    world.now += second(5);
    assert_eq!(rests(&mut world, &mut facts).0, Rest::Running);
    assert!(matches!(facts.known.machine, Known::Present(_)));
}

#[test]
fn one_that_does_not_serve_is_looked_at_often_at_first_and_not_so_for_ever() {
    let (mut world, mut facts) = just_started();
    let mut counts = Vec::new();
    for minutes in [5, 115] {
        let end = world.now + SignedDuration::from_mins(minutes);
        let mut looks = 0;
        while world.now < end {
            match decide(world.now, &facts) {
                Step::Wait(wait) => world.now += wait.again,
                Step::Look(look) => {
                    looks += u32::from(look == Look::Machine);
                    world.look(look, &mut facts);
                }
                step => panic!("{step:?}"),
            }
        }
        counts.push(looks);
    }
    assert!((80..150).contains(&counts[0]), "{counts:?} looks in five minutes, and in two hours");
    assert!((200..400).contains(&counts[1]), "{counts:?} looks in five minutes, and in two hours");
}
