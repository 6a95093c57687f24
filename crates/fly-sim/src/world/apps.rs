//! Making and deleting apps.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::destroy::Destroy;
use super::state::{Key, State};
use crate::error::{ApiError, ApiResult};
use crate::model::app::{App, Tombstone};
use crate::model::machine::MachineState;
use crate::model::raw::RawJson;
use crate::model::secrets::Secrets;

/// So many Machines of deleted apps are still listed.
const TOMBSTONES: usize = 2_000;

/// What a client asks for.
#[derive(Debug)]
pub struct NewApp {
    /// The name.
    pub name: String,
    /// The organisation.
    pub org: String,
    /// The network; the organisation's default when empty.
    pub network: String,
    /// A repeated request with the same key answers with the first app.
    pub idempotency_key: Option<String>,
    /// The role.
    pub role: Option<String>,
}

impl State {
    /// Makes an app; names are global.
    pub fn create_app(&mut self, new: NewApp) -> ApiResult<&App> {
        if let Some(made) = self.repeated(&new)? {
            return self.app(&made);
        }
        check_name(&new.name)?;
        check_network(&new.network)?;
        if self.apps.contains_key(&new.name) {
            let text = "Validation failed: Name has already been taken";
            return Err(ApiError::unprocessable(text).coded("name_taken"));
        }
        let app = self.build_app(new);
        let (name, org, network) = (app.name.clone(), app.org.clone(), app.network.clone());
        if let Some(key) = &app.idempotency_key {
            self.idempotency.insert((org.clone(), key.clone()), name.clone());
        }
        self.apps.insert(name.clone(), app);
        self.dirty.insert(name.clone());
        self.effect("app.create", &name, &name, json!({ "org": org, "network": network }));
        self.app(&name)
    }

    fn repeated(&self, new: &NewApp) -> ApiResult<Option<String>> {
        let Some(key) = new.idempotency_key.as_ref().filter(|key| !key.is_empty()) else { return Ok(None) };
        match self.idempotency.get(&(new.org.clone(), key.clone())) {
            Some(made) if *made == new.name => Ok(Some(made.clone())),
            Some(_) => Err(ApiError::invalid("idempotency_key was used with another app name")),
            None => Ok(None),
        }
    }

    fn build_app(&mut self, new: NewApp) -> App {
        let network = if new.network.is_empty() { "default".to_owned() } else { new.network };
        let network_number = self.network_number(&new.org, &network);
        App {
            id: self.ids.alphanumeric(16),
            number: self.number(),
            name: new.name,
            org: new.org,
            network,
            network_number,
            idempotency_key: new.idempotency_key,
            role: new.role,
            created_at: self.now,
            machines: BTreeMap::new(),
            volumes: BTreeMap::new(),
            secrets: Secrets::default(),
            keys: BTreeMap::new(),
            addresses: Vec::new(),
            certificates: BTreeMap::new(),
        }
    }

    fn network_number(&mut self, org: &str, network: &str) -> u64 {
        let fresh = 1 + self.networks.values().max().copied().unwrap_or(0xffff);
        *self.networks.entry((org.to_owned(), network.to_owned())).or_insert(fresh)
    }

    /// Deletes an app with all that is in it.
    pub fn delete_app(&mut self, name: &str, how: Destroy) -> ApiResult<()> {
        let app = self.app(name)?;
        let running = app.machines.values().any(|machine| machine.state == MachineState::Started);
        if running && how == Destroy::Resting {
            return Err(ApiError::precondition("app has running machines, stop them first or use force"));
        }
        let keys: Vec<Key> =
            app.living().map(|machine| Key { app: name.to_owned(), id: machine.id.clone() }).collect();
        self.effect("app.delete", name, name, json!({ "machines": keys.len() }));
        for key in &keys {
            self.kill_run(key);
            self.destroyed(key);
        }
        self.bury(name);
        Ok(())
    }

    /// Takes the app out; what an organisation's list still shows of its Machines stays.
    fn bury(&mut self, name: &str) {
        let Some(app) = self.apps.remove(name) else { return };
        self.dirty.insert(name.to_owned());
        for volume in app.volumes.keys() {
            self.driver.forget_volume(volume);
            self.effect("volume.destroyed", name, volume, Value::Null);
        }
        for certificate in app.certificates.values() {
            self.forget_hostname(name, certificate);
        }
        if let Some(key) = &app.idempotency_key {
            self.idempotency.remove(&(app.org.clone(), key.clone()));
        }
        for machine in app.machines.values() {
            machine.changed.notify_waiters();
            self.machine_apps.remove(&machine.id);
            let overview = RawJson::of(&super::orgs::overview(&app, machine, machine.state));
            let (id, updated_at) = (machine.id.clone(), machine.updated_at);
            if self.tombstones.len() >= TOMBSTONES {
                self.tombstones.pop_front();
            }
            self.tombstones.push_back(Tombstone {
                org: app.org.clone(),
                id: id.clone(),
                updated_at,
                overview,
            });
            if let Some(org) = self.org_mut(&app.org) {
                org.recent.remove(&(updated_at, id, name.to_owned()));
            }
        }
    }
}

fn check_name(name: &str) -> ApiResult<()> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = !name.is_empty() && name.len() < 63 && name.chars().all(letters);
    if fits && !name.starts_with('-') && !name.ends_with('-') {
        return Ok(());
    }
    Err(ApiError::unprocessable(
        "Validation failed: Name under 63 chars using numbers, lowercase letters and dashes",
    ))
}

fn check_network(network: &str) -> ApiResult<()> {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let starts = network.chars().next().is_none_or(|c| c.is_ascii_alphabetic());
    if starts && network.chars().all(letters) {
        return Ok(());
    }
    Err(ApiError::unprocessable(
        "Validation failed: Network must start with a letter and use letters, numbers and dashes",
    ))
}
