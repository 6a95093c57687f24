//! What becomes of a hostname that nobody else wants.

use jiff::SignedDuration;
use moorage::api::condition::ConditionStatus;
use moorage::api::custom_domain::{CertificateSource, RoutedBy};
use moorage::api::domain_record::OwnershipMethod;
use moorage::api::state::DomainState;
use moorage::api::{ConditionType, condition, reason};
use moorage::control::domain::certificate::{Glance, OrderFact, Proof, Shown};
use moorage::control::domain::decide::decide;
use moorage::control::domain::edge::Problem;
use moorage::control::domain::facts::{Advice, Asked, Renewal, RuntimeFact};
use moorage::control::domain::schedule::wakes;
use moorage::control::domain::step::{Effect, Look, Rest, Step, Waiting};
use moorage::control::domain::view::view;
use moorage::control::domain::{ordering, schedule};
use moorage::control::runtime::facts::{Refusal, Trouble, TroubleClass};
use moorage::domains::acme::Cause;
use moorage::domains::budget::{Budget, Kind, Limits, Verdict};

use crate::authority::{LIFE, Order};
use crate::world::{DAY, HOUR, World, at};

fn active(world: &mut World) {
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    let status = world.status(0);
    assert_eq!(status.state, Some(DomainState::Active));
    assert!(condition::is_true(&status.conditions, ConditionType::Ready));
    for type_ in [
        ConditionType::OwnershipVerified,
        ConditionType::HostnameClaimed,
        ConditionType::DnsConfigured,
        ConditionType::CertificateIssued,
    ] {
        assert!(condition::is_true(&status.conditions, type_), "{type_:?}: {:?}", status.conditions);
    }
}

#[test]
fn a_cname_is_all_that_a_subdomain_takes() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    assert_eq!(world.settle(0), Step::Rest(Rest::PendingDns));
    let status = world.status(0);
    assert_eq!(status.state, Some(DomainState::PendingDns));
    assert_eq!(status.records.len(), 1);
    assert_eq!(status.records[0].value, world.target(0));
    assert!(world.claim.is_none() && world.zone.is_empty(), "nothing is held before it is proved");

    world.alias(0);
    world.now += 6;
    active(&mut world);
    assert_eq!(world.status(0).routed_by, Some(RoutedBy::Cname));
    assert_eq!(world.record().unwrap().method, OwnershipMethod::Cname);
    assert_eq!(world.fly.ledger, ["issued app-acme"]);
    let writes = world.writes.len();
    world.pass(20 * HOUR);
    assert_eq!(world.writes.len(), writes, "at rest nothing is written");
    assert_eq!(world.writes, ["AddFinalizer", "Claim", "Publish", "RequestCertificate", "RecordStanding"]);
}

#[test]
fn an_apex_takes_a_text_and_the_addresses() {
    let mut world = World::new("example.com", CertificateSource::Fly);
    world.settle(0);
    let kinds: Vec<String> =
        world.status(0).records.iter().map(|record| format!("{:?} {}", record.type_, record.name)).collect();
    assert_eq!(kinds, ["Txt _moorage-challenge.example.com", "A example.com", "Aaaa example.com"]);
    world.set_listed(0);
    world.now += 6;
    active(&mut world);
    assert_eq!(world.status(0).routed_by, Some(RoutedBy::Address));
}

#[test]
fn a_wildcard_of_flys_takes_the_cname_for_its_challenge_too() {
    let mut world = World::new("*.example.com", CertificateSource::Fly);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    // Only now Fly has told where its challenge leads.
    assert_eq!(world.settle(0), Step::Rest(Rest::PendingDns));
    let last = world.status(0).records.last().unwrap().clone();
    assert_eq!(last.name, "_acme-challenge.example.com");
    world.dns.delegated = Some(last.value);
    world.now += 6;
    active(&mut world);
}

#[test]
fn an_ordered_certificate_is_imported_and_renewed_in_its_time() {
    let mut world = World::new("ai.example.com", CertificateSource::Acme);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    active(&mut world);
    assert_eq!(world.ca.certificates, 1);
    assert!(world.texts.is_empty(), "no text is left");
    let first = world.status(0).certificate.unwrap();
    assert_eq!(first.secret_name.as_deref(), Some("ai-tls"));
    assert!(world.customers[0].copy.is_some());
    world.pass(59 * DAY);
    assert_eq!(world.ca.certificates, 1);
    world.pass(2 * DAY);
    assert_eq!(world.ca.certificates, 2, "at two thirds of its life");
    active(&mut world);
    assert_ne!(world.status(0).certificate.unwrap().serial, first.serial);
    assert_eq!(world.fly.ledger.len(), 2);
}

