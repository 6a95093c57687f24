//! One fault at every effect of every history of a Runtime: the same end, nothing twice, nothing left over.

use crate::hostnames::{base, hosted};
use crate::names::{name, named};
use crate::world::{Fault, World, run, second};
use moorage::api::name_claim::{Confirm, ConfirmAction};
use moorage::api::runtime::{DeletionPolicy, PowerState};
use moorage::api::state::TaskState;
use moorage::control::runtime::facts::{MachinePhase, Refusal, RequestKind};
use moorage::control::runtime::names::Service;
use moorage::control::runtime::step::Rest;
use moorage::gateway::exit::ExitCause;

pub const FAULTS: [Fault; 4] = [Fault::CrashBefore, Fault::CrashAfter, Fault::LostReply, Fault::LostRequest];

/// A history: how the world is before, and what is asked for.
struct History {
    name: &'static str,
    before: fn() -> World,
    change: fn(&mut World),
    end: Rest,
}

pub fn running() -> World {
    running_with(|_| {})
}

/// One that runs with this spec.
pub fn running_with(edit: impl FnOnce(&mut moorage::api::RuntimeSpec)) -> World {
    let mut world = World::new();
    world.edit(edit);
    running_in(world)
}

fn running_in(mut world: World) -> World {
    assert_eq!(run(&mut world, None), Rest::Running);
    world.ledger.clear();
    world.now += second(60);
    world
}

fn stopped() -> World {
    let mut world = running();
    world.power(PowerState::Stopped);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    world.ledger.clear();
    world
}

fn histories() -> Vec<History> {
    vec![
        History { name: "create", before: World::new, change: |_| {}, end: Rest::Running },
        History {
            name: "create stopped",
            before: World::new,
            change: |world| world.power(PowerState::Stopped),
            end: Rest::Stopped,
        },
        History {
            name: "stop",
            before: running,
            change: |world| world.power(PowerState::Stopped),
            end: Rest::Stopped,
        },
        History {
            name: "start",
            before: stopped,
            change: |world| world.power(PowerState::Running),
            end: Rest::Running,
        },
        History {
            name: "restart",
            before: running,
            change: |world| {
                let request = ("moorage.dev/restarted-at".to_owned(), "now".to_owned());
                world.runtime.metadata.annotations = Some([request].into());
            },
            end: Rest::Running,
        },
        History {
            name: "restart on request",
            before: running,
            change: |world| world.request("again", RequestKind::Restart),
            end: Rest::Running,
        },
        History {
            name: "snapshot on request",
            before: running,
            change: |world| world.request("keep", RequestKind::Snapshot),
            end: Rest::Running,
        },
        History {
            name: "two requests at once, while it is stopped",
            before: stopped,
            change: |world| {
                world.request("keep", RequestKind::Snapshot);
                world.request("again", RequestKind::Restart);
            },
            end: Rest::Stopped,
        },
        History {
            name: "delete",
            before: running,
            change: |world| world.delete(DeletionPolicy::Delete),
            end: Rest::Gone,
        },
        History {
            name: "snapshot",
            before: running,
            change: |world| world.delete(DeletionPolicy::Snapshot),
            end: Rest::Gone,
        },
        History {
            name: "retain",
            before: running,
            change: |world| world.delete(DeletionPolicy::Retain),
            end: Rest::Gone,
        },
        History { name: "create with a hostname", before: hosted, change: |_| {}, end: Rest::Running },
        History {
            name: "renewed certificate",
            before: || running_in(hosted()),
            change: |world| world.base = Some(base("new", "acme-ops.example.dev")),
            end: Rest::Running,
        },
        History {
            name: "another base domain",
            before: || running_in(hosted()),
            change: |world| world.base = Some(base("new", "acme-ops.example.com")),
            end: Rest::Running,
        },
        History {
            name: "delete with a hostname",
            before: || running_in(hosted()),
            change: |world| world.delete(DeletionPolicy::Delete),
            end: Rest::Gone,
        },
        History {
            name: "retain with a hostname",
            before: || running_in(hosted()),
            change: |world| world.delete(DeletionPolicy::Retain),
            end: Rest::Gone,
        },
        History {
            name: "a customer's hostname in service",
            before: running,
            change: |world| world.names = vec![name("ai.acme.com", Service::Serving)],
            end: Rest::Running,
        },
        History {
            name: "delete with customers' hostnames",
            before: || running_in(named()),
            change: |world| world.delete(DeletionPolicy::Delete),
            end: Rest::Gone,
        },
        History {
            name: "retain with customers' hostnames",
            before: || running_in(named()),
            change: |world| world.delete(DeletionPolicy::Retain),
            end: Rest::Gone,
        },
        History {
            name: "held",
            before: running,
            change: |world| {
                world.brake = true;
                world.delete(DeletionPolicy::Delete);
            },
            end: Rest::Awaiting(Refusal::new("AwaitingConfirm", "")),
        },
        History {
            name: "held and confirmed",
            before: || {
                let mut world = running();
                world.brake = true;
                world.delete(DeletionPolicy::Snapshot);
                assert!(matches!(run(&mut world, None), Rest::Awaiting(_)));
                world.ledger.clear();
                world
            },
            change: |world| confirm(world, ConfirmAction::Deletion, "uid-1"),
            end: Rest::Gone,
        },
        History {
            name: "delete early",
            before: World::new,
            change: |world| {
                world.runtime.metadata.finalizers = Some(vec![moorage::api::RUNTIME_FINALIZER.into()]);
                world.delete(DeletionPolicy::Delete);
            },
            end: Rest::Gone,
        },
    ]
}

