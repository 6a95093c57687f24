//! Stopping, suspending and restarting as asked.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::boot::{Boot, run_of};
use super::state::{Key, State};
use super::timers::Step;
use crate::clock::rfc3339;
use crate::driver::Progress;
use crate::error::{ApiError, ApiResult};
use crate::model::event::{EventRequest, Exit, ExitEvent, Source};
use crate::model::machine::{After, MachineState, Replace};

/// How a program is to end; what isn't given comes from the configuration.
#[derive(Clone, Debug, Default)]
pub struct StopTerms {
    /// The signal.
    pub signal: Option<String>,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

impl State {
    /// Stops a Machine that a call, or the proxy, asked for. Answers before it has stopped.
    pub fn stop(&mut self, key: &Key, terms: StopTerms, source: Source) -> ApiResult<()> {
        use MachineState as S;
        let machine = self.machine(key).ok_or_else(ApiError::no_machine)?;
        match machine.state {
            S::Destroyed | S::Destroying => return Err(ApiError::no_machine()),
            S::Stopped if machine.replace == Replace::Idle => return Ok(()),
            S::Stopping | S::LaunchFailed => return Ok(()),
            _ => self.effect("machine.stop", &key.app, &key.id, json!({ "source": source })),
        }
        match self.machine(key).map(|machine| machine.state) {
            Some(S::Created | S::Replacing | S::Stopped) => self.rest_after(key),
            Some(S::Suspended | S::Failed) => self.drop_snapshot(key),
            _ => {
                self.event(key, "stop", "stopping", source, None);
                self.halt(key, S::Stopping, terms);
            }
        }
        Ok(())
    }

    fn rest_after(&mut self, key: &Key) {
        if let Some(machine) = self.machine_mut(key) {
            machine.after = After::Rest;
        }
    }

    fn drop_snapshot(&mut self, key: &Key) {
        self.kill_run(key);
        self.event(key, "stop", "stopped", Source::User, None);
        self.begin(key, MachineState::Stopped);
    }

    /// Asks the program to end while the Machine reads `state`.
    pub(super) fn halt(&mut self, key: &Key, state: MachineState, terms: StopTerms) {
        let (signal, timeout) = self.stop_terms(key);
        let (signal, timeout) = (terms.signal.unwrap_or(signal), terms.timeout.unwrap_or(timeout));
        self.begin(key, state);
        let Some(run) = self.machine(key).map(|machine| run_of(key, machine)) else { return };
        if self.driver.stop(&run, &signal, timeout) == Progress::Done {
            let delay = self.settings.delays.stop.draw(&mut self.ids);
            self.step_in(key, delay, Step::Halted);
        }
    }

    /// The program has ended as asked.
    pub(super) fn halted(&mut self, key: &Key) {
        self.halted_with(key, Exit::default());
    }

    /// The program has ended so after it was asked to end.
    pub(super) fn halted_with(&mut self, key: &Key, exit: Exit) {
        match self.machine(key).map(|machine| machine.state) {
            Some(MachineState::Replacing) => self.replaced(key, exit),
            Some(MachineState::Restarting) => {
                self.exit_event(key, exit, Asked::Yes, Again::Yes);
                self.boot(key, Boot::Cold);
            }
            Some(MachineState::Stopping) => {
                self.exit_event(key, exit, Asked::Yes, Again::No);
                self.settle(key);
                self.set_state(key, MachineState::Stopped);
            }
            Some(MachineState::Suspending) => self.suspended(key),
            _ => {}
        }
    }

    /// From now on, for a while, the Machine is still active to those who start it.
    pub(super) fn settle(&mut self, key: &Key) {
        let until = self.now + self.settings.delays.settle.draw(&mut self.ids);
        if let Some(machine) = self.machine_mut(key) {
            machine.settled_at = until;
        }
    }