#[test]
fn an_authority_that_is_away_for_a_while_uses_no_order_up() {
    for away in [Cause::Unavailable, Cause::Unanswered] {
        let mut world = World::new("ai.example.com", CertificateSource::Acme);
        world.limits = Some(Limits::default());
        world.settle(0);
        world.set_listed(0);
        world.now += 6;
        world.ca.away = Some(away);
        world.pass(20 * 60);
        let status = world.status(0);
        assert_eq!(status.state, Some(DomainState::PendingCert));
        let ready = condition::find(&status.conditions, ConditionType::Ready).unwrap();
        assert_eq!(ready.message, "It is away.");
        world.ca.away = None;
        world.pass(15 * 60);
        active(&mut world);

        world.ca.away = Some(away);
        world.pass(61 * DAY);
        active(&mut world);
        world.ca.away = None;
        world.pass(15 * 60);
        assert_eq!(world.ca.certificates, 2, "{away:?}");
        active(&mut world);
    }
}

#[test]
fn orders_that_the_authority_breaks_off_use_no_certificate_up() {
    let mut world = World::new("ai.example.com", CertificateSource::Acme);
    world.limits = Some(Limits::default());
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    world.ca.breaks = true;
    world.pass(30 * 60);
    let broken = world.ca.orders.len();
    assert!(broken > 4, "{broken} orders");
    let ordering = world.record().unwrap().ordering.clone().unwrap();
    assert!(ordering.first_times.is_empty(), "{ordering:?}");
    assert_eq!(ordering.order_times.len(), broken, "the authority counts them for the account");
    world.ca.breaks = false;
    world.pass(15 * 60);
    active(&mut world);
    assert_eq!(world.record().unwrap().ordering.as_ref().unwrap().first_times.len(), 1);
}

#[test]
fn an_order_that_its_authority_wants_left_alone_is_waited_for() {
    let mut world = World::new("ai.example.com", CertificateSource::Acme);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    while !world.ca.orders.values().any(|order| *order == Order::Valid) {
        world.step(0, None);
    }
    let why = Refusal::new(reason::CERTIFICATE_REFUSED, "Too many requests.");
    world.customers[0].known.order = Some(OrderFact::Held(at(world.now + 3600), why.clone()));
    let step = world.settle(0);
    assert_eq!(step, Step::Wait(Waiting::Order(why, SignedDuration::from_hours(1))));
    let ready = condition::find(&world.status(0).conditions, ConditionType::Ready).cloned().unwrap();
    assert_eq!((ready.reason.as_str(), ready.message.as_str()), (reason::PENDING_CERT, "Too many requests."));
    world.now += 3600;
    active(&mut world);
    assert_eq!((world.ca.orders.len(), world.ca.certificates), (1, 1));
}

#[test]
fn a_renewal_is_free_from_limits_only_as_long_as_the_authority_takes_it_as_one() {
    let mut world = World::new("ai.example.com", CertificateSource::Acme);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    active(&mut world);
    let mut facts = world.facts(0);
    let (again, advice) = (at(world.now + DAY), Advice::At(at(0)));
    facts.known.renewal = Some(Renewal { again, advice });
    let used_up = Verdict::NotBefore(again, Budget::Name);
    facts.cluster.rooms.renewal = used_up;
    assert_eq!((ordering::kind(&facts), ordering::room(&facts)), (Kind::KnownRenewal, Verdict::Now));
    facts.known.plain = Some("another".into());
    assert_eq!(ordering::kind(&facts), Kind::KnownRenewal);
    let stored = facts.known.stored.as_ref().unwrap().certificate.as_ref().unwrap();
    facts.known.plain = Some(stored.fingerprint.clone());
    assert_eq!((ordering::kind(&facts), ordering::room(&facts)), (Kind::Renewal, used_up));
}

/// An order was placed, and nothing shown for it yet.
fn with_an_order() -> World {
    let mut world = World::new("ai.example.com", CertificateSource::Acme);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    while world.ca.orders.is_empty() {
        world.step(0, None);
    }
    world
}