#[test]
fn one_fault_at_every_effect_changes_nothing_in_the_end() {
    all(second(0));
}

#[test]
fn nor_does_it_while_lists_lag_behind() {
    all(second(20));
}

/// A rest without its message.
fn plain(rest: Rest) -> Rest {
    match rest {
        Rest::Awaiting(refusal) => Rest::Awaiting(Refusal::new(refusal.reason, "")),
        other => other,
    }
}

fn all(lag: jiff::SignedDuration) {
    for History { name, before, change, end } in histories() {
        faults(name, lag, before, change, end);
    }
}

/// One fault at every effect of a change: the same end as without.
pub fn every_fault(name: &str, before: impl Fn() -> World, change: impl Fn(&mut World), end: Rest) {
    faults(name, second(0), before, change, end);
}

fn faults(
    name: &str,
    lag: jiff::SignedDuration,
    before: impl Fn() -> World,
    change: impl Fn(&mut World),
    end: Rest,
) {
    let mut reference = before();
    change(&mut reference);
    assert_eq!(plain(run(&mut reference, None)), end, "{name}");
    for at in 0..reference.ledger.len() {
        for fault in FAULTS {
            let mut world = before();
            world.lag = lag;
            change(&mut world);
            let reached = plain(run(&mut world, Some((at, fault))));
            let told = format!("{name} with {fault:?} at {}", reference.ledger[at]);
            assert_eq!(reached, end, "{told}: {:?}", world.ledger);
            assert_eq!(world.summary(), reference.summary(), "{told}: {:?}", world.ledger);
        }
    }
}

#[test]
fn at_rest_nothing_is_left_to_do() {
    let mut world = running();
    let before = world.clone();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, Vec::<&str>::new());
    assert_eq!(world.runtime.status, before.runtime.status);
}

#[test]
fn a_deleted_runtime_goes_in_the_right_order() {
    let mut world = running();
    world.delete(DeletionPolicy::Delete);
    run(&mut world, None);
    assert_eq!(
        world.ledger,
        [
            "RecordIdentity",
            "BeginDeletion",
            "ReleaseAddress",
            "ReleaseAddress",
            "DestroyMachine",
            "DeleteVolume",
            "DeleteApp",
            "ReleaseClaim",
            "RemoveFinalizer",
        ]
    );
}

#[test]
fn a_lost_volume_is_never_replaced_by_an_empty_one() {
    let mut world = running();
    world.volumes.clear();
    world.machine = None;
    let Rest::Refused(refusal, _) = run(&mut world, None) else { panic!("it went on without its volume") };
    assert_eq!(refusal.reason, "VolumeLost");
    assert!(!world.ledger.contains(&"CreateVolume"));
}

#[test]
fn what_nobody_pays_for_holds_nothing_and_makes_nothing() {
    let mut world = World::new();
    world.order_required = true;
    let Rest::Awaiting(refusal) = run(&mut world, None) else { panic!("it went on without an order") };
    assert_eq!(refusal.reason, "AwaitingOrder");
    assert_eq!(world.ledger, Vec::<&str>::new());
}

