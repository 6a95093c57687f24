//! Two customers who want one name: whoever can show that it is theirs has it, and nobody is led to the other.

use moorage::api::custom_domain::CertificateSource;
use moorage::api::{ConditionType, condition, reason};
use moorage::control::domain::facts::Asked;
use proptest::prelude::*;

use crate::world::{DAY, Fault, HOUR, Hides, World};

fn two() -> World {
    World::new("ai.example.com", CertificateSource::Fly).with_rival()
}

#[test]
fn a_race_is_decided_by_dns_and_not_by_who_came_first() {
    let mut world = two();
    world.settle(0);
    world.settle(1);
    world.alias(1);
    world.pass(60);
    assert_eq!(world.holder(), Some(1));
    assert_eq!(world.fly.serving(), ["app-rival"]);
    let claimed =
        condition::find(&world.status(0).conditions, ConditionType::HostnameClaimed).cloned().unwrap();
    assert_eq!(claimed.reason, reason::HOSTNAME_TAKEN);
    assert!(!claimed.message.contains("rival"), "whose it is isn't told: {}", claimed.message);
}

#[test]
fn a_holder_whose_record_stands_keeps_the_name_against_a_text() {
    let mut world = two();
    world.alias(0);
    world.pass(60);
    world.dns.texts.push(world.proofs(1).text);
    world.pass(2 * DAY);
    assert_eq!(world.holder(), Some(0));
    assert_eq!(world.fly.serving(), ["app-acme"]);
}

#[test]
fn a_name_changes_hands_once_only_the_other_can_show_it() {
    let mut world = two();
    world.alias(0);
    world.pass(60);
    world.alias(1);
    world.pass(HOUR);
    assert_eq!(world.holder(), Some(0), "against a holder it takes a text");
    world.dns.texts.push(world.proofs(1).text);
    world.pass(300);
    assert_eq!(world.holder(), Some(0), "not at once");
    world.pass(HOUR);
    assert_eq!(world.holder(), Some(1));
    assert_eq!(world.fly.serving(), ["app-rival"]);
    assert!(!world.zone.contains_key(&world.target(0)), "nothing leads to the one before");
    assert!(world.record().unwrap().contest.is_none());
}

#[test]
fn what_cannot_be_seen_of_a_holder_is_no_proof_against_them() {
    let none = Hides::default();
    for hides in [Hides { target: true, ..none }, Hides { texts: true, ..none }] {
        let mut world = two();
        world.alias(0);
        world.pass(60);
        world.dns.cname = None;
        world.dns.texts.push(world.proofs(1).text);
        world.dns.hides = hides;
        world.pass(20 * DAY);
        assert_eq!(world.holder(), Some(0), "{hides:?}");
        world.dns.hides = Hides::default();
        world.pass(2 * HOUR);
        assert_eq!(world.holder(), Some(1), "{hides:?}");
    }
}

#[test]
fn a_dangling_name_leads_nobody_to_another_customer() {
    let mut world = two();
    world.alias(0);
    world.pass(60);
    world.delete(0);
    world.pass(60);
    // The CNAME still stands, and another customer asks for the name.
    world.pass(2 * DAY);
    assert_eq!(world.holder(), None);
    assert!(world.fly.serving().is_empty() && world.zone.is_empty());
    // Whoever has the domain can show it by a text.
    world.dns.texts.push(world.proofs(1).text);
    world.dns.cname = Some(world.target(1));
    world.pass(HOUR);
    assert_eq!(world.holder(), Some(1));
}

#[test]
fn its_own_tenant_takes_a_name_back_by_the_record_that_still_stands() {
    let mut world = two();
    world.alias(0);
    world.pass(60);
    let again = world.customers[0].domain.clone().unwrap();
    world.delete(0);
    world.pass(60);
    let mut again = again;
    again.metadata.uid = Some("uid-again".into());
    again.metadata.finalizers = None;
    again.status = None;
    world.customers[0].domain = Some(again);
    world.customers[0].known = Default::default();
    world.pass(60);
    assert_eq!(world.holder(), Some(0));
    assert_eq!(world.fly.serving(), ["app-acme"]);
}

/// The zone is the rival's: whatever the holder had set has gone.
fn hijacked(world: &mut World) {
    world.alias(1);
    world.dns.texts = vec![world.proofs(1).text];
}

/// The zone is the holder's again.
fn restored(world: &mut World) {
    world.alias(0);
    world.dns.texts.clear();
}

#[test]
fn two_short_hijacks_take_no_name_however_far_apart() {
    let mut world = two();
    world.alias(0);
    world.pass(60);
    hijacked(&mut world);
    world.pass(120);
    assert!(world.record().unwrap().contest.is_some());
    restored(&mut world);
    world.pass(HOUR);
    assert_eq!(world.record().unwrap().contest, None);
    hijacked(&mut world);
    world.pass(120);
    assert_eq!(world.holder(), Some(0));
    world.pass(HOUR);
    assert_eq!(world.holder(), Some(1), "one that lasts takes it");
}

#[test]
fn records_that_flip_all_the_time_take_no_name() {
    let mut world = two();
    world.alias(0);
    world.pass(60);
    for _ in 0..20 {
        hijacked(&mut world);
        world.pass(200);
        restored(&mut world);
        world.pass(200);
        assert_eq!(world.holder(), Some(0));
    }
    assert_eq!(world.fly.serving(), ["app-acme"]);
}

