//! The proxy's loop over idle Machines.

use serde_json::Value;

use super::halt::StopTerms;
use super::state::{Key, State};
use super::timers::Timer;
use crate::clock::Millis;
use crate::model::config::Service;
use crate::model::event::Source;
use crate::model::machine::{Machine, MachineState};

/// What is done to an idle Machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    Stop,
    Suspend,
}

impl State {
    /// Looks for idle Machines: at most one for each app and region goes.
    pub fn autostop_pass(&mut self) {
        let mut chosen = Vec::new();
        for app in self.apps.values() {
            let mut regions: Vec<&str> = app.living().map(|machine| machine.region.as_str()).collect();
            regions.sort_unstable();
            regions.dedup();
            let idle_ms = self.settings.autostop_idle_ms;
            for region in regions {
                let running: Vec<&Machine> = app.living().filter(|m| runs_in(m, region)).collect();
                if let Some((machine, how)) = superfluous(&running, self.now, idle_ms) {
                    chosen.push((Key { app: app.name.clone(), id: machine.id.clone() }, how));
                }
            }
        }
        for (key, how) in chosen {
            let ended = match how {
                Idle::Stop => self.stop(&key, StopTerms::default(), Source::Flyd),
                Idle::Suspend => self.suspend(&key, Source::Flyd),
            };
            if let Err(refusal) = ended {
                tracing::debug!(machine = key.id, %refusal, "an idle Machine stays");
            }
        }
        let next = self.now + self.settings.autostop_pass_ms.max(1_000);
        self.timers.at(next, Timer::Autostop);
    }
}

fn runs_in(machine: &Machine, region: &str) -> bool {
    machine.state == MachineState::Started && machine.region == region && autostop(machine).is_some()
}

fn autostop(machine: &Machine) -> Option<(&Service, Idle)> {
    machine.config.parts().services.iter().find_map(|service| match &service.autostop {
        Value::Bool(true) => Some((service, Idle::Stop)),
        Value::String(how) if how == "suspend" => Some((service, Idle::Suspend)),
        _ => None,
    })
}

/// The Machine of a group that isn't needed, if there is one.
fn superfluous<'a>(running: &[&'a Machine], now: Millis, idle_ms: Millis) -> Option<(&'a Machine, Idle)> {
    let (service, how) = running.first().and_then(|machine| autostop(machine))?;
    let over = running.iter().filter(|machine| machine.load > service.concurrency.soft()).count();
    let needed = if running.len() > 1 { over + 1 } else { 0 };
    if running.len() <= needed.max(service.min_machines_running) {
        return None;
    }
    let idle = |machine: &&&Machine| machine.load == 0 && machine.active_at + idle_ms <= now;
    running.iter().filter(idle).min_by_key(|machine| machine.active_at).map(|machine| (*machine, how))
}
