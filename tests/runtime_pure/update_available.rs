//! A Blueprint's edit and a moved tag are shown, and change nothing.

use crate::world::{World, run, second};
use moorage::api::Condition;
use moorage::api::blueprint::{EnvRule, EnvType};
use moorage::api::condition::{ConditionType, find, is_true};
use moorage::control::rollout::images::SeenImage;
use moorage::control::runtime::step::Rest;

fn running() -> World {
    let mut world = World::new();
    assert_eq!(run(&mut world, None), Rest::Running);
    world.ledger.clear();
    world.now += second(60);
    world
}

/// What the status says of an update, once it rests; nothing may have been done for it.
fn shown(world: &mut World) -> Option<Condition> {
    assert_eq!(run(world, None), Rest::Running);
    assert_eq!(world.ledger, [""; 0]);
    let conditions = &world.runtime.status.as_ref().unwrap().conditions;
    assert!(is_true(conditions, ConditionType::Ready) && is_true(conditions, ConditionType::ConfigApplied));
    find(conditions, ConditionType::UpdateAvailable).cloned()
}

#[test]
fn an_edited_blueprint_is_shown_and_changes_nothing() {
    let mut world = running();
    assert_eq!(shown(&mut world), None);
    world.edit_blueprint(|spec| spec.image = "ghcr.io/openclaw/openclaw:2026.10.1".into());
    let condition = shown(&mut world).unwrap();
    assert_eq!(condition.reason, "BlueprintChanged");
    for part in ["generation 2 with", "generation 1 with", "openclaw:2026.9.6", "openclaw:2026.10.1"] {
        assert!(condition.message.contains(part), "{part}: {}", condition.message);
    }
    let before = world.runtime.status.clone();
    world.now += second(600);
    shown(&mut world);
    assert_eq!(world.runtime.status, before, "written twice");
}

#[test]
fn it_is_gone_when_the_edit_is_taken_back() {
    let mut world = running();
    world.edit_blueprint(|spec| spec.command.push("--verbose".into()));
    assert!(shown(&mut world).is_some());
    world.edit_blueprint(|spec| drop(spec.command.pop()));
    assert_eq!(shown(&mut world), None);
}

#[test]
fn an_edit_of_what_is_not_pinned_shows_nothing() {
    let mut world = running();
    world.edit_blueprint(|spec| {
        spec.env_schema.push(EnvRule {
            name: "KEY".into(),
            type_: EnvType::Secret,
            on_change: moorage::api::blueprint::OnChange::Restart,
            awake: moorage::api::blueprint::Awake::NotRequired,
            description: None,
        })
    });
    assert_eq!(shown(&mut world), None);
}

#[test]
fn a_moved_tag_is_shown_once_it_is_seen() {
    let mut world = running();
    let seen = |world: &World, digest: &str| SeenImage { seen: world.now, digest: digest.into() };
    world.newest_image = Some(seen(&world, "sha256:abc"));
    assert_eq!(shown(&mut world), None);
    world.newest_image = Some(seen(&world, "sha256:def0123456789abc"));
    let condition = shown(&mut world).unwrap();
    assert_eq!(condition.reason, "ImageMoved");
    assert!(condition.message.contains("stands for sha256:def012345678 now"), "{}", condition.message);
}

#[test]
fn an_older_digest_than_the_pinned_one_is_no_update() {
    let mut world = running();
    world.newest_image = Some(SeenImage { seen: world.now - second(3600), digest: "sha256:def".into() });
    assert_eq!(shown(&mut world), None);
}
