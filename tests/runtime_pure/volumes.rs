//! Other sizes, full and lost hosts, migrations: what the customer left on the volume stays.

use std::sync::Arc;

use crate::world::{Fault, World, run, run_for, run_until, second};
use moorage::api::NameRef;
use moorage::api::condition::{ConditionType, find};
use moorage::api::name_claim::PinnedPlan;
use moorage::api::order_record::OrderRecord;
use moorage::api::replacement::ReplacementCause;
use moorage::api::runtime::{DeletionPolicy, HostLossPolicy, PowerState, Recovery};
use moorage::control::rollout::pick::Permit;
use moorage::control::runtime::decide::{decide, displaced};
use moorage::control::runtime::facts::{Knowledge, MachinePhase, VolumePhase};
use moorage::control::runtime::step::{Clearing, Effect, Look, Rest, Step};

const FAULTS: [Fault; 4] = [Fault::CrashBefore, Fault::CrashAfter, Fault::LostReply, Fault::LostRequest];

fn running() -> World {
    let mut world = World::new();
    world.policy.plans = Some(
        ["trial", "pro", "renamed", "narrow", "deep", "tiny", "sold"]
            .map(str::to_owned)
            .into_iter()
            .collect(),
    );
    world.runtime.spec.plan_ref = Some(NameRef::new("trial"));
    assert_eq!(run(&mut world, None), Rest::Running);
    world.write("diary");
    world.ledger.clear();
    world.now += second(60);
    world
}

fn resize(world: &mut World, plan: &str) {
    world.edit(|spec| spec.plan_ref = Some(NameRef::new(plan)));
}

fn stopped() -> World {
    let mut world = running();
    world.power(PowerState::Stopped);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    world.ledger.clear();
    world
}

fn on_full_host() -> World {
    let mut world = running();
    world.fill_host();
    world
}

/// With yesterday's snapshot, on a host that is lost.
fn on_lost_host() -> World {
    let mut world = running();
    world.backup();
    world.write("diary, continued");
    world.edit(|spec| {
        spec.recovery = Some(Recovery { on_host_loss: HostLossPolicy::Restore, after_minutes: 10 });
    });
    assert_eq!(run(&mut world, None), Rest::Running);
    world.lose_host();
    world.now += second(60);
    world
}

/// Waits as long as it takes for everything to be cleared up.
fn cleared(world: &mut World) {
    for _ in 0..12 {
        run(world, None);
        world.now += second(1800);
    }
}

/// A history of a volume, what it ends in, and what the customer then finds on it.
struct History {
    name: &'static str,
    before: fn() -> World,
    change: fn(&mut World),
    end: Rest,
    content: &'static str,
}

fn histories() -> Vec<History> {
    vec![
        History {
            name: "resize",
            before: running,
            change: |world| resize(world, "pro"),
            end: Rest::Running,
            content: "diary",
        },
        History {
            name: "resize down",
            before: running,
            change: |world| resize(world, "narrow"),
            end: Rest::Running,
            content: "diary",
        },
        History {
            name: "larger disk",
            before: running,
            change: |world| resize(world, "deep"),
            end: Rest::Running,
            content: "diary",
        },
        History {
            name: "resize stopped",
            before: stopped,
            change: |world| resize(world, "pro"),
            end: Rest::Stopped,
            content: "diary",
        },
        History {
            name: "fork to resize",
            before: on_full_host,
            change: |world| resize(world, "pro"),
            end: Rest::Running,
            content: "diary",
        },
        History {
            name: "fork to start",
            before: || {
                let mut world = stopped();
                world.fill_host();
                world
            },
            change: |world| world.power(PowerState::Running),
            end: Rest::Running,
            content: "diary",
        },
        History {
            name: "host loss",
            before: on_lost_host,
            change: |_| {},
            end: Rest::Running,
            content: "diary",
        },
    ]
}

