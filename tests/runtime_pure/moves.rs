//! The part of the small world that is about volumes: their names, sizes and contents, snapshots, full and lost hosts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use moorage::api::PlanSpec;
use moorage::api::name_claim::RuntimeIdentity;
use moorage::api::replacement::ReplacementCause;
use moorage::control::runtime::desired;
use moorage::control::runtime::facts::*;
use moorage::control::runtime::moving::{COPY_PAUSE, Grown, Left, LeftState, Restorable, Sight};
use moorage::control::runtime::step::{Clearing, Effect};

use crate::world::{World, plan, second};

/// What a world holds of volumes, beside that they stand.
#[derive(Clone, Debug, Default)]
pub struct Moves {
    pub volumes: BTreeMap<String, Detail>,
    pub shots: Vec<Shot>,
    /// The volume on whose host there is no room.
    pub full: Option<String>,
    /// Fly refuses to copy volumes.
    pub no_copies: bool,
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

    /// A snapshot of the volume, as Fly makes one each day.
    pub fn backup(&mut self) -> String {
        let id = self.identity().volume_id.unwrap();
        self.shoot(&id)
    }

    /// The last snapshot made since the deletion, or the upgrade, was begun.
    pub fn last_shot(&self) -> Option<String> {
        let identity = self.identity();
        let deleted = self.runtime.metadata.deletion_timestamp.as_ref().map(|time| time.0);
        let since = deleted.or_else(|| identity.upgrade.map(|upgrade| upgrade.begin_time))?;
        let shots = self.moves.shots.iter().rev();
        shots.filter(|shot| shot.made >= since).map(|shot| shot.id.clone()).next()
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
            filling: Filling::Mountable,
        }
    }

    pub fn admit(&mut self, id: &str, name: String, size_gb: i32, content: String) {
        self.moves.volumes.insert(id.to_owned(), Detail { name, size_gb, content });
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

    /// The snapshot that was made since the upgrade began, as a look finds it.
    pub fn look_upgrade_snapshot(&self, known: &mut Knowledge) {
        let begun = self.identity().upgrade.unwrap().begin_time;
        match self.moves.shots.iter().rfind(|shot| shot.made >= begun) {
            None => known.snapshot.miss(self.now),
            Some(shot) => {
                known.snapshot = Known::Present(SnapshotFact {
                    id: shot.id.clone(),
                    phase: SnapshotPhase::Created,
                    status: "created".into(),
                    made: shot.made,
                    expiry: self.now + second(5 * 86_400),
                });
            }
        }
    }

    pub fn look_snapshots(&self, known: &mut Knowledge) {
        let all = self.moves.shots.iter().map(|shot| Restorable {
            id: shot.id.clone(),
            volume_id: shot.volume.clone(),
            made: Some(shot.made),
        });
        known.moving.snapshots = Some(all.collect());
    }

    pub fn look_displaced(&self, known: &mut Knowledge) {
        let identity = self.identity();
        let Some(left) = identity.displaced.iter().find(|left| left.machine_id.is_none()) else { return };
        let stands = self.volumes.contains(&(left.volume_id.clone(), VolumePhase::Usable));
        let since = |shot: &&Shot| shot.volume == left.volume_id && shot.made >= left.since;
        let state = match self.moves.shots.iter().find(since) {
            _ if !stands => LeftState::Gone,
            None => LeftState::Bare,
            Some(shot) if shot.made.duration_until(self.now) < second(3) => {
                known.moving.left_next = Some(self.now + second(10));
                LeftState::Snapshot(SnapshotPhase::Pending)
            }
            Some(_) => LeftState::Snapshot(SnapshotPhase::Created),
        };
        known.moving.left = Some(Left { volume_id: left.volume_id.clone(), state });
    }

    /// Whether Fly refuses an effect for good, and what the operator learns of that.
    pub fn refuses(&self, effect: &Effect, facts: &mut Facts) -> bool {
        let Some(identity) = self.claim.as_ref().and_then(|claim| claim.runtime.as_ref()) else {
            return false;
        };
        let full = self.moves.full.is_some() && self.moves.full == identity.volume_id;
        let grows = full && self.grows(facts);
        let known = &mut facts.known;
        match effect {
            Effect::UpdateMachine(_) if grows => known.moving.no_room += 1,
            Effect::StartMachine if full => known.moving.no_room += 1,
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
            Effect::Clear(Clearing::Snapshot(id)) => drop(self.shoot(id)),
            Effect::Clear(Clearing::Volume(id)) => self.clear_volume(id),
            _ => {}
        }
    }

    fn replace_volume(&mut self) {
        let identity = self.identity();
        let replacement = identity.replacement.clone().unwrap();
        let running = self.machine.as_ref().is_some_and(|it| it.phase == MachinePhase::Started);
        assert!(!running || self.moves.lost.is_some(), "a volume made while its Machine runs");
        let source = if replacement.cause == ReplacementCause::Fork {
            self.moves.volumes[&replacement.source].clone()
        } else {
            let shot = self.moves.shots.iter().find(|shot| shot.id == replacement.source).unwrap();
            shot.volume_now.clone()
        };
        let id = self.id("vol_");
        let name = desired::named_volume(&identity, replacement.incarnation);
        let size = identity.volume_size().max(source.size_gb);
        self.admit(&id, name, size, source.content);
    }

    fn clear_volume(&mut self, id: &str) {
        let identity = self.identity();
        let left = identity.displaced.iter().find(|left| left.volume_id == id).expect("it isn't displaced");
        let deleted = self.runtime.metadata.deletion_timestamp.is_some();
        let served = left.served_since.is_some_and(|at| at.duration_until(self.now) >= second(3600));
        let since = |shot: &Shot| shot.volume == id && shot.made >= left.since;
        let saved = left.cause == ReplacementCause::Fork || self.moves.shots.iter().any(since);
        assert!(deleted || (served && saved), "a displaced volume went too early: {left:?}");
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
            Effect::Clear(Clearing::Snapshot(_)) => facts.known.moving.left = None,
            Effect::UpdateMachine(_) | Effect::StartMachine | Effect::CreateMachine(_) => {
                facts.known.moving.no_room = 0;
            }
            _ => {}
        }
    }

    /// Volumes that may stand: one, those that others took the place of, and one that is being made.
    pub fn allowed_volumes(&self) -> usize {
        let identity = self.claim.as_ref().and_then(|claim| claim.runtime.as_ref());
        identity.map_or(1, |it| {
            1 + it.displaced.len() + it.spare_volume_ids.len() + usize::from(it.replacement.is_some())
        })
    }
}
