//! What looks copy from the world.

use super::*;

impl World {
    /// What an operator knows that has just started and read the organisation's list.
    pub fn listed(&self) -> Knowledge {
        let recorded = self.claim.as_ref().and_then(|claim| claim.runtime.clone());
        let recorded = recorded.and_then(|identity| identity.machine_id);
        let told = self.machine.as_ref().filter(|machine| {
            let at_rest = matches!(machine.phase, MachinePhase::Started | MachinePhase::Stopped);
            at_rest && recorded.as_ref() == Some(&machine.id)
        });
        let row = |machine: &MachineFact| MachineFact {
            volume: None,
            drift: None,
            image_digest: None,
            image_version: None,
            health: Health::Unknown,
            exit: None,
            host: Host::Reachable,
            services: Services::Public,
            started: None,
            quiet: None,
            session: None,
            boot: Boot::Done,
            source: Source::List,
            since: self.now,
            read_at: self.now,
            ..machine.clone()
        };
        Knowledge { machine: told.map_or(Known::Unknown, |it| Known::Present(row(it))), ..self.fresh() }
    }

    pub fn shown(&self, what: &'static str) -> bool {
        self.made.get(what).is_none_or(|at| at.duration_until(self.now) >= self.lag)
    }

    /// What Fly says of the hostname's certificate.
    pub(super) fn shows_certificate(&self, known: &mut Knowledge) -> Result<(), Failure> {
        let Some((name, fingerprint)) = self.certificates.first_key_value() else { return Ok(()) };
        let standing = if self.unproved { ImportStanding::Unproved } else { ImportStanding::Active };
        let hosted = Hosted {
            custom: Some(Imported { until: None, standing }),
            ownership: Some((format!("_fly-ownership.{name}"), "app-1".into())),
            ..Hosted::default()
        };
        known.hostname.take(
            fingerprint,
            &hosted,
            self.base.as_ref().map_or(Records::Kept, |base| base.records),
        )
    }

    pub fn look(&self, look: Look, facts: &mut Facts) {
        let now = self.now;
        facts.known.looked.insert(look, now);
        let known = &mut facts.known;
        match look {
            Look::App if self.app && self.shown("CreateApp") => known.app = Known::Present(Origin::Found),
            Look::App if known.app_delete_asked.is_some() => {
                known.app = Known::Missing(Absence::at(now, AbsenceKind::Gone))
            }
            Look::App => known.app.miss(now),
            Look::Addresses => {
                let (v6, v4) = (self.v6_address(), "66.1.1.1".to_owned());
                for (known, count, ip) in [(&mut known.v6, self.v6, v6), (&mut known.v4, self.v4, v4)] {
                    if count > 0 && self.shown("AllocateAddress") {
                        *known = Known::Present(ip)
                    } else {
                        known.miss(now)
                    }
                }
            }
            Look::Volume => {
                let recorded = self.identity().volume_id;
                let found = self.volumes.iter().find(|(id, phase)| match &recorded {
                    Some(recorded) => recorded == id,
                    None => *phase == VolumePhase::Usable && self.shown("CreateVolume"),
                });
                match found {
                    Some((id, phase)) => {
                        known.volume = Known::Present(self.volume_fact(id, *phase));
                    }
                    None => known.volume.miss(now),
                }
            }
            Look::Surroundings | Look::Remains => self.look_around(facts),
            Look::NewVolume => self.look_new_volume(known),
            Look::Snapshots => self.look_snapshots(known),
            Look::Displaced => self.look_displaced(known),
            Look::Machine => match self.machine.as_ref().filter(|machine| self.is_named(machine)) {
                Some(machine) => {
                    let mut machine = MachineFact { read_at: now, ..machine.clone() };
                    if self.is_lost(machine.volume.as_ref()) {
                        machine.host = Host::Unreachable;
                    }
                    if machine.phase == MachinePhase::Stopped {
                        known.stop_asked = None;
                    }
                    if machine.phase == MachinePhase::Started && machine.health == Health::Passing {
                        known.started = None;
                    }
                    known.machine = Known::Present(machine);
                }
                None if known.destroy_asked.is_some() => {
                    known.machine = Known::Missing(Absence::at(now, AbsenceKind::Gone))
                }
                None => known.machine.miss(now),
            },
            Look::Snapshot => self.look_last_snapshot(facts),
            Look::RequestedSnapshot => {
                let Some(request) = self.requests.first() else { return };
                let found =
                    self.taken.iter().find(|at| **at >= request.created && self.shown("TakeSnapshot"));
                let pursuit = known.pursuit_mut(request);
                match found {
                    None => pursuit.snapshot.miss(now),
                    Some(at) => {
                        let done = at.duration_until(now) > second(10);
                        pursuit.snapshot = Known::Present(SnapshotFact {
                            id: format!("vs_{}", at.as_second()),
                            phase: if done { SnapshotPhase::Created } else { SnapshotPhase::Pending },
                            status: String::new(),
                            made: *at,
                            days: 5,
                        });
                    }
                }
            }
            Look::Turn => known.hostname.turn = Some(now + second(1)),
            Look::Hostname => {
                if let Err(failure) = self.shows_certificate(known) {
                    note_beside(now, facts, failure);
                }
            }
            Look::Env if self.lacks_a_secret() => {
                let refusal = Refusal::new("SecretNotFound", "The Secret doesn't exist. Create it.");
                known.note_env(self.runtime.metadata.generation.unwrap(), EnvFact::Refused(refusal));
            }
            Look::Env => {
                let env = &self.runtime.spec.env;
                let values = self
                    .secrets
                    .iter()
                    .filter(|(name, _)| env.iter().any(|env| env.name == **name && env.value.is_none()))
                    .map(|(name, value)| (name.clone(), SecretString::from(value.clone())));
                let values = EnvFact::Known(Arc::new(values.collect()));
                known.note_env(self.runtime.metadata.generation.unwrap(), values);
            }
            Look::Probe => {
                let version =
                    self.machine.as_ref().map(|machine| machine.version.clone()).unwrap_or_default();
                let passing = self.machine.as_ref().is_some_and(|machine| machine.health == Health::Passing);
                let result = if passing { ProbeResult::Live } else { ProbeResult::NotLive };
                known.probe = Some(ProbeFact { machine_version: version, result, at: now });
            }
        }
    }

    /// Whether a variable refers to a Secret that isn't there.
    pub(super) fn lacks_a_secret(&self) -> bool {
        let env = &self.runtime.spec.env;
        env.iter().any(|env| env.value_from.is_some() && !self.secrets.contains_key(&env.name))
    }

    /// The status as it is shown at the first wait or rest from here, with nothing known.
    pub fn glance(&mut self) {
        let mut facts = self.facts(Knowledge::default());
        let step = loop {
            match decide(self.now, &facts) {
                Step::Look(look) => self.look(look, &mut facts),
                step @ (Step::Wait(_) | Step::Rest(_)) => break step,
                Step::Do(effect) => panic!("{effect:?}"),
            }
        };
        let old = self.runtime.status.clone().unwrap_or_default();
        self.runtime.status = Some(view(self.now, &facts, &step, &old));
    }
}
