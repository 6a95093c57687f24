//! From an image to a running program.

use std::time::Duration;

use super::state::{Key, State};
use super::timers::Step;
use crate::driver::{Launch, Progress, Run};
use crate::error::{ApiError, ApiResult};
use crate::faults::environment::{Environment, ImageFailure};
use crate::model::event::{Exit, Source};
use crate::model::machine::{After, Machine, MachineState, Replace};

/// How a program is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    /// From its image.
    Cold,
    /// From a snapshot of its memory.
    Resume,
}

impl State {
    /// Starts a Machine that a call asked for; answers the state it was in.
    pub fn start(&mut self, key: &Key) -> ApiResult<MachineState> {
        let machine = self.machine(key).ok_or_else(ApiError::no_machine)?;
        let (before, host) = (machine.state, machine.host.clone());
        self.startable(key)?;
        if before == MachineState::Started {
            return Ok(before);
        }
        self.start_allowed(key)?;
        if before != MachineState::Suspended {
            self.reserve(&host)?;
        }
        self.effect("machine.start", &key.app, &key.id, serde_json::Value::Null);
        self.event(key, "start", "starting", Source::User, None);
        let how = if before == MachineState::Suspended { Boot::Resume } else { Boot::Cold };
        self.boot(key, how);
        Ok(before)
    }

    fn startable(&self, key: &Key) -> ApiResult<()> {
        let machine = self.machine(key).ok_or_else(ApiError::no_machine)?;
        refuse_start(machine, self.now)
    }

    fn start_allowed(&self, key: &Key) -> ApiResult<()> {
        let blocked = self.faults.environments.find(|environment| match environment {
            Environment::StartBlocked { app } if app.is_empty() || *app == key.app => Some(()),
            _ => None,
        });
        match blocked {
            Some(()) => Err(ApiError::new(
                http::StatusCode::FORBIDDEN,
                "permission_denied: governor policy blocked start",
            )),
            None => Ok(()),
        }
    }

    /// The host has the image.
    pub(super) fn image_ready(&mut self, key: &Key) {
        if self.image_fails(key) {
            return;
        }
        let Some(machine) = self.machine(key) else { return };
        let standby = !machine.config.parts().standbys.is_empty();
        match machine.after {
            After::Start if !standby => self.boot(key, Boot::Cold),
            After::Start | After::Rest => self.set_state(key, MachineState::Stopped),
        }
    }

    /// The new version is prepared.
    pub(super) fn prepared(&mut self, key: &Key) {
        if let Some(machine) = self.machine_mut(key) {
            machine.replace = Replace::Idle;
        }
        self.image_ready(key);
    }

    fn image_fails(&mut self, key: &Key) -> bool {
        let Some(machine) = self.machine(key) else { return true };
        match self.faults.environments.image_failure(&machine.config.parts().image) {
            None | Some(ImageFailure::ManifestUnknown | ImageFailure::Exits) => return false,
            Some(ImageFailure::Failed) => {
                self.event(key, "launch", "failed", Source::Flyd, None);
                self.begin(key, MachineState::Failed);
            }
            Some(ImageFailure::LaunchFailed) => self.launch_failed(key),
        }
        true
    }

    fn launch_failed(&mut self, key: &Key) {
        self.event(key, "launch", "launch_failed", Source::Flyd, None);
        self.begin(key, MachineState::LaunchFailed);
        let delay = self.settings.delays.destroy.draw(&mut self.ids);
        self.step_in(key, delay, Step::Destroyed);
    }

    /// Starts the program.
    pub(super) fn boot(&mut self, key: &Key, how: Boot) {
        self.begin(key, MachineState::Starting);
        let Some(machine) = self.machine_mut(key) else { return };
        machine.run = machine.epoch;
        let Some(launch) = self.launch_of(key) else { return };
        let driver = std::sync::Arc::clone(&self.driver);
        let span = if how == Boot::Resume { self.settings.delays.resume } else { self.settings.delays.start };
        if driver.launch(launch) == Progress::Done {
            let delay = span.draw(&mut self.ids);
            self.step_in(key, delay, Step::Booted);
        }
    }

    fn launch_of(&self, key: &Key) -> Option<Launch> {
        let machine = self.machine(key)?;
        if !self.driver.runs_processes() {
            return Some(Launch::bare(run_of(key, machine)));
        }
        self.launch_spec(key)
    }

    /// The program runs.
    pub(super) fn booted(&mut self, key: &Key) {
        let now = self.now;
        let Some(machine) = self.machine_mut(key).filter(|m| m.state == MachineState::Starting) else {
            return;
        };
        machine.started_at = now;
        machine.active_at = now;
        machine.checks.clear();
        self.event(key, "start", "started", Source::Flyd, None);
        self.set_state(key, MachineState::Started);
        self.ends_at_once(key);
    }

    fn ends_at_once(&mut self, key: &Key) {
        let image = self.machine(key).map(|machine| machine.config.parts().image.clone()).unwrap_or_default();
        if self.faults.environments.image_failure(&image) == Some(ImageFailure::Exits) {
            self.exited(key, Exit { exit_code: 1, ..Exit::default() });
        }
    }

    /// The signal and time that a program is given to end.
    pub fn stop_terms(&self, key: &Key) -> (String, Duration) {
        let stop =
            self.machine(key).map(|machine| machine.config.parts().stop_config.clone()).unwrap_or_default();
        let signal = stop.signal.unwrap_or_else(|| "SIGINT".to_owned());
        (signal, stop.timeout.unwrap_or(Duration::from_secs(5)).min(Duration::from_mins(5)))
    }
}

/// The run of a Machine's program.
pub fn run_of(key: &Key, machine: &Machine) -> Run {
    Run { app: key.app.clone(), machine: key.id.clone(), epoch: machine.run }
}

fn refuse_start(machine: &Machine, now: i64) -> ApiResult<()> {
    use MachineState as S;
    let state = machine.state.as_str();
    let unable = || ApiError::precondition(format!("unable to start machine from current state: '{state}'"));
    match machine.state {
        S::Replacing => Err(unable()),
        _ if machine.replace != Replace::Idle => {
            Err(ApiError::precondition("machine getting replaced, refusing to start"))
        }
        S::Starting | S::Restarting => Err(ApiError::precondition("machine still attempting to start")),
        S::Stopped if machine.settled_at > now => {
            Err(ApiError::precondition("machine still active, refusing to start"))
        }
        S::Stopped | S::Suspended | S::Failed | S::Started => Ok(()),
        S::Created | S::Stopping | S::Suspending | S::LaunchFailed | S::Destroying | S::Destroyed => {
            Err(unable())
        }
    }
}
