//! A driver that runs each Machine's own command as a process in namespaces of its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;

use super::images::Images;
use super::volumes::VolumeFolders;
use super::{Happened, Launch, Report, Run, boot, probe};
use crate::model::event::Exit;
use crate::sandbox::{self, Sandbox};

/// The driver; clones share it.
#[derive(Clone)]
pub struct Process {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) images: Images,
    pub(super) volumes: VolumeFolders,
    pub(super) folder: PathBuf,
    pub(super) init_program: PathBuf,
    reports: UnboundedSender<Report>,
    machines: Mutex<HashMap<String, Slot>>,
}

/// What runs, or is about to run, in a Machine.
pub(super) struct Slot {
    pub(super) run: Run,
    /// Held from boot to end, so that one program is wholly gone before the next boots.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    pub(super) sandbox: Option<Sandbox>,
    pub(super) probes: Vec<AbortHandle>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        for probe in &self.probes {
            probe.abort();
        }
    }
}

impl Process {
    /// A driver with images from one folder and everything else in another.
    pub fn new(
        images: &Path,
        folder: &Path,
        init_program: PathBuf,
        reports: UnboundedSender<Report>,
    ) -> Result<Self, String> {
        sandbox::supported_by(&init_program)?;
        let inner = Inner {
            images: Images::new(images),
            volumes: VolumeFolders::new(folder.join("volumes")),
            folder: folder.to_owned(),
            init_program,
            reports,
            machines: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(super) fn machines(&self) -> MutexGuard<'_, HashMap<String, Slot>> {
        self.inner.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn report(&self, run: &Run, what: Happened) {
        // Without a receiver the simulator is ending.
        let _ = self.inner.reports.send(Report { run: run.clone(), what });
    }

    pub(super) fn sandbox(&self, machine: &str) -> Option<Sandbox> {
        self.machines().get(machine).and_then(|slot| slot.sandbox.clone())
    }

    /// Boots after the Machine's earlier program is wholly gone, then watches until the end.
    pub(super) async fn run(self, launch: Launch, turn: Arc<tokio::sync::Mutex<()>>) {
        let run = launch.run.clone();
        let _turn = turn.lock().await;
        if !self.is_current(&run) {
            return;
        }
        let checks = probe::checks_of(&launch.config.value());
        match boot::boot(&self.inner, &launch).await {
            Err(reason) => self.report(&run, Happened::Failed(reason)),
            Ok(sandbox) if !self.keep(&run, &sandbox) => {
                sandbox.kill();
                sandbox.wait().await;
            }
            Ok(sandbox) => {
                self.report(&run, Happened::Started);
                self.probe(&run, &sandbox, checks);
                let exit = sandbox.wait().await;
                self.forget_probes(&run);
                self.report(&run, Happened::Exited(exited(exit)));
            }
        }
    }

    fn is_current(&self, run: &Run) -> bool {
        self.machines().get(&run.machine).is_some_and(|slot| slot.run == *run)
    }

    /// Notes what runs; `false` when the Machine was stopped meanwhile.
    fn keep(&self, run: &Run, sandbox: &Sandbox) -> bool {
        let mut machines = self.machines();
        let current = machines.get_mut(&run.machine).filter(|slot| slot.run == *run);
        current.map(|slot| slot.sandbox = Some(sandbox.clone())).is_some()
    }

    fn probe(&self, run: &Run, sandbox: &Sandbox, checks: Vec<probe::Probe>) {
        let mut probes = Vec::new();
        for check in checks {
            let (reporter, sandbox, run) = (self.clone(), sandbox.clone(), run.clone());
            let report = move |result| reporter.report(&run, Happened::Checked(result));
            probes.push(tokio::spawn(check.repeat(sandbox, report)).abort_handle());
        }
        match self.machines().get_mut(&run.machine).filter(|slot| slot.run == *run) {
            Some(slot) => slot.probes = probes,
            None => probes.iter().for_each(AbortHandle::abort),
        }
    }

    fn forget_probes(&self, run: &Run) {
        let mut machines = self.machines();
        if let Some(slot) = machines.get_mut(&run.machine).filter(|slot| slot.run == *run) {
            slot.probes.drain(..).for_each(|probe| probe.abort());
        }
    }
}

fn exited(exit: sandbox::Exit) -> Exit {
    Exit { exit_code: exit.code.into(), signal: exit.signal.map(Into::into), oom_killed: exit.oom }
}
