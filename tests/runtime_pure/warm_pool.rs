//! What is made and what goes, so that a pool is as its Plan wants it.

use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use moorage::api::name_claim::{ClaimType, Holder, RuntimeIdentity};
use moorage::api::runtime::DeletionPolicy;
use moorage::api::warm::{WarmApp, WarmPhase, WarmPool};
use moorage::api::{BlueprintSpec, NameClaim, NameClaimSpec, NameRef, Plan};
use moorage::control::rollout::images::SeenImage;
use moorage::control::warm::plan::{Entry, Readiness, Wanted, next, wanted};
use moorage::engine::config::DefaultLimits;

use crate::world::{World, plan};

fn blueprint() -> BlueprintSpec {
    World::new().blueprint.1
}

fn pooled(size: i32, regions: &[&str]) -> Arc<Plan> {
    let mut spec = plan(false);
    spec.warm_pool = Some(WarmPool {
        size,
        blueprint_ref: Some(NameRef::new("openclaw")),
        regions: regions.iter().map(|region| (*region).to_owned()).collect(),
    });
    Arc::new(Plan::new("trial", spec))
}

fn wants(plans: &[Arc<Plan>], blueprint: &BlueprintSpec, newest: Option<SeenImage>) -> Vec<Wanted> {
    let known = |name: &str| (name == "openclaw").then(|| (1, blueprint.clone()));
    wanted(plans, known, |_| newest.clone(), &DefaultLimits::default())
}

/// A warm app as it is made for what is wanted.
fn made(want: &Wanted, name: &str, phase: WarmPhase) -> NameClaim {
    let holder = Holder { namespace: "moorage".into(), name: "trial".into(), uid: name.into() };
    let identity =
        RuntimeIdentity::new(name.into(), format!("trial-{name}"), DeletionPolicy::Delete, want.pin.clone());
    let spec = NameClaimSpec {
        warm: Some(WarmApp { region: want.region.clone(), phase, given_to: None }),
        runtime: Some(identity),
        ..NameClaimSpec::new(ClaimType::Warm, name, holder)
    };
    NameClaim::new(&NameClaim::warm_key(name), spec)
}

fn entry<'c>(claim: &'c NameClaim, name: &'c str, readiness: Readiness) -> Entry<'c> {
    Entry { name, spec: &claim.spec, readiness, made: Timestamp::UNIX_EPOCH }
}

/// How many are made, and the names of those that go.
fn told(wanted: &[Wanted], claims: &[(NameClaim, Readiness)]) -> (usize, Vec<String>) {
    let names: Vec<String> = claims.iter().map(|(claim, _)| claim.name_any()).collect();
    let entries: Vec<Entry<'_>> =
        claims.iter().zip(&names).map(|((claim, readiness), name)| entry(claim, name, *readiness)).collect();
    let todo = next(wanted, &entries);
    (todo.make.len(), todo.drop)
}

fn all(want: &Wanted, count: usize, readiness: Readiness) -> Vec<(NameClaim, Readiness)> {
    (0..count).map(|n| (made(want, &format!("a{n}"), WarmPhase::Kept), readiness)).collect()
}

#[test]
fn without_a_pool_nothing_is_wanted() {
    assert!(wants(&[Arc::new(Plan::new("trial", plan(false)))], &blueprint(), None).is_empty());
}

#[test]
fn what_is_missing_is_made_a_few_at_a_time() {
    for size in 0..8_usize {
        let wanted = wants(&[pooled(size as i32, &["fra"])], &blueprint(), None);
        for standing in 0..=size {
            for readiness in [Readiness::Ready, Readiness::Preparing] {
                let (make, drop) = told(&wanted, &all(&wanted[0], standing, readiness));
                let preparing = if readiness == Readiness::Preparing { standing } else { 0 };
                assert_eq!(make, (size - standing).min(4_usize.saturating_sub(preparing)));
                assert!(drop.is_empty());
            }
        }
    }
}

#[test]
fn what_is_too_much_goes_and_what_serves_stays() {
    let wanted = wants(&[pooled(1, &["fra"])], &blueprint(), None);
    let mut claims = all(&wanted[0], 3, Readiness::Preparing);
    claims[2].1 = Readiness::Ready;
    assert_eq!(told(&wanted, &claims), (0, vec!["warm.a0".into(), "warm.a1".into()]));
    let none = wants(&[pooled(0, &["fra"])], &blueprint(), None);
    assert_eq!(told(&none, &claims).1.len(), 3);
    assert_eq!(told(&[], &claims).1.len(), 3);
}

#[test]
fn each_region_has_its_own() {
    let wanted = wants(&[pooled(2, &["fra", "ams"])], &blueprint(), None);
    assert_eq!(told(&wanted, &all(&wanted[0], 2, Readiness::Ready)), (2, Vec::new()));
    assert_eq!(told(&wanted, &all(&wanted[1], 3, Readiness::Ready)).1.len(), 1);
}

#[test]
fn what_is_out_of_date_is_replaced() {
    let before = wants(&[pooled(2, &["fra"])], &blueprint(), None);
    let claims = all(&before[0], 2, Readiness::Ready);
    let edited = wants(&[pooled(2, &["fra"])], &BlueprintSpec { port: 4000, ..blueprint() }, None);
    assert_eq!(told(&edited, &claims), (2, vec!["warm.a0".into(), "warm.a1".into()]));
    let rolled = BlueprintSpec { rollout: Some(Default::default()), ..blueprint() };
    assert_eq!(told(&wants(&[pooled(2, &["fra"])], &rolled, None), &claims), (0, Vec::new()));
}

#[test]
fn a_tag_that_has_moved_makes_what_ran_it_out_of_date() {
    let seen = |digest: &str| Some(SeenImage { seen: Timestamp::UNIX_EPOCH, digest: digest.into() });
    let old = wants(&[pooled(1, &["fra"])], &blueprint(), seen("sha256:old"));
    let mut claims = all(&old[0], 1, Readiness::Ready);
    claims[0].0.spec.runtime.as_mut().unwrap().pin.image_digest = Some("sha256:old".into());
    assert_eq!(told(&old, &claims), (0, Vec::new()));
    let new = wants(&[pooled(1, &["fra"])], &blueprint(), seen("sha256:new"));
    assert_eq!(told(&new, &claims), (1, vec!["warm.a0".into()]));
}

#[test]
fn what_was_given_or_dropped_counts_no_more_and_is_left_alone() {
    let wanted = wants(&[pooled(1, &["fra"])], &blueprint(), None);
    for phase in [WarmPhase::Given, WarmPhase::Dropped] {
        let claims = [(made(&wanted[0], "a0", phase), Readiness::Ready)];
        assert_eq!(told(&wanted, &claims), (1, Vec::new()), "{phase:?}");
        assert_eq!(told(&[], &claims), (0, Vec::new()), "{phase:?}");
    }
}

#[test]
fn a_pool_from_which_no_runtime_could_be_made_is_empty() {
    let large = BlueprintSpec { minimum_memory_mb: 4096, ..blueprint() };
    assert!(wants(&[pooled(1, &["fra"])], &large, None).is_empty());
    let known = |_: &str| None;
    assert!(wanted(&[pooled(1, &["fra"])], known, |_| None, &DefaultLimits::default()).is_empty());
}