/// Runs on until the end is reached: a lost host is waited for.
fn settle(world: &mut World, end: &Rest, fault: Option<(usize, Fault)>) -> Rest {
    let begun = world.attempts;
    let mut rest = run(world, fault);
    for _ in 0..100 {
        if rest == *end {
            break;
        }
        world.now += second(30);
        let left = fault.and_then(|(at, fault)| Some((at.checked_sub(world.attempts - begun)?, fault)));
        rest = run(world, left);
    }
    rest
}

#[test]
fn one_fault_at_every_effect_changes_nothing_in_the_end() {
    every_fault(second(0));
}

#[test]
fn nor_does_it_while_lists_lag_behind() {
    every_fault(second(20));
}

fn every_fault(lag: jiff::SignedDuration) {
    for history in histories() {
        let mut reference = (history.before)();
        (history.change)(&mut reference);
        let begun = reference.attempts;
        assert_eq!(settle(&mut reference, &history.end, None), history.end, "{}", history.name);
        assert_eq!(reference.content(), history.content, "{}", history.name);
        let attempts = reference.attempts - begun;
        for at in 0..attempts {
            for fault in FAULTS {
                let mut world = (history.before)();
                world.lag = lag;
                (history.change)(&mut world);
                let told = format!("{} with {fault:?} at {at}", history.name);
                assert_eq!(settle(&mut world, &history.end, Some((at, fault))), history.end, "{told}");
                assert_eq!(world.summary(), reference.summary(), "{told}: {:?}", world.ledger);
                assert_eq!(world.content(), history.content, "{told}");
            }
        }
    }
}

fn message(world: &World, type_: ConditionType) -> String {
    find(&world.runtime.status.as_ref().unwrap().conditions, type_).unwrap().message.to_string()
}

fn reason(world: &World, type_: ConditionType) -> String {
    find(&world.runtime.status.as_ref().unwrap().conditions, type_).unwrap().reason.to_string()
}

#[test]
fn a_volume_grows_before_the_machine_changes() {
    let mut world = running();
    resize(&mut world, "pro");
    assert_eq!(run(&mut world, None), Rest::Running);
    let effects = ["ExtendVolume", "RecordIdentity", "UpdateMachine", "RecordIdentity"];
    let told: Vec<_> = world.ledger.iter().filter(|effect| effects.contains(effect)).copied().collect();
    assert_eq!(told, effects, "{:?}", world.ledger);
    let identity = world.identity();
    assert_eq!((identity.pin.plan.name.as_str(), identity.volume_size()), ("pro", 20));
    assert_eq!(world.moves.guest, Some((4, 4096)));
}

#[test]
fn a_smaller_plan_keeps_the_larger_volume_and_says_so() {
    let mut world = running();
    resize(&mut world, "narrow");
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.identity().volume_size(), 10);
    let told = message(&world, ConditionType::Provisioned);
    assert!(told.contains("keeps its 10 GB") && told.contains("`narrow` has 5"), "{told}");
}

fn restarts(world: &World) -> usize {
    world.ledger.iter().filter(|effect| **effect == "UpdateMachine").count()
}

#[test]
fn a_smaller_disk_alone_restarts_nothing() {
    let mut world = running();
    resize(&mut world, "narrow");
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!((restarts(&world), world.identity().pin.plan.name.as_str()), (0, "narrow"));
    resize(&mut world, "trial");
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!((restarts(&world), world.identity().pin.plan.name.as_str()), (0, "trial"));
}

#[test]
fn a_larger_disk_alone_restarts_only_if_fly_says_so() {
    for (online, expected) in [(true, 0), (false, 1)] {
        let mut world = running();
        world.moves.online = online;
        resize(&mut world, "deep");
        assert_eq!(run(&mut world, None), Rest::Running);
        let identity = world.identity();
        assert_eq!((restarts(&world), identity.volume_size()), (expected, 20), "{:?}", world.ledger);
        assert!(identity.resizing.is_none(), "it is over");
        world.ledger.clear();
        assert_eq!(run(&mut world, None), Rest::Running);
        assert_eq!(world.ledger, [""; 0]);
    }
}