#[test]
fn a_holder_whose_record_is_back_at_the_last_moment_gets_back_what_was_taken() {
    for visited in [[0, 1], [1, 0]] {
        let mut world = two();
        world.alias(0);
        world.pass(60);
        hijacked(&mut world);
        world.pass(120);
        world.now += 600;
        // It is decided, and the rival is visited until nothing leads to the holder.
        world.customers[1].known.asked = Asked::Now;
        for _ in 0..20 {
            if !world.fly.serving().is_empty() {
                world.step(1, None);
            }
        }
        assert_eq!((world.holder(), world.zone.len(), world.fly.serving().len()), (Some(0), 0, 0));
        restored(&mut world);
        for who in visited {
            world.customers[who].known.asked = Asked::Now;
            world.settle(who);
        }
        world.pass(2 * DAY);
        assert_eq!(world.holder(), Some(0));
        assert_eq!(world.fly.serving(), ["app-acme"], "{visited:?}: {:?}", world.writes);
        assert!(world.zone.contains_key(&world.target(0)), "{visited:?}: {:?}", world.writes);
    }
}

/// What happens to the domain's DNS, and how long it stays so.
#[derive(Clone, Copy, Debug)]
enum Event {
    Alias(usize),
    NoAlias,
    Text(usize),
    NoText(usize),
    Broken,
    Mended,
    Crash(usize),
    Wait(i64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..2_usize).prop_map(Event::Alias),
        Just(Event::NoAlias),
        (0..2_usize).prop_map(Event::Text),
        (0..2_usize).prop_map(Event::NoText),
        Just(Event::Broken),
        Just(Event::Mended),
        (0..2_usize).prop_map(Event::Crash),
        prop_oneof![Just(3), Just(60), Just(400), Just(HOUR), Just(4 * DAY)].prop_map(Event::Wait),
    ]
}

fn happen(world: &mut World, event: Event) {
    match event {
        Event::Alias(who) => world.alias(who),
        Event::NoAlias => world.dns.cname = None,
        Event::Text(who) => {
            let text = world.proofs(who).text;
            if !world.dns.texts.contains(&text) {
                world.dns.texts.push(text);
            }
        }
        Event::NoText(who) => {
            let text = world.proofs(who).text;
            world.dns.texts.retain(|other| *other != text);
        }
        Event::Broken => world.dns.broken = true,
        Event::Mended => world.dns.broken = false,
        Event::Crash(who) => world.customers[who].known = Default::default(),
        Event::Wait(seconds) => world.pass(seconds),
    }
}

/// Whoever could show at that moment that the name is theirs.
fn entitled(world: &World, who: usize) -> bool {
    let by_text = world.dns.texts.contains(&world.proofs(who).text);
    by_text || world.dns.cname.as_ref() == Some(&world.target(who))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_led_to_a_customer_who_never_showed_it(events in proptest::collection::vec(event(), 1..10)) {
        let mut world = two();
        let mut showed = [false; 2];
        for event in events {
            happen(&mut world, event);
            for (who, showed) in showed.iter_mut().enumerate() {
                *showed |= entitled(&world, who);
            }
            let serving = world.fly.serving();
            prop_assert!(serving.len() <= 1, "{serving:?}");
            for (who, app) in ["app-acme", "app-rival"].iter().enumerate() {
                let led = world.fly.apps[*app].is_some() || world.zone.contains_key(&world.target(who));
                prop_assert!(!led || showed[who], "{app} without a proof");
                prop_assert!(!led || world.holder() == Some(who), "{app} without the claim");
            }
        }
        // Once only one can show it, and for long enough, that one has it.
        world.dns.broken = false;
        world.dns.cname = Some(world.target(1));
        world.dns.texts = vec![world.proofs(1).text];
        world.pass(6 * DAY);
        prop_assert_eq!(world.holder(), Some(1));
        prop_assert_eq!(world.fly.serving(), ["app-rival"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn in_whatever_order_the_two_are_visited_a_name_is_never_with_both(
        turns in proptest::collection::vec((0..2_usize, 0..5_u8), 40..160)
    ) {
        let mut world = two();
        world.alias(0);
        world.pass(60);
        world.dns.cname = Some(world.target(1));
        world.dns.texts.push(world.proofs(1).text);
        world.pass(HOUR / 12);
        for (who, what) in turns {
            world.now += if what == 0 { HOUR / 60 } else { 1 };
            if what == 3 {
                // A survey of Fly's organisation saw something, and asks for a look.
                world.customers[who].known.edge_asked = Asked::Now;
            }
            let fault = match what {
                1 => Some(Fault::Before),
                2 => Some(Fault::Unanswered),
                _ => None,
            };
            world.step(who, fault);
            let serving = world.fly.serving();
            prop_assert!(serving.len() <= 1, "{serving:?}");
        }
        world.pass(2 * HOUR);
        prop_assert_eq!(world.holder(), Some(1));
        prop_assert_eq!(world.fly.serving(), ["app-rival"]);
        prop_assert!(world.fly.apps["app-acme"].is_none(), "nothing is left with the one before");
    }
}
