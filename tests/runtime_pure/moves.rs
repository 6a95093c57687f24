//! The part of the small world that is about volumes: their names, sizes and contents, snapshots, full and lost hosts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use moorage::api::PlanSpec;
use moorage::api::name_claim::RuntimeIdentity;
use moorage::api::replacement::ReplacementCause;
use moorage::api::runtime::DeletionPolicy;
use moorage::control::runtime::decide::quiet_since;
use moorage::control::runtime::desired;
use moorage::control::runtime::facts::*;
use moorage::control::runtime::moving::{COPY_PAUSE, Grown, Left, LeftState, Restorable, Sight};
use moorage::control::runtime::step::{Clearing, Effect};
use moorage::control::runtime::survey::knows_volume;
use moorage::control::runtime::trouble::{Failure, Pace};
use moorage::control::runtime::volume_facts::{LONGEST_KEPT, last_since};

use crate::world::{World, plan, second};

/// What a world holds of volumes, beside that they stand.
#[derive(Clone, Debug, Default)]
pub struct Moves {
    pub volumes: BTreeMap<String, Detail>,
    pub shots: Vec<Shot>,
    /// How long Fly takes to fill a copy that is in use already.
    pub slow_copies: SignedDuration,
    /// Copies, and until when they are filled.
    pub copying: BTreeMap<String, Timestamp>,
    /// How long Fly takes for a snapshot.
    pub slow_shots: SignedDuration,
    /// The volume on whose host there is no room.
    pub full: Option<String>,
    /// Fly refuses to copy volumes.
    pub no_copies: bool,
    /// The most memory for which any host has room where a Machine is made.
    pub most_memory: Option<i32>,
    /// No host of the region has room for another volume, for now.
    pub full_region: bool,
    /// Snapshots that Fly won't restore.
    pub spoilt: BTreeSet<String>,
    /// Snapshots come to nothing.
    pub unmade: bool,
    /// A running Machine sees at once that its volume has grown.
    pub online: bool,
    /// The volume whose host doesn't answer.
    pub lost: Option<String>,
    /// Machines on hosts that didn't answer.
    pub left: Vec<MachineFact>,
    /// Displaced volumes that were removed.
    pub cleared: Vec<String>,
    /// CPUs and memory of the Machine.
    pub guest: Option<(u32, u32)>,
    /// How often a Machine of a new incarnation was made.
    pub machines: u32,
}

/// A volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    pub name: String,
    pub size_gb: i32,
    pub content: String,
    /// How many days Fly keeps the snapshots that are made of it.
    pub days: u32,
    /// Whether a Machine ever ran on it.
    pub booted: bool,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Shot {
    pub id: String,
    pub volume: String,
    pub made: Timestamp,
    pub volume_now: Detail,
}

impl World {
    /// The Plans of the small world: the one that everything is made with, and others to change to.
    pub fn plan_named(&self, name: &str) -> Option<PlanSpec> {
        let trial = PlanSpec { memory_mb: self.memory_mb, ..plan(self.order_required) };
        let free = PlanSpec { requires_order: false, ..trial.clone() };
        Some(match name {
            "trial" => trial,
            "pro" => PlanSpec { cpus: 4, memory_mb: 4096, volume_gb: 20, ..free },
            "renamed" => PlanSpec { amount: 900, display_name: Some("Renamed".into()), ..free },
            "narrow" => PlanSpec { volume_gb: 5, ..free },
            "deep" => PlanSpec { volume_gb: 20, ..free },
            "tiny" => PlanSpec { cpus: 1, memory_mb: 512, ..free },
            "sold" => PlanSpec { requires_order: true, ..free },
            _ => return None,
        })
    }

    /// The customer leaves a file on the volume.
    pub fn write(&mut self, text: &str) {
        let mounted = self.machine.as_ref().and_then(|machine| machine.volume.clone());
        let id = mounted.or_else(|| self.identity().volume_id).unwrap();
        self.moves.volumes.get_mut(&id).unwrap().content = text.to_owned();
    }