#[test]
fn an_answer_that_was_lost_costs_one_restart_at_most() {
    for at in 0..4 {
        for fault in FAULTS {
            let mut world = running();
            world.moves.online = true;
            resize(&mut world, "deep");
            assert_eq!(run(&mut world, Some((at, fault))), Rest::Running);
            assert!(restarts(&world) <= 1, "{fault:?} at {at}: {:?}", world.ledger);
            assert_eq!(world.identity().volume_size(), 20);
        }
    }
}

#[test]
fn a_plan_of_the_same_size_restarts_nothing() {
    let mut world = running();
    resize(&mut world, "renamed");
    assert_eq!(run(&mut world, None), Rest::Running);
    assert!(world.ledger.iter().all(|effect| *effect == "RecordIdentity"), "{:?}", world.ledger);
    assert_eq!(world.identity().pin.plan.name, "renamed");
}

#[test]
fn a_stopped_runtime_takes_another_size_without_a_start() {
    let mut world = stopped();
    resize(&mut world, "pro");
    assert_eq!(run(&mut world, None), Rest::Stopped);
    assert!(!world.ledger.contains(&"StartMachine"));
    assert_eq!(world.machine.as_ref().unwrap().phase, MachinePhase::Stopped);
    assert_eq!(world.moves.guest, Some((4, 4096)));
}

#[test]
fn without_a_plan_in_the_spec_the_pin_stays() {
    let mut world = running();
    world.edit(|spec| spec.plan_ref = None);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, [""; 0]);
    assert_eq!(world.identity().pin.plan.name, "trial");
}

#[test]
fn what_cannot_be_had_is_refused_while_the_old_size_runs_on() {
    for (plan, wanted) in [("none", "PlanNotFound"), ("tiny", "PlanTooSmall"), ("barred", "PlanNotFound")] {
        let mut world = running();
        resize(&mut world, plan);
        let Rest::Refused(refusal, _) = run(&mut world, None) else { panic!("{plan} was taken on") };
        assert_eq!(refusal.reason, wanted);
        assert_eq!(world.ledger, [""; 0], "{plan}");
        assert_eq!(reason(&world, ConditionType::Available), "Running", "{plan}");
        resize(&mut world, "trial");
        assert_eq!(run(&mut world, None), Rest::Running);
        assert_eq!(world.ledger, [""; 0], "{plan}");
    }
    let mut world = running();
    world.policy.plans = Some(["trial".to_owned()].into());
    resize(&mut world, "pro");
    let Rest::Refused(refusal, _) = run(&mut world, None) else { panic!("it was taken on") };
    assert_eq!(refusal.reason, "PlanNotAllowed");
}

#[test]
fn what_nobody_pays_for_is_not_taken_on() {
    let mut world = running();
    resize(&mut world, "sold");
    let Rest::Awaiting(refusal) = run(&mut world, None) else { panic!("it was taken on") };
    assert_eq!(refusal.reason, "AwaitingOrder");
    assert_eq!(world.ledger, [""; 0]);
    assert_eq!(reason(&world, ConditionType::Entitled), "PlanNotPaid");
    let status = world.runtime.status.as_ref().unwrap();
    assert_eq!(status.state, Some(moorage::api::state::RuntimeState::Running));
}

/// An order by which what it has was bought after a smaller Plan, and of which the difference went back.
fn reduced(has: &PinnedPlan, to: &PinnedPlan) -> OrderRecord {
    let price =
        |plan| serde_json::json!({"plan": plan, "amount": 5800, "currency": "EUR", "interval": "Month"});
    serde_json::from_value(serde_json::json!({
        "uid": "order-1", "provider": "Stripe", "mode": "Subscription", "phase": "Paid", "price": price(has),
        "former": {"price": price(to), "endTime": "2026-01-01T00:00:00Z"},
        "differenceReturnTime": "2026-01-02T00:00:00Z"}))
    .unwrap()
}