#[test]
fn an_order_is_taken_up_again_for_the_challenge_that_is_declared_now() {
    let world = with_an_order();
    let next = |proofs: Vec<Proof>, shown: Shown| {
        let mut facts = world.facts(0);
        facts.known.order = Some(OrderFact::Proofs(proofs));
        facts.known.shown = shown;
        decide(at(world.now), &facts)
    };
    let (text, file) = (Proof::Text("text".into()), Proof::Answer("token".into(), "answer".into()));
    for shown in [Shown::NotSet, Shown::NotYet(Glance { at: at(world.now), looks: 1 }), Shown::Everywhere] {
        assert_eq!(next(vec![file.clone()], shown), Step::Look(Look::Order));
    }
    assert_eq!(next(vec![text.clone()], Shown::NotSet), Step::Do(Effect::ShowProofs(vec![text.clone()])));
    assert_eq!(next(vec![text], Shown::Everywhere), Step::Do(Effect::Answer));
}

#[test]
fn an_order_whose_texts_can_not_be_looked_for_says_so() {
    let mut world = with_an_order();
    let why = Refusal::new(reason::DNS_UNAVAILABLE, "No server answers.");
    world.customers[0].known.shown = Shown::Unseen(Glance { at: at(world.now), looks: 1 }, why);
    assert!(matches!(world.step(0, None), Step::Wait(Waiting::Texts(_))));
    let ready = condition::find(&world.status(0).conditions, ConditionType::Ready).cloned().unwrap();
    assert!(ready.message.ends_with("can't be looked for. No server answers."), "{}", ready.message);
}

#[test]
fn an_order_is_not_answered_without_the_record_that_leads_to_its_proof() {
    let mut world = with_an_order();
    let delegated = world.dns.delegated.take();
    world.customers[0].known.asked = Asked::Now;
    assert_eq!(world.settle(0), Step::Rest(Rest::PendingDns));
    assert!(!world.writes.contains(&"Answer"), "{:?}", world.writes);
    world.dns.delegated = delegated;
    world.pass(60);
    active(&mut world);
    assert_eq!(world.ca.orders.len(), 1);
}

#[test]
fn a_renewal_waits_for_servers_that_do_not_answer_without_asking_them_again_and_again() {
    let mut world = World::new("ai.example.com", CertificateSource::Acme);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    active(&mut world);
    world.pass(60 * DAY - HOUR);
    world.dns.broken = true;
    world.customers[0].known.asked = Asked::Now;
    let looks = world.customers[0].looks;
    world.pass(2 * HOUR);
    assert!(world.customers[0].looks - looks < 40, "{} looks", world.customers[0].looks - looks);
    world.dns.broken = false;
    world.pass(HOUR);
    assert_eq!(world.ca.certificates, 2);
    active(&mut world);
}

#[test]
fn looks_and_graces_go_on_while_fly_s_authority_takes_no_order_and_it_says_until_when() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.fly.issues = false;
    world.alias(0);
    while world.customers[0].known.edge.is_none() {
        world.step(0, None);
    }
    let problem = |number: usize| Problem {
        code: format!("code-{number}"),
        message: format!("{number}{}", "m".repeat(90)),
        remedy: "r".repeat(90),
    };
    let until = at(world.now + 6 * DAY);
    let hosted = world.customers[0].known.edge.as_mut().unwrap().hostname.as_mut().unwrap();
    hosted.limited_until = Some(until);
    hosted.problems = (0..20).map(problem).collect();
    let step = world.step(0, None);
    assert_eq!(step, Step::Wait(Waiting::Fly(SignedDuration::from_hours(6 * 24))));
    let told = condition::find(&world.status(0).conditions, ConditionType::Ready).cloned().unwrap().message;
    assert!(told.contains(&format!("before {until}")), "{told}");
    assert!(told.contains("(code-0)") && told.contains("(code-1)"), "{told}");
    assert!(told.ends_with(" There is more of that: 17.") && told.len() < 1000, "{}: {told}", told.len());
    let back = |world: &World| schedule::comes_back(at(world.now), &world.facts(0), &step);
    assert!(back(&world) <= SignedDuration::from_hours(24), "DNS is looked at as often as else");
    let missing_since = Some(at(world.now - 71 * HOUR));
    world.written(|spec| spec.domain.as_mut().unwrap().missing_since = missing_since);
    assert!(back(&world) <= SignedDuration::from_hours(1), "and the grace ends in its time");
}