    /// Puts the end of a program on record.
    pub(super) fn exit_event(&mut self, key: &Key, exit: Exit, asked: Asked, again: Again) {
        let exit_event = ExitEvent {
            exit_code: exit.exit_code,
            exited_at: rfc3339(self.now),
            guest_exit_code: exit.exit_code,
            guest_signal: exit.signal.unwrap_or(-1),
            oom_killed: exit.oom_killed,
            requested_stop: asked == Asked::Yes,
            restarting: again == Again::Yes,
            signal: exit.signal.unwrap_or(-1),
        };
        let count = self.machine(key).map(|machine| machine.restarts.len());
        let request = EventRequest { exit_event: Some(exit_event), restart_count: count };
        self.event(key, "exit", "stopped", Source::Flyd, Some(request));
    }

    /// Suspends a Machine; where that can't be, it stops.
    pub fn suspend(&mut self, key: &Key, source: Source) -> ApiResult<()> {
        let machine = self.machine(key).ok_or_else(ApiError::no_machine)?;
        match machine.state {
            MachineState::Suspended | MachineState::Suspending => return Ok(()),
            MachineState::Started => {}
            MachineState::Destroyed => return Err(ApiError::no_machine()),
            other => {
                let text = format!("unable to suspend machine from current state: '{}'", other.as_str());
                return Err(ApiError::precondition(text));
            }
        }
        let parts = machine.config.parts();
        let fits =
            parts.guest.memory_mb <= 2_048 && parts.init.swap_size_mb == 0 && parts.schedule.is_empty();
        if !fits {
            return self.stop(key, StopTerms::default(), source);
        }
        self.effect("machine.suspend", &key.app, &key.id, json!({ "source": source }));
        self.event(key, "suspend", "suspending", source, None);
        self.begin(key, MachineState::Suspending);
        let delay = self.settings.delays.stop.draw(&mut self.ids);
        self.step_in(key, delay, Step::Suspended);
        Ok(())
    }

    /// The snapshot is made. Memory isn't kept: a program is ended, and starts afresh on resume.
    pub(super) fn suspended(&mut self, key: &Key) {
        self.kill_run(key);
        self.event(key, "suspend", "suspended", Source::Flyd, None);
        self.set_state(key, MachineState::Suspended);
    }

    /// Stops and starts a Machine.
    pub fn restart(&mut self, key: &Key, terms: StopTerms) -> ApiResult<()> {
        let machine = self.machine(key).ok_or_else(ApiError::no_machine)?;
        let state = machine.state;
        match state {
            MachineState::Started => {}
            MachineState::Stopped if machine.replace == Replace::Idle => self.reserve(&machine.host)?,
            MachineState::Destroyed => return Err(ApiError::no_machine()),
            _ => {
                return Err(ApiError::precondition(
                    "unable to restart machine, not currently started or stopped",
                ));
            }
        }
        self.effect("machine.restart", &key.app, &key.id, Value::Null);
        self.event(key, "restart", "restarting", Source::User, None);
        if state == MachineState::Started {
            self.halt(key, MachineState::Restarting, terms);
        } else {
            self.boot(key, Boot::Cold);
        }
        Ok(())
    }

    /// Sends a signal to the program.
    pub fn send_signal(&mut self, key: &Key, signal: &str) -> ApiResult<()> {
        let machine = self.machine(key).ok_or_else(ApiError::no_machine)?;
        if machine.state != MachineState::Started {
            return Err(ApiError::new(
                StatusCode::PRECONDITION_FAILED,
                "failed_precondition: machine not running",
            ));
        }
        self.effect("machine.signal", &key.app, &key.id, json!({ "signal": signal }));
        self.driver.signal(&key.id, signal);
        let ends = matches!(signal, "SIGKILL" | "SIGTERM" | "SIGINT" | "SIGQUIT" | "SIGABRT" | "SIGSEGV");
        if ends && !self.driver.runs_processes() {
            let number = if signal == "SIGKILL" { 9 } else { 15 };
            self.exited(key, Exit { exit_code: 128 + number, signal: Some(number), oom_killed: false });
        }
        Ok(())
    }

    /// Ends the program at once.
    pub(super) fn kill_run(&mut self, key: &Key) {
        let Some(machine) = self.machine(key) else { return };
        self.driver.kill(&run_of(key, machine));
        if let Some(machine) = self.machine_mut(key) {
            machine.run = 0;
        }
    }
}

/// Whether a call asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It did.
    Yes,
    /// It didn't.
    No,
}

/// Whether the program is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It is.
    Yes,
    /// It isn't.
    No,
}