#[test]
fn a_size_of_which_the_difference_went_back_gives_way_to_the_earlier_one() {
    let mut world = running();
    let has = world.identity().pin.plan.clone();
    let small = PinnedPlan { name: "narrow".into(), volume_gb: 5, ..has.clone() };
    world.order_required = true;
    let mut order = reduced(&has, &small);
    world.order = Some(Arc::new(order.clone()));
    let Rest::Awaiting(refusal) = run(&mut world, None) else { panic!("the larger size isn't paid") };
    assert!(refusal.message.contains("It runs on with `narrow`"), "{}", refusal.message);
    assert_eq!(world.identity().pin.plan.name, "narrow");
    assert_eq!(reason(&world, ConditionType::Entitled), "PlanNotPaid");
    assert_eq!(world.machine.as_ref().unwrap().phase, MachinePhase::Started);
    assert_eq!(world.content(), "diary");
    order.difference_return_time = None;
    world.order = Some(Arc::new(order));
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.identity().pin.plan, has);
}

#[test]
fn the_source_of_a_copy_goes_once_the_copy_has_served_for_an_hour() {
    let mut world = on_full_host();
    resize(&mut world, "pro");
    assert_eq!(run(&mut world, None), Rest::Running);
    let old = world.identity().displaced[0].clone();
    assert_eq!(old.cause, ReplacementCause::Fork);
    assert_eq!(world.machine.as_ref().unwrap().volume, world.identity().volume_id);
    world.now += second(3000);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert!(world.moves.cleared.is_empty(), "after 50 minutes");
    world.power(PowerState::Stopped);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    world.now += second(3600);
    world.moves.full = None;
    world.power(PowerState::Running);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert!(world.moves.cleared.is_empty(), "it didn't serve meanwhile");
    world.now += second(3600);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.moves.cleared, [old.volume_id]);
    assert!(world.identity().displaced.is_empty());
    assert_eq!(world.content(), "diary");
}

#[test]
fn the_source_of_a_copy_stays_while_fly_still_fills_the_copy() {
    let mut world = on_full_host();
    world.moves.slow_copies = second(3 * 3600);
    resize(&mut world, "pro");
    assert_eq!(run(&mut world, None), Rest::Running);
    for _ in 0..5 {
        world.now += second(1800);
        assert_eq!(run(&mut world, None), Rest::Running);
    }
    assert!(world.moves.cleared.is_empty(), "the copy would have holes");
    let mut known = Knowledge::default();
    let mut looks = 0;
    for _ in 0..1000 {
        let mut facts = world.facts(known);
        match decide(world.now, &facts) {
            Step::Look(look) => {
                looks += u32::from(look == Look::Volume);
                world.look(look, &mut facts);
            }
            Step::Rest(_) => world.now += displaced::due(world.now, &facts).unwrap(),
            Step::Do(Effect::Clear(Clearing::Volume(_))) => break,
            step => panic!("{step:?}"),
        }
        known = facts.known;
    }
    assert!((5..60).contains(&looks), "{looks} looks in half an hour");
    cleared(&mut world);
    assert!(world.identity().displaced.is_empty());
}

/// One that runs on a copy that Fly still fills for a while.
fn on_slow_copy() -> World {
    let mut world = on_full_host();
    world.moves.slow_copies = second(1200);
    resize(&mut world, "pro");
    assert_eq!(run(&mut world, None), Rest::Running);
    world.write("diary, continued");
    world.now += second(60);
    world.ledger.clear();
    world
}

#[test]
fn what_is_kept_of_a_copy_is_all_of_it() {
    let mut world = on_slow_copy();
    let filled = world.moves.copying[world.identity().volume_id.as_ref().unwrap()];
    world.delete(DeletionPolicy::Snapshot);
    assert_eq!(run(&mut world, None), Rest::Gone);
    assert_eq!(world.usable_volumes(), 0, "{:?}", world.ledger);
    let kept = world.claim.as_ref().unwrap().runtime.as_ref().unwrap().snapshot.clone().unwrap();
    let shot = world.moves.shots.iter().find(|shot| shot.id == kept.id).unwrap();
    assert_eq!(shot.volume_now.content, "diary, continued");
    assert!(shot.made >= filled, "the snapshot would have holes");
    assert_eq!(world.ledger[1..4], ["ReleaseAddress", "ReleaseAddress", "StopMachine"], "it stops at once");
}

