//! A Runtime's hostname: what is set, in which order, and what its troubles don't touch.

use moorage::api::condition::{ConditionStatus, ConditionType, find, is_true};
use moorage::api::reason;
use moorage::api::refs::{NameRef, SecretKeyRef};
use moorage::api::runtime::{DeletionPolicy, EnvSource, EnvVar, RuntimeStatus, Sleep, SleepMode};
use moorage::control::runtime::decide::decide;
use moorage::control::runtime::desired;
use moorage::control::runtime::facts::{Knowledge, Trouble, TroubleClass};
use moorage::control::runtime::hostname::{Base, Offer, Records, again};
use moorage::control::runtime::resolve::resolve;
use moorage::control::runtime::step::{Effect, Rest, Step};
use moorage::control::runtime::view::view;

use crate::world::{Broken, World, run, run_for, second};

const HOST: &str = "acme-ops.example.dev";

pub fn base(certificate: &str, host: &str) -> Base {
    Base { host: Some(host.into()), records: Records::Kept, certificate: Offer::Ready(certificate.into()) }
}

/// A world with a base domain, in which nothing stands yet.
pub fn hosted() -> World {
    with(base("old", HOST))
}

fn with(base: Base) -> World {
    let mut world = World::new();
    world.base = Some(base);
    world
}

fn running(mut world: World) -> World {
    assert_eq!(run(&mut world, None), Rest::Running);
    world
}

fn status(world: &World) -> &RuntimeStatus {
    world.runtime.status.as_ref().unwrap()
}

fn shown(world: &World) -> (ConditionStatus, String) {
    let condition = find(&status(world).conditions, ConditionType::HostnameReady).unwrap();
    (condition.status, condition.reason.to_string())
}

#[test]
fn it_leads_to_the_apps_own_addresses_with_the_wildcard_under_its_exact_name() {
    let world = running(hosted());
    assert_eq!(world.records[HOST], ["2a09::1", "66.1.1.1"]);
    assert_eq!(world.certificates[HOST], "old");
    assert_eq!(status(&world).url.as_deref(), Some("https://acme-ops.example.dev"));
    assert_eq!(shown(&world), (ConditionStatus::True, reason::HOSTNAME_IN_SERVICE.into()));
    let launches = world.ledger.iter().filter(|effect| effect.ends_with("Machine")).count();
    assert_eq!(launches, 1, "the hostname costs no restart: {:?}", world.ledger);
}

#[test]
fn without_a_base_domain_nothing_is_added() {
    let world = running(World::new());
    assert!(world.records.is_empty() && world.certificates.is_empty());
    assert!(status(&world).url.as_deref().unwrap().ends_with(".fly.dev"));
    assert!(find(&status(&world).conditions, ConditionType::HostnameReady).is_none());
    let names = ["SetRecords", "ImportCertificate", "RemoveRecords", "DetachHostname"];
    assert!(!world.ledger.iter().any(|effect| names.contains(effect)), "{:?}", world.ledger);
}

#[test]
fn after_a_restart_of_the_operator_nothing_is_written_or_asked() {
    let mut world = running(hosted());
    world.ledger.clear();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, [""; 0]);
}

#[test]
fn a_renewed_certificate_is_imported_again_without_a_restart() {
    let mut world = running(hosted());
    world.ledger.clear();
    world.base = Some(base("new", HOST));
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, ["ImportCertificate", "RecordIdentity"]);
    assert_eq!(world.certificates[HOST], "new");
}

/// The base domain's certificate is renewed while something else about the Runtime is refused.
fn renewed_though(upset: impl FnOnce(&mut World)) -> World {
    let mut world = running(hosted());
    upset(&mut world);
    world.ledger.clear();
    world.base = Some(base("new", HOST));
    let fresh = world.fresh();
    run_for(&mut world, fresh, 500, None);
    assert_eq!(world.certificates[HOST], "new", "{:?}", world.runtime.status);
    let recorded = world.identity().hostname.unwrap().certificate;
    assert_eq!(recorded.as_deref(), Some("new"));
    world
}

