//! Who gets a name, and by what.

use moorage::api::condition::{ConditionStatus, find};
use moorage::api::custom_domain::{CertificateSource, RecordType};
use moorage::api::name_claim::{Confirm, ConfirmAction};
use moorage::api::state::DomainState;
use moorage::api::{ConditionType, reason};
use moorage::control::domain::facts::{Above, AddressFact, BaseRecords};
use moorage::control::domain::records::records;
use moorage::control::domain::step::{Rest, Step};
use moorage::control::runtime::facts::Refusal;

use crate::world::World;

fn reason_of(world: &World, who: usize, type_: ConditionType) -> String {
    find(&world.status(who).conditions, type_).unwrap().reason.to_string()
}

#[test]
fn an_object_that_came_back_by_a_backup_waits_for_the_platform() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.alias(0);
    world.settle(0);
    let before = world.fly.clone();
    world.customers[0].domain.as_mut().unwrap().metadata.uid = Some("uid-restored".into());
    world.customers[0].known = Default::default();
    let step = world.settle(0);
    assert!(
        matches!(&step, Step::Rest(Rest::Refused(Refusal { reason: reason::IDENTITY_CHANGED, .. }, _))),
        "{step:?}"
    );
    let confirm = Confirm { uid: "uid-restored".into(), action: ConfirmAction::Takeover };
    world.written(|spec| spec.confirm = Some(confirm));
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    assert_eq!(world.fly, before, "nothing is asked for anew");
}

#[test]
fn two_objects_of_one_namespace_do_not_share_a_name() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly).with_rival();
    world.customers[1].tenant = world.customers[0].tenant.clone();
    let second = world.customers[1].domain.as_mut().unwrap();
    second.metadata.namespace = Some("acme".into());
    second.metadata.name = Some("ai-2".into());
    world.alias(0);
    world.settle(0);
    let step = world.settle(1);
    assert!(
        matches!(&step, Step::Rest(Rest::Refused(Refusal { reason: reason::NAME_TAKEN, .. }, _))),
        "{step:?}"
    );
    assert_eq!(world.status(1).state, Some(DomainState::Error));
}

#[test]
fn below_another_tenant_s_name_it_takes_a_text() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.above = Above::Held;
    world.alias(0);
    assert_eq!(world.settle(0), Step::Rest(Rest::PendingDns));
    assert!(world.claim.is_none());
    world.dns.texts.push(world.proofs(0).text);
    world.now += 6;
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
}

#[test]
fn without_a_zone_of_ours_it_takes_a_text_and_addresses() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.settle(0);
    let mut facts = world.facts(0);
    facts.cluster.base = None;
    let kinds: Vec<RecordType> = records(&facts, &world.host).iter().map(|record| record.type_).collect();
    assert_eq!(kinds, [RecordType::Txt]);
    let addresses = vec!["192.0.2.1".into(), "2001:db8::1".into()];
    facts.known.addresses = Some(AddressFact { app: "app-acme".into(), at: facts.at, addresses });
    let kinds: Vec<RecordType> = records(&facts, &world.host).iter().map(|record| record.type_).collect();
    assert_eq!(kinds, [RecordType::Txt, RecordType::A, RecordType::Aaaa]);
    assert!(matches!(world.facts(0).cluster.base.unwrap().records, BaseRecords::Kept));
}

#[test]
fn a_name_of_the_platform_s_own_zone_is_refused() {
    for host in ["acme.moor.dev", "x.fly.dev"] {
        let mut world = World::new(host, CertificateSource::Fly);
        world.alias(0);
        let step = world.settle(0);
        assert!(
            matches!(
                &step,
                Step::Rest(Rest::Refused(Refusal { reason: reason::HOSTNAME_NOT_ALLOWED, .. }, _))
            ),
            "{host}: {step:?}"
        );
    }
}

#[test]
fn what_is_forged_in_a_status_decides_nothing() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.alias(0);
    world.settle(0);
    let forged = world.status(0);
    let mut other = World::new("ai.example.com", CertificateSource::Fly);
    other.customers[0].domain.as_mut().unwrap().status = Some(forged);
    assert_eq!(other.settle(0), Step::Rest(Rest::PendingDns));
    assert!(other.claim.is_none() && other.zone.is_empty() && other.fly.serving().is_empty());
    assert_eq!(reason_of(&other, 0, ConditionType::OwnershipVerified), reason::RECORD_MISSING);
    let owned = find(&other.status(0).conditions, ConditionType::OwnershipVerified).cloned().unwrap();
    assert_eq!(owned.status, ConditionStatus::False);
}