#[test]
fn one_fault_while_a_copy_is_waited_for_changes_nothing_in_the_end() {
    let mut reference = on_slow_copy();
    reference.delete(DeletionPolicy::Snapshot);
    assert_eq!(run(&mut reference, None), Rest::Gone);
    for at in 0..reference.ledger.len() {
        for fault in FAULTS {
            let mut world = on_slow_copy();
            world.delete(DeletionPolicy::Snapshot);
            assert_eq!(run(&mut world, Some((at, fault))), Rest::Gone, "{fault:?} at {at}");
            assert_eq!(world.summary(), reference.summary(), "{fault:?} at {at}: {:?}", world.ledger);
        }
    }
}

#[test]
fn an_upgrade_begins_once_its_volume_is_whole() {
    let mut world = on_slow_copy();
    let filled = world.moves.copying[world.identity().volume_id.as_ref().unwrap()];
    world.edit_blueprint(|blueprint| blueprint.image = "ghcr.io/openclaw/openclaw:2026.10.0".into());
    world.permit = Permit::Granted;
    run_until(&mut world, |world| world.ledger.contains(&"BeginUpgrade"));
    assert!(world.now >= filled && world.ledger.contains(&"BeginUpgrade"), "{:?}", world.ledger);
    assert!(!world.ledger.contains(&"StopMachine"), "it serves meanwhile");
}

#[test]
fn a_copy_is_copied_once_it_is_whole() {
    let mut world = on_slow_copy();
    let filled = world.moves.copying[world.identity().volume_id.as_ref().unwrap()];
    world.power(PowerState::Stopped);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    world.fill_host();
    world.power(PowerState::Running);
    run_until(&mut world, |world| world.ledger.contains(&"ReplaceVolume"));
    assert!(world.now >= filled, "{:?}", world.ledger);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.content(), "diary, continued");
}

#[test]
fn a_copy_that_ends_and_is_started_again_has_not_served_for_an_hour() {
    let mut world = on_full_host();
    resize(&mut world, "pro");
    assert_eq!(run(&mut world, None), Rest::Running);
    world.now += second(3500);
    assert_eq!(run(&mut world, None), Rest::Running);
    let machine = world.machine.as_mut().unwrap();
    machine.started = Some(world.now);
    world.now += second(600);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert!(world.moves.cleared.is_empty(), "it ended ten minutes ago");
    world.now += second(3000);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.moves.cleared.len(), 1);
}

#[test]
fn a_size_that_finds_no_room_anywhere_is_taken_back() {
    let mut world = on_full_host();
    world.moves.no_copies = true;
    // A start needs room as well, which is there once the larger size has been given up.
    resize(&mut world, "pro");
    run_until(&mut world, |world| world.identity().refused_plan.is_some());
    world.moves.full = None;
    let Rest::Refused(refusal, _) = run(&mut world, None) else { panic!("it doesn't tell") };
    assert_eq!(refusal.reason, "Capacity");
    for part in ["`pro`", "runs on with `trial`", "tried again"] {
        assert!(refusal.message.contains(part), "{}", refusal.message);
    }
    assert_eq!(world.machine.as_ref().unwrap().phase, MachinePhase::Started);
    assert_eq!(world.moves.guest, Some((2, 2048)));
    assert_eq!(world.identity().pin.plan.name, "trial");
    world.now += second(3601);
    world.moves.no_copies = false;
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.moves.guest, Some((4, 4096)), "after an hour it is tried again");
}

