//! Programs that end by themselves, and what drivers report.

use serde_json::json;

use super::halt::{Again, Asked};
use super::state::{Key, State};
use super::timers::Step;
use crate::clock::Millis;
use crate::driver::{Happened, Report};
use crate::model::event::{Exit, Source};
use crate::model::machine::{Machine, MachineState};

/// Restarts are counted in this window.
const WINDOW: Millis = 5 * 60_000;
/// So many restarts in the window are too many.
const MOST: usize = 10;
/// A real program is started again after so long.
const PAUSE: Millis = 1_000;

impl State {
    /// Takes in what a driver reports.
    pub fn reported(&mut self, report: Report) {
        let key = Key { app: report.run.app, id: report.run.machine };
        let current = self.machine(&key).is_some_and(|machine| machine.run == report.run.epoch);
        if !current {
            return;
        }
        match report.what {
            Happened::Started => self.booted(&key),
            Happened::Failed(reason) => self.boot_failed(&key, &reason),
            Happened::Exited(exit) => self.ended(&key, exit),
            Happened::Checked(result) => self.checked(&key, result),
        }
    }

    fn checked(&mut self, key: &Key, result: crate::model::machine::CheckResult) {
        let Some(machine) = self.machine_mut(key) else { return };
        match machine.checks.iter_mut().find(|known| known.name == result.name) {
            Some(known) => *known = result,
            None => machine.checks.push(result),
        }
    }

    fn boot_failed(&mut self, key: &Key, reason: &str) {
        tracing::warn!(machine = key.id, reason, "the program couldn't be started");
        let request = crate::model::event::EventRequest::default();
        self.event(key, "launch", "failed", Source::Flyd, Some(request));
        self.effect("machine.failed", &key.app, &key.id, json!({ "reason": reason }));
        self.begin(key, MachineState::Failed);
    }

    fn ended(&mut self, key: &Key, exit: Exit) {
        match self.machine(key).map(|machine| machine.state) {
            Some(MachineState::Started | MachineState::Starting) => self.exited(key, exit),
            Some(_) => self.halted_with(key, exit),
            None => {}
        }
    }

    /// The program ended though no one asked.
    pub fn exited(&mut self, key: &Key, exit: Exit) {
        let now = self.now;
        let Some(machine) = self.machine_mut(key) else { return };
        let again = restarts(machine, exit, now);
        if again == Again::Yes {
            machine.restarts.push_back(now);
        }
        let goes = again == Again::No && machine.config.parts().auto_destroy;
        self.effect(
            "machine.exit",
            &key.app,
            &key.id,
            json!({ "exit": exit, "restarting": again == Again::Yes }),
        );
        self.exit_event(key, exit, Asked::No, again);
        match (again, goes) {
            (Again::Yes, _) => self.start_again(key),
            (Again::No, true) => self.destroy_now(key, Source::Flyd),
            (Again::No, false) => {
                self.kill_run(key);
                self.begin(key, MachineState::Stopped);
            }
        }
    }

    fn start_again(&mut self, key: &Key) {
        self.kill_run(key);
        self.begin(key, MachineState::Starting);
        let pause = if self.driver.runs_processes() { PAUSE } else { 0 };
        self.step_in(key, pause, Step::Again);
    }
}

/// Whether the restart policy starts the program again.
fn restarts(machine: &mut Machine, exit: Exit, now: Millis) -> Again {
    let restart = &machine.config.parts().restart;
    let most = restart.max_retries.filter(|most| *most > 0).unwrap_or(MOST);
    while machine.restarts.front().is_some_and(|at| at + WINDOW <= now) {
        machine.restarts.pop_front();
    }
    match restart.policy.as_str() {
        "always" => Again::Yes,
        "no" => Again::No,
        _ if exit.failed() && machine.restarts.len() < most => Again::Yes,
        _ => Again::No,
    }
}
