//! What effects do to the world, and what is known once they have.

use super::*;

impl World {
    /// The effect takes place. What the operator learns of it is up to the caller.
    pub fn apply(&mut self, effect: &Effect, facts: &Facts) {
        self.ledger.push(effect_name(effect));
        self.made.insert(effect_name(effect), self.now);
        let uid = self.runtime.metadata.uid.clone().unwrap();
        match effect {
            Effect::AddFinalizer => self.runtime.metadata.finalizers = Some(vec![RUNTIME_FINALIZER.into()]),
            Effect::RemoveFinalizer => {
                self.runtime.metadata.finalizers = None;
                self.gone = true;
            }
            Effect::TakeWarm(name) => self.shelf.take(name, &uid),
            Effect::ClaimSlug(new) => {
                assert!(self.claim.is_none());
                self.shelf.claimed(&new.identity, &uid);
                self.claim = Some(NameClaimSpec {
                    runtime: Some(new.identity.clone()),
                    ..NameClaimSpec::new(
                        ClaimType::Slug,
                        new.slug.clone(),
                        Holder { namespace: "acme".into(), name: "ops".into(), uid },
                    )
                });
            }
            Effect::TakeOverClaim(new) => {
                let claim = self.claim.as_mut().unwrap();
                claim.holder.uid = uid;
                claim.runtime = Some(new.identity.clone());
                claim.tombstone = None;
                claim.confirm = None;
            }
            Effect::RecordIdentity(identity) | Effect::BeginUpgrade(identity) => {
                if identity.incarnation > self.identity().incarnation {
                    self.moves.machines += 1;
                    self.moves.left.extend(self.machine.take());
                }
                self.claim.as_mut().unwrap().runtime = Some((**identity).clone())
            }
            Effect::BeginDeletion => {
                let claim = self.claim.as_mut().unwrap();
                let phase = match (claim.deletion_confirmed(), self.brake) {
                    (true, _) => DeletionPhase::Confirmed,
                    (false, true) => DeletionPhase::Held,
                    (false, false) => DeletionPhase::Begun,
                };
                claim.deletion = Some(Deletion { uid, time: self.now, phase });
            }
            Effect::ReleaseClaim(release) => {
                let claim = self.claim.as_mut().unwrap();
                claim.tombstone = Some(release.tombstone.clone());
                claim.runtime.clone_from(&release.left);
            }
            Effect::RecordIntent => {
                let external = External { app: self.identity().app, ..External::default() };
                self.runtime.status =
                    Some(RuntimeStatus { external: Some(external), ..RuntimeStatus::default() });
            }
            Effect::EnsureToken => {
                let given = self.shelf.token(facts);
                self.token.get_or_insert_with(|| given.unwrap_or(self.next_token).into());
            }
            Effect::CreateApp => self.app = true,
            Effect::AllocateAddress(Family::V6) => self.v6 += 1,
            Effect::AllocateAddress(Family::V4) => self.v4 += 1,
            Effect::ReleaseAddress(ip) if ip.contains(':') => self.v6 -= 1,
            Effect::ReleaseAddress(_) => self.v4 -= 1,
            Effect::SetRecords(record) => {
                assert!(self.app, "a name that leads to no app");
                self.records.insert(record.name.clone(), record.addresses.clone());
            }
            Effect::RemoveRecords(name) => drop(self.records.remove(name)),
            Effect::ImportCertificate(record) => {
                self.certificates.insert(record.name.clone(), record.certificate.clone().unwrap());
            }
            Effect::DetachHostname(name) => drop(self.certificates.remove(name)),
            Effect::SetSecrets => {
                self.app_secrets = desired::secrets_hash(facts);
                self.around.secrets = Standing::AsMade;
                self.around.tampered = false;
                self.secrets_set = (self.secrets_set.0 + 1, Some(self.now));
            }
            Effect::MarkConfig => {
                let mark = config_mark::mark(facts, &resolve(facts).unwrap());
                self.machine.as_mut().unwrap().config_hash = Some(mark);
            }
            Effect::MarkSecrets => {
                assert_eq!(self.app_secrets, desired::secrets_hash(facts), "marked before it was set");
                let machine = self.machine.as_mut().unwrap();
                machine.secrets_hash = desired::secrets_hash(facts);
                machine.digests = None;
            }
            Effect::MarkDigests => {
                let Some(Digests::Unmarked(shown)) =
                    facts.known.survey.found().map(|found| found.digests.clone())
                else {
                    panic!("nothing to mark")
                };
                self.machine.as_mut().unwrap().digests = Some(shown.into());
            }
            Effect::MarkSpelling => {
                let drift = self.machine.as_mut().unwrap().drift.as_mut().unwrap();
                drift.spelled.append(&mut drift.changed);
            }
            Effect::MarkOwner => {
                let owner = warm::owner(facts, &self.identity());
                self.machine.as_mut().unwrap().owner = owner;
            }
            Effect::CreateVolume { .. } => {
                let id = self.id("vol_");
                let identity = self.identity();
                let size = identity.volume_size();
                self.admit(&id, desired::volume_name(&identity), size, "empty".into());
            }
            Effect::DeleteVolume { id } => {
                assert!(
                    self.machine.is_none() || self.volumes.len() > 1,
                    "a volume removed under its Machine"
                );
                let recorded = self.identity();
                if recorded.deletion_policy == DeletionPolicy::Snapshot
                    && recorded.volume_id.as_ref() == Some(id)
                {
                    self.check_saved(id);
                }
                if recorded.spare_volume_ids.contains(id) {
                    assert!(!self.moves.volumes[id].booted, "a spare that has booted was removed");
                    self.moves.cleared.push(id.clone());
                }
                self.volumes
                    .iter_mut()
                    .filter(|(other, _)| other == id)
                    .for_each(|(_, phase)| *phase = VolumePhase::Going);
            }
            Effect::SnapshotVolume { id } | Effect::SnapshotBeforeUpgrade { id } => {
                // A request may wake one that sleeps at any moment.
                let runs = |it: &MachineFact| it.phase == MachinePhase::Started && it.idling == Idling::Off;
                assert!(!self.machine.as_ref().is_some_and(runs), "a snapshot of a running Machine");
                let days = self.identity().upgrade.and_then(|upgrade| upgrade.snapshot_days);
                let keep = matches!(effect, Effect::SnapshotVolume { .. }) || days.is_some();
                self.shot_reply = self.order_shot(id, keep);
            }
            Effect::KeepSnapshots { volume, days } => {
                self.moves.volumes.get_mut(volume).unwrap().days = *days;
            }
            Effect::TakeSnapshot { volume } => {
                assert_eq!(self.identity().volume_id.as_ref(), Some(volume));
                if !self.never_snapshots {
                    self.taken.push(self.now);
                }
            }
            Effect::FinishTask(finish) => {
                // A finished one is written once.
                if self.requests.iter().any(|request| request.uid == finish.uid) {
                    self.requests.retain(|request| request.uid != finish.uid);
                    self.finished.push((**finish).clone());
                }
            }
            Effect::CreateMachine(launch) => self.launch(facts, *launch),
            Effect::UpdateMachine(launch) => {
                assert!(self.machine.is_some());
                self.launch(facts, *launch);
            }
            Effect::KeepOff => {
                let version = self.id("v");
                let machine = self.machine.as_mut().unwrap();
                machine.version = version;
                machine.idling = Idling::Off;
                machine.boot = Boot::Done;
                machine.phase = MachinePhase::Stopped;
                machine.quiet = Some(self.now - self.slow_clock);
            }
            Effect::DetachServices => {
                let machine = self.machine.as_mut().unwrap();
                machine.services = Services::None;
                machine.idling = Idling::Off;
                machine.phase = MachinePhase::Stopped;
            }
            Effect::StartMachine => self.wake(),
            Effect::StopMachine => {
                let machine = self.machine.as_mut().unwrap();
                (machine.phase, machine.exit) = (MachinePhase::Stopped, None);
                machine.quiet = Some(self.now - self.slow_clock);
                machine.session = machine.started;
                if self.visitors > 0 && machine.idling != Idling::Off {
                    self.visitors -= 1;
                    self.wake();
                }
            }
            Effect::KillMachine => {
                let machine = self.machine.as_mut().unwrap();
                assert_eq!(machine.phase, MachinePhase::Stopping, "one was killed that wasn't to end");
                match self.tough.checked_sub(1) {
                    Some(left) => self.tough = left,
                    None => {
                        machine.phase = MachinePhase::Stopped;
                        machine.quiet = Some(self.now - self.slow_clock);
                    }
                }
            }
            Effect::VacateName(key) => self.names.retain(|name| name.key != *key),
            Effect::ReplaceVolume | Effect::ExtendVolume { .. } | Effect::Clear(_) => self.apply_move(effect),
            Effect::DestroyMachine => self.machine = None,
            Effect::DeleteApp => {
                assert!(self.machine.is_none(), "an app removed under its Machine");
                assert!(self.names.is_empty(), "a customer's hostname still leads to the app's name");
                let strangers = (&self.around.machines, &self.around.volumes);
                assert_eq!(self.unrecorded(), [""; 0], "volumes went that nobody recorded");
                assert!(strangers.0.is_empty() && strangers.1.is_empty(), "strangers went: {strangers:?}");
                let kept =
                    self.identity().deletion_policy == DeletionPolicy::Snapshot && self.has_snapshots();
                assert!(!kept, "snapshots went with their app");
                self.app = false;
                self.certificates.clear();
                self.v6 = 0;
                self.v4 = 0;
            }
        }
    }