#[test]
fn a_lost_host_is_waited_for_without_a_policy() {
    let mut world = on_lost_host();
    world.edit(|spec| spec.recovery = None);
    world.ledger.clear();
    for _ in 0..50 {
        let Rest::Refused(refusal, _) = run(&mut world, None) else { panic!("it went on") };
        assert_eq!(refusal.reason, "HostUnreachable");
        world.now += second(600);
    }
    assert_eq!(world.ledger, [""; 0], "nothing is made, nor written");
    world.find_host();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.content(), "diary, continued");
}

#[test]
fn a_host_that_comes_back_in_time_changes_nothing() {
    let mut world = on_lost_host();
    assert!(matches!(run(&mut world, None), Rest::Refused(..)));
    world.now += second(300);
    world.find_host();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.content(), "diary, continued");
    assert_eq!(world.identity().unreachable_since, None);
    assert_eq!(world.identity().incarnation, 0);
}

#[test]
fn without_a_snapshot_a_lost_host_is_waited_for() {
    let mut world = on_lost_host();
    world.moves.shots.clear();
    for _ in 0..50 {
        assert!(matches!(run(&mut world, None), Rest::Refused(..)));
        world.now += second(60);
    }
    assert!(!world.ledger.contains(&"ReplaceVolume"));
}

#[test]
fn what_a_lost_host_held_is_removed_when_it_answers_again() {
    let mut world = on_lost_host();
    assert_eq!(settle(&mut world, &Rest::Running, None), Rest::Running);
    let status = world.runtime.status.clone().unwrap().external.unwrap();
    let restored = status.restored_from.unwrap();
    assert_eq!(restored.snapshot_id, "vs_1");
    assert!(restored.snapshot_time.is_some());
    let old = world.identity().displaced[0].clone();
    assert!(old.machine_id.is_some());
    cleared(&mut world);
    assert_eq!(world.moves.left.len(), 1, "its host doesn't answer");
    assert!(world.moves.cleared.is_empty());
    world.find_host();
    cleared(&mut world);
    assert!(world.moves.left.is_empty());
    assert_eq!(world.moves.cleared, std::slice::from_ref(&old.volume_id));
    let last = world.moves.shots.last().unwrap();
    assert_eq!((&last.volume, last.volume_now.content.as_str()), (&old.volume_id, "diary, continued"));
    assert!(world.identity().displaced.is_empty());
}

#[test]
fn a_migration_is_just_recorded() {
    let mut world = running();
    let old = world.identity().volume_id.unwrap();
    let detail = world.moves.volumes[&old].clone();
    world.volumes.clear();
    world.admit("vol_moved", detail.name, detail.size_gb, detail.content);
    world.machine.as_mut().unwrap().volume = Some("vol_moved".into());
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, ["RecordIdentity"]);
    assert_eq!(world.identity().volume_id.as_deref(), Some("vol_moved"));
    assert_eq!(world.content(), "diary");
}

#[test]
fn what_moves_left_behind_goes_with_a_deleted_runtime() {
    for policy in [DeletionPolicy::Delete, DeletionPolicy::Snapshot] {
        let mut world = on_full_host();
        resize(&mut world, "pro");
        assert_eq!(run(&mut world, None), Rest::Running);
        world.delete(policy);
        assert_eq!(run(&mut world, None), Rest::Gone);
        assert!(world.volumes.iter().all(|(_, phase)| *phase != VolumePhase::Usable), "{policy:?}");
    }
    let mut world = on_full_host();
    resize(&mut world, "pro");
    assert_eq!(run(&mut world, None), Rest::Running);
    world.delete(DeletionPolicy::Retain);
    assert_eq!(run(&mut world, None), Rest::Gone);
    let standing = world.volumes.iter().filter(|(_, phase)| *phase == VolumePhase::Usable).count();
    assert_eq!(standing, 2);
}

