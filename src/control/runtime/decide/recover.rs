//! A host that doesn't answer: it is waited for, and then the newest snapshot is restored elsewhere, if the spec says so.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{Facts, Host, Refusal, Source};
use super::super::moving::Restorable;
use super::super::resolve::Resolved;
use super::super::step::{Look, Step};
use super::replace::{Origin, begun, is_crowded, record, rest};
use super::{Reached, power};
use crate::api::condition::whole_seconds;
use crate::api::name_claim::RuntimeIdentity;
use crate::api::reason;
use crate::api::replacement::ReplacementCause;
use crate::api::runtime::HostLossPolicy;

/// The volume's host answers, or is waited for. Nothing is made, nor even noted, without the policy.
pub(super) fn host(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    resolved: &Resolved,
) -> Reached<()> {
    let machine = facts.known.machine.present();
    // The organisation's list doesn't tell of hosts.
    if identity.unreachable_since.is_some() && machine.is_some_and(|machine| machine.source == Source::List) {
        return Err(Step::Look(Look::Machine));
    }
    let lost = machine.is_some_and(|machine| machine.host == Host::Unreachable);
    let patience = patience(facts).filter(|_| lost && power::awaiting(resolved.power).is_none());
    match (patience, identity.unreachable_since) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(record(RuntimeIdentity { unreachable_since: None, ..identity.clone() })),
        (Some(_), None) => {
            Err(record(RuntimeIdentity { unreachable_since: Some(whole_seconds(now)), ..identity.clone() }))
        }
        (Some(patience), Some(since)) if since.duration_until(now) < patience => Ok(()),
        (Some(_), Some(_)) => restore(now, facts, identity),
    }
}

/// How long a host is waited for, where something is done then.
fn patience(facts: &Facts) -> Option<SignedDuration> {
    let recovery = facts.runtime.spec.recovery.as_ref()?;
    (recovery.on_host_loss == HostLossPolicy::Restore)
        .then(|| SignedDuration::from_mins(recovery.after_minutes.into()))
}

fn restore(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    let slow = facts.cluster.settings.slow_retry;
    let Some(snapshots) = &facts.known.moving.snapshots else { return Err(Step::Look(Look::Snapshots)) };
    let refused = &facts.known.moving.refused_snapshots;
    let ours = |it: &&Restorable| {
        identity.volume_id.as_ref() == Some(&it.volume_id) && !refused.contains(&it.snapshot.id)
    };
    match snapshots.iter().filter(ours).max_by_key(|it| it.snapshot.made) {
        Some(newest) if !is_crowded(identity) => Err(record(begun(
            now,
            identity,
            Origin {
                cause: ReplacementCause::HostLoss,
                source: newest.snapshot.id.clone(),
                snapshot_time: Some(whole_seconds(newest.snapshot.made)),
                task: None,
            },
        ))),
        Some(_) => Ok(()),
        None if !is_fresh(now, facts) => Err(Step::Look(Look::Snapshots)),
        None => Err(rest(
            Refusal::new(
                reason::HOST_UNREACHABLE,
                "Fly can't reach the host that the Machine is on, and there is no snapshot of its volume that it restores. It comes back with the host.",
            ),
            slow,
        )),
    }
}

fn is_fresh(now: Timestamp, facts: &Facts) -> bool {
    facts.known.since_look(Look::Snapshots, now) < facts.cluster.settings.slow_retry
}
