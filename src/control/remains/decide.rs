//! What becomes of what is left at Fly under a name that was given up: an empty app is removed, and one that is gone is
//! forgotten, so that the name can be freed. Pure.
//!
//! Nothing is removed but an app in which no Machine, no volume and no snapshot is, and which was seen so twice.

use jiff::{SignedDuration, Timestamp};

use crate::api::NameClaimSpec;
use crate::api::name_claim::{ClaimType, RuntimeIdentity};
use crate::control::runtime::facts::{Absence, AbsenceKind, Proof};

/// Time after which a snapshot whose days are over is looked for.
const EXPIRED: SignedDuration = SignedDuration::from_hours(24);
/// Pause before another look where something still stood.
const PAUSE: SignedDuration = SignedDuration::from_hours(24);

/// What a look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// A Machine, a volume or a snapshot is left.
    Something,
    /// The app is there and nothing is in it.
    Empty,
    /// There is no such app of ours.
    Gone,
}

/// What is known of one name's remains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Something was left then.
    Standing(Timestamp),
    /// What was missed: everything in the app, or the app itself.
    Missing(Sight, Absence),
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Look at Fly.
    Look,
    /// Remove the empty app.
    RemoveApp,
    /// Write to the claim that nothing is left.
    Forget,
    /// Nothing yet.
    Wait,
}

impl Known {
    /// What is known after a look.
    pub fn after(before: Option<Self>, now: Timestamp, sight: Sight) -> Self {
        match (sight, before) {
            (Sight::Something, _) => Self::Standing(now),
            (_, Some(Self::Missing(same, absence))) if same == sight => {
                Self::Missing(sight, Absence { last: now, ..absence })
            }
            _ => Self::Missing(sight, Absence::at(now, AbsenceKind::NotFound)),
        }
    }
}

/// What is left under the name, if its time may be over.
pub fn due(now: Timestamp, claim: &NameClaimSpec, kept: SignedDuration) -> Option<&RuntimeIdentity> {
    let released = claim.tombstone.as_ref()?.release_time;
    let left = claim.runtime.as_ref().filter(|_| claim.type_ == ClaimType::Slug)?;
    let expiry = left.snapshot.as_ref().map_or(released, |snapshot| snapshot.expiry_time);
    let over = released.saturating_add(kept).ok()?.max(expiry.saturating_add(EXPIRED).ok()?);
    (over <= now).then_some(left)
}

