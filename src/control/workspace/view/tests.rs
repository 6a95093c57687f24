use proptest::prelude::*;
use serde_json::json;
use testbed::{Moment, check_conditions};

use super::*;
use crate::api::state::WorkspaceState;
use crate::api::workspace::Role;
use crate::control::runtime::facts::Trouble;
use crate::control::workspace::samples::{at, fresh, settled};
use crate::control::workspace::step::Effect;
use jiff::SignedDuration;

fn trouble(class: TroubleClass) -> Trouble {
    Trouble {
        class,
        reason: reason::KUBERNETES_REFUSED,
        message: "The API server refused a write.".into(),
        since: at(1),
        attempts: 1,
        next: at(10),
        generation: 1,
    }
}

fn retry() -> Step {
    Step::Wait(Waiting::Retry(SignedDuration::from_secs(5)))
}

#[test]
fn each_row_of_the_table() {
    use ConditionStatus::{False, True, Unknown};
    let refusal = || Refusal::new(reason::NAME_TAKEN, "The subdomain is taken.");
    let rows = [
        (Step::Rest(Rest::Active), WorkspaceState::Active, True, reason::ACTIVE, None),
        (
            Step::Rest(Rest::Suspended),
            WorkspaceState::Suspended,
            False,
            reason::AWAITING_RESUME,
            Some(ConditionType::Reconciling),
        ),
        (
            Step::Rest(Rest::Refused(refusal(), SignedDuration::from_secs(1))),
            WorkspaceState::Error,
            False,
            reason::NAME_TAKEN,
            Some(ConditionType::Stalled),
        ),
        (
            Step::Do(Effect::Bind(Role::Owner)),
            WorkspaceState::Pending,
            Unknown,
            reason::PENDING,
            Some(ConditionType::Reconciling),
        ),
        (
            Step::Wait(Waiting::Dependents),
            WorkspaceState::Pending,
            Unknown,
            reason::AWAITING_DEPENDENTS,
            Some(ConditionType::Reconciling),
        ),
    ];
    for (step, state, status, word, abnormal) in rows {
        let shown = view(at(5), &settled(at(5)), &step, None, &WorkspaceStatus::default());
        let ready = condition::find(&shown.conditions, ConditionType::Ready).unwrap();
        assert_eq!(
            (shown.state, ready.status, ready.reason.as_str()),
            (Some(state), status, word),
            "{step:?}"
        );
        let seen = [ConditionType::Reconciling, ConditionType::Stalled]
            .into_iter()
            .find(|type_| condition::is_true(&shown.conditions, *type_));
        assert_eq!(seen, abnormal, "{step:?}");
    }
}

#[test]
fn an_outage_of_the_api_server_does_not_change_what_is_active() {
    let mut facts = settled(at(5));
    let active = view(at(5), &facts, &Step::Rest(Rest::Active), None, &WorkspaceStatus::default());
    facts.known.trouble = Some(trouble(TroubleClass::Transient));
    assert_eq!(view(at(9), &facts, &retry(), None, &active), active);
    facts.known.trouble = Some(trouble(TroubleClass::Human));
    assert_eq!(view(at(9), &facts, &retry(), None, &active).state, Some(WorkspaceState::Error));
}

#[test]
fn what_takes_too_long_is_an_error_and_stays_one_until_it_succeeds() {
    let facts = fresh();
    let claiming = Step::Do(Effect::Claim(Name::Subdomain));
    let first = view(at(0), &facts, &claiming, None, &WorkspaceStatus::default());
    let late = view(at(601), &facts, &claiming, None, &first);
    assert_eq!(late.state, Some(WorkspaceState::Error));
    let later = view(at(700), &facts, &claiming, None, &late);
    assert_eq!(later, late);
    let done = view(at(800), &settled(at(800)), &Step::Rest(Rest::Active), None, &later);
    assert_eq!(done.state, Some(WorkspaceState::Active));
}

fn steps() -> impl Strategy<Value = Step> {
    let refusal = || Refusal::new(reason::NAME_TAKEN, "The subdomain is taken.");
    prop_oneof![
        Just(Step::Rest(Rest::Active)),
        Just(Step::Rest(Rest::Suspended)),
        Just(Step::Rest(Rest::Awaiting(Refusal::new(reason::AWAITING_UNPAUSE, "Held.")))),
        Just(Step::Rest(Rest::Refused(refusal(), SignedDuration::from_secs(1)))),
        Just(Step::Do(Effect::Claim(Name::Namespace))),
        Just(Step::Do(Effect::Bind(Role::Viewer))),
        Just(Step::Look(Role::Owner)),
        Just(Step::Wait(Waiting::Dependents)),
        Just(Step::Wait(Waiting::Namespace)),
        Just(retry()),
    ]
}

fn troubles() -> impl Strategy<Value = Option<Trouble>> {
    prop_oneof![
        Just(None),
        Just(Some(trouble(TroubleClass::Transient))),
        Just(Some(trouble(TroubleClass::Human)))
    ]
}

/// Whether what was under way has taken too long since.
fn is_just_late(before: &WorkspaceStatus, after: &WorkspaceStatus) -> bool {
    let ready = |status: &WorkspaceStatus| {
        condition::find(&status.conditions, ConditionType::Ready).map(|it| (it.status, it.reason.clone()))
    };
    let under_way = ready(before).is_some_and(|(status, _)| status == ConditionStatus::Unknown);
    under_way && ready(after).is_some_and(|(_, told)| told == reason::DEADLINE_EXCEEDED)
}

proptest! {
    /// Whatever happens in whatever order, the conditions keep their contract, and the same again changes nothing.
    #[test]
    fn conditions_keep_their_contract(
        course in prop::collection::vec((steps(), troubles(), any::<bool>(), 1_i64..2_000, 0_i64..2), 1..12)
    ) {
        let (mut status, mut now, mut generation) = (WorkspaceStatus::default(), 0, 1);
        for (step, trouble, claimed, pause, edits) in course {
            now += pause;
            generation += edits;
            let mut facts = if claimed { settled(at(now)) } else { fresh() };
            std::sync::Arc::make_mut(&mut facts.workspace).metadata.generation = Some(generation);
            facts.known.trouble = trouble;
            status = view(at(now), &facts, &step, None, &status);
            let object = json!({"metadata": {"generation": generation}, "status": status});
            prop_assert_eq!(check_conditions(&object, Moment::AtRest), Vec::<String>::new());
            let later = view(at(now + 1), &facts, &step, None, &status);
            // A deadline may pass in that very second; an instant later nothing changes any more.
            prop_assert!(later == status || is_just_late(&status, &later), "{status:?} became {later:?}");
            prop_assert_eq!(&view(at(now + 1), &facts, &step, None, &later), &later);
            status = later;
            now += 1;
        }
    }
}