#[test]
fn a_renewed_certificate_reaches_one_that_serves_or_sleeps_while_something_is_refused() {
    type Upset = fn(&mut World);
    let upsets: [(&str, Upset); 7] = [
        (reason::PLAN_TOO_SMALL, |world| {
            world.edit(|spec| spec.sleep = Some(Sleep { mode: SleepMode::Stop }));
            assert_eq!(run(world, None), Rest::Running);
            world.doze();
            world.policy.plans.as_mut().unwrap().insert("tiny".into());
            world.edit(|spec| spec.plan_ref = Some(NameRef::new("tiny")));
        }),
        (reason::PLAN_NOT_FOUND, |world| world.edit(|spec| spec.plan_ref = Some(NameRef::new("none")))),
        (reason::AWAITING_ORDER, |world| {
            world.policy.plans.as_mut().unwrap().insert("sold".into());
            world.edit(|spec| spec.plan_ref = Some(NameRef::new("sold")));
        }),
        (reason::SECRET_NOT_FOUND, |world| {
            let secret_key_ref = SecretKeyRef { name: "keys".into(), key: "key".into() };
            let value_from = Some(EnvSource { secret_key_ref });
            world.edit(|spec| spec.env.push(EnvVar { name: "KEY".into(), value: None, value_from }));
        }),
        (reason::REGION_NOT_ALLOWED, |world| world.policy.regions = Some(["ams".to_owned()].into())),
        (reason::WORKSPACE_NOT_FOUND, |world| {
            world.edit(|spec| spec.workspace_ref = Some(NameRef::new("none")));
        }),
        // Fly refuses the update for good.
        (reason::IMAGE_NOT_FOUND, |world| {
            world.broken.insert(world.image.clone(), Broken::Missing);
            let value = Some("1".into());
            world.edit(|spec| spec.env.push(EnvVar { name: "NOW".into(), value, value_from: None }));
        }),
    ];
    for (why, upset) in upsets {
        let world = renewed_though(upset);
        let ready = find(&status(&world).conditions, ConditionType::Ready).unwrap();
        assert!(ready.message.contains(' ') && ready.status != ConditionStatus::True, "{why}: {ready:?}");
        let reasons: Vec<_> = status(&world).conditions.iter().map(|it| it.reason.to_string()).collect();
        assert!(reasons.iter().any(|it| it == why), "{why}: {reasons:?}");
        let machine = world.ledger.iter().any(|effect| effect.ends_with("Machine"));
        assert!(!machine, "{why}: {:?}", world.ledger);
    }
}

#[test]
fn a_held_one_is_given_no_certificate() {
    let mut world = running(hosted());
    world.runtime.metadata.annotations = Some([("moorage.dev/paused".to_owned(), "true".to_owned())].into());
    world.edit(|spec| spec.plan_ref = Some(NameRef::new("none")));
    world.base = Some(base("new", HOST));
    let fresh = world.fresh();
    run_for(&mut world, fresh, 500, None);
    assert_eq!(world.certificates[HOST], "old");
}

#[test]
fn one_that_ran_before_there_was_a_base_domain_goes_on_and_is_told_to_restart() {
    let mut world = running(World::new());
    world.ledger.clear();
    world.base = Some(base("old", HOST));
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(
        world.ledger,
        ["RecordIdentity", "SetRecords", "ImportCertificate", "RecordIdentity"],
        "named on the claim first"
    );
    assert_eq!(shown(&world), (ConditionStatus::True, reason::RESTART_NEEDED.into()));
    assert!(status(&world).url.as_ref().unwrap().ends_with(".fly.dev"), "its gateway refuses the other name");
    world.runtime.metadata.annotations =
        Some([("moorage.dev/restarted-at".to_owned(), "1".to_owned())].into());
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(shown(&world), (ConditionStatus::True, reason::HOSTNAME_IN_SERVICE.into()));
}

#[test]
fn the_gateway_lets_browsers_in_under_both_names() {
    let mut world = running(hosted());
    let facts = world.facts(Knowledge::default());
    let identity = world.claim.as_mut().unwrap().runtime.clone().unwrap();
    let config = desired::machine_config(&facts, &resolve(&facts).unwrap(), &identity).unwrap();
    let settings = serde_json::to_string(&config.files).unwrap();
    let settings = config.files.iter().find(|file| file.guest_path.ends_with("settings.json")).map_or(
        settings,
        |file| {
            use base64::Engine;
            let raw = file.raw_value.as_deref().unwrap();
            String::from_utf8(base64::prelude::BASE64_STANDARD.decode(raw).unwrap()).unwrap()
        },
    );
    for origin in ["https://acme-ops.example.dev".to_owned(), format!("https://{}.fly.dev", identity.app)] {
        assert!(settings.contains(&origin), "{origin} in {settings}");
    }
}

