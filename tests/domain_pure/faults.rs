//! One fault at every effect changes nothing in the end: at most one certificate for a name, no text left, every order
//! counted.

use moorage::api::custom_domain::CertificateSource;
use moorage::control::domain::step::{Rest, Step};

use crate::world::{DAY, Fault, World, goes_on};

const FAULTS: [Fault; 3] = [Fault::Before, Fault::After, Fault::Unanswered];

/// One history: what is there first, and what then happens.
struct History {
    source: CertificateSource,
    change: fn(&mut World),
    end: Rest,
}

const HISTORIES: [History; 6] = [
    History { source: CertificateSource::Fly, change: set, end: Rest::Active },
    History { source: CertificateSource::Acme, change: set, end: Rest::Active },
    History { source: CertificateSource::Secret, change: set, end: Rest::Active },
    History { source: CertificateSource::Fly, change: set_and_delete, end: Rest::Gone },
    History { source: CertificateSource::Acme, change: set_and_delete, end: Rest::Gone },
    History { source: CertificateSource::Acme, change: renew, end: Rest::Active },
];

fn begun(source: CertificateSource) -> World {
    let mut world = World::new("ai.example.com", source);
    world.secret = Some(Ok(0));
    world.settle(0);
    world
}

fn set(world: &mut World) {
    world.set_listed(0);
    world.now += 6;
}

fn set_and_delete(world: &mut World) {
    set(world);
    world.settle(0);
    world.delete(0);
}

fn renew(world: &mut World) {
    set(world);
    world.settle(0);
    world.now += 61 * DAY;
    world.customers[0].known.asked = moorage::control::domain::facts::Asked::Now;
}

/// Goes on to the end, with a fault at the effect of this number.
fn run(world: &mut World, fault: Option<(usize, Fault)>) -> (Step, usize) {
    let mut effects = 0;
    for _ in 0..300 {
        if world.customers[0].domain.is_none() {
            return (Step::Rest(Rest::Gone), effects);
        }
        let now = match fault {
            Some((number, fault)) if number == effects => Some(fault),
            _ => None,
        };
        let step = world.step(0, now);
        if matches!(step, Step::Do(_)) {
            effects += 1;
        }
        if matches!(step, Step::Wait(_)) {
            world.now += 2;
        }
        if !goes_on(&step) {
            return (step, effects);
        }
    }
    panic!("it never comes to rest: {:?}", world.step(0, None));
}

#[test]
fn one_fault_at_every_effect_changes_nothing_in_the_end() {
    for (number, history) in HISTORIES.iter().enumerate() {
        let mut clean = begun(history.source);
        (history.change)(&mut clean);
        let certificates = clean.ca.certificates;
        let (end, effects) = run(&mut clean, None);
        assert_eq!(end, Step::Rest(history.end.clone()));
        assert!(effects > 1);
        for at in 0..effects {
            for fault in FAULTS {
                let mut world = begun(history.source);
                (history.change)(&mut world);
                let (end, _) = run(&mut world, Some((at, fault)));
                let told = format!("history {number}, effect {at}, {fault:?}: {:?}", world.writes);
                assert_eq!(end, Step::Rest(history.end.clone()), "{told}");
                assert_eq!(world.fly.apps, clean.fly.apps, "{told}");
                assert_eq!(world.zone, clean.zone, "{told}");
                assert!(world.texts.is_empty(), "a text is left: {told}");
                let made = world.ca.certificates - certificates;
                assert!(made <= 1, "{made} certificates: {told}");
                let ordering = world.claim.as_ref().and_then(|it| it.spec.domain.as_ref()?.ordering.clone());
                let ordering = ordering.unwrap_or_default();
                let counted = ordering.first_times.len() + ordering.renewal_times.len();
                // Those of the certificate that was renewed are older than a week.
                if number != 5 {
                    let orders = world.ca.orders.len();
                    assert!(ordering.order_times.len() >= orders, "an order isn't counted: {told}");
                    let made = world.ca.certificates as usize;
                    assert!((made..=made + 1).contains(&counted), "certificates aren't counted: {told}");
                }
            }
        }
    }
}
