//! What will happen by itself, in the order of time.

use std::collections::BTreeMap;

use super::state::{Key, State};
use crate::clock::Millis;

/// The next step of a Machine's transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The host has the image.
    ImageReady,
    /// The program runs.
    Booted,
    /// The program has ended as asked.
    Halted,
    /// The snapshot is made.
    Suspended,
    /// The program is started again after it ended.
    Again,
    /// The old version has stopped; the new one is prepared.
    Prepared,
    /// It is gone.
    Destroyed,
}

/// Something that will happen.
#[derive(Clone, Debug)]
pub enum Timer {
    /// To a Machine, unless another transition came between.
    Machine {
        /// Which.
        key: Key,
        /// The transition that it belongs to.
        epoch: u64,
        /// What.
        step: Step,
    },
    /// A volume settles in `created`.
    VolumeReady {
        /// The app.
        app: String,
        /// The volume.
        id: String,
    },
    /// A deleted volume goes on to its next state.
    VolumeGoing {
        /// The app.
        app: String,
        /// The volume.
        id: String,
    },
    /// A snapshot is made.
    SnapshotReady {
        /// The app.
        app: String,
        /// The volume.
        volume: String,
        /// The snapshot.
        id: String,
    },
    /// Fly's own snapshot of a day is due.
    Backup {
        /// The app.
        app: String,
        /// The volume.
        id: String,
    },
    /// Fly looks at a hostname's DNS.
    Certificate {
        /// The app.
        app: String,
        /// The hostname.
        hostname: String,
    },
    /// The proxy looks for idle Machines.
    Autostop,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Timers {
    queue: BTreeMap<(Millis, u64), Timer>,
    next: u64,
}

impl Timers {
    /// Adds one.
    pub fn at(&mut self, at: Millis, timer: Timer) {
        self.next += 1;
        self.queue.insert((at, self.next), timer);
    }

    /// When the first is due.
    pub fn next_due(&self) -> Option<Millis> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    fn take_due(&mut self, now: Millis) -> Option<(Millis, Timer)> {
        let first = self.queue.first_entry().filter(|entry| entry.key().0 <= now)?;
        let at = first.key().0;
        Some((at, first.remove()))
    }
}

impl State {
    /// Lets everything happen that is due by `now`, each at its own time.
    pub fn catch_up(&mut self, now: Millis) {
        while let Some((at, timer)) = self.timers.take_due(now) {
            self.now = self.now.max(at);
            self.fire(timer);
        }
        self.now = self.now.max(now);
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Machine { key, epoch, step } => self.step(&key, epoch, step),
            Timer::VolumeReady { app, id } => self.volume_ready(&app, &id),
            Timer::VolumeGoing { app, id } => self.volume_going(&app, &id),
            Timer::Backup { app, id } => self.backup_due(&app, &id),
            Timer::SnapshotReady { app, volume, id } => self.snapshot_ready(&app, &volume, &id),
            Timer::Certificate { app, hostname } => self.certificate_due(&app, &hostname),
            Timer::Autostop => self.autostop_pass(),
        }
    }

    fn step(&mut self, key: &Key, epoch: u64, step: Step) {
        let Some(machine) = self.machine(key).filter(|machine| machine.epoch == epoch) else { return };
        if self.faults.environments.sticks(machine.state, &key.app) {
            self.stuck.push((key.clone(), epoch, step));
            return;
        }
        match step {
            Step::ImageReady => self.image_ready(key),
            Step::Booted => self.booted(key),
            Step::Halted => self.halted(key),
            Step::Suspended => self.suspended(key),
            Step::Again => self.boot(key, super::boot::Boot::Cold),
            Step::Prepared => self.prepared(key),
            Step::Destroyed => self.destroyed(key),
        }
    }

    /// Lets go the Machines that were stuck, as far as no state of the world still holds them.
    pub fn unstick(&mut self) {
        for (key, epoch, step) in std::mem::take(&mut self.stuck) {
            let now = self.now;
            self.timers.at(now, Timer::Machine { key, epoch, step });
        }
    }

    /// Plans the next step of a Machine's transition.
    pub fn step_in(&mut self, key: &Key, delay: Millis, step: Step) {
        let Some(epoch) = self.machine(key).map(|machine| machine.epoch) else { return };
        let at = self.now + delay;
        self.timers.at(at, Timer::Machine { key: key.clone(), epoch, step });
    }
}
