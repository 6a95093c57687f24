//! Texts that were shown for an order, and got lost or aren't needed.

use moorage::api::custom_domain::CertificateSource;
use moorage::control::domain::facts::Asked;
use moorage::control::domain::step::{Rest, Step};

use crate::authority::Order;
use crate::world::World;

/// An order whose texts were set.
fn shown() -> World {
    let mut world = World::new("ai.example.com", CertificateSource::Acme);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    world.dns.hides.shown = true;
    while world.texts.is_empty() {
        world.step(0, None);
    }
    world
}

/// Goes on for so many seconds, one at a time. How often texts were looked for.
fn glance(world: &mut World, seconds: i64) -> usize {
    let (end, mut looks) = (world.now + seconds, 0);
    while world.now < end {
        match world.step(0, None) {
            Step::Wait(_) | Step::Rest(_) => world.now += 1,
            Step::Look(what) => looks += usize::from(what == moorage::control::domain::step::Look::Shown),
            Step::Do(_) => {}
        }
    }
    looks
}

#[test]
fn texts_that_got_lost_are_set_again() {
    let mut world = shown();
    world.texts.clear();
    let looks = glance(&mut world, 400);
    assert!(!world.texts.is_empty(), "{looks} looks");
    world.dns.hides.shown = false;
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    assert_eq!((world.ca.orders.len(), world.ca.certificates), (1, 1));
}

#[test]
fn texts_that_do_not_show_are_looked_for_ever_more_seldom() {
    let mut world = shown();
    assert!((12..=20).contains(&glance(&mut world, 15)), "each second at first");
    assert!(glance(&mut world, 3600) < 900);
}

#[test]
fn an_order_that_ended_meanwhile_is_found_out_and_another_is_placed_in_its_time() {
    let mut world = shown();
    world.ca.orders.insert(1, Order::Failed);
    glance(&mut world, 400);
    assert!(world.writes.contains(&"Abandon"), "{:?}", world.writes);
    world.dns.hides.shown = false;
    world.pass(2 * 3600);
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    assert_eq!((world.ca.orders.len(), world.ca.certificates), (2, 1));
}

#[test]
fn texts_are_taken_away_once_the_record_that_leads_to_them_has_gone() {
    let mut world = shown();
    let delegated = world.dns.delegated.take();
    world.customers[0].known.asked = Asked::Now;
    world.pass(4);
    assert!(!world.texts.is_empty(), "one look is no proof");
    world.pass(120);
    assert!(world.texts.is_empty(), "{:?}", world.writes);
    let writes = world.writes.len();
    world.pass(3600);
    assert_eq!(world.writes.len(), writes, "{:?}", &world.writes[writes..]);
    world.dns.delegated = delegated;
    world.dns.hides.shown = false;
    world.pass(600);
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    assert_eq!(world.ca.orders.len(), 1, "the order is taken up again");
}