#[test]
fn a_trouble_of_the_hostname_leaves_the_runtime_running_and_says_what_is_missing() {
    let mut world = running(World::new());
    world.base = Some(base("old", HOST));
    let mut known = Knowledge::default();
    known.hostname.trouble = Some(Trouble {
        class: TroubleClass::Human,
        reason: reason::DNS_REFUSED,
        message: "The DNS server refuses.".into(),
        since: world.now,
        attempts: 3,
        next: world.now + second(60),
        generation: 1,
    });
    let mut facts = world.facts(known);
    let step = loop {
        match decide(world.now, &facts) {
            Step::Look(look) => world.look(look, &mut facts),
            other => break other,
        }
    };
    assert_eq!(step, Step::Rest(Rest::Running));
    let status = moorage::control::runtime::view::view(world.now, &facts, &step, status(&world));
    let condition = find(&status.conditions, ConditionType::HostnameReady).unwrap();
    assert_eq!((condition.status, condition.reason.as_str()), (ConditionStatus::False, reason::DNS_REFUSED));
    assert!(condition.message.contains(".fly.dev"), "where it is reached meanwhile: {}", condition.message);
    assert!(find(&status.conditions, ConditionType::Ready).unwrap().status == ConditionStatus::True);
    assert!(status.url.unwrap().ends_with(".fly.dev"));
    assert_eq!(again(world.now, &facts), Some(second(60)), "it comes back by itself");
    facts.known.hostname.trouble.as_mut().unwrap().next = world.now;
    assert!(matches!(decide(world.now, &facts), Step::Do(Effect::RecordIdentity(_))), "tried again");
}

#[test]
fn without_a_certificate_the_name_is_not_called_in_service() {
    let missing = Offer::Missing("The certificate's Secret a/b doesn't exist.".into());
    let mut world = with(Base { certificate: missing, ..base("", HOST) });
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(shown(&world), (ConditionStatus::False, reason::CERTIFICATE_MISSING.into()));
    assert!(status(&world).url.as_deref().unwrap().ends_with(".fly.dev"));
    world.base = Some(base("old", HOST));
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(shown(&world), (ConditionStatus::True, reason::HOSTNAME_IN_SERVICE.into()));
}

#[test]
fn an_expired_certificate_takes_the_name_out_of_service_until_it_is_renewed() {
    let mut world = running(hosted());
    world.ledger.clear();
    let expired = Offer::Expired("The certificate has expired, and browsers refuse it.".into());
    world.base = Some(Base { certificate: expired, ..base("old", HOST) });
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(shown(&world), (ConditionStatus::False, reason::CERTIFICATE_EXPIRED.into()));
    assert!(status(&world).url.as_deref().unwrap().ends_with(".fly.dev"));
    assert!(is_true(&status(&world).conditions, ConditionType::Ready));
    assert_eq!(world.ledger, [""; 0]);
    world.base = Some(base("new", HOST));
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(shown(&world), (ConditionStatus::True, reason::HOSTNAME_IN_SERVICE.into()));
    assert_eq!(status(&world).url.as_deref(), Some("https://acme-ops.example.dev"));
    assert_eq!(world.certificates[HOST], "new");
}

#[test]
fn without_one_to_offer_what_the_app_was_given_counts_for_as_long_as_fly_has_it() {
    let mut world = running(hosted());
    let missing = Offer::Missing("The certificate's Secret a/b doesn't exist.".into());
    world.base = Some(Base { certificate: missing, ..base("old", HOST) });
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(shown(&world), (ConditionStatus::True, reason::HOSTNAME_IN_SERVICE.into()));
    // Fly hasn't got it any more, or it has expired there.
    world.certificates.clear();
    world.around.turns = true;
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(shown(&world), (ConditionStatus::False, reason::CERTIFICATE_MISSING.into()));
    assert!(status(&world).url.as_deref().unwrap().ends_with(".fly.dev"));
}