    /// What an operator knows that has just started.
    pub fn fresh(&self) -> Knowledge {
        let survey = if self.around.turns { Survey::Due } else { Survey::Unknown };
        Knowledge { compared: self.rotated.then_some(Compared::Never), survey, ..Knowledge::default() }
    }

    /// The Machine boots.
    pub fn wake(&mut self) {
        self.around.infected = self.around.tampered;
        let (started, broken) = (self.now - self.slow_clock, self.broken.get(&self.image).copied());
        if broken.is_some() {
            self.write("migrated");
        }
        let machine = self.machine.as_mut().unwrap();
        let mounted = machine.volume.as_ref().and_then(|id| self.moves.volumes.get_mut(id));
        mounted.into_iter().for_each(|volume| volume.booted = true);
        machine.started = Some(started);
        machine.quiet = broken.map(|_| started);
        machine.since = self.now;
        machine.boot = Boot::Done;
        (machine.phase, machine.health, machine.exit) = match broken {
            Some(Broken::Crashes) => {
                (MachinePhase::Stopped, Health::Unknown, Some(ExitCause::Crashed { code: 1 }))
            }
            Some(Broken::Hangs) => (MachinePhase::Started, Health::Failing, None),
            Some(Broken::Fails) => (MachinePhase::Failed, Health::Unknown, None),
            Some(Broken::Missing) | None => (MachinePhase::Started, Health::Passing, None),
        };
    }