#[test]
fn a_suspended_runtime_is_stopped_and_comes_back() {
    use moorage::control::policy::Suspension;
    let mut world = running();
    world.policy.suspension = Suspension::Suspended;
    assert!(matches!(run(&mut world, None), Rest::Awaiting(_)));
    assert_eq!(world.ledger, ["StopMachine"]);
    world.policy.suspension = Suspension::Active;
    assert_eq!(run(&mut world, None), Rest::Running);
}

#[test]
fn a_tenants_annotation_keeps_nothing_running_that_may_not() {
    use moorage::control::policy::Suspension;
    let strip = |world: &mut World| world.runtime.metadata.finalizers = None;
    let delete = |world: &mut World| world.delete(DeletionPolicy::Delete);
    let changes: [&dyn Fn(&mut World); 3] = [&|_| {}, &strip, &delete];
    for change in changes {
        let mut world = running();
        let held = [("moorage.dev/paused".to_owned(), "true".to_owned())];
        world.runtime.metadata.annotations = Some(held.into());
        change(&mut world);
        assert!(matches!(run(&mut world, None), Rest::Running | Rest::Awaiting(_)));
        assert_eq!(world.ledger, [""; 0], "it is held");
        world.policy.suspension = Suspension::Suspended;
        assert!(matches!(run(&mut world, None), Rest::Awaiting(_)));
        assert_eq!(world.ledger, ["StopMachine"]);
    }
}

#[test]
fn a_deletion_that_is_held_keeps_nothing_running_that_may_not() {
    use moorage::control::policy::Suspension;
    let mut world = running();
    world.brake = true;
    world.delete(DeletionPolicy::Delete);
    assert!(matches!(run(&mut world, None), Rest::Awaiting(_)));
    assert!(!world.ledger.contains(&"StopMachine"), "{:?}", world.ledger);
    world.policy.suspension = Suspension::Suspended;
    assert!(matches!(run(&mut world, None), Rest::Awaiting(_)));
    assert_eq!(world.ledger.last(), Some(&"StopMachine"), "{:?}", world.ledger);
}

#[test]
fn another_object_of_the_same_name_waits_for_the_platform() {
    let mut world = running();
    world.runtime.metadata.uid = Some("uid-2".into());
    world.runtime.metadata.finalizers = None;
    world.runtime.status = None;
    let Rest::Refused(refusal, _) = run(&mut world, None) else { panic!("it took over by itself") };
    assert_eq!(refusal.reason, "IdentityChanged");
    world.claim.as_mut().unwrap().confirm =
        Some(Confirm { uid: "uid-2".into(), action: ConfirmAction::Takeover });
    world.ledger.clear();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert!(!world.ledger.iter().any(|effect| effect.starts_with("Create")), "{:?}", world.ledger);
}

#[test]
fn a_squatter_takes_nothing() {
    let mut world = running();
    world.runtime.metadata.uid = Some("uid-2".into());
    world.runtime.metadata.name = Some("other".into());
    let Rest::Refused(refusal, _) = run(&mut world, None) else { panic!("it took another's name") };
    assert_eq!(refusal.reason, "NameTaken");
}

fn ended(world: &World) -> Vec<(&str, TaskState, &str)> {
    world.finished.iter().map(|finish| (finish.task.as_str(), finish.state, finish.reason)).collect()
}

#[test]
fn a_restart_on_request_is_one_stop_and_one_start() {
    let mut world = running();
    world.request("again", RequestKind::Restart);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, ["StopMachine", "StartMachine", "FinishTask"]);
    assert_eq!(ended(&world), [("again", TaskState::Completed, "Completed")]);
}

#[test]
fn a_start_in_the_second_of_the_request_was_before_it_and_a_slow_clock_at_fly_restarts_once() {
    let mut world = running();
    world.machine.as_mut().unwrap().started = Some(world.now);
    world.request("again", RequestKind::Restart);
    run(&mut world, None);
    assert_eq!(world.ledger, ["StopMachine", "StartMachine", "FinishTask"]);
    // Fly's clock is an hour behind: no start ever looks newer than the request.
    let mut world = running();
    world.slow_clock = second(3_600);
    world.request("again", RequestKind::Restart);
    run(&mut world, None);
    assert_eq!(world.ledger, ["StopMachine", "StartMachine", "FinishTask"]);
}