#[test]
fn caa_records_that_are_not_seen_once_are_looked_at_again_within_seconds() {
    let mut world = World::new("ai.example.com", CertificateSource::Acme);
    world.settle(0);
    world.set_listed(0);
    world.dns.hides.caa = true;
    world.pass(8);
    assert_eq!(world.status(0).state, Some(DomainState::PendingCert), "{:?}", world.status(0));
    assert!(world.ca.orders.is_empty(), "an authority wouldn't issue");
    world.dns.hides.caa = false;
    world.pass(20);
    active(&mut world);
}

#[test]
fn a_renewal_that_waits_for_caa_records_holds_nothing_up_and_goes_on_once_they_are_seen() {
    let mut world = World::new("ai.example.com", CertificateSource::Acme);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    active(&mut world);
    world.dns.hides.caa = true;
    world.pass(61 * DAY);
    active(&mut world);
    assert_eq!(world.ca.certificates, 1);
    world.dns.hides.caa = false;
    world.pass(600);
    assert_eq!(world.ca.certificates, 2);
    active(&mut world);
}

#[test]
fn a_certificate_that_can_not_be_renewed_serves_to_its_end_and_no_longer() {
    let mut world = World::new("ai.example.com", CertificateSource::Acme);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    active(&mut world);
    world.ca.believes = false;
    world.pass(LIFE - DAY);
    assert_eq!(world.fly.serving(), ["app-acme"]);
    assert_eq!(world.status(0).state, Some(DomainState::Active));
    let issued =
        condition::find(&world.status(0).conditions, ConditionType::CertificateIssued).cloned().unwrap();
    assert_eq!(issued.reason, reason::CERTIFICATE_REFUSED, "{}", issued.message);
    // An hour doubling to 32: 30 days take no more than thirty tries.
    assert!(world.ca.orders.len() < 32, "{} orders", world.ca.orders.len());
    world.pass(2 * DAY);
    assert!(world.fly.serving().is_empty(), "what has expired isn't served");
    assert_ne!(world.status(0).state, Some(DomainState::Active));
    world.ca.believes = true;
    world.pass(2 * DAY);
    active(&mut world);
}

#[test]
fn a_secret_s_certificate_is_imported_and_followed() {
    let mut world = World::new("ai.example.com", CertificateSource::Secret);
    world.alias(0);
    let step = world.settle(0);
    assert!(matches!(step, Step::Rest(Rest::Refused(..))), "{step:?}");
    assert_eq!(world.status(0).state, Some(DomainState::Error));
    world.secret = Some(Ok(0));
    world.customers[0].known.material_asked = moorage::control::domain::facts::Asked::Now;
    active(&mut world);
    world.secret = Some(Ok(600));
    world.customers[0].known.material_asked = moorage::control::domain::facts::Asked::Now;
    active(&mut world);
    assert_eq!(world.fly.ledger.len(), 2);
    assert_eq!(world.ca.orders.len(), 0);
}

#[test]
fn another_source_takes_the_place_of_the_one_before_without_a_gap() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.alias(0);
    active(&mut world);
    let domain = world.customers[0].domain.as_mut().unwrap();
    domain.spec.certificate.source = CertificateSource::Acme;
    domain.metadata.generation = Some(2);
    world.settle(0);
    assert_eq!(world.fly.serving(), ["app-acme"], "what serves stays until the other does");
    world.set_listed(0);
    world.now += 6;
    active(&mut world);
    let kept = world.fly.apps["app-acme"].clone().unwrap();
    assert!(kept.custom.is_some() && !kept.asked, "one at a time: {kept:?}");
    let domain = world.customers[0].domain.as_mut().unwrap();
    domain.spec.certificate.source = CertificateSource::Fly;
    domain.metadata.generation = Some(3);
    active(&mut world);
    let kept = world.fly.apps["app-acme"].clone().unwrap();
    assert!(kept.custom.is_none() && kept.issued, "{kept:?}");
    assert!(world.stored.is_none(), "its key isn't kept");
}

#[test]
fn a_process_that_finds_a_certificate_in_service_asks_whether_it_is_to_be_renewed() {
    let mut world = World::new("ai.example.com", CertificateSource::Acme);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    active(&mut world);
    world.customers[0].known = Default::default();
    world.ca.recalls = Some(1);
    world.pass(2 * DAY);
    assert_eq!(world.ca.certificates, 2, "the authority recalled the first");
    active(&mut world);
}