    /// Fly's proxy finds the Machine idle.
    pub fn doze(&mut self) {
        let machine = self.machine.as_mut().unwrap();
        assert_ne!(machine.idling, Idling::Off, "nobody asked the proxy to stop it");
        machine.phase = MachinePhase::Stopped;
        machine.quiet = Some(self.now - self.slow_clock);
        machine.session = machine.started;
        machine.state = "stopped".into();
    }

    /// Whether a look finds the Machine: by its recorded id, or by the name of what is recorded.
    pub(super) fn is_named(&self, machine: &MachineFact) -> bool {
        let identity = self.identity();
        let recorded = identity.machine_id.as_ref() == Some(&machine.id);
        recorded || machine.id == desired::machine_name(&identity)
    }

    /// As Fly does: one that is off when it is updated stays off.
    pub(super) fn launch(&mut self, facts: &Facts, launch: Launch) {
        let resolved = resolve(facts).unwrap();
        let mut config =
            desired::machine_config(facts, &resolved, &desired::with_volume(facts, &self.identity()))
                .unwrap();
        desired::launch(launch, &mut config);
        let off = self.machine.as_ref().is_some_and(|machine| machine.phase != MachinePhase::Started);
        let runs = launch == Launch::Start && !off;
        let mark = |key: &str| config.metadata.get(key).cloned();
        let name = desired::machine_name(&self.identity());
        let id = self.machine.as_ref().map_or(name, |machine| machine.id.clone());
        self.moves.guest = config.guest.as_ref().and_then(|guest| Some((guest.cpus?, guest.memory_mb?)));
        let version = self.id("v");
        let before = self.machine.as_ref().and_then(|machine| machine.started);
        self.machine = Some(MachineFact {
            id,
            phase: if runs { MachinePhase::Started } else { MachinePhase::Stopped },
            state: "started".into(),
            version,
            region: "fra".into(),
            volume: config.mounts.first().map(|mount| mount.volume.clone()),
            config_hash: mark(desired::metadata::CONFIG),
            grown_gb: mark(desired::metadata::GROWN).map(|size| size.parse().unwrap()),
            seed: mark(desired::metadata::SEED).unwrap().parse().unwrap(),
            secrets_hash: mark(desired::metadata::SECRETS),
            digests: mark(desired::metadata::DIGESTS).map(Into::into),
            env_mark: mark(desired::metadata::ENV),
            drift: self.stubborn.then(|| crate::drift::reported("theirs")),
            addresses: mark(desired::metadata::ADDRESSES)
                .unwrap_or_default()
                .split(',')
                .map(str::to_owned)
                .collect(),
            hostname: mark(desired::metadata::HOSTNAME),
            names: mark(desired::metadata::NAMES),
            owner: mark(desired::metadata::OWNER),
            restarted_at: mark(desired::metadata::RESTARTED_AT),
            image_digest: Some(digest(&config.image)),
            image_version: Some("2026.9.6".into()),
            health: Health::Passing,
            exit: None,
            host: Host::Reachable,
            services: Services::Public,
            started: if runs { Some(self.now) } else { before },
            quiet: (!runs).then_some(self.now),
            session: self.machine.as_ref().and_then(|machine| machine.session),
            idling: moorage::control::runtime::machine_fact::idling(&config.services),
            boot: if launch == Launch::Start && off { Boot::Due } else { Boot::Done },
            source: Source::Machine,
            since: self.now,
            read_at: self.now,
        });
        self.image = resolved.pin.spec.image.clone();
        if runs {
            self.wake();
        }
    }

