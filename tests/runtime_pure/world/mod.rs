//! A small world for `decide`: one Runtime, its claim, and Fly as a handful of facts. Effects are applied to it as
//! Fly would, and looks copy from it, so that whole histories run in microseconds.

mod checks;
mod effects;
mod looks;
mod parts;
mod runs;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use moorage::api::blueprint::{Gateway, GatewayAdapter, HealthCheck, Stop, StopSignal};
use moorage::api::name_claim::{ClaimType, Deletion, DeletionPhase, Holder, RuntimeIdentity};
use moorage::api::plan::{CpuKind, Interval};
use moorage::api::runtime::{DeletionPolicy, External, PowerState, RuntimeStatus};
use moorage::api::{BlueprintSpec, NameClaimSpec, PlanSpec, RUNTIME_FINALIZER, Runtime, RuntimeSpec};
use moorage::control::domain::edge::{Hosted, ImportStanding, Imported};
use moorage::control::policy::EffectivePolicy;
use moorage::control::rollout::images::SeenImage;
use moorage::control::rollout::pick::Permit;
use moorage::control::runtime::decide::decide;
use moorage::control::runtime::facts::*;
use moorage::control::runtime::hostname::{self, Base, Records};
use moorage::control::runtime::names::Name;
use moorage::control::runtime::resolve::resolve;
use moorage::control::runtime::step::{Effect, Finish, Launch, Look, Rest, Step};
use moorage::control::runtime::survey::{Digests, Standing};
use moorage::control::runtime::trouble::{Failure, note_beside};
use moorage::control::runtime::view::{effect_name, view};
use moorage::control::runtime::{config_mark, desired, drift, warm};
use moorage::engine::config::{DeletionBrake, Mode, Readiness};
use moorage::gateway::exit::ExitCause;
use secrecy::SecretString;

use crate::around::Around;
use crate::moves::Moves;
use crate::warm::Shelf;

pub use checks::knowledge_key;
pub use parts::plan;
use parts::{blueprint, digest, settings};
pub use runs::{run, run_for, run_until, strike};

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
    /// The order with the best right to it.
    pub order: Option<Arc<moorage::api::order_record::OrderRecord>>,
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
    /// How many kills a Machine survives that Fly has left on its way to a stop.
    pub tough: u32,
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
    /// Whether DNS lacks what shows Fly whose the hostname is.
    pub unproved: bool,
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
            order: None,
            blueprint: (1, blueprint()),
            newest_image: None,
            brake: false,
            requests: Vec::new(),
            finished: Vec::new(),
            slow_clock: SignedDuration::ZERO,
            never_snapshots: false,
            taken: Vec::new(),
            tough: 0,
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
            unproved: false,
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
                order: self.order.clone(),
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
}