#[test]
fn a_runtime_deleted_in_the_middle_of_a_move_leaves_nothing() {
    let mut reference = on_full_host();
    resize(&mut reference, "pro");
    assert_eq!(run(&mut reference, None), Rest::Running);
    for at in 0..reference.ledger.len() {
        for policy in [DeletionPolicy::Delete, DeletionPolicy::Snapshot] {
            let mut world = on_full_host();
            resize(&mut world, "pro");
            run_until(&mut world, |world| world.ledger.len() >= at);
            world.delete(policy);
            assert_eq!(run(&mut world, None), Rest::Gone, "{policy:?} at {at}");
            let standing = world.volumes.iter().filter(|(_, phase)| *phase == VolumePhase::Usable).count();
            assert_eq!(standing, 0, "{policy:?} after {:?}: {:?}", &reference.ledger[..at], world.ledger);
        }
    }
}

/// Its host answers again once the move to another one is this far.
fn back_once(is_so: impl Fn(&World) -> bool) -> World {
    let mut world = on_lost_host();
    for _ in 0..100 {
        run_until(&mut world, &is_so);
        if is_so(&world) {
            break;
        }
        world.now += second(30);
    }
    assert!(is_so(&world), "{:?}", world.ledger);
    world.find_host();
    world
}

#[test]
fn a_host_that_is_back_before_the_move_from_it_is_complete_keeps_the_runtime() {
    let recorded = |world: &World| world.identity().replacement.is_some();
    let made = |world: &World| world.ledger.contains(&"ReplaceVolume");
    for begin in [&(|| back_once(recorded)) as &dyn Fn() -> World, &|| back_once(made)] {
        let mut reference = begin();
        let begun = reference.attempts;
        assert_eq!(settle(&mut reference, &Rest::Running, None), Rest::Running);
        for at in 0..=reference.attempts - begun {
            for fault in FAULTS {
                let mut world = begin();
                let told = format!("{fault:?} at {at}");
                assert_eq!(settle(&mut world, &Rest::Running, Some((at, fault))), Rest::Running, "{told}");
                assert_eq!(world.content(), "diary, continued", "{told}: {:?}", world.ledger);
                let identity = world.identity();
                assert_eq!((identity.incarnation, identity.replacement), (0, None), "{told}");
                assert_eq!((world.usable_volumes(), identity.spare_volume_ids.len()), (1, 0), "{told}");
                assert!(!world.ledger.contains(&"StopMachine"), "{told}: {:?}", world.ledger);
            }
        }
    }
}

#[test]
fn a_snapshot_that_fly_refuses_is_left_for_an_older_one() {
    let mut world = on_lost_host();
    world.moves.shots[0].volume_now.content = "diary, of the day before".into();
    world.find_host();
    let newest = world.backup();
    world.lose_host();
    world.moves.spoilt.insert(newest);
    assert_eq!(settle(&mut world, &Rest::Running, None), Rest::Running);
    assert_eq!(world.content(), "diary, of the day before");
    // Where Fly restores none, the host is waited for, and comes back with everything.
    let mut world = on_lost_host();
    world.moves.spoilt.extend(world.moves.shots.iter().map(|shot| shot.id.clone()).collect::<Vec<_>>());
    let mut known = world.fresh();
    for _ in 0..100 {
        let (rest, after) = run_for(&mut world, known, 2_000, None);
        known = after;
        let Some(Rest::Refused(refusal, _)) = rest else { panic!("{rest:?}: {:?}", world.ledger) };
        assert_eq!(refusal.reason, "HostUnreachable");
        world.now += second(60);
    }
    let tried = world.ledger.iter().filter(|effect| **effect == "RecordIdentity").count();
    assert!(tried < 10, "it is tried again and again: {:?}", world.ledger);
    world.find_host();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!((world.content(), world.identity().incarnation), ("diary, continued", 0));
}

