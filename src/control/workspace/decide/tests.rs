use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::*;
use crate::api::name_claim::{Confirm, ConfirmAction, Tombstone};
use crate::api::workspace::MemberKind;
use crate::api::{Workspace, annotation, reason};
use crate::control::workspace::facts::Bound;
use crate::control::workspace::samples::{SLUG, at, claimed, fresh, holder, member, settled};
use crate::engine::config::Mode;

const NOW: i64 = 1_000_000;

fn step(facts: &Facts) -> Step {
    decide(at(NOW), facts)
}

fn edit(facts: &mut Facts, change: impl FnOnce(&mut Workspace)) {
    change(Arc::make_mut(&mut facts.workspace));
}

fn freed(age: i64) -> Tombstone {
    Tombstone { release_time: at(NOW - age), message: "Nothing is left.".into() }
}

fn reason_of(step: &Step) -> &'static str {
    match step {
        Step::Rest(Rest::Refused(refusal, _) | Rest::Awaiting(refusal)) => refusal.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_one_gets_finalizer_names_and_members_in_this_order() {
    let mut facts = fresh();
    edit(&mut facts, |workspace| workspace.metadata.finalizers = None);
    assert_eq!(step(&facts), Step::Do(Effect::AddFinalizer));
    let facts = fresh();
    assert_eq!(step(&facts), Step::Do(Effect::Claim(Name::Namespace)));
    let facts = claimed(facts, Name::Namespace, |_| {});
    assert_eq!(step(&facts), Step::Do(Effect::Claim(Name::Subdomain)));
    let facts = claimed(facts, Name::Subdomain, |_| {});
    assert_eq!(step(&facts), Step::Look(Role::Owner));
    assert_eq!(step(&settled(at(NOW))), Step::Rest(Rest::Active));
}

#[test]
fn a_second_workspace_is_refused_whatever_the_platform_confirms() {
    let facts = claimed(fresh(), Name::Namespace, |claim| {
        claim.holder = holder("acme", "first", "uid-0");
        claim.confirm = Some(Confirm { uid: "uid-1".into(), action: ConfirmAction::Takeover });
    });
    assert_eq!(reason_of(&step(&facts)), reason::NAMESPACE_TAKEN);
}

#[test]
fn a_freed_namespace_goes_to_the_next_workspace_at_once() {
    let facts = claimed(fresh(), Name::Namespace, |claim| {
        claim.holder = holder("acme", "first", "uid-0");
        claim.tombstone = Some(freed(1));
    });
    assert_eq!(step(&facts), Step::Do(Effect::TakeOver(Name::Namespace)));
}

#[test]
fn an_earlier_object_of_the_same_name_needs_the_platforms_word() {
    let changed = |confirm: Option<&str>| {
        claimed(fresh(), Name::Namespace, |claim| {
            claim.holder.uid = "uid-0".into();
            claim.confirm = confirm.map(|uid| Confirm { uid: uid.into(), action: ConfirmAction::Takeover });
        })
    };
    assert_eq!(reason_of(&step(&changed(None))), reason::IDENTITY_CHANGED);
    assert_eq!(reason_of(&step(&changed(Some("uid-2")))), reason::IDENTITY_CHANGED);
    assert_eq!(step(&changed(Some("uid-1"))), Step::Do(Effect::TakeOver(Name::Namespace)));
}

fn subdomain(change: impl FnOnce(&mut crate::api::NameClaimSpec)) -> Facts {
    claimed(settled(at(NOW)), Name::Subdomain, change)
}

#[test]
fn a_taken_subdomain_is_refused_and_no_confirmation_helps() {
    let facts = subdomain(|claim| {
        claim.holder = holder("other", "other", "uid-9");
        claim.confirm = Some(Confirm { uid: "uid-1".into(), action: ConfirmAction::Takeover });
    });
    assert_eq!(reason_of(&step(&facts)), reason::NAME_TAKEN);
    // A slug of our own namespace is somebody else's too, as long as it is held.
    let facts = subdomain(|claim| {
        claim.type_ = SLUG;
        claim.holder = holder("acme", "acme", "uid-r");
    });
    assert_eq!(reason_of(&step(&facts)), reason::NAME_TAKEN);
}

#[test]
fn a_freed_subdomain_is_kept_for_its_namespace_and_then_free_for_all() {
    let by = |namespace: &'static str, age: i64| {
        subdomain(move |claim| {
            claim.holder = holder(namespace, "x", "uid-9");
            claim.tombstone = Some(freed(age));
        })
    };
    assert_eq!(step(&by("acme", 1)), Step::Do(Effect::TakeOver(Name::Subdomain)));
    let Step::Rest(Rest::Refused(refusal, again)) = step(&by("other", 3_590)) else { panic!() };
    assert_eq!((refusal.reason, again), (reason::NAME_TAKEN, SignedDuration::from_secs(10)));
    assert_eq!(step(&by("other", 3_600)), Step::Do(Effect::TakeOver(Name::Subdomain)));
}

#[test]
fn a_freed_slug_is_discarded_before_it_becomes_a_subdomain() {
    let facts = subdomain(|claim| {
        claim.type_ = SLUG;
        claim.holder = holder("acme", "ops", "uid-r");
        claim.tombstone = Some(freed(1));
    });
    assert_eq!(step(&facts), Step::Do(Effect::Discard(Name::Subdomain)));
}