#[test]
fn what_serves_reads_so_while_its_certificate_is_renewed() {
    let mut world = World::new("ai.example.com", CertificateSource::Acme);
    let waits = Step::Wait(Waiting::Authority(SignedDuration::from_secs(1)));
    let told = |world: &World| view(at(world.now), &world.facts(0), &waits, &world.status(0)).state;
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    assert_eq!(told(&world), Some(DomainState::PendingCert), "there is none yet");
    active(&mut world);
    assert_eq!(told(&world), Some(DomainState::Active));
    world.now += LIFE;
    assert_eq!(told(&world), Some(DomainState::PendingCert), "it has expired");
}

#[test]
fn what_serves_reads_so_in_others_trouble_as_long_as_its_certificate_is_good() {
    for source in [CertificateSource::Fly, CertificateSource::Acme] {
        let mut world = World::new("ai.example.com", source);
        world.settle(0);
        world.set_listed(0);
        world.now += 6;
        active(&mut world);
        let told = |world: &World| {
            let mut facts = world.facts(0);
            facts.known.trouble = Some(Trouble {
                class: TroubleClass::Transient,
                reason: reason::CERTIFICATE_AUTHORITY_UNAVAILABLE,
                message: "It doesn't answer.".into(),
                since: facts.at,
                attempts: 1,
                next: facts.at,
                generation: 1,
            });
            let retry = Step::Wait(Waiting::Retry(SignedDuration::from_secs(60)));
            view(facts.at, &facts, &retry, &world.status(0))
        };
        let end = world.record().unwrap().certificate.as_ref().unwrap().expire_time;
        world.now = end.as_second() - 1;
        world.customers[0].known.due_since = Some(at(world.now - DAY));
        let (good, before) = (told(&world), world.status(0));
        assert_eq!((good.state, &good.url), (Some(DomainState::Active), &before.url));
        assert!(condition::is_true(&good.conditions, ConditionType::Ready));
        let issued = condition::find(&good.conditions, ConditionType::CertificateIssued).unwrap();
        let overdue = source == CertificateSource::Acme;
        assert_eq!(issued.reason == reason::CERTIFICATE_AUTHORITY_UNAVAILABLE, overdue, "{}", issued.message);
        world.now += 1;
        let over = told(&world);
        assert_eq!((over.state, over.url), (Some(DomainState::PendingCert), None));
        let issued = condition::find(&over.conditions, ConditionType::CertificateIssued).unwrap();
        assert_eq!((issued.status, issued.message.as_str()), (ConditionStatus::False, "It doesn't answer."));
    }
}

#[test]
fn what_serves_is_ordered_anew_in_its_time_if_its_key_was_lost() {
    let mut world = World::new("ai.example.com", CertificateSource::Acme);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    active(&mut world);
    world.customers[0].known = Default::default();
    world.stored = None;
    world.pass(2 * DAY);
    assert_eq!(world.ca.certificates, 1);
    world.pass(70 * DAY);
    assert_eq!(world.ca.certificates, 2);
    active(&mut world);
}

#[test]
fn a_deleted_one_leaves_nothing_but_its_name() {
    for source in [CertificateSource::Fly, CertificateSource::Acme] {
        let mut world = World::new("ai.example.com", source);
        world.settle(0);
        world.set_listed(0);
        world.now += 6;
        active(&mut world);
        world.delete(0);
        assert_eq!(world.settle(0), Step::Rest(Rest::Gone));
        assert!(world.zone.is_empty() && world.texts.is_empty() && world.stored.is_none());
        assert!(world.fly.serving().is_empty());
        let claim = world.claim.as_ref().unwrap();
        assert!(claim.spec.tombstone.is_some() && claim.spec.domain.as_ref().unwrap().route.is_none());
    }
}

