//! Making a Machine.

use std::collections::VecDeque;

use http::StatusCode;
use serde_json::json;

use super::state::{Key, State};
use super::timers::Step;
use crate::error::{ApiError, ApiResult};
use crate::model::config::{MachineConfig, Mount};
use crate::model::event::Source;
use crate::model::host::expand;
use crate::model::machine::{After, Machine, MachineState, Replace, Version};
use crate::model::volume::Hold;

/// What a client asks for.
#[derive(Debug)]
pub struct NewMachine {
    /// Its name; made up when empty.
    pub name: String,
    /// Where: one region, a list, or an alias.
    pub region: String,
    /// Its configuration.
    pub config: MachineConfig,
    /// Whether it starts.
    pub after: After,
    /// Whether the proxy routes to it.
    pub routing: Routing,
    /// The secrets that it needs at least.
    pub min_secrets_version: u64,
}

/// Whether the proxy routes to a Machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// It does.
    Served,
    /// It leaves it out.
    Cordoned,
}

impl State {
    /// Makes a Machine, or refuses.
    pub fn create_machine(&mut self, app: &str, new: NewMachine) -> ApiResult<Key> {
        self.name_is_free(app, &new.name)?;
        self.secrets_reach(app, new.min_secrets_version)?;
        let image = self.resolve_image(&new.config.parts().image)?;
        let regions = self.wanted_regions(&new.region)?;
        let mount = new.config.parts().mounts.first().cloned();
        let (region, host) = match &mount {
            Some(mount) => self.place_with_volume(app, mount, &regions, &new.region)?,
            None => self.place(&regions).map(|(region, host)| (region.to_owned(), host))?,
        };
        let org = self.app(app)?.org.clone();
        self.paid_for(app)?;
        self.within_quota(&org, &region, &new.config.parts().guest)?;
        let machine = self.build(app, new, (region, host), image)?;
        Ok(self.admit(app, machine))
    }

    fn build(
        &mut self,
        app: &str,
        new: NewMachine,
        (region, host): (String, String),
        image: crate::model::machine::ImageRef,
    ) -> ApiResult<Machine> {
        let network = self.app(app)?.network_number;
        let (now, instance_id) = (self.now, self.ids.ulid(self.now));
        let name = if new.name.is_empty() { self.made_up_name() } else { new.name };
        let version = Version { version: instance_id.clone(), config: new.config.clone() };
        Ok(Machine {
            id: self.ids.machine(),
            name,
            state: MachineState::Created,
            previous: MachineState::Created,
            changed_at: now,
            region,
            host,
            instance_id,
            private_ip: self.ids.private_ip(network),
            created_at: now,
            updated_at: now,
            memory_limit_mb: new.config.parts().guest.memory_mb,
            config: new.config,
            image,
            versions: VecDeque::from([version]),
            events: VecDeque::new(),
            cordoned: new.routing == Routing::Cordoned,
            lease: None,
            epoch: 1,
            run: 0,
            after: new.after,
            replace: Replace::Idle,
            settled_at: 0,
            started_at: 0,
            active_at: 0,
            restarts: VecDeque::new(),
            checks: Vec::new(),
            load: 0,
            changed: std::sync::Arc::default(),
        })
    }

    fn admit(&mut self, app: &str, machine: Machine) -> Key {
        let key = Key { app: app.to_owned(), id: machine.id.clone() };
        let volume = machine.config.parts().mounts.first().map(|mount| mount.volume.clone());
        let image = &machine.config.parts().image;
        let detail =
            json!({ "name": machine.name, "region": machine.region, "image": image, "volume": volume });
        if let Some(volume) = volume {
            self.bind_volume(&key, &volume);
        }
        self.machine_apps.insert(key.id.clone(), key.app.clone());
        if let Ok(app) = self.app_mut(app) {
            app.machines.insert(key.id.clone(), machine);
        }
        self.event(&key, "launch", "created", Source::User, None);
        self.touch(&key);
        self.effect("machine.create", app, &key.id, detail);
        let delay = self.settings.delays.image.draw(&mut self.ids);
        self.step_in(&key, delay, Step::ImageReady);
        key
    }

    fn bind_volume(&mut self, key: &Key, volume: &str) {
        let now = self.now;
        let Ok(app) = self.app_mut(&key.app) else { return };
        if let Some(volume) = app.volumes.get_mut(volume) {
            volume.hold = Hold::Bound(key.id.clone());
            volume.updated_at = now;
        }
    }

    fn name_is_free(&self, app: &str, name: &str) -> ApiResult<()> {
        let taken = self.app(app)?.living().find(|machine| !name.is_empty() && machine.name == name);
        let Some(taken) = taken else { return Ok(()) };
        let text = format!(
            "already_exists: unique machine name violation, machine ID {} already exists with name \"{name}\"",
            taken.id
        );
        Err(ApiError::new(StatusCode::CONFLICT, text))
    }

    /// Refuses when the app's secrets aren't as new as the caller wants.
    pub fn secrets_reach(&self, app: &str, wanted: u64) -> ApiResult<()> {
        let has = self.app(app)?.secrets.version;
        if has >= wanted {
            return Ok(());
        }
        Err(ApiError::precondition(format!(
            "minimum secrets version {wanted} not available, current version is {has}"
        )))
    }

    fn wanted_regions(&self, asked: &str) -> ApiResult<Vec<&'static str>> {
        if asked.is_empty() {
            return Ok(self.regions.clone());
        }
        let mut wanted = expand(asked);
        wanted.retain(|region| self.regions.contains(region));
        if wanted.is_empty() {
            return Err(ApiError::invalid(format!("invalid region '{asked}'")));
        }
        Ok(wanted)
    }

    fn place_with_volume(
        &self,
        app: &str,
        mount: &Mount,
        regions: &[&str],
        asked: &str,
    ) -> ApiResult<(String, String)> {
        let found = self.app(app)?.volumes.get(&mount.volume).filter(|volume| volume.state.is_usable());
        let volume = found.ok_or_else(|| no_volume(&mount.volume))?;
        if let Some(holder) = volume.claimed_by(self.now) {
            return Err(ApiError::precondition(format!("volume already claimed by machine {holder}")));
        }
        if !asked.is_empty() && !regions.contains(&volume.region.as_str()) {
            let text = format!("volume {} is in region {}, not in {asked}", volume.id, volume.region);
            return Err(ApiError::invalid(text));
        }
        self.host_ok(&volume.host)?;
        if self.host_full(&volume.host).is_some() {
            let text =
                format!("insufficient resources to create new machine with existing volume '{}'", volume.id);
            return Err(
                ApiError::new(StatusCode::PRECONDITION_FAILED, text).coded("volume_placement_capacity")
            );
        }
        Ok((volume.region.clone(), volume.host.clone()))
    }

    fn made_up_name(&mut self) -> String {
        const FIRST: [&str; 8] = ["aged", "cold", "dark", "late", "quiet", "still", "wild", "young"];
        const LAST: [&str; 8] = ["brook", "dawn", "frost", "glade", "meadow", "river", "thunder", "wave"];
        let mut pick = |words: [&'static str; 8]| words[usize::try_from(self.ids.between(0, 7)).unwrap_or(0)];
        let (first, last) = (pick(FIRST), pick(LAST));
        format!("{first}-{last}-{}", self.ids.between(1_000, 9_999))
    }
}

/// The answer about a volume that isn't there.
fn no_volume(id: &str) -> ApiError {
    let text = if id.is_empty() { "volume not found".to_owned() } else { format!("volume {id} not found") };
    ApiError::new(StatusCode::BAD_REQUEST, text)
}
