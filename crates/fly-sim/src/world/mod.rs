//! The simulated Fly: one state behind one lock, moved by calls, by drivers and by time.

pub mod apps;
pub mod autostop;
pub mod boot;
pub mod capacity;
pub mod certificates;
pub mod checks;
pub mod create;
pub mod destroy;
pub mod disturb;
pub mod exits;
pub mod halt;
pub mod images;
pub mod leases;
pub mod orgs;
pub mod recover;
pub mod routing;
pub mod state;
pub mod timers;
pub mod update;
pub mod volume_life;
pub mod volumes;

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

pub use state::{Key, State};

use crate::clock::Clock;
use crate::driver::{Driver, Report};
use crate::persist::Store;

/// The simulated Fly.
pub struct Sim {
    /// Where it takes its time from.
    pub clock: Arc<dyn Clock>,
    /// What runs its Machines.
    pub driver: Arc<dyn Driver>,
    state: Mutex<State>,
    store: Mutex<Option<Store>>,
    earlier: Notify,
    asked: Notify,
}

/// The state, brought up to the present, for as long as this is held.
pub struct Entered<'a> {
    state: MutexGuard<'a, State>,
    earlier: &'a Notify,
    asked: &'a Notify,
    due: Option<i64>,
}

impl Sim {
    /// A Fly in this state.
    pub fn new(
        clock: Arc<dyn Clock>,
        driver: Arc<dyn Driver>,
        state: State,
        store: Option<Store>,
    ) -> Arc<Self> {
        let (state, store) = (Mutex::new(state), Mutex::new(store));
        Arc::new(Self { clock, driver, state, store, earlier: Notify::new(), asked: Notify::new() })
    }

    /// Writes the apps that changed, before anyone is told of it.
    pub fn commit(&self) -> std::io::Result<()> {
        match self.store().as_mut() {
            Some(_) if self.enter().dirty.is_empty() => Ok(()),
            Some(store) => store.save_changes(self),
            None => Ok(()),
        }
    }

    /// Writes everything that isn't written.
    pub fn save(&self) -> std::io::Result<()> {
        if let Some(store) = self.store().as_mut() {
            return store.save(self);
        }
        self.enter().forget_unsaved();
        Ok(())
    }

    fn store(&self) -> MutexGuard<'_, Option<Store>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters the state: everything that is due has happened.
    pub fn enter(&self) -> Entered<'_> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.cause = None;
        state.catch_up(self.clock.now());
        let due = state.timers.next_due();
        Entered { state, earlier: &self.earlier, asked: &self.asked, due }
    }

    /// Enters the state for a request, which its effects are then put down to.
    pub fn enter_for(&self, request: u64) -> Entered<'_> {
        let mut entered = self.enter();
        entered.cause = Some(request);
        entered
    }

    /// Makes things happen when they are due, for ever.
    pub async fn keep_time(&self) {
        loop {
            let earlier = self.earlier.notified();
            let due = self.enter().timers.next_due();
            match due {
                Some(at) => tokio::select! { () = self.clock.until(at) => {}, () = earlier => {} },
                None => earlier.await,
            }
        }
    }

    /// Takes in what drivers report, for ever.
    pub async fn take_reports(&self, mut reports: tokio::sync::mpsc::UnboundedReceiver<Report>) {
        while let Some(report) = reports.recv().await {
            self.enter().reported(report);
        }
    }
}

impl Deref for Entered<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Entered<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let due = self.state.timers.next_due();
        if due.is_some_and(|at| self.due.is_none_or(|before| at < before)) {
            self.earlier.notify_one();
        }
        if !self.state.looks.is_empty() {
            self.asked.notify_one();
        }
    }
}