#[test]
fn records_of_a_base_domain_that_was_taken_away_are_told_of_and_named_at_the_end() {
    let mut world = running(hosted());
    world.base = None;
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(shown(&world), (ConditionStatus::False, reason::BASE_DOMAIN_REMOVED.into()));
    assert!(status(&world).url.as_deref().unwrap().ends_with(".fly.dev"));
    world.records.clear();
    world.delete(DeletionPolicy::Delete);
    assert_eq!(run(&mut world, None), Rest::Gone);
    let told = world.claim.unwrap().tombstone.unwrap().message;
    assert!(told.contains(HOST) && told.contains("DNS provider"), "{told}");
}

#[test]
fn a_name_that_is_too_long_is_said() {
    let mut world = with(Base { host: None, ..base("old", HOST) });
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(shown(&world), (ConditionStatus::False, reason::HOSTNAME_TOO_LONG.into()));
}

#[test]
fn where_a_wildcard_record_stands_only_the_certificate_is_ours() {
    let mut world = with(Base { records: Records::Wildcard, ..base("old", HOST) });
    assert_eq!(run(&mut world, None), Rest::Running);
    assert!(world.records.is_empty());
    assert_eq!(status(&world).url.as_deref(), Some("https://acme-ops.example.dev"));
}

/// Runs anew until the status says so. What is known then.
fn said_by(world: &mut World, is_said: impl Fn(&World) -> bool) -> Knowledge {
    world.runtime.status = None;
    let mut known = Knowledge::default();
    for _ in 0..1_000 {
        if is_said(world) {
            return known;
        }
        known = run_for(world, known, 1, None).1;
        let step = decide(world.now, &world.facts(known.clone()));
        let old = world.runtime.status.clone().unwrap_or_default();
        world.runtime.status = Some(view(world.now, &world.facts(known.clone()), &step, &old));
    }
    panic!("it is never said: {:?}", world.runtime.status);
}

#[test]
fn a_certificate_that_fly_does_not_show_yet_is_not_in_service() {
    let mut world = with(Base { records: Records::Wildcard, ..base("old", HOST) });
    world.unproved = true;
    let said = |world: &World| {
        let conditions =
            world.runtime.status.as_ref().map(|status| &status.conditions[..]).unwrap_or_default();
        find(conditions, ConditionType::HostnameReady).is_some_and(|it| it.reason == reason::AWAITING_DNS)
    };
    said_by(&mut world, said);
    let condition = find(&status(&world).conditions, ConditionType::HostnameReady).unwrap();
    assert_eq!(shown(&world), (ConditionStatus::False, reason::AWAITING_DNS.into()));
    for told in ["_fly-ownership.acme-ops.example.dev", "app-1", ".fly.dev meanwhile"] {
        assert!(condition.message.contains(told), "{}", condition.message);
    }
    assert!(status(&world).url.as_deref().unwrap().ends_with(".fly.dev"));
    assert_eq!(
        world.claim.as_ref().unwrap().runtime.as_ref().unwrap().hostname.as_ref().unwrap().certificate,
        None
    );

    // Another process imports it again, and says the same; once the text is there, it is in service.
    world.ledger.clear();
    let known = said_by(&mut world, said);
    assert_eq!(world.ledger, ["ImportCertificate"]);
    world.unproved = false;
    world.ledger.clear();
    assert_eq!(run_for(&mut world, known, 200, None).0, Some(Rest::Running));
    assert_eq!(world.ledger, ["RecordIdentity"], "it isn't imported again");
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(shown(&world), (ConditionStatus::True, reason::HOSTNAME_IN_SERVICE.into()));
    assert_eq!(status(&world).url.as_deref(), Some("https://acme-ops.example.dev"));
    world.ledger.clear();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, [""; 0]);
}

#[test]
fn the_name_is_the_first_to_go() {
    let mut world = running(hosted());
    world.ledger.clear();
    world.delete(DeletionPolicy::Snapshot);
    assert_eq!(run(&mut world, None), Rest::Gone);
    let place = |effect: &str| world.ledger.iter().position(|done| *done == effect).unwrap();
    assert!(place("RemoveRecords") < place("DetachHostname"));
    assert!(place("DetachHostname") < place("ReleaseAddress"));
    assert!(world.records.is_empty() && world.certificates.is_empty());
    let left = world.claim.unwrap().runtime.unwrap();
    assert_eq!(left.hostname, None, "the slug's next holder may have the name");
}
