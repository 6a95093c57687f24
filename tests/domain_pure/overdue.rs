//! A renewal that doesn't happen, and what is said of it while the certificate in service is good still.

use jiff::SignedDuration;
use moorage::api::condition::ConditionStatus;
use moorage::api::custom_domain::CertificateSource;
use moorage::api::state::DomainState;
use moorage::api::{ConditionType, condition, reason};
use moorage::control::domain::certificate::OrderFact;
use moorage::control::domain::edge::Problem;
use moorage::control::domain::facts::Asked;
use moorage::control::domain::step::{Rest, Step};
use moorage::control::runtime::facts::Refusal;
use moorage::domains::budget::Limits;

use crate::world::{DAY, HOUR, World, at};

/// A hostname in service by a certificate that was ordered.
fn ordered() -> World {
    let mut world = World::new("ai.example.com", CertificateSource::Acme);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    world
}

/// The reason that is told of the certificate in service, and the whole message.
fn told(world: &World) -> (String, String) {
    let status = world.status(0);
    assert_eq!(status.state, Some(DomainState::Active), "it is good still");
    let issued = condition::find(&status.conditions, ConditionType::CertificateIssued).unwrap();
    assert_eq!(issued.status, ConditionStatus::True);
    (issued.reason.to_string(), issued.message.to_string())
}

fn tells(world: &World, reason: &str, why: &str) {
    let (word, message) = told(world);
    assert_eq!(word, reason, "{message}");
    assert!(message.contains("isn't renewed") && message.contains(why), "{message}");
}

fn renewed(world: &mut World) {
    world.customers[0].known.asked = Asked::Now;
    world.pass(2 * DAY);
    assert_eq!(world.ca.certificates, 2);
    assert_eq!(told(world).0, reason::ISSUED);
}

#[test]
fn caa_records_that_forbid_a_renewal_are_told() {
    let mut world = ordered();
    world.dns.forbids = true;
    world.pass(59 * DAY);
    assert_eq!(told(&world).0, reason::ISSUED, "it isn't due");
    world.pass(2 * DAY);
    tells(&world, reason::CAA_FORBIDS, "It names another.");
    world.dns.forbids = false;
    renewed(&mut world);
}

#[test]
fn caa_records_that_stay_unseen_are_told() {
    let mut world = ordered();
    world.dns.hides.caa = true;
    world.pass(60 * DAY + 600);
    assert_eq!(told(&world).0, reason::ISSUED, "servers miss a question now and then");
    world.pass(HOUR);
    tells(&world, reason::DNS_UNAVAILABLE, "CAA");
    world.dns.hides.caa = false;
    renewed(&mut world);
}

#[test]
fn a_budget_that_is_used_up_is_told() {
    let mut world = ordered();
    let due = world.record().unwrap().certificate.as_ref().unwrap().renewal_time.unwrap();
    let times = vec![due - SignedDuration::from_hours(1); 4];
    world.limits = Some(Limits::default());
    world.written(|spec| {
        spec.domain.as_mut().unwrap().ordering.as_mut().unwrap().renewal_times = times;
    });
    world.pass(61 * DAY);
    tells(&world, reason::ORDERS_USED_UP, "this hostname");
    world.limits = None;
    renewed(&mut world);
}

#[test]
fn a_record_for_the_authority_that_has_gone_is_told_with_what_comes_of_it() {
    let mut world = ordered();
    let delegated = world.dns.delegated.take();
    world.now += 60 * DAY;
    world.customers[0].known.asked = Asked::Now;
    world.settle(0);
    world.now += HOUR;
    world.settle(0);
    let status = world.status(0);
    let issued = condition::find(&status.conditions, ConditionType::CertificateIssued).unwrap();
    assert_eq!((issued.status, issued.reason.as_str()), (ConditionStatus::True, reason::RECORD_MISSING));
    assert!(issued.message.contains("CNAME _acme-challenge.ai.example.com"), "{}", issued.message);
    world.dns.delegated = delegated;
    renewed(&mut world);
}

/// Goes on to so long after its renewal was due, a second at a time.
fn glance(world: &mut World, seconds: i64) {
    let due = world.record().unwrap().certificate.as_ref().unwrap().renewal_time.unwrap().as_second();
    world.now = world.now.max(due);
    while world.now < due + seconds {
        match world.step(0, None) {
            Step::Wait(_) | Step::Rest(_) => world.now += 1,
            Step::Look(_) | Step::Do(_) => {}
        }
    }
}

#[test]
fn what_the_authority_wants_to_have_been_renewed_long_ago_is_begun_before_it_is_late() {
    let mut world = ordered();
    world.dns.hides.shown = true;
    world.written(|spec| {
        spec.domain.as_mut().unwrap().certificate.as_mut().unwrap().renewal_time = Some(at(0));
    });
    for _ in 0..60 {
        if !matches!(world.step(0, None), Step::Look(_) | Step::Do(_)) {
            world.now += 1;
        }
    }
    assert!(matches!(world.customers[0].known.order, Some(OrderFact::Proofs(_))), "it is begun");
    assert_eq!(told(&world).0, reason::ISSUED, "it was learned just now");
}

#[test]
fn texts_that_never_show_are_told() {
    let mut world = ordered();
    world.dns.hides.shown = true;
    glance(&mut world, 600);
    assert_eq!(told(&world).0, reason::ISSUED, "a zone takes its time");
    glance(&mut world, HOUR);
    tells(&world, reason::DEADLINE_EXCEEDED, "doesn't show at every name server");
    world.dns.hides.shown = false;
    renewed(&mut world);
}

#[test]
fn an_order_that_the_authority_wants_left_alone_is_told() {
    let mut world = ordered();
    world.dns.hides.shown = true;
    glance(&mut world, 60);
    let why = Refusal::new(reason::CERTIFICATE_REFUSED, "Too many requests.");
    world.customers[0].known.order = Some(OrderFact::Held(at(world.now + HOUR), why));
    world.settle(0);
    tells(&world, reason::CERTIFICATE_REFUSED, "Too many requests.");
}

#[test]
fn what_fly_says_is_in_the_way_is_told_once_it_should_have_renewed() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.alias(0);
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    let problem = Problem {
        code: "DNS_TIMEOUT".into(),
        message: "It didn't answer".into(),
        remedy: "Wait for it".into(),
    };
    let meets = |world: &mut World, problems: Vec<Problem>| {
        let hosted = world.customers[0].known.edge.as_mut().unwrap().hostname.as_mut().unwrap();
        hosted.problems = problems;
        world.settle(0);
    };
    meets(&mut world, vec![problem.clone()]);
    assert_eq!(told(&world).0, reason::ISSUED, "it was issued just now");
    let end = world.record().unwrap().certificate.as_ref().unwrap().expire_time.as_second();
    world.now = end - 29 * DAY;
    world.customers[0].known.sight.as_mut().unwrap().at = at(world.now);
    world.customers[0].known.edge.as_mut().unwrap().at = at(world.now);
    meets(&mut world, vec![problem]);
    tells(&world, reason::DEADLINE_EXCEEDED, "It didn't answer. Wait for it");
    meets(&mut world, Vec::new());
    assert_eq!(told(&world).0, reason::ISSUED);
    let hosted = world.customers[0].known.edge.as_mut().unwrap().hostname.as_mut().unwrap();
    hosted.limited_until = Some(at(world.now + DAY));
    world.settle(0);
    tells(&world, reason::ORDERS_USED_UP, "takes no order");
}
