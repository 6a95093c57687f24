//! Taking a Machine away.

use serde_json::{Value, json};

use super::state::{Key, State};
use super::timers::Step;
use crate::error::{ApiError, ApiResult};
use crate::model::event::Source;
use crate::model::machine::{MachineState, Replace};
use crate::model::volume::Hold;

/// Whether a running Machine may be destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destroy {
    /// Only one that is stopped, suspended, failed or created.
    Resting,
    /// Any.
    Force,
}

impl State {
    /// Destroys a Machine in the background.
    pub fn destroy(&mut self, key: &Key, how: Destroy) -> ApiResult<()> {
        use MachineState as S;
        let machine = self.machine(key).ok_or_else(ApiError::no_machine)?;
        let resting =
            matches!(machine.state, S::Created | S::Stopped | S::Suspended | S::Failed | S::LaunchFailed)
                && machine.replace == Replace::Idle;
        match machine.state {
            S::Destroyed => return Err(ApiError::no_machine()),
            S::Destroying => return Ok(()),
            _ if how == Destroy::Resting && !resting => {
                return Err(ApiError::precondition(
                    "unable to destroy machine, not currently stopped, suspended, failed or created",
                ));
            }
            _ => {}
        }
        self.effect("machine.destroy", &key.app, &key.id, json!({ "force": how == Destroy::Force }));
        self.destroy_now(key, Source::User);
        Ok(())
    }

    pub(super) fn destroy_now(&mut self, key: &Key, source: Source) {
        self.kill_run(key);
        self.event(key, "destroy", "destroying", source, None);
        self.begin(key, MachineState::Destroying);
        let delay = self.settings.delays.destroy.draw(&mut self.ids);
        self.step_in(key, delay, Step::Destroyed);
    }

    /// It is gone.
    pub(super) fn destroyed(&mut self, key: &Key) {
        self.event(key, "destroy", "destroyed", Source::Flyd, None);
        self.begin(key, MachineState::Destroyed);
        if let Some(machine) = self.machine_mut(key) {
            machine.lease = None;
            machine.versions.truncate(1);
        }
        self.effect("machine.destroyed", &key.app, &key.id, Value::Null);
        self.release_volumes(key);
    }

    fn release_volumes(&mut self, key: &Key) {
        let (bound, claimed) = (self.settings.delays.unbind, self.settings.delays.unclaim);
        let bound_until = self.now + bound.draw(&mut self.ids);
        let claimed_until = self.now + claimed.draw(&mut self.ids);
        let now = self.now;
        let Ok(app) = self.app_mut(&key.app) else { return };
        let held = app.volumes.values_mut().filter(|volume| volume.hold == Hold::Bound(key.id.clone()));
        for volume in held {
            volume.hold = Hold::Lingering { machine: key.id.clone(), bound_until, claimed_until };
            volume.updated_at = now;
        }
    }
}
