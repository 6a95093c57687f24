//! Giving a Machine a new version.

use http::StatusCode;
use serde_json::json;

use super::halt::{Again, Asked, StopTerms};
use super::state::{Key, State};
use super::timers::Step;
use crate::clock::Millis;
use crate::error::{ApiError, ApiResult};
use crate::model::config::{Guest, MachineConfig};
use crate::model::event::{Exit, Source};
use crate::model::machine::{After, ImageRef, Machine, MachineState, Replace, Version};

/// How many versions are kept.
const KEPT: usize = 6;

/// What a client asks for.
#[derive(Debug)]
pub struct Update {
    /// The whole new configuration.
    pub config: MachineConfig,
    /// The version that the caller believes to replace; any when empty.
    pub current_version: String,
    /// Whether it starts, if it was running.
    pub after: After,
    /// The secrets that it needs at least.
    pub min_secrets_version: u64,
}

impl State {
    /// Replaces a Machine's configuration.
    pub fn update_machine(&mut self, key: &Key, update: Update) -> ApiResult<()> {
        let machine = self.machine(key).ok_or_else(ApiError::no_machine)?;
        updatable(machine)?;
        same_version(machine, &update.current_version)?;
        same_volume(machine, &update.config)?;
        self.secrets_reach(&key.app, update.min_secrets_version)?;
        let image = self.resolve_image(&update.config.parts().image)?;
        if grows(&machine.config.parts().guest, &update.config.parts().guest) {
            self.reserve(&machine.host)?;
        }
        self.replace(key, update, image);
        Ok(())
    }

    fn replace(&mut self, key: &Key, update: Update, image: ImageRef) {
        let version = self.ids.ulid(self.now);
        let Some(machine) = self.machine_mut(key) else { return };
        let was = machine.state;
        let pulls = machine.image.digest != image.digest;
        machine.image = image;
        machine.instance_id.clone_from(&version);
        machine.config = update.config.clone();
        machine.memory_limit_mb = update.config.parts().guest.memory_mb;
        machine.versions.push_front(Version { version: version.clone(), config: update.config });
        machine.versions.truncate(KEPT);
        machine.restarts.clear();
        machine.after = match (update.after, was) {
            (After::Rest, _) | (_, MachineState::Stopped | MachineState::Suspended) => After::Rest,
            (After::Start, MachineState::Created) => machine.after,
            (After::Start, _) => After::Start,
        };
        self.effect("machine.update", &key.app, &key.id, json!({ "version": version }));
        self.event(key, "update", "replacing", Source::User, None);
        if was == MachineState::Started {
            self.set_replace(key, Replace::Stopping);
            self.halt(key, MachineState::Replacing, StopTerms::default());
            self.remember_pull(key, pulls);
        } else {
            self.kill_run(key);
            self.begin(key, MachineState::Created);
            self.prepare(key, self.replace_delay(pulls));
        }
    }

    fn set_replace(&mut self, key: &Key, replace: Replace) {
        if let Some(machine) = self.machine_mut(key) {
            machine.replace = replace;
        }
    }

    /// An update of a running Machine first stops it; what comes after is remembered in its settling time.
    fn remember_pull(&mut self, key: &Key, pulls: bool) {
        let span = self.replace_delay(pulls);
        let delay = span.draw(&mut self.ids);
        if let Some(machine) = self.machine_mut(key) {
            machine.settled_at = delay;
        }
    }

    fn replace_delay(&self, pulls: bool) -> crate::settings::Span {
        if pulls { self.settings.delays.replace_image } else { self.settings.delays.replace }
    }

    fn prepare(&mut self, key: &Key, span: crate::settings::Span) {
        self.set_replace(key, Replace::Preparing);
        let delay = span.draw(&mut self.ids);
        self.step_in(key, delay, Step::Prepared);
    }

    /// The old version has stopped: the Machine reads `stopped` until the new one is prepared.
    pub(super) fn replaced(&mut self, key: &Key, exit: Exit) {
        self.exit_event(key, exit, Asked::No, Again::No);
        let delay: Millis = self.machine(key).map_or(0, |machine| machine.settled_at);
        if let Some(machine) = self.machine_mut(key) {
            machine.settled_at = 0;
        }
        self.begin(key, MachineState::Stopped);
        self.set_replace(key, Replace::Preparing);
        self.step_in(key, delay, Step::Prepared);
    }
}

fn updatable(machine: &Machine) -> ApiResult<()> {
    use MachineState as S;
    match (machine.state, machine.replace) {
        (S::Destroyed | S::Destroying, _) => Err(ApiError::no_machine()),
        (S::Replacing, _) => {
            Err(ApiError::new(StatusCode::CONFLICT, "machine is replacing: concurrent update in progress"))
        }
        (S::Created | S::Started | S::Stopped | S::Suspended | S::Failed, Replace::Idle) => Ok(()),
        _ => Err(concurrent()),
    }
}

fn concurrent() -> ApiError {
    ApiError::aborted("machine update failed due to concurrent update")
}

fn same_version(machine: &Machine, wanted: &str) -> ApiResult<()> {
    if wanted.is_empty() || wanted == machine.instance_id {
        return Ok(());
    }
    let text = format!("current_version {wanted} does not match machine version {}", machine.instance_id);
    Err(ApiError::precondition(text))
}

fn same_volume(machine: &Machine, config: &MachineConfig) -> ApiResult<()> {
    let volumes = |config: &MachineConfig| -> Vec<String> {
        config.parts().mounts.iter().map(|mount| mount.volume.clone()).collect()
    };
    if volumes(&machine.config) == volumes(config) {
        return Ok(());
    }
    Err(ApiError::invalid("can't change, add or remove the volume of an existing machine"))
}

fn grows(old: &Guest, new: &Guest) -> bool {
    new.memory_mb > old.memory_mb || new.cpus > old.cpus || new.cpu_kind != old.cpu_kind
}
