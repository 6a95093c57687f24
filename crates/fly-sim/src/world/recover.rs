//! Beginning anew with what was saved.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::boot::Boot;
use super::state::{Key, Org, State};
use super::timers::{Step, Timer, Timers};
use crate::clock::Millis;
use crate::driver::Driver;
use crate::faults::Faults;
use crate::ids::Ids;
use crate::ledger::Ledger;
use crate::limiter::Limiter;
use crate::model::machine::{Machine, MachineState, Replace};
use crate::model::volume::VolumeState;
use crate::persist::Saved;
use crate::settings::Settings;
use crate::tokens::Tokens;

/// What the command line gives.
pub struct Origin {
    /// The time.
    pub now: Millis,
    /// The seed of identifiers and chance.
    pub seed: u64,
    /// Organisations.
    pub orgs: Vec<String>,
    /// Regions, the default one first.
    pub regions: Vec<&'static str>,
    /// Who may call.
    pub tokens: Tokens,
    /// What can be turned.
    pub settings: Settings,
    /// What runs the Machines.
    pub driver: Arc<dyn Driver>,
}

impl State {
    /// The state after a start of the simulator: what was saved, with everything that hung in the air going on.
    pub fn recover(origin: Origin, saved: Saved, ledger: Ledger) -> Self {
        let orgs = origin.orgs.iter().zip(1..).map(|(slug, number)| Org {
            slug: slug.clone(),
            number,
            recent: BTreeSet::new(),
        });
        let mut state = Self {
            now: origin.now.max(saved.world.now),
            settings: origin.settings,
            ids: Ids::new(origin.seed, saved.world.boots),
            orgs: orgs.collect(),
            tokens: origin.tokens,
            regions: origin.regions,
            apps: saved.apps,
            machine_apps: HashMap::new(),
            hostnames: HashMap::new(),
            proxied: saved.world.proxied,
            issues: saved.world.issues,
            looks: BTreeSet::new(),
            idempotency: HashMap::new(),
            networks: saved
                .world
                .networks
                .into_iter()
                .map(|(org, name, number)| ((org, name), number))
                .collect(),
            tombstones: saved.world.tombstones,
            tags: saved.world.tags,
            counter: saved.world.counter,
            timers: Timers::default(),
            stuck: Vec::new(),
            faults: Faults::default(),
            limiter: Limiter::default(),
            dns: saved.world.dns,
            ledger,
            dirty: HashSet::new(),
            driver: origin.driver,
            cause: None,
            boots: saved.world.boots + 1,
        };
        for (token, grant) in saved.world.deploy_tokens {
            state.tokens.add(&token, grant);
        }
        state.reindex();
        state.resume_all();
        let first = state.now + state.settings.autostop_pass_ms;
        state.timers.at(first, Timer::Autostop);
        state
    }

    fn reindex(&mut self) {
        let mut recent: Vec<(String, (Millis, String, String))> = Vec::new();
        let mut hostnames: Vec<(Millis, String, String)> = Vec::new();
        for app in self.apps.values() {
            // The rest of the world may have been written before the newest app.
            self.counter = self.counter.max(app.number);
            self.networks.insert((app.org.clone(), app.network.clone()), app.network_number);
            for machine in app.machines.values() {
                self.machine_apps.insert(machine.id.clone(), app.name.clone());
                recent.push((app.org.clone(), (machine.updated_at, machine.id.clone(), app.name.clone())));
            }
            if let Some(key) = &app.idempotency_key {
                self.idempotency.insert((app.org.clone(), key.clone()), app.name.clone());
            }
            for certificate in app.certificates.values() {
                hostnames.push((certificate.created_at, app.name.clone(), certificate.hostname.clone()));
            }
        }
        hostnames.sort();
        for (_, app, hostname) in hostnames {
            self.hostnames.entry(hostname).or_default().push(app);
        }
        for (org, entry) in recent {
            if let Some(org) = self.org_mut(&org) {
                org.recent.insert(entry);
            }
        }
    }

    fn resume_all(&mut self) {
        let keys: Vec<Key> =
            self.machine_apps.iter().map(|(id, app)| Key { app: app.clone(), id: id.clone() }).collect();
        for key in &keys {
            self.resume(key);
        }
        let (mut volumes, mut hostnames) = (Vec::new(), Vec::new());
        for app in self.apps.values() {
            for certificate in app.certificates.values() {
                let due = certificate.due.or_else(|| certificate.is_pending().then_some(self.now));
                hostnames.extend(due.map(|at| (app.name.clone(), certificate.hostname.clone(), at)));
            }
            for volume in app.volumes.values() {
                volumes.extend(volume_timers(&app.name, volume, self.now));
            }
        }
        for (at, timer) in volumes {
            self.timers.at(at, timer);
        }
        for (app, hostname, at) in hostnames {
            self.arm(&app, &hostname, at);
        }
    }

    /// Goes on with a transition that the simulator's own end cut short.
    fn resume(&mut self, key: &Key) {
        let Some(machine) = self.machine(key) else { return };
        match next_step(machine) {
            Some(Step::Booted) => self.boot(key, Boot::Cold),
            Some(step) => self.step_in(key, 0, step),
            None if machine.state == MachineState::Started && self.driver.runs_processes() => {
                self.boot(key, Boot::Cold);
            }
            None => {}
        }
    }
}

fn next_step(machine: &Machine) -> Option<Step> {
    use MachineState as S;
    match (machine.state, machine.replace) {
        (S::Replacing | S::Stopping | S::Restarting, _) => Some(Step::Halted),
        (S::Destroyed, _) => None,
        (S::Destroying | S::LaunchFailed, _) => Some(Step::Destroyed),
        (_, Replace::Preparing) => Some(Step::Prepared),
        (S::Created, _) => Some(Step::ImageReady),
        (S::Starting, _) => Some(Step::Booted),
        (S::Suspending, _) => Some(Step::Suspended),
        (S::Started | S::Stopped | S::Suspended | S::Failed, _) => None,
    }
}

fn volume_timers(app: &str, volume: &crate::model::volume::Volume, now: Millis) -> Vec<(Millis, Timer)> {
    const DAY: Millis = 24 * 3_600_000;
    let (app, id) = (app.to_owned(), volume.id.clone());
    let mut timers: Vec<(Millis, Timer)> = Vec::new();
    for snapshot in &volume.snapshots {
        let (app, volume, id) = (app.clone(), id.clone(), snapshot.id.clone());
        timers.push((now, Timer::SnapshotReady { app, volume, id }));
    }
    if volume.state.is_usable() {
        let at = volume.next_backup(now);
        timers.push((at, Timer::Backup { app: app.clone(), id: id.clone() }));
    }
    match volume.state {
        VolumeState::SchedulingDestroy => timers.push((now, Timer::VolumeGoing { app, id })),
        VolumeState::PendingDestroy => {
            timers.push((volume.deleted_at.unwrap_or(now) + DAY, Timer::VolumeGoing { app, id }));
        }
        VolumeState::Created | VolumeState::Destroyed => {}
        _ => timers.push((now, Timer::VolumeReady { app, id })),
    }
    timers
}