fn with_owner() -> Facts {
    let mut facts = fresh();
    edit(&mut facts, |workspace| {
        workspace.spec.members = vec![member(MemberKind::User, "ada", Role::Owner)];
    });
    let bindings = settled(at(NOW)).known.bindings;
    facts.known.bindings = bindings;
    let facts = claimed(facts, Name::Namespace, |_| {});
    claimed(facts, Name::Subdomain, |_| {})
}

fn bound(facts: &mut Facts, fact: BindingFact) {
    facts.known.bindings.insert(Role::Owner, Bound { fact, at: at(NOW) });
}

#[test]
fn a_binding_is_made_put_right_and_removed() {
    let mut facts = with_owner();
    assert_eq!(step(&facts), Step::Do(Effect::Bind(Role::Owner)));
    bound(&mut facts, BindingFact::Ours("forged".into()));
    assert_eq!(step(&facts), Step::Do(Effect::Bind(Role::Owner)));
    bound(&mut facts, BindingFact::Foreign);
    assert_eq!(step(&facts), Step::Do(Effect::Unbind(Role::Owner)));
    let wanted = members::binding(&facts.workspace, Role::Owner).unwrap();
    bound(&mut facts, BindingFact::Ours(fingerprint(&wanted)));
    assert_eq!(step(&facts), Step::Rest(Rest::Active));
    edit(&mut facts, |workspace| workspace.spec.members.clear());
    assert_eq!(step(&facts), Step::Do(Effect::Unbind(Role::Owner)));
}

#[test]
fn what_no_watch_shows_is_looked_at_again_after_a_while() {
    let pause = fresh().look_pause().as_secs();
    assert!((600..=900).contains(&pause), "{pause}");
    let facts = settled(at(NOW - pause + 1));
    assert_eq!(step(&facts), Step::Rest(Rest::Active));
    assert!(next_look(at(NOW), &facts).unwrap() <= SignedDuration::from_secs(2));
    assert_eq!(step(&settled(at(NOW - pause - 1))), Step::Look(Role::Owner));
}

#[test]
fn a_refused_member_stalls_it_after_the_others_are_bound() {
    let mut facts = with_owner();
    edit(&mut facts, |workspace| {
        workspace.spec.members.push(member(MemberKind::Group, "system:masters", Role::Owner));
    });
    assert_eq!(step(&facts), Step::Do(Effect::Bind(Role::Owner)));
    let wanted = members::binding(&facts.workspace, Role::Owner).unwrap();
    bound(&mut facts, BindingFact::Ours(fingerprint(&wanted)));
    assert_eq!(reason_of(&step(&facts)), reason::MEMBER_NOT_ALLOWED);
}

#[test]
fn suspension_is_the_policys() {
    let mut facts = settled(at(NOW));
    facts.cluster.policy.suspension = Suspension::Suspended;
    assert_eq!(step(&facts), Step::Rest(Rest::Suspended));
}

fn deleted() -> Facts {
    let mut facts = settled(at(NOW));
    edit(&mut facts, |workspace| workspace.metadata.deletion_timestamp = Some(Time(at(NOW))));
    facts
}

#[test]
fn a_deleted_one_waits_for_its_runtimes_then_gives_its_names_back() {
    let mut facts = deleted();
    facts.cluster.namespace = NamespaceFact::Terminating;
    facts.cluster.runtimes = 2;
    assert_eq!(step(&facts), Step::Wait(Waiting::Dependents));
    facts.cluster.runtimes = 0;
    assert_eq!(step(&facts), Step::Do(Effect::Release(Name::Subdomain)));
    let facts = claimed(facts, Name::Subdomain, |claim| claim.tombstone = Some(freed(0)));
    assert_eq!(step(&facts), Step::Do(Effect::Release(Name::Namespace)));
    let mut facts = claimed(facts, Name::Namespace, |claim| claim.tombstone = Some(freed(0)));
    assert_eq!(step(&facts), Step::Do(Effect::RemoveFinalizer));
    edit(&mut facts, |workspace| workspace.metadata.finalizers = None);
    assert_eq!(step(&facts), Step::Rest(Rest::Gone));
}

#[test]
fn a_second_workspace_goes_without_waiting_and_releases_nothing_of_the_first() {
    let mut facts =
        claimed(deleted(), Name::Namespace, |claim| claim.holder = holder("acme", "first", "uid-0"));
    facts = claimed(facts, Name::Subdomain, |claim| claim.holder = holder("acme", "first", "uid-0"));
    facts.cluster.runtimes = 2;
    assert_eq!(step(&facts), Step::Do(Effect::RemoveFinalizer));
}

#[test]
fn nothing_is_made_in_a_namespace_that_goes() {
    let mut facts = fresh();
    facts.cluster.namespace = NamespaceFact::Terminating;
    assert_eq!(step(&facts), Step::Wait(Waiting::Namespace));
}

#[test]
fn a_paused_one_and_a_read_only_operator_change_nothing() {
    let mut facts = fresh();
    edit(&mut facts, |workspace| {
        workspace.annotations_mut().insert(annotation::PAUSED.into(), "true".into());
    });
    assert_eq!(reason_of(&step(&facts)), reason::AWAITING_UNPAUSE);
    let mut facts = fresh();
    facts.cluster.settings.mode = Mode::ReadOnly;
    assert_eq!(reason_of(&step(&facts)), reason::AWAITING_WRITE_MODE);
}
