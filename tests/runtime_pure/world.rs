//! A small world for `decide`: one Runtime, its claim, and Fly as a handful of facts. Effects are applied to it as
//! Fly would, and looks copy from it, so that whole histories run in microseconds.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use moorage::api::blueprint::{Gateway, GatewayAdapter, HealthCheck, Stop, StopSignal};
use moorage::api::name_claim::{ClaimType, Deletion, DeletionPhase, Holder, RuntimeIdentity};
use moorage::api::plan::{CpuKind, Interval};
use moorage::api::runtime::{DeletionPolicy, External, PowerState, RuntimeStatus};
use moorage::api::{BlueprintSpec, NameClaimSpec, PlanSpec, RUNTIME_FINALIZER, Runtime, RuntimeSpec};
use moorage::control::policy::EffectivePolicy;
use moorage::control::rollout::images::SeenImage;
use moorage::control::rollout::pick::Permit;
use moorage::control::runtime::decide::decide;
use moorage::control::runtime::facts::*;
use moorage::control::runtime::hostname::{self, Base};
use moorage::control::runtime::names::Name;
use moorage::control::runtime::resolve::resolve;
use moorage::control::runtime::step::{Effect, Finish, Launch, Look, Rest, Step};
use moorage::control::runtime::survey::{Digests, Standing};
use moorage::control::runtime::view::{effect_name, view};
use moorage::control::runtime::{config_mark, desired, drift, warm};
use moorage::engine::config::{DeletionBrake, Mode, Readiness};
use moorage::gateway::exit::ExitCause;
use secrecy::SecretString;

use crate::around::Around;
use crate::moves::Moves;
use crate::warm::Shelf;

/// What stands outside the operator.
#[derive(Clone, Debug)]
pub struct World {
    pub now: Timestamp,
    pub runtime: Runtime,
    pub gone: bool,
    pub claim: Option<NameClaimSpec>,
    pub token: Option<String>,
    pub app: bool,
    pub v6: u32,
    pub v4: u32,
    pub volumes: Vec<(String, VolumePhase)>,
    pub machine: Option<MachineFact>,
    pub snapshots: u32,
    pub policy: EffectivePolicy,
    pub order_required: bool,
    /// The Blueprint, with its generation.
    pub blueprint: (i64, BlueprintSpec),
    /// What its image's tag was last seen to stand for.
    pub newest_image: Option<SeenImage>,
    /// Whether the brake on mass destruction holds.
    pub brake: bool,
    /// Requests that aren't finished, oldest first.
    pub requests: Vec<Request>,
    /// How requests ended.
    pub finished: Vec<Finish>,
    /// How far Fly's clock is behind.
    pub slow_clock: SignedDuration,
    /// Whether Fly takes requests for snapshots and makes none.
    pub never_snapshots: bool,
    /// Snapshots of the running Runtime, with the time when each was asked for.
    pub taken: Vec<Timestamp>,
    /// Requests that reach the Machine right when it stops.
    pub visitors: u32,
    /// Values of the variables that come from Secrets.
    pub secrets: BTreeMap<String, String>,
    /// The token that is made next.
    pub next_token: &'static str,
    /// Hash of the secrets that the app has.
    pub app_secrets: Option<String>,
    /// How often they were set, by whomever, and when last: Fly's digests of them are others each time.
    pub secrets_set: (u32, Option<Timestamp>),
    /// Whether the round over all Secrets finds a change at each start of the operator.
    pub rotated: bool,
    /// Whether Fly reports a field of every Machine in words of its own.
    pub stubborn: bool,
    /// What somebody else made in the app, or took away from it.
    pub around: Around,
    /// Memory of the Plan.
    pub memory_mb: i32,
    /// The base domain, if there is one.
    pub base: Option<Base>,
    /// Where hostnames lead.
    pub records: BTreeMap<String, Vec<String>>,
    /// Customers' hostnames that lead to the app.
    pub names: Vec<Name>,
    /// Hostnames of the app, with their certificates.
    pub certificates: BTreeMap<String, String>,
    /// Volumes, snapshots and hosts in more detail.
    pub moves: Moves,
    /// Apps that were made ahead.
    pub shelf: Shelf,
    /// How many effects were tried.
    pub attempts: usize,
    /// Whether the rollout lets it be upgraded.
    pub permit: Permit,
    /// The image that the Machine was given.
    pub image: String,
    /// Images that don't do what they should.
    pub broken: BTreeMap<String, Broken>,
    /// Every effect that took place, in order.
    pub ledger: Vec<&'static str>,
    /// Version of the files that the operator brings.
    pub seed: u32,
    /// Time for which lists, and GET of an app, don't show what was just made.
    pub lag: SignedDuration,
    /// What Fly said to the last request for a snapshot.
    shot_reply: SnapshotReply,
    made: BTreeMap<&'static str, Timestamp>,
    counter: u32,
}