#[test]
fn a_record_that_goes_warns_and_then_it_stops_serving() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.alias(0);
    active(&mut world);
    world.dns.cname = None;
    world.pass(2 * DAY);
    assert_eq!(world.status(0).state, Some(DomainState::Active), "it serves on");
    let status = world.status(0);
    assert!(status.grace_end_time.is_some());
    let owned = condition::find(&status.conditions, ConditionType::OwnershipVerified).unwrap();
    assert_eq!(owned.reason, reason::RECORD_GONE);
    assert_eq!(world.fly.serving(), ["app-acme"]);
    world.pass(3 * DAY);
    assert_eq!(world.status(0).state, Some(DomainState::PendingDns));
    assert!(world.fly.serving().is_empty() && world.zone.is_empty());
    assert_eq!(world.holder(), Some(0), "the name is kept for its tenant");
    world.alias(0);
    world.pass(2 * HOUR);
    active(&mut world);
}

#[test]
fn servers_that_do_not_answer_change_nothing() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.alias(0);
    active(&mut world);
    world.dns.broken = true;
    world.pass(20 * DAY);
    assert_eq!(world.fly.serving(), ["app-acme"], "absence needs proof");
    assert_eq!(world.holder(), Some(0));
}

#[test]
fn a_runtime_that_goes_takes_the_route_along_and_another_gets_it() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.alias(0);
    active(&mut world);
    world.customers[0].runtime = RuntimeFact::Going;
    world.settle(0);
    assert!(world.zone.is_empty() && world.fly.serving().is_empty());
    world.customers[0].runtime = RuntimeFact::Missing;
    world.settle(0);
    world.now += 2;
    assert!(matches!(world.settle(0), Step::Rest(Rest::Awaiting(_))));
    assert_eq!(world.holder(), Some(0));
    world.customers[0].runtime = RuntimeFact::Standing { app: "app-rival".into() };
    world.now += 6;
    active(&mut world);
    assert_eq!(world.fly.serving(), ["app-rival"]);
}

#[test]
fn a_runtime_that_is_only_missing_may_come_back() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.alias(0);
    active(&mut world);
    world.customers[0].runtime = RuntimeFact::Missing;
    world.settle(0);
    world.now += 200;
    world.settle(0);
    assert_eq!(world.fly.serving(), ["app-acme"], "as in a restore that isn't complete");
    assert_eq!(world.status(0).state, Some(DomainState::Error));
    let ready = condition::find(&world.status(0).conditions, ConditionType::Ready).cloned().unwrap();
    assert_eq!(ready.reason, reason::RUNTIME_NOT_FOUND);
}

#[test]
fn a_runtime_that_goes_amid_an_order_leaves_no_text_and_another_goes_on_with_it() {
    for restarts in [0, 1] {
        let mut world = World::new("ai.example.com", CertificateSource::Acme);
        world.settle(0);
        world.set_listed(0);
        world.now += 6;
        while world.texts.is_empty() {
            world.step(0, None);
        }
        for _ in 0..restarts {
            world.customers[0].known = Default::default();
        }
        world.customers[0].runtime = RuntimeFact::Going;
        world.settle(0);
        assert!(world.texts.is_empty(), "{restarts}: {:?}", world.writes);
        world.customers[0].runtime = RuntimeFact::Standing { app: "app-rival".into() };
        world.now += 6;
        active(&mut world);
        assert_eq!((world.ca.orders.len(), world.ca.certificates), (1, 1));
    }
}

#[test]
fn a_renewal_waits_while_the_records_cannot_be_seen() {
    let mut world = World::new("ai.example.com", CertificateSource::Acme);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    active(&mut world);
    world.dns.broken = true;
    world.pass(61 * DAY);
    assert_eq!(world.ca.certificates, 1);
    world.dns.broken = false;
    world.pass(DAY);
    assert_eq!(world.ca.certificates, 2);
}

#[test]
fn a_look_that_has_no_place_is_made_in_its_turn_and_holds_nothing_up() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.alias(0);
    let crowd = |world: &mut World| {
        world.customers[0].known.asked = Asked::Now;
        world.customers[0].known.crowded_until = Some(at(world.now + 1));
        world.settle(0)
    };
    assert_eq!(crowd(&mut world), Step::Rest(Rest::PendingDns));
    assert_eq!((world.customers[0].looks, wakes(&world.facts(0))), (0, Some(at(world.now + 1))));
    world.pass(2);
    active(&mut world);
    let looks = world.customers[0].looks;
    assert_eq!(crowd(&mut world), Step::Rest(Rest::Active));
    assert_eq!((world.customers[0].looks, wakes(&world.facts(0))), (looks, Some(at(world.now + 1))));
    world.pass(2);
    assert_eq!(world.customers[0].looks, looks + 1);
}
