//! The state and the ways to reach into it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::timers::{Step, Timers};
use crate::clock::Millis;
use crate::dns::Dns;
use crate::driver::Driver;
use crate::error::{ApiError, ApiResult};
use crate::faults::Faults;
use crate::ids::Ids;
use crate::ledger::{Entry, Kind, Ledger};
use crate::limiter::Limiter;
use crate::model::app::{App, Tombstone};
use crate::model::event::{Event, EventRequest, Source};
use crate::model::machine::{Machine, MachineState};
use crate::settings::Settings;
use crate::tokens::Tokens;

/// Which Machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Its app.
    pub app: String,
    /// Its id.
    pub id: String,
}

/// An organisation.
#[derive(Clone, Debug)]
pub struct Org {
    /// Its slug.
    pub slug: String,
    /// Its number.
    pub number: u64,
    /// Its Machines by the time of their last change.
    pub recent: BTreeSet<(Millis, String, String)>,
}

/// Everything that the simulated Fly knows.
pub struct State {
    /// The time.
    pub now: Millis,
    /// What can be turned.
    pub settings: Settings,
    /// Identifiers and chance.
    pub ids: Ids,
    /// Organisations, in the order of the command line.
    pub orgs: Vec<Org>,
    /// Who may call.
    pub tokens: Tokens,
    /// The regions there are, the default one first.
    pub regions: Vec<&'static str>,
    /// Apps by name.
    pub apps: HashMap<String, App>,
    /// The app of each Machine.
    pub machine_apps: HashMap<String, String>,
    /// The apps of each hostname that was added, in the order in which they were.
    pub hostnames: HashMap<String, Vec<String>>,
    /// Hostnames behind a proxy, with the app that it leads to.
    pub proxied: BTreeMap<String, String>,
    /// When Let's Encrypt issued a first certificate for a hostname, as long as it counts against its limit.
    pub issues: BTreeMap<String, Vec<Millis>>,
    /// Hostnames of apps whose DNS is to be looked at now.
    pub looks: BTreeSet<(String, String)>,
    /// The app that an organisation made with an idempotency key.
    pub idempotency: HashMap<(String, String), String>,
    /// Numbers of networks by organisation and name, never forgotten.
    pub networks: BTreeMap<(String, String), u64>,
    /// Machines of deleted apps.
    pub tombstones: VecDeque<Tombstone>,
    /// Digests of tags that were moved.
    pub tags: BTreeMap<String, String>,
    /// Numbers given so far.
    pub counter: u64,
    /// What will happen by itself.
    pub timers: Timers,
    /// Steps of Machines that are stuck.
    pub stuck: Vec<(Key, u64, Step)>,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// Rate limits.
    pub limiter: Limiter,
    /// The fake DNS.
    pub dns: Dns,
    /// The record.
    pub ledger: Ledger,
    /// Apps that changed since the last save.
    pub dirty: HashSet<String>,
    /// What runs the Machines.
    pub driver: Arc<dyn Driver>,
    /// The request that effects are put down to.
    pub cause: Option<u64>,
    /// How often the simulator was started on this state.
    pub boots: u64,
}

impl State {
    /// The app of this name.
    pub fn app(&self, name: &str) -> ApiResult<&App> {
        self.apps.get(name).ok_or_else(ApiError::no_app)
    }

    /// The app of this name, to be changed.
    pub fn app_mut(&mut self, name: &str) -> ApiResult<&mut App> {
        let app = self.apps.get_mut(name).ok_or_else(ApiError::no_app)?;
        if !self.dirty.contains(name) {
            self.dirty.insert(name.to_owned());
        }
        Ok(app)
    }

    /// A Machine.
    pub fn machine(&self, key: &Key) -> Option<&Machine> {
        self.apps.get(&key.app)?.machines.get(&key.id)
    }

    /// A Machine, to be changed.
    pub fn machine_mut(&mut self, key: &Key) -> Option<&mut Machine> {
        self.app_mut(&key.app).ok()?.machines.get_mut(&key.id)
    }

    /// A Machine as a call finds it: 404 when it isn't there, or no longer, or not yet.
    pub fn found(&self, key: &Key) -> ApiResult<&Machine> {
        let machine = self.app(&key.app)?.machines.get(&key.id).ok_or_else(ApiError::no_machine)?;
        let late = machine.state == MachineState::Destroyed
            && machine.changed_at + self.settings.destroyed_readable_ms <= self.now;
        let early = machine.created_at + self.settings.appear_lag_ms > self.now;
        if late || early { Err(ApiError::no_machine()) } else { Ok(machine) }
    }

    /// An organisation.
    pub fn org_mut(&mut self, slug: &str) -> Option<&mut Org> {
        self.orgs.iter_mut().find(|org| org.slug == slug)
    }

    /// Puts an effect on record.
    pub fn effect(&mut self, effect: &'static str, app: &str, id: &str, detail: Value) {
        let entry = Entry {
            seq: 0,
            at: self.now,
            kind: Kind::Effect,
            request: self.cause,
            app: app.to_owned(),
            effect: effect.into(),
            id: id.to_owned(),
            detail,
            call: None,
        };
        self.ledger.append(entry);
    }

    /// Notes that a Machine changed: its time, its place in the organisation's list, those who wait.
    pub fn touch(&mut self, key: &Key) {
        let now = self.now;
        let Some(app) = self.apps.get_mut(&key.app) else { return };
        let org = app.org.clone();
        let Some(machine) = app.machines.get_mut(&key.id) else { return };
        let before = std::mem::replace(&mut machine.updated_at, now);
        machine.changed.notify_waiters();
        self.dirty.insert(key.app.clone());
        if let Some(org) = self.org_mut(&org) {
            org.recent.remove(&(before, key.id.clone(), key.app.clone()));
            org.recent.insert((now, key.id.clone(), key.app.clone()));
        }
    }

    /// Moves a Machine to a state.
    pub fn set_state(&mut self, key: &Key, to: MachineState) {
        let now = self.now;
        let Some(machine) = self.machine_mut(key) else { return };
        if machine.state != to {
            machine.previous = std::mem::replace(&mut machine.state, to);
            machine.changed_at = now;
        }
        self.touch(key);
    }

    /// Begins a transition: earlier timers of the Machine are void.
    pub fn begin(&mut self, key: &Key, to: MachineState) {
        if let Some(machine) = self.machine_mut(key) {
            machine.epoch += 1;
        }
        self.set_state(key, to);
    }

    /// Adds an event to a Machine.
    pub fn event(
        &mut self,
        key: &Key,
        kind: &str,
        status: &str,
        source: Source,
        request: Option<EventRequest>,
    ) {
        let (now, id) = (self.now, self.ids.ulid(self.now));
        let Some(machine) = self.machine_mut(key) else { return };
        let (kind, status) = (kind.to_owned(), status.to_owned());
        machine.push(Event { id, kind, status, request, source, timestamp: now });
        machine.changed.notify_waiters();
    }

    /// Without a folder to keep state in, what changed needn't be remembered.
    pub fn forget_unsaved(&mut self) {
        self.dirty.clear();
        self.ledger.take_unwritten();
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}