/// What to do about remains that are due.
pub fn next(now: Timestamp, known: Option<&Known>, grace: SignedDuration) -> Next {
    match known {
        None => Next::Look,
        Some(Known::Standing(seen)) if seen.duration_until(now) >= PAUSE => Next::Look,
        Some(Known::Standing(_)) => Next::Wait,
        Some(Known::Missing(sight, absence)) => match absence.proof(now, grace) {
            Proof::Proved if *sight == Sight::Empty => Next::RemoveApp,
            Proof::Proved => Next::Forget,
            Proof::LookAgain => Next::Look,
            Proof::Wait(_) => Next::Wait,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::name_claim::{Holder, Pin, PinnedPlan, SnapshotRecord, Tombstone};
    use crate::api::plan::CpuKind;
    use crate::api::runtime::DeletionPolicy;

    const DAY: i64 = 86_400;
    const GRACE: SignedDuration = SignedDuration::from_secs(30);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn identity(expiry: Option<i64>) -> RuntimeIdentity {
        let blueprint = serde_json::json!({"image": "i", "command": ["x"], "port": 1, "mountPath": "/d",
            "minimumMemoryMB": 256, "stop": {"signal": "SIGTERM", "timeoutSeconds": 1},
            "healthCheck": {"path": "/", "intervalSeconds": 2, "timeoutSeconds": 1, "gracePeriodSeconds": 1},
            "gateway": {"adapter": "OpenClaw"}});
        let plan =
            PinnedPlan { name: "p".into(), cpu_kind: CpuKind::Shared, cpus: 1, memory_mb: 256, volume_gb: 1 };
        let pin = Pin {
            plan,
            blueprint: "b".into(),
            blueprint_generation: 1,
            spec: serde_json::from_value(blueprint).unwrap(),
            image_digest: None,
            image_seen_time: None,
        };
        let snapshot = expiry.map(|second| SnapshotRecord {
            id: "vs_1".into(),
            volume_id: "vol_1".into(),
            expiry_time: at(second),
        });
        RuntimeIdentity {
            snapshot,
            ..RuntimeIdentity::new("id12".into(), "app".into(), DeletionPolicy::Snapshot, pin)
        }
    }

    fn claim(released: Option<i64>, left: Option<RuntimeIdentity>) -> NameClaimSpec {
        let tombstone = released.map(|second| Tombstone { release_time: at(second), message: String::new() });
        let holder = Holder { namespace: "acme".into(), name: "ops".into(), uid: "uid".into() };
        let plain = NameClaimSpec::new(ClaimType::Slug, "acme".to_owned(), holder);
        NameClaimSpec { runtime: left, tombstone, ..plain }
    }

    #[test]
    fn nothing_is_looked_at_before_the_snapshot_has_expired_a_day_ago() {
        let kept = SignedDuration::from_secs(600);
        let is_due = |now, claim: &NameClaimSpec| due(at(now), claim, kept).is_some();
        let snapshot = claim(Some(0), Some(identity(Some(60 * DAY))));
        assert!(!is_due(61 * DAY - 1, &snapshot));
        assert!(is_due(61 * DAY, &snapshot));
        let retained = claim(Some(0), Some(identity(None)));
        assert!(!is_due(DAY - 1, &retained) && is_due(DAY, &retained));
        assert!(!is_due(100 * DAY, &claim(None, Some(identity(Some(0))))), "the name is held");
        assert!(!is_due(100 * DAY, &claim(Some(0), None)), "nothing is left");
    }

    /// What is done in turn, when looks see these one after the other.
    fn course(sights: &[(i64, Sight)], until: i64) -> Vec<(i64, Next)> {
        let (mut known, mut done) = (None, Vec::new());
        for now in (0..until).step_by(10) {
            match next(at(now), known.as_ref(), GRACE) {
                Next::Wait => {}
                Next::Look => {
                    let seen = sights.iter().rev().find(|(from, _)| *from <= now).unwrap().1;
                    known = Some(Known::after(known, at(now), seen));
                }
                step => {
                    done.push((now, step));
                    known = None;
                }
            }
            if matches!(done.last(), Some((_, Next::Forget))) {
                break;
            }
        }
        done
    }

    #[test]
    fn an_app_that_is_seen_empty_twice_goes_and_its_claim_once_it_is_seen_gone_twice() {
        use Sight::{Empty, Gone, Something};
        assert_eq!(course(&[(0, Empty), (21, Gone)], 600), [(70, Next::Forget)], "it went by itself");
        let removed = course(&[(0, Empty), (60, Gone)], 600);
        assert_eq!(removed, [(40, Next::RemoveApp), (120, Next::Forget)]);
        assert_eq!(course(&[(0, Something)], 3 * DAY), [], "never while a volume stands");
        let emptied = course(&[(0, Empty), (20, Something), (DAY, Empty), (DAY + 75, Gone)], 2 * DAY);
        assert_eq!(emptied.len(), 2, "{emptied:?}");
        assert!(emptied[0].0 > DAY);
    }

    #[test]
    fn one_look_proves_nothing() {
        let once = Known::after(None, at(0), Sight::Gone);
        assert_eq!(next(at(29), Some(&once), GRACE), Next::Wait);
        assert_eq!(next(at(1000), Some(&once), GRACE), Next::Look);
        // An app that is there again was never gone.
        let again = Known::after(Some(once), at(1000), Sight::Empty);
        assert_eq!(next(at(1000), Some(&again), GRACE), Next::Wait);
    }
}