/// What an image does instead of serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It ends by itself.
    Crashes,
    /// It runs and never serves.
    Hangs,
    /// Fly can't find it.
    Missing,
    /// Fly can't boot it.
    Fails,
}

/// What goes wrong with one effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The operator dies before the effect. The next one can't read the organisation's list.
    CrashBefore,
    /// It takes place, and the operator dies. The next one reads the organisation's list before anything else.
    CrashAfter,
    /// It takes place, and the reply is lost.
    LostReply,
    /// It doesn't take place, and nobody can tell.
    LostRequest,
}

pub fn second(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

impl World {
    pub fn new() -> Self {
        let mut runtime = Runtime::new(
            "ops",
            RuntimeSpec {
                slug: Some("acme-ops".into()),
                regions: vec!["fra".into()],
                ..RuntimeSpec::default()
            },
        );
        runtime.metadata.namespace = Some("acme".into());
        runtime.metadata.uid = Some("uid-1".into());
        runtime.metadata.generation = Some(1);
        Self {
            now: Timestamp::from_second(1_800_000_000).unwrap(),
            runtime,
            gone: false,
            claim: None,
            token: None,
            app: false,
            v6: 0,
            v4: 0,
            volumes: Vec::new(),
            machine: None,
            snapshots: 0,
            policy: EffectivePolicy {
                plans: Some(["trial".to_owned()].into()),
                ..EffectivePolicy::unselected(10)
            },
            order_required: false,
            blueprint: (1, blueprint()),
            newest_image: None,
            brake: false,
            requests: Vec::new(),
            finished: Vec::new(),
            slow_clock: SignedDuration::ZERO,
            never_snapshots: false,
            taken: Vec::new(),
            visitors: 0,
            secrets: BTreeMap::new(),
            next_token: "0123456789abcdef0123456789abcdef",
            app_secrets: None,
            secrets_set: (0, None),
            rotated: false,
            stubborn: false,
            around: Around::default(),
            memory_mb: 2048,
            base: None,
            records: BTreeMap::new(),
            names: Vec::new(),
            certificates: BTreeMap::new(),
            moves: Moves::default(),
            shelf: Shelf::default(),
            attempts: 0,
            permit: Permit::None,
            image: String::new(),
            broken: BTreeMap::new(),
            ledger: Vec::new(),
            seed: 1,
            lag: SignedDuration::ZERO,
            shot_reply: SnapshotReply::Lost,
            made: BTreeMap::new(),
            counter: 0,
        }
    }

    pub fn edit(&mut self, edit: impl FnOnce(&mut RuntimeSpec)) {
        edit(&mut self.runtime.spec);
        self.runtime.metadata.generation = self.runtime.metadata.generation.map(|generation| generation + 1);
    }

    /// The platform edits the Blueprint.
    pub fn edit_blueprint(&mut self, edit: impl FnOnce(&mut BlueprintSpec)) {
        edit(&mut self.blueprint.1);
        self.blueprint.0 += 1;
    }

    pub fn power(&mut self, state: PowerState) {
        self.edit(|spec| spec.power_state = state);
    }

    pub fn delete(&mut self, policy: DeletionPolicy) {
        self.edit(|spec| spec.deletion_policy = policy);
        self.runtime.metadata.deletion_timestamp = Some(Time(self.now));
    }

    pub fn facts(&self, known: Knowledge) -> Facts {
        let named = self.runtime.spec.plan_ref.as_ref().map_or("trial", |plan| plan.name.as_str());
        let pinned = self.claim.as_ref().and_then(|claim| claim.runtime.as_ref());
        let pinned = pinned.map(|identity| identity.pin.plan.name.clone());
        let mut facts = Facts {
            runtime: Arc::new(self.runtime.clone()),
            cluster: Cluster {
                order: None,
                workspace: None,
                plan: self.plan_named(named).map(|plan| (named.to_owned(), plan)),
                pinned_plan: pinned.and_then(|name| self.plan_named(&name)),
                blueprint: Some(("openclaw".into(), self.blueprint.0, Arc::new(self.blueprint.1.clone()))),
                newest_image: self.newest_image.clone(),
                permit: self.permit,
                policy: self.policy.clone(),
                claim: self.claim.clone().map_or(ClaimFact::Free, |claim| ClaimFact::Held(Arc::new(claim))),
                warm: if self.claim.is_none() { self.shelf.offers(&self.runtime) } else { Vec::new() },
                other_slugs: 0,
                namespace: NamespaceFact::Active,
                request: self.requests.first().cloned(),
                base: self.base.clone(),
                names: self.names.clone(),
                settings: Settings { seed: self.seed, ..settings() },
            },
            known,
        };
        facts.align();
        facts
    }

    /// Somebody asks for something.
    pub fn request(&mut self, task: &str, kind: RequestKind) {
        let created = Timestamp::from_second(self.now.as_second()).unwrap();
        self.requests.push(Request {
            task: task.into(),
            uid: format!("uid-{task}"),
            created,
            origin: Origin::Made,
            kind,
        });
    }

    pub fn identity(&self) -> RuntimeIdentity {
        self.claim.as_ref().unwrap().runtime.clone().unwrap()
    }

    pub fn id(&mut self, prefix: &str) -> String {
        self.counter += 1;
        format!("{prefix}{}", self.counter)
    }

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
            Look::Env if self.lacks_a_secret() => {
                let refusal = Refusal::new("SecretNotFound", "The Secret doesn't exist. Create it.");
                known.env = EnvFact::Refused(refusal);
            }
            Look::Env => {
                let env = &self.runtime.spec.env;
                let values = self
                    .secrets
                    .iter()
                    .filter(|(name, _)| env.iter().any(|env| env.name == **name && env.value.is_none()))
                    .map(|(name, value)| (name.clone(), SecretString::from(value.clone())));
                known.env = EnvFact::Known(Arc::new(values.collect()));
                known.compared = Some(Compared::With(self.runtime.metadata.generation.unwrap()));
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
    fn lacks_a_secret(&self) -> bool {
        let env = &self.runtime.spec.env;
        env.iter().any(|env| env.value_from.is_some() && !self.secrets.contains_key(&env.name))
    }

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
                if self.visitors > 0 && machine.idling != Idling::Off {
                    self.visitors -= 1;
                    self.wake();
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
        machine.state = "stopped".into();
    }

    /// Whether a look finds the Machine: by its recorded id, or by the name of what is recorded.
    fn is_named(&self, machine: &MachineFact) -> bool {
        let identity = self.identity();
        let recorded = identity.machine_id.as_ref() == Some(&machine.id);
        recorded || machine.id == desired::machine_name(&identity)
    }

    /// As Fly does: one that is off when it is updated stays off.
    fn launch(&mut self, facts: &Facts, launch: Launch) {
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
    fn misses_image(&self, effect: &Effect, facts: &Facts) -> bool {
        let launches = matches!(effect, Effect::CreateMachine(_) | Effect::UpdateMachine(_));
        launches && self.broken.get(&resolve(facts).unwrap().pin.spec.image) == Some(&Broken::Missing)
    }

    /// What the operator knows after an effect whose reply it got.
    fn learn(&self, effect: &Effect, facts: &mut Facts) {
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
            (Effect::StopMachine, _) => None,
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

impl World {
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

/// Runs until the Runtime rests or is gone, with one fault at the effect number `at`.
pub fn run(world: &mut World, fault: Option<(usize, Fault)>) -> Rest {
    let known = world.fresh();
    match run_for(world, known, 2_000, fault).0 {
        Some(rest) => rest,
        None => {
            panic!("it doesn't come to rest: {:?}", world.ledger.iter().rev().take(10).collect::<Vec<_>>())
        }
    }
}

/// Takes so many steps at most, from what is known, with one fault at the effect number `at`. Where it rests, if it
/// does, and what is known then.
pub fn run_for(
    world: &mut World,
    mut known: Knowledge,
    steps: usize,
    fault: Option<(usize, Fault)>,
) -> (Option<Rest>, Knowledge) {
    let mut effects = 0;
    for _ in 0..steps {
        let mut facts = world.facts(known.clone());
        let step = decide(world.now, &facts);
        let old = world.runtime.status.clone().unwrap_or_default();
        let shown = view(world.now, &facts, &step, &old);
        assert!(shown.conditions.iter().all(|condition| !condition.reason.is_empty()));
        world.check();
        match step {
            // The hostname's turn comes while the Runtime itself is at rest.
            Step::Rest(rest) => match hostname::again(world.now, &facts) {
                Some(again) if rest != Rest::Gone => world.now += again,
                _ => {
                    world.runtime.status = Some(shown);
                    return (Some(rest), known);
                }
            },
            Step::Wait(wait) => {
                world.runtime.status = Some(shown);
                let again =
                    hostname::again(world.now, &facts).map_or(wait.again, |again| again.min(wait.again));
                world.now += again.max(SignedDuration::from_millis(10));
            }
            Step::Look(look) => {
                world.look(look, &mut facts);
                known = facts.known;
            }
            Step::Do(effect) => {
                let strikes = fault.filter(|(at, _)| *at == effects).map(|(_, fault)| fault);
                effects += 1;
                known = strike(world, facts, &effect, strikes);
            }
        }
        world.now += SignedDuration::from_millis(5);
    }
    (None, known)
}

/// Runs until something is so, or it rests.
pub fn run_until(world: &mut World, is_so: impl Fn(&World) -> bool) {
    let mut known = Knowledge::default();
    while !is_so(world) {
        let mut facts = world.facts(known.clone());
        match decide(world.now, &facts) {
            Step::Rest(_) => return,
            Step::Wait(wait) => world.now += wait.again.max(SignedDuration::from_millis(10)),
            Step::Look(look) => {
                world.look(look, &mut facts);
                known = facts.known;
            }
            Step::Do(effect) => known = strike(world, facts, &effect, None),
        }
    }
}

pub fn strike(world: &mut World, mut facts: Facts, effect: &Effect, fault: Option<Fault>) -> Knowledge {
    moorage::control::runtime::act::begin(world.now, &mut facts, effect);
    let before = facts.own_claim().and_then(|claim| claim.runtime.clone());
    world.attempts += 1;
    let mut told = facts.clone();
    let refused = world.refuses(effect, &mut told);
    if world.misses_image(effect, &facts) {
        let remedy = Refusal::new("ImageNotFound", "Fly can't find the image.");
        moorage::control::runtime::trouble::note(world.now, &mut facts, remedy.into());
        return facts.known;
    }
    if let Some(failure) = world.puts_off(effect) {
        moorage::control::runtime::act::forget(&mut facts, effect);
        moorage::control::runtime::trouble::note(world.now, &mut facts, failure);
        return facts.known;
    }
    match fault {
        None if refused => told.known,
        None => {
            world.apply(effect, &facts);
            let mut facts = Facts { runtime: Arc::new(world.runtime.clone()), ..facts };
            facts.cluster = world.facts(Knowledge::default()).cluster;
            world.learn_move(effect, before.as_ref(), &mut facts);
            // What was known of a snapshot was known for the step that ends with this.
            let upgrade = |identity: Option<RuntimeIdentity>| identity.and_then(|identity| identity.upgrade);
            let after = world.claim.as_ref().and_then(|claim| claim.runtime.clone());
            if upgrade(before) != upgrade(after) {
                facts.known.snapshot = Known::Unknown;
                facts.known.snapshot_asked = None;
            }
            world.learn(effect, &mut facts);
            facts.known
        }
        Some(Fault::CrashBefore) => {
            world.requests.iter_mut().for_each(|request| request.origin = Origin::Found);
            world.fresh()
        }
        Some(Fault::CrashAfter) if refused => Knowledge::default(),
        Some(_) if refused => {
            moorage::control::runtime::act::forget(&mut facts, effect);
            facts.known
        }
        Some(Fault::CrashAfter) => {
            world.apply(effect, &facts);
            world.requests.iter_mut().for_each(|request| request.origin = Origin::Found);
            world.listed()
        }
        Some(Fault::LostReply) => {
            world.apply(effect, &facts);
            moorage::control::runtime::act::forget(&mut facts, effect);
            facts.known
        }
        Some(Fault::LostRequest) => {
            moorage::control::runtime::act::forget(&mut facts, effect);
            facts.known
        }
    }
}

pub fn plan(requires_order: bool) -> PlanSpec {
    PlanSpec {
        display_name: None,
        cpu_kind: CpuKind::Shared,
        cpus: 2,
        memory_mb: 2048,
        volume_gb: 10,
        amount: 0,
        currency: "EUR".into(),
        interval: Interval::Month,
        requires_order,
        warm_pool: None,
    }
}

fn blueprint() -> BlueprintSpec {
    BlueprintSpec {
        image: "ghcr.io/openclaw/openclaw:2026.9.6".into(),
        command: vec!["node".into(), "dist/index.js".into(), "gateway".into()],
        port: 3000,
        mount_path: "/data".into(),
        minimum_memory_mb: 2048,
        env: Vec::new(),
        env_schema: Vec::new(),
        health_check: HealthCheck {
            path: "/healthz".into(),
            interval_seconds: 15,
            timeout_seconds: 5,
            grace_period_seconds: 60,
        },
        stop: Stop { signal: StopSignal::Term, timeout_seconds: 300 },
        gateway: Gateway { adapter: GatewayAdapter::OpenClaw, trusted_proxies: vec!["172.16.0.0/12".into()] },
        rollout: None,
    }
}

fn settings() -> Settings {
    Settings {
        cluster_id: "test".into(),
        app_prefix: "".into(),
        default_blueprint: "openclaw".into(),
        default_regions: vec!["iad".to_owned()].into(),
        mode: Mode::ReadWrite,
        readiness: Readiness::ChecksAndURL,
        deletion_brake: DeletionBrake::default(),
        absence_grace: second(30),
        start_deadline: second(600),
        stop_deadline: second(420),
        destroy_deadline: second(1800),
        slow_retry: second(600),
        keep_displaced: second(3600),
        seed: 1,
    }
}

/// What the text of an image stands for.
fn digest(image: &str) -> String {
    match image.split_once('@') {
        Some((_, digest)) => digest.to_owned(),
        None if image == blueprint().image => "sha256:abc".to_owned(),
        None => format!("sha256:of {image}"),
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
                &known.hostname.standing,
                &known.hostname.unrecorded,
                &known.hostname.detached,
                known.started.as_ref().map(|started| started.count),
                known.trouble.as_ref().map(|trouble| trouble.attempts),
            ),
        )
    )
}