    /// What is on the volume that the Machine mounts.
    pub fn content(&self) -> &str {
        let id = self.machine.as_ref().and_then(|machine| machine.volume.as_ref()).unwrap();
        &self.moves.volumes[id].content
    }

    /// How many days Fly keeps snapshots of the volume, while that stands.
    pub fn snapshot_days(&self) -> Option<u32> {
        let recorded = self.claim.as_ref()?.runtime.as_ref()?.volume_id.as_ref()?;
        let stands = self.volumes.contains(&(recorded.clone(), VolumePhase::Usable));
        stands.then(|| self.moves.volumes[recorded].days)
    }

    /// A snapshot of the volume, as Fly makes one each day.
    pub fn backup(&mut self) -> String {
        let id = self.identity().volume_id.unwrap();
        self.shoot(&id)
    }

    /// The snapshots of a volume, as Fly lists them.
    fn listed_shots<'w>(&'w self, volume: &'w str) -> impl Iterator<Item = SnapshotFact> + 'w {
        let shots = self.moves.shots.iter().filter(move |shot| shot.volume == volume);
        shots.map(|shot| self.shot_fact(shot)).filter(|shot| shot.expiry() > self.now)
    }

    fn shot_fact(&self, shot: &Shot) -> SnapshotFact {
        let made = shot.made.duration_until(self.now) >= self.moves.slow_shots && !self.moves.unmade;
        SnapshotFact {
            id: shot.id.clone(),
            phase: if made { SnapshotPhase::Created } else { SnapshotPhase::Pending },
            status: if self.moves.unmade { "failed".into() } else { "created".into() },
            made: shot.made,
            days: shot.volume_now.days,
        }
    }

    /// Whether Fly makes a snapshot of the volume right now, and takes no request for another.
    fn is_shooting(&self, volume: &str) -> bool {
        !self.moves.unmade && self.listed_shots(volume).any(|shot| shot.phase == SnapshotPhase::Pending)
    }

    /// What a look finds of the volume as the Machine left it.
    pub fn look_last_snapshot(&self, facts: &mut Facts) {
        let volume = self.identity().volume_id.unwrap_or_default();
        let found = quiet_since(facts).and_then(|since| last_since(self.listed_shots(&volume), since));
        match found {
            Some(snapshot) => facts.known.snapshot = Known::Present(snapshot),
            None => facts.known.snapshot.miss(self.now),
        }
    }

    /// A snapshot that was asked for; what Fly says.
    pub fn order_shot(&mut self, volume: &str, keep: bool) -> SnapshotReply {
        if keep {
            self.moves.volumes.get_mut(volume).unwrap().days = LONGEST_KEPT;
        }
        if self.is_shooting(volume) {
            return SnapshotReply::Busy;
        }
        assert!(self.is_copied(volume), "a snapshot of a copy that Fly still fills");
        self.shoot(volume);
        self.snapshots += 1;
        SnapshotReply::Taken
    }

    /// Whether Fly keeps a snapshot of any volume of the app.
    pub fn has_snapshots(&self) -> bool {
        self.moves.shots.iter().any(|shot| self.is_kept(shot))
    }

    /// Whether Fly keeps the snapshot still.
    pub fn is_kept(&self, shot: &Shot) -> bool {
        self.shot_fact(shot).expiry() > self.now
    }

    /// What was last written may go only once a snapshot has it, kept for as long as Fly can.
    pub fn check_saved(&self, volume: &str) {
        let identity = self.identity();
        let kept = identity.snapshot.expect("a volume removed without a snapshot");
        let shot = self.moves.shots.iter().find(|shot| shot.id == kept.id).unwrap();
        assert_eq!(shot.volume_now.content, self.moves.volumes[volume].content, "its last writes are lost");
        assert_eq!((shot.volume.as_str(), shot.volume_now.days), (volume, LONGEST_KEPT), "{shot:?}");
    }

    pub fn shoot(&mut self, volume: &str) -> String {
        let shot = Shot {
            id: format!("vs_{}", self.moves.shots.len() + 1),
            volume: volume.to_owned(),
            made: self.now,
            volume_now: self.moves.volumes[volume].clone(),
        };
        self.moves.shots.push(shot.clone());
        shot.id
    }

