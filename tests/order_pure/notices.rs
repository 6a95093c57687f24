//! What is told before anything is lost.

use moorage::api::runtime_order::{PaymentMode, RuntimeOrderStatus};
use moorage::control::history::announce::{News, Tone};
use moorage::control::order::notices::{soon_at, warning};
use moorage::control::order::step::{Rest, Step};

use crate::world::{DAY, World, at, patience, payment, refund};

fn paid() -> World {
    let mut world = World::new(PaymentMode::Subscription);
    world.run(None);
    world.receipts.push(payment("1", world.now));
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    world
}

/// What a visit at this time tells.
fn told(world: &mut World) -> Option<News> {
    let old: RuntimeOrderStatus = world.status();
    world.run(None);
    warning(&old, &world.status())
}

#[test]
fn each_loss_is_told_once_before_it_comes_with_its_time() {
    let mut world = paid();
    assert_eq!(told(&mut world), None);
    let until = world.status().subscription.unwrap().paid_until.unwrap().as_second();
    world.now = until + 1;
    let news = told(&mut world).unwrap();
    let due = world.status().subscription.unwrap();
    assert_eq!((news.tone, news.reason.as_str()), (Tone::Warning, "PastDue"));
    for time in [due.suspend_time.unwrap(), due.delete_time.unwrap()] {
        assert!(news.note.contains(&time.to_string()), "{}", news.note);
    }
    assert_eq!(told(&mut world), None, "once is enough");
    world.now = due.suspend_time.unwrap().as_second() + 1;
    let news = told(&mut world).unwrap();
    assert_eq!(news.reason, "Suspended");
    assert!(news.note.contains(&due.delete_time.unwrap().to_string()), "{}", news.note);
    // Three days before it is deleted.
    let standing = world.facts().standing(at(world.now)).unwrap();
    let soon = soon_at(&standing, patience()).unwrap();
    assert_eq!(due.delete_time.unwrap().as_second() - soon.as_second(), 3 * DAY);
    world.now = soon.as_second() - 1;
    assert_eq!(told(&mut world), None);
    world.now = soon.as_second();
    let news = told(&mut world).unwrap();
    assert_eq!((news.tone, news.reason.as_str()), (Tone::Warning, "Suspended"));
    assert!(
        news.note.contains("soon") && news.note.contains(&due.delete_time.unwrap().to_string()),
        "{news:?}"
    );
    assert!(world.condition("Paid").contains("soon"), "{}", world.condition("Paid"));
    assert_eq!(told(&mut world), None);
    // Paid again, it is told no more, and anew the next time.
    world.receipts.push(payment("2", world.now));
    assert_eq!(told(&mut world), None);
    assert!(!world.condition("Paid").contains("soon"));
    world.now += 40 * DAY;
    assert_eq!(told(&mut world).unwrap().reason, "Suspended");
}

#[test]
fn money_that_went_back_is_told_with_what_it_costs() {
    let mut world = paid();
    world.receipts.push(refund("2", "1", crate::world::PRICE, world.now));
    let news = told(&mut world).unwrap();
    assert_eq!((news.tone, news.reason.as_str()), (Tone::Warning, "Refunded"));
    let delete = world.status().subscription.unwrap().delete_time.unwrap();
    assert!(news.note.contains(&delete.to_string()), "{}", news.note);
}