    /// Fly refuses a Machine whose image it can't find.
    pub(super) fn misses_image(&self, effect: &Effect, facts: &Facts) -> bool {
        let launches = matches!(effect, Effect::CreateMachine(_) | Effect::UpdateMachine(_));
        launches && self.broken.get(&resolve(facts).unwrap().pin.spec.image) == Some(&Broken::Missing)
    }

    /// What the operator knows after an effect whose reply it got.
    pub(super) fn learn(&self, effect: &Effect, facts: &mut Facts) {
        let now = self.now;
        if let (Effect::CreateMachine(_) | Effect::UpdateMachine(_), Some(made)) = (effect, &self.machine) {
            let before = facts.known.machine.present();
            let changed = before.map(|before| drift::changed(facts, before)).unwrap_or_default();
            let resolved = resolve(facts).unwrap();
            drift::note(now, facts, &resolved, &changed, &made.version);
        }
        let known = &mut facts.known;
        match effect {
            Effect::UpdateMachine(_) => known.survey.launched(),
            Effect::MarkDigests => known.survey.mended(|found| found.digests = Digests::AsMarked),
            _ => {}
        }
        known.started = match (effect, known.started.take()) {
            (Effect::CreateMachine(_) | Effect::UpdateMachine(_), _) => Some(Attempt { at: now, count: 0 }),
            (Effect::StartMachine, before) => {
                Some(Attempt { at: now, count: before.map_or(0, |before| before.count + 1) })
            }
            (Effect::StopMachine | Effect::KillMachine, _) => None,
            (_, before) => before,
        };
        match effect {
            Effect::ClaimSlug(new) if new.identity.from_pool.is_some() => {}
            Effect::ClaimSlug(_) => known.app = Known::Missing(Absence::at(now, AbsenceKind::NotMade)),
            Effect::EnsureToken => {
                known.token = Token::Known(SecretString::from(self.token.clone().unwrap()))
            }
            Effect::CreateApp => {
                let empty = Absence::at(now, AbsenceKind::NotMade);
                known.app = Known::Present(Origin::Made);
                known.v6 = Known::Missing(empty);
                known.v4 = Known::Missing(empty);
                if self.identity().volume_id.is_none() {
                    known.volume = Known::Missing(empty);
                    known.machine = Known::Missing(empty);
                }
            }
            Effect::AllocateAddress(Family::V6) => known.v6 = Known::Present(self.v6_address()),
            Effect::AllocateAddress(Family::V4) => known.v4 = Known::Present("66.1.1.1".into()),
            Effect::ReleaseAddress(ip) => {
                let gone = Known::Missing(Absence::at(now, AbsenceKind::Gone));
                if ip.contains(':') { known.v6 = gone } else { known.v4 = gone }
            }
            Effect::SetSecrets => {
                known.survey.mended(|found| {
                    found.secrets = Standing::AsMade;
                    found.digests.set();
                });
                if let Some(hash) = desired::secrets_hash(facts) {
                    facts.known.secrets = Some(SecretsFact { hash, version: 1 });
                }
            }
            Effect::SetRecords(record) => {
                known.hostname.note(&record.name, |it| it.addresses.clone_from(&record.addresses))
            }
            Effect::ImportCertificate(record) => {
                known.survey.mended(|found| found.certificate = Standing::AsMade);
                known.hostname.turn = None;
                known.hostname.note(&record.name, |it| it.certificate.clone_from(&record.certificate));
                let _ = self.shows_certificate(known);
            }
            Effect::RemoveRecords(name) => drop(known.hostname.unrecorded.insert(name.clone())),
            Effect::DetachHostname(name) => drop(known.hostname.detached.insert(name.clone())),
            Effect::CreateVolume { .. } => {
                let (id, phase) = self.volumes.last().unwrap().clone();
                known.volume = Known::Present(self.volume_fact(&id, phase));
            }
            Effect::DeleteVolume { id } => {
                known.removed_volumes.insert(id.clone());
                if let Known::Present(volume) = &mut known.volume
                    && volume.id == *id
                {
                    volume.phase = VolumePhase::Going;
                }
            }
            Effect::SnapshotVolume { .. } | Effect::SnapshotBeforeUpgrade { .. } => {
                known.snapshot_asked = Some(SnapshotAsked { at: now, reply: self.shot_reply });
                if let Known::Present(volume) = &mut known.volume {
                    volume.snapshot_days = Some(self.moves.volumes[&volume.id].days);
                }
            }
            Effect::KeepSnapshots { volume: id, days } => {
                if let Known::Present(volume) = &mut known.volume
                    && volume.id == *id
                {
                    volume.snapshot_days = Some(*days);
                }
            }
            Effect::CreateMachine(_)
            | Effect::UpdateMachine(_)
            | Effect::MarkConfig
            | Effect::MarkDigests
            | Effect::MarkSecrets
            | Effect::MarkSpelling
            | Effect::MarkOwner
            | Effect::KeepOff
            | Effect::DetachServices
            | Effect::StartMachine => {
                known.machine = self.machine.clone().map_or(Known::Unknown, Known::Present);
            }
            Effect::FinishTask(_) => known.pursuit = None,
            Effect::KillMachine => known.stop_asked = Some(now),
            Effect::StopMachine => {
                known.stop_asked = Some(now);
                known.stops += 1;
                known.machine = self.machine.clone().map_or(Known::Unknown, Known::Present);
            }
            Effect::DestroyMachine => {
                known.destroy_asked = Some(now);
                known.machine = Known::Unknown;
                known.volume = Known::Unknown;
            }
            Effect::DeleteApp => {
                known.app_delete_asked = Some(now);
                known.app = Known::Unknown;
            }
            _ => {}
        }
    }
}