    /// The Machine's host has no room for another size, nor for a start.
    pub fn fill_host(&mut self) {
        self.moves.full = self.identity().volume_id;
    }

    /// The Machine's host doesn't answer any more.
    pub fn lose_host(&mut self) {
        self.moves.lost = self.identity().volume_id;
    }

    /// It answers again.
    pub fn find_host(&mut self) {
        self.moves.lost = None;
    }

    pub fn is_lost(&self, volume: Option<&String>) -> bool {
        volume.is_some() && self.moves.lost.as_ref() == volume
    }

    pub fn volume_fact(&self, id: &str, phase: VolumePhase) -> VolumeFact {
        VolumeFact {
            id: id.to_owned(),
            region: "fra".into(),
            phase,
            attached: None,
            size_gb: self.moves.volumes[id].size_gb,
            filling: if self.is_copied(id) { Filling::Whole } else { Filling::Mountable },
            snapshot_days: Some(self.moves.volumes[id].days),
        }
    }

    /// Whether Fly has brought the copying of a volume to its end.
    pub fn is_copied(&self, id: &str) -> bool {
        self.moves.copying.get(id).is_none_or(|until| *until <= self.now)
    }

    pub fn admit(&mut self, id: &str, name: String, size_gb: i32, content: String) {
        self.moves.volumes.insert(id.to_owned(), Detail { name, size_gb, content, days: 5, booted: false });
        self.volumes.push((id.to_owned(), VolumePhase::Usable));
    }

    pub fn look_new_volume(&self, known: &mut Knowledge) {
        let identity = self.identity();
        let Some(replacement) = &identity.replacement else { return };
        let name = desired::named_volume(&identity, replacement.incarnation);
        let seen = known.moving.fresh.present().is_some() || self.shown("ReplaceVolume");
        let named = |id: &String| self.moves.volumes[id].name == name;
        match self.volumes.iter().find(|(id, phase)| named(id) && *phase == VolumePhase::Usable && seen) {
            Some((id, phase)) => known.moving.fresh = Known::Present(self.volume_fact(id, *phase)),
            None => known.moving.fresh.miss(self.now),
        }
    }

    pub fn look_snapshots(&self, known: &mut Knowledge) {
        let shots = self.moves.shots.iter().map(|shot| (self.shot_fact(shot), &shot.volume));
        let kept = shots.filter(|(shot, _)| shot.expiry() > self.now && shot.phase == SnapshotPhase::Created);
        let all: Vec<Restorable> =
            kept.map(|(snapshot, volume)| Restorable { snapshot, volume_id: volume.clone() }).collect();
        if all.is_empty() {
            known.moving.without_snapshots.miss(self.now);
        } else {
            known.moving.without_snapshots = Known::Present(());
        }
        known.moving.snapshots = Some(all);
    }

    pub fn look_displaced(&self, known: &mut Knowledge) {
        let identity = self.identity();
        let Some(left) = identity.displaced.iter().find(|left| left.machine_id.is_none()) else { return };
        let stands = self.volumes.contains(&(left.volume_id.clone(), VolumePhase::Usable));
        // The claim tells no more than the second.
        let since = left.since + second(1);
        let state = match last_since(self.listed_shots(&left.volume_id), since) {
            _ if !stands => LeftState::Gone,
            None => LeftState::Bare,
            Some(mut shot) => {
                if shot.made.duration_until(self.now) < second(3) {
                    shot.phase = SnapshotPhase::Pending;
                }
                LeftState::Snapshot(shot)
            }
        };
        let asked = known.moving.left_asked.is_some_and(|at| at.duration_until(self.now) < second(30));
        let waits = match &state {
            LeftState::Snapshot(shot) if shot.phase == SnapshotPhase::Pending => true,
            LeftState::Snapshot(shot) => asked && !shot.is_kept_longest(),
            LeftState::Bare => asked,
            LeftState::Gone => false,
        };
        known.moving.left_next = waits.then_some(self.now + second(10));
        known.moving.left = Some(Left { volume_id: left.volume_id.clone(), state });
    }