#[test]
fn a_copy_that_finds_no_room_either_gives_way_to_what_it_is_a_copy_of() {
    let begin = || {
        let mut world = on_full_host();
        world.moves.most_memory = Some(2048);
        resize(&mut world, "pro");
        world
    };
    let mut reference = begin();
    let begun = reference.attempts;
    let old = reference.identity().volume_id.unwrap();
    assert!(matches!(run(&mut reference, None), Rest::Refused(..)));
    let attempts = reference.attempts - begun;
    for at in 0..=attempts {
        for fault in FAULTS {
            let mut world = begin();
            let told = format!("{fault:?} at {at}");
            let Rest::Refused(refusal, _) = run(&mut world, Some((at, fault))) else { panic!("{told}") };
            assert_eq!(refusal.reason, "Capacity", "{told}");
            for part in ["`pro`", "runs on with `trial`", "tried again"] {
                assert!(refusal.message.contains(part), "{}", refusal.message);
            }
            let identity = world.identity();
            assert_eq!((identity.volume_id.as_ref(), world.content()), (Some(&old), "diary"), "{told}");
            assert_eq!(world.machine.as_ref().unwrap().phase, MachinePhase::Started, "{told}");
            assert_eq!((world.moves.guest, identity.displaced.len()), (Some((2, 2048)), 1), "{told}");
            let copies = world.ledger.iter().filter(|effect| **effect == "ReplaceVolume").count();
            assert!(copies == 1 || fault != Fault::LostReply, "{told}: {:?}", world.ledger);
        }
    }
    // The copy goes once the other has served for an hour, and the size is tried again a day later.
    let mut world = reference;
    for _ in 0..4 {
        world.now += second(1800);
        assert!(matches!(run(&mut world, None), Rest::Refused(..)));
    }
    assert_eq!((world.identity().displaced.len(), world.usable_volumes()), (0, 1));
    assert_eq!(world.content(), "diary");
    (world.moves.most_memory, world.moves.full) = (None, None);
    world.now += second(24 * 3600);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.moves.guest, Some((4, 4096)));
}

#[test]
fn where_nothing_has_room_there_are_never_more_than_two_copies() {
    let mut world = stopped();
    world.fill_host();
    world.power(PowerState::Running);
    world.moves.most_memory = Some(0);
    let (rest, known) = run_for(&mut world, Knowledge::default(), 20_000, None);
    assert_eq!(rest, None);
    assert_eq!((world.usable_volumes(), world.identity().displaced.len()), (2, 1), "{:?}", world.identity());
    (world.moves.most_memory, world.moves.full) = (None, None);
    assert_eq!(run_for(&mut world, known, 2_000, None).0, Some(Rest::Running));
    assert_eq!(world.content(), "diary");
}

/// Fly has moved it to another host just now.
fn migrated() -> World {
    let mut world = running();
    world.write("diary, on the new host");
    let old = world.identity().volume_id.unwrap();
    let detail = world.moves.volumes[&old].clone();
    world.volumes.clear();
    world.admit("vol_moved", detail.name, detail.size_gb, detail.content);
    world.machine.as_mut().unwrap().volume = Some("vol_moved".into());
    world
}

#[test]
fn a_migration_right_before_something_else_is_followed_first() {
    let mut world = migrated();
    resize(&mut world, "pro");
    assert_eq!(run(&mut world, None), Rest::Running);
    let identity = world.identity();
    assert_eq!((identity.volume_id.as_deref(), identity.volume_size()), (Some("vol_moved"), 20));
    assert_eq!(world.moves.guest, Some((4, 4096)));
    let mut world = migrated();
    world.delete(DeletionPolicy::Delete);
    assert_eq!(run(&mut world, None), Rest::Gone);
    assert_eq!((world.app, world.usable_volumes()), (false, 0));
    // The world itself sees to it that the snapshot has what was last written.
    let mut world = migrated();
    world.delete(DeletionPolicy::Snapshot);
    assert_eq!(run(&mut world, None), Rest::Gone);
    assert_eq!(world.identity().snapshot.unwrap().volume_id, "vol_moved");
    let mut world = migrated();
    world.delete(DeletionPolicy::Retain);
    assert_eq!(run(&mut world, None), Rest::Gone);
    assert_eq!(world.identity().volume_id.as_deref(), Some("vol_moved"));
}