#[test]
fn what_crashes_is_started_at_once_on_request_whatever_its_pause() {
    let mut world = running();
    let machine = world.machine.as_mut().unwrap();
    (machine.phase, machine.exit) = (MachinePhase::Stopped, Some(ExitCause::ConfigurationRefused));
    world.request("again", RequestKind::Restart);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, ["StartMachine", "FinishTask"]);
}

#[test]
fn a_snapshot_on_request_leaves_the_runtime_alone_and_names_the_snapshot() {
    let mut world = running();
    let shown = world.runtime.status.clone();
    world.request("keep", RequestKind::Snapshot);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, ["TakeSnapshot", "FinishTask"]);
    let result = world.finished[0].result.clone().unwrap();
    assert_eq!(result.snapshot_id, Some(format!("vs_{}", world.taken[0].as_second())));
    assert_eq!(world.runtime.status, shown);
}

#[test]
fn what_can_t_be_done_says_why_and_what_takes_too_long_is_given_up() {
    let mut world = stopped();
    world.request("again", RequestKind::Restart);
    run(&mut world, None);
    assert_eq!(ended(&world), [("again", TaskState::Failed, "NotPossible")]);
    let mut world = running();
    world.never_snapshots = true;
    world.request("keep", RequestKind::Snapshot);
    run(&mut world, None);
    assert_eq!(ended(&world), [("keep", TaskState::Failed, "FlyRefused")]);
    assert!(world.ledger.len() <= 4, "{:?}", world.ledger);
}

#[test]
fn a_deleted_runtime_goes_whatever_was_asked_for() {
    let mut world = running();
    world.request("keep", RequestKind::Snapshot);
    world.taken.push(world.now);
    world.delete(DeletionPolicy::Snapshot);
    assert_eq!(run(&mut world, None), Rest::Gone);
    assert!(world.finished.is_empty() && world.snapshots == 1, "{:?}", world.ledger);
}

fn confirm(world: &mut World, action: ConfirmAction, uid: &str) {
    world.claim.as_mut().unwrap().confirm = Some(Confirm { uid: uid.into(), action });
}

#[test]
fn a_held_deletion_changes_nothing_at_fly_until_just_that_is_confirmed() {
    let mut world = running();
    let before = world.summary();
    world.brake = true;
    world.delete(DeletionPolicy::Delete);
    let Rest::Awaiting(refusal) = run(&mut world, None) else { panic!("the brake doesn't hold") };
    assert_eq!(refusal.reason, "AwaitingConfirm");
    assert!(refusal.message.contains("moorage confirm deletions"), "{}", refusal.message);
    assert_eq!(world.ledger, ["RecordIdentity", "BeginDeletion"]);
    assert_eq!(world.summary(), before);
    // It stays held once others may go again, and whatever else is confirmed.
    world.brake = false;
    for (action, uid) in [(ConfirmAction::Takeover, "uid-1"), (ConfirmAction::Deletion, "uid-2")] {
        confirm(&mut world, action, uid);
        assert!(matches!(run(&mut world, None), Rest::Awaiting(_)), "{action:?} {uid}");
    }
    confirm(&mut world, ConfirmAction::Deletion, "uid-1");
    assert_eq!(run(&mut world, None), Rest::Gone);
}

#[test]
fn a_confirmed_deletion_lets_nobody_take_over() {
    let mut world = running();
    confirm(&mut world, ConfirmAction::Deletion, "uid-2");
    world.runtime.metadata.uid = Some("uid-2".into());
    world.runtime.metadata.finalizers = None;
    world.runtime.status = None;
    let Rest::Refused(refusal, _) = run(&mut world, None) else { panic!("it took over") };
    assert_eq!(refusal.reason, "IdentityChanged");
}

#[test]
fn what_never_had_a_volume_is_not_held() {
    let mut world = World::new();
    world.brake = true;
    world.runtime.metadata.finalizers = Some(vec![moorage::api::RUNTIME_FINALIZER.into()]);
    world.delete(DeletionPolicy::Delete);
    assert_eq!(run(&mut world, None), Rest::Gone);
}