    /// Whether Fly refuses an effect for good, and what the operator learns of that.
    pub fn refuses(&self, effect: &Effect, facts: &mut Facts) -> bool {
        let Some(identity) = self.claim.as_ref().and_then(|claim| claim.runtime.as_ref()) else {
            return false;
        };
        let full = self.moves.full.is_some() && self.moves.full == identity.volume_id;
        let grows = full && self.grows(facts);
        let mounts = desired::with_volume(facts, identity).volume_id;
        let without = mounts.is_some_and(|id| !self.volumes.contains(&(id, VolumePhase::Usable)));
        let known = &mut facts.known;
        match effect {
            Effect::UpdateMachine(_) if grows => known.moving.no_room += 1,
            Effect::CreateMachine(_) if without => {
                known.volume = Known::Unknown;
                known.machine = Known::Unknown;
            }
            Effect::StartMachine if full => known.moving.no_room += 1,
            Effect::CreateMachine(_)
                if self.moves.most_memory.is_some_and(|most| most < identity.pin.plan.memory_mb) =>
            {
                known.moving.no_room += 1;
                known.machine = Known::Unknown;
            }
            Effect::ReplaceVolume if self.copies_nothing(identity) => {
                known.moving.refused = Some("Fly can't find the volume.".into());
                known.moving.no_copy_until = Some(self.now + COPY_PAUSE);
            }
            Effect::ReplaceVolume if self.restores_spoilt(identity) => {
                let source = identity.replacement.as_ref().unwrap().source.clone();
                known.moving.refused_snapshots.insert(source);
                known.moving.refused = Some("Fly can't find the snapshot.".into());
            }
            Effect::ReplaceVolume if self.moves.no_copies => {
                known.moving.refused = Some("Fly has no room.".into());
                known.moving.no_copy_until = Some(self.now + COPY_PAUSE);
            }
            Effect::Clear(Clearing::Machine(id)) if self.is_on_lost(id) => {
                known.moving.left_next = Some(self.now + second(600));
            }
            _ => return false,
        }
        true
    }

    fn copies_nothing(&self, identity: &RuntimeIdentity) -> bool {
        let Some(replacement) = &identity.replacement else { return false };
        let stands = self.volumes.contains(&(replacement.source.clone(), VolumePhase::Usable));
        replacement.cause == ReplacementCause::Fork && !stands
    }

    fn restores_spoilt(&self, identity: &RuntimeIdentity) -> bool {
        let source = identity.replacement.as_ref().map(|replacement| &replacement.source);
        source.is_some_and(|source| self.moves.spoilt.contains(source))
    }

    /// What Fly says of an effect that may do later.
    pub fn puts_off(&self, effect: &Effect) -> Option<Failure> {
        let full = *effect == Effect::ReplaceVolume && self.moves.full_region;
        full.then(|| Failure {
            class: TroubleClass::Transient,
            reason: "Capacity",
            message: "Fly has no room in the region.".into(),
            retry_after: None,
            pace: Pace::Backoff,
        })
    }

    fn grows(&self, facts: &Facts) -> bool {
        let Some(pin) = facts.pin() else { return false };
        let guest = desired::guest(&pin.plan);
        self.moves
            .guest
            .is_some_and(|(cpus, memory)| guest.cpus > Some(cpus) || guest.memory_mb > Some(memory))
    }

    fn is_on_lost(&self, machine: &str) -> bool {
        let on = self.moves.left.iter().find(|left| left.id == machine);
        on.is_some_and(|left| self.is_lost(left.volume.as_ref()))
    }

