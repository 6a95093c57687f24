//! What has to hold of the world at any time, and what tells two worlds apart.

use super::*;

impl World {
    /// What stands outside, as a summary that two histories can be compared by.
    pub fn summary(&self) -> String {
        let volumes = self.volumes.iter().filter(|(_, phase)| *phase == VolumePhase::Usable).count();
        let kept = self.snapshot_days();
        let machine = self.machine.as_ref().map(|machine| {
            (
                machine.phase,
                machine.config_hash.clone(),
                machine.services,
                machine.idling,
                machine.env_mark.clone(),
                machine.drift.clone(),
                machine.owner.clone(),
            )
        });
        let claim = self.claim.as_ref().map(|claim| {
            (
                claim.tombstone.is_some(),
                claim
                    .runtime
                    .as_ref()
                    .map(|it| (it.machine_id.is_some(), it.volume_id.is_some(), it.snapshot.is_some())),
            )
        });
        let ended: Vec<_> =
            self.finished.iter().map(|finish| (&finish.task, finish.state, finish.reason)).collect();
        let names = (&self.records, &self.certificates, &self.around);
        format!(
            "app {} v6 {} v4 {} volumes {volumes} kept {kept:?} machine {machine:?} claim {claim:?} names {names:?} gone {} snapshots {} taken {} ended {ended:?}",
            self.app,
            self.v6,
            self.v4,
            self.gone,
            self.snapshots.min(1),
            self.taken.len(),
        )
    }

    /// Volumes that nobody removed.
    pub fn usable_volumes(&self) -> usize {
        self.volumes.iter().filter(|(_, phase)| *phase == VolumePhase::Usable).count()
    }

    /// What may never be, whatever happens.
    pub fn violations(&self) -> Vec<&'static str> {
        let usable = self.volumes.iter().filter(|(_, phase)| *phase == VolumePhase::Usable).count();
        let machines = self.ledger.iter().filter(|effect| **effect == "CreateMachine").count();
        let answered: std::collections::BTreeSet<_> =
            self.finished.iter().map(|finish| &finish.uid).collect();
        let removed = usable + self.moves.cleared.len() < self.volumes.len()
            && self.runtime.metadata.deletion_timestamp.is_none();
        let all = [
            (answered.len() < self.finished.len(), "a request answered twice"),
            (usable > self.allowed_volumes(), "two volumes"),
            (self.v6 > 1 || self.v4 > 1, "an address twice"),
            (machines > 1 + self.moves.machines as usize, "two Machines"),
            (removed, "a volume removed without intent"),
            (self.gone && !self.records.is_empty(), "a name that leads to nobody's Runtime"),
            (!self.app && !self.records.is_empty(), "a name that leads to nowhere"),
        ];
        all.into_iter().filter(|(is_so, _)| *is_so).map(|(_, what)| what).collect()
    }

    pub fn check(&self) {
        assert_eq!(self.violations(), [""; 0], "{:?}", self.ledger);
    }

    /// What tells two worlds apart, the time left aside.
    pub fn key(&self) -> String {
        let status = self
            .runtime
            .status
            .as_ref()
            .map(|status| (status.state, status.external.clone(), status.operation.clone()));
        let claim = self.claim.as_ref().map(|claim| {
            (
                claim.holder.uid.clone(),
                claim.runtime.clone(),
                claim.deletion_phase(),
                claim.tombstone.is_some(),
            )
        });
        let machine = self.machine.as_ref().map(|machine| {
            (machine.phase, machine.config_hash.clone(), machine.services, machine.idling, machine.boot)
        });
        let metadata = &self.runtime.metadata;
        let object =
            (&self.runtime.spec, &metadata.finalizers, metadata.deletion_timestamp.is_some(), status);
        let fly = (self.app, self.v6, self.v4, &self.volumes, machine, self.snapshots, &self.moves);
        let around = (self.blueprint.0, &self.base, &self.records, &self.certificates);
        let around = (around, self.policy.suspension, self.permit);
        let asked = (self.requests.len(), self.finished.len(), &self.image, &self.app_secrets);
        format!("{:?}", (object, claim, &self.token, fly, self.gone, around, asked))
    }
}

/// What tells two states of knowledge apart: not when things were seen, but how long ago, in seconds.
pub fn knowledge_key(known: &Knowledge, now: Timestamp) -> String {
    let ago = |at: Option<Timestamp>| at.map(|at| at.duration_until(now).as_secs().min(60));
    fn shape<T: std::fmt::Debug>(known: &Known<T>, now: Timestamp) -> String {
        match known {
            Known::Unknown => "?".into(),
            Known::Missing(absence) => {
                format!("{:?} {}", absence.kind, absence.first.duration_until(now).as_secs().min(60))
            }
            Known::Present(value) => format!("{value:?}"),
        }
    }
    let machine = known
        .machine
        .present()
        .map(|machine| (machine.phase, machine.config_hash.clone(), machine.services, machine.source));
    format!(
        "{:?}",
        (
            [shape(&known.app, now), shape(&known.v6, now), shape(&known.v4, now), shape(&known.volume, now)],
            (machine, matches!(known.machine, Known::Unknown), shape(&known.snapshot, now).len()),
            (
                matches!(known.token, Token::Known(_)),
                matches!(known.env, EnvFact::Known(_)),
                &known.secrets,
                known.probe.is_some()
            ),
            &known.pursuit,
            [
                ago(known.stop_asked),
                ago(known.destroy_asked),
                ago(known.snapshot_asked.map(|asked| asked.at)),
                ago(known.app_delete_asked)
            ],
            (
                &known.removed_volumes,
                known.moving.number,
                shape(&known.moving.fresh, now),
                &known.moving.cleared_machines,
                &known.moving.refused,
            ),
            (
                (&known.hostname.standing, &known.hostname.served),
                &known.hostname.unrecorded,
                &known.hostname.detached,
                known.started.as_ref().map(|started| started.count),
                known.trouble.as_ref().map(|trouble| trouble.attempts),
            ),
        )
    )
}