    /// The effect takes place.
    pub fn apply_move(&mut self, effect: &Effect) {
        match effect {
            Effect::ReplaceVolume => self.replace_volume(),
            Effect::ExtendVolume { id, size_gb } => {
                let volume = self.moves.volumes.get_mut(id).unwrap();
                assert!(volume.size_gb < *size_gb, "a volume only grows");
                volume.size_gb = *size_gb;
            }
            Effect::Clear(Clearing::Stop(id)) => {
                let left = self.moves.left.iter_mut().find(|left| left.id == *id).unwrap();
                left.phase = MachinePhase::Stopped;
            }
            Effect::Clear(Clearing::Machine(id)) => self.moves.left.retain(|left| left.id != *id),
            Effect::Clear(Clearing::Snapshot(id)) => drop(self.order_shot(id, true)),
            Effect::Clear(Clearing::Volume(id)) => self.clear_volume(id),
            _ => {}
        }
    }

    fn replace_volume(&mut self) {
        let identity = self.identity();
        let replacement = identity.replacement.clone().unwrap();
        let running = self.machine.as_ref().is_some_and(|it| it.phase == MachinePhase::Started);
        let copies = replacement.cause == ReplacementCause::Fork;
        assert!(!running || !copies, "a volume copied while its Machine runs");
        assert!(!copies || self.is_copied(&replacement.source), "a copy of one that Fly still fills");
        let source = if replacement.cause == ReplacementCause::Fork {
            self.moves.volumes[&replacement.source].clone()
        } else {
            let shot = self.moves.shots.iter().find(|shot| shot.id == replacement.source).unwrap();
            shot.volume_now.clone()
        };
        let id = self.id("vol_");
        let name = desired::named_volume(&identity, replacement.incarnation);
        let size = identity.volume_size().max(source.size_gb);
        if copies {
            self.moves.copying.insert(id.clone(), self.now + self.moves.slow_copies);
        }
        self.admit(&id, name, size, source.content);
    }

    fn clear_volume(&mut self, id: &str) {
        let identity = self.identity();
        let left = identity.displaced.iter().find(|left| left.volume_id == id).expect("it isn't displaced");
        let deleted = self.runtime.metadata.deletion_timestamp.is_some();
        let served = left.served_since.is_some_and(|at| at.duration_until(self.now) >= second(3600));
        let content = &self.moves.volumes[id].content;
        let kept = |shot: &Shot| shot.volume_now.days == LONGEST_KEPT && shot.volume_now.content == *content;
        let since = |shot: &Shot| shot.volume == id && shot.made >= left.since && kept(shot);
        let own = identity.volume_id.as_deref().unwrap_or_default();
        let has_all = left.cause == ReplacementCause::Fork && self.is_copied(own);
        let saved = has_all || self.moves.shots.iter().any(since);
        let policy = Some(identity.deletion_policy).filter(|_| deleted);
        let kept = identity.snapshot.as_ref().map(|kept| &kept.volume_id);
        let copied =
            left.cause == ReplacementCause::Fork && kept.is_some() && kept == identity.volume_id.as_ref();
        let may_go = match policy {
            None => served && saved,
            Some(DeletionPolicy::Snapshot) => copied || self.moves.shots.iter().any(since),
            Some(policy) => policy == DeletionPolicy::Delete,
        };
        assert!(may_go, "a displaced volume went too early: {left:?}");
        assert!(self.moves.left.iter().all(|machine| machine.volume.as_deref() != Some(id)));
        for (_, phase) in self.volumes.iter_mut().filter(|(other, _)| other == id) {
            *phase = VolumePhase::Going;
        }
        self.moves.cleared.push(id.to_owned());
    }

    /// What the operator learns of an effect whose reply it got.
    pub fn learn_move(&self, effect: &Effect, before: Option<&RuntimeIdentity>, facts: &mut Facts) {
        match effect {
            Effect::RecordIdentity(identity) => facts.recorded(self.now, before, identity),
            Effect::ReplaceVolume => {
                let (id, phase) = self.volumes.last().unwrap();
                facts.known.moving.fresh = Known::Present(self.volume_fact(id, *phase));
            }
            Effect::ExtendVolume { id, size_gb } => {
                let seen = if self.moves.online { Sight::AtOnce } else { Sight::AtNextStart };
                facts.known.moving.grown = Some(Grown { size_gb: *size_gb, seen });
                facts.known.volume = Known::Present(self.volume_fact(id, VolumePhase::Usable));
            }
            Effect::Clear(Clearing::Stop(id) | Clearing::Machine(id)) => {
                facts.known.moving.cleared_machines.insert(id.clone());
            }
            Effect::Clear(Clearing::Volume(id)) => {
                facts.known.removed_volumes.insert(id.clone());
            }
            Effect::Clear(Clearing::Snapshot(_)) => {
                facts.known.moving.left = None;
                facts.known.moving.left_asked = Some(self.now);
            }
            Effect::UpdateMachine(_) | Effect::StartMachine | Effect::CreateMachine(_) => {
                facts.known.moving.no_room = 0;
            }
            _ => {}
        }
    }

    /// Whether its recorded volume stands, on a host that answers.
    pub fn stands(&self) -> bool {
        let recorded = self.claim.as_ref().and_then(|claim| claim.runtime.as_ref()?.volume_id.clone());
        let stands = recorded.is_some_and(|id| self.volumes.contains(&(id, VolumePhase::Usable)));
        stands && self.moves.lost.is_none()
    }

    /// How many volumes stand that others took the place of.
    pub fn displaced(&self) -> usize {
        let stands =
            |id: &str| self.volumes.iter().any(|(it, phase)| it == id && *phase == VolumePhase::Usable);
        self.identity().displaced.iter().filter(|left| stands(&left.volume_id)).count()
    }

    /// Fly moves the Machine to another host: its volume has another id there.
    pub fn migrate(&mut self) {
        let Some(old) = self.machine.as_ref().and_then(|machine| machine.volume.clone()) else { return };
        let moved = self.id("vol_moved");
        let detail = self.moves.volumes[&old].clone();
        self.moves.volumes.insert(moved.clone(), detail);
        for (id, _) in self.volumes.iter_mut().filter(|(id, _)| *id == old) {
            id.clone_from(&moved);
        }
        self.moves.full = self.moves.full.take().filter(|full| *full != old);
        self.machine.as_mut().unwrap().volume = Some(moved);
    }

    /// Somebody destroys the volume, and the Machine that is on it.
    pub fn lose_volume(&mut self) {
        let mounted = self.machine.as_ref().and_then(|machine| machine.volume.clone());
        let Some(volume) = mounted.or_else(|| self.identity().volume_id) else { return };
        if self.machine.take().is_some() {
            // Another one is no second one.
            self.moves.machines += 1;
        }
        self.volumes.retain(|(id, _)| *id != volume);
    }

    /// Whether this is on a volume, or in a snapshot that Fly keeps.
    pub fn is_kept_somewhere(&self, content: &str) -> bool {
        let stands = |id: &String| self.volumes.contains(&(id.clone(), VolumePhase::Usable));
        let mut volumes = self.moves.volumes.iter().filter(|(id, _)| stands(id));
        let mut shots = self.moves.shots.iter().filter(|shot| self.is_kept(shot));
        volumes.any(|(_, volume)| volume.content == content)
            || shots.any(|shot| shot.volume_now.content == content)
    }

    /// Whether a request was finished.
    pub fn is_answered(&self, task: &str) -> bool {
        self.finished.iter().any(|finish| finish.task == task)
    }

    /// Volumes that stand and that nothing records.
    pub fn unrecorded(&self) -> Vec<String> {
        let Some(identity) = self.claim.as_ref().and_then(|claim| claim.runtime.as_ref()) else {
            return Vec::new();
        };
        let usable = self.volumes.iter().filter(|(_, phase)| *phase == VolumePhase::Usable);
        usable.map(|(id, _)| id).filter(|id| !knows_volume(identity, id)).cloned().collect()
    }

    /// Volumes that may stand: one, those that others took the place of, and one that is being made.
    pub fn allowed_volumes(&self) -> usize {
        let identity = self.claim.as_ref().and_then(|claim| claim.runtime.as_ref());
        identity.map_or(1, |it| {
            1 + it.displaced.len() + it.spare_volume_ids.len() + usize::from(it.replacement.is_some())
        })
    }
}
