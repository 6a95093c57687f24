//! A driver that runs each Machine's own command as a process in namespaces of its own.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;

use super::images::Images;
use super::volumes::VolumeFolders;
use super::{
    Driver, Exec, ExecError, ExecResult, Happened, Launch, ListenSocket, ProcessStat, Progress, Report, Run,
    Stream, boot, probe,
};
use crate::model::event::Exit;
use crate::sandbox::{self, ExecRequest, Sandbox, SandboxError, Signal};

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
struct Slot {
    run: Run,
    /// Held from boot to end, so that one program is wholly gone before the next boots.
    turn: Arc<tokio::sync::Mutex<()>>,
    sandbox: Option<Sandbox>,
    probes: Vec<AbortHandle>,
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

    fn machines(&self) -> MutexGuard<'_, HashMap<String, Slot>> {
        self.inner.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, run: &Run, what: Happened) {
        // Without a receiver the simulator is ending.
        let _ = self.inner.reports.send(Report { run: run.clone(), what });
    }

    fn sandbox(&self, machine: &str) -> Option<Sandbox> {
        self.machines().get(machine).and_then(|slot| slot.sandbox.clone())
    }

    /// Boots after the Machine's earlier program is wholly gone, then watches until the end.
    async fn run(self, launch: Launch, turn: Arc<tokio::sync::Mutex<()>>) {
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

impl Driver for Process {
    fn resolve(&self, image: &str) -> Option<String> {
        self.inner.images.find(image).map(|entry| entry.digest)
    }

    fn launch(&self, launch: Launch) -> Progress {
        let turn = {
            let mut machines = self.machines();
            let before = machines.remove(&launch.run.machine);
            if let Some(sandbox) = before.as_ref().and_then(|slot| slot.sandbox.as_ref()) {
                sandbox.kill();
            }
            let turn = before.as_ref().map(|slot| Arc::clone(&slot.turn)).unwrap_or_default();
            let run = launch.run.clone();
            let slot = Slot { run, turn: Arc::clone(&turn), sandbox: None, probes: Vec::new() };
            machines.insert(launch.run.machine.clone(), slot);
            turn
        };
        tokio::spawn(self.clone().run(launch, turn));
        Progress::Pending
    }

    fn stop(&self, run: &Run, signal: &str, timeout: Duration) -> Progress {
        let Some(sandbox) = self.sandbox(&run.machine) else {
            self.kill(run);
            self.report(run, Happened::Exited(Exit::default()));
            return Progress::Pending;
        };
        let signal = signal.parse().unwrap_or(Signal::Int);
        tokio::spawn(async move {
            if let Err(error) = sandbox.signal(signal).await {
                tracing::debug!(%error, "the program had ended already");
            }
            if tokio::time::timeout(timeout, sandbox.wait()).await.is_err() {
                sandbox.kill();
            }
        });
        Progress::Pending
    }

    fn kill(&self, run: &Run) {
        // The slot stays, so that a later boot waits for this program's end; its run no longer fits.
        let mut machines = self.machines();
        let Some(slot) = machines.get_mut(&run.machine) else { return };
        slot.run.epoch = u64::MAX;
        slot.probes.drain(..).for_each(|probe| probe.abort());
        if let Some(sandbox) = &slot.sandbox {
            sandbox.kill();
        }
    }

    fn signal(&self, machine: &str, signal: &str) {
        let (Some(sandbox), Ok(signal)) = (self.sandbox(machine), signal.parse::<Signal>()) else { return };
        tokio::spawn(async move {
            if let Err(error) = sandbox.signal(signal).await {
                tracing::debug!(%error, "the program had ended already");
            }
        });
    }

    fn forget_volume(&self, volume: &str) {
        self.inner.volumes.remove(volume);
    }

    fn copy_volume(&self, from: &str, to: &str) {
        self.inner.volumes.copy(from, to);
    }

    fn exec(&self, machine: &str, exec: Exec) -> Option<BoxFuture<'static, Result<ExecResult, ExecError>>> {
        let sandbox = self.sandbox(machine);
        Some(Box::pin(async move {
            let sandbox = sandbox.ok_or_else(|| ExecError::Failed("machine not running".to_owned()))?;
            let stdin = Some(exec.stdin.into_bytes()).filter(|bytes| !bytes.is_empty());
            let request = ExecRequest {
                argv: exec.argv,
                env: std::collections::BTreeMap::new(),
                stdin,
                timeout: exec.timeout,
            };
            match sandbox.exec(request).await {
                Ok(outcome) => Ok(ExecResult {
                    exit_code: outcome.exit_code,
                    exit_signal: outcome.exit_signal,
                    stdout: String::from_utf8_lossy(&outcome.stdout).into_owned(),
                    stderr: String::from_utf8_lossy(&outcome.stderr).into_owned(),
                }),
                Err(SandboxError::DeadlineExceeded) => Err(ExecError::TimedOut),
                Err(error) => Err(ExecError::Failed(error.to_string())),
            }
        }))
    }

    fn processes(&self, machine: &str) -> BoxFuture<'static, Vec<ProcessStat>> {
        let sandbox = self.sandbox(machine);
        Box::pin(async move {
            let Some(sandbox) = sandbox else { return Vec::new() };
            sandbox.processes().await.unwrap_or_default().into_iter().map(stat).collect()
        })
    }

    fn connect(&self, launch: Launch, port: u16) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
        let sandbox = self.sandbox(&launch.run.machine);
        Box::pin(async move {
            let sandbox = sandbox.ok_or(io::ErrorKind::ConnectionRefused)?;
            match sandbox.connect(port).await {
                Ok(stream) => Ok(Box::new(stream) as Box<dyn Stream>),
                Err(SandboxError::Connect { cause, .. }) => Err(cause),
                Err(error) => Err(io::Error::other(error)),
            }
        })
    }

    fn runs_processes(&self) -> bool {
        true
    }

    fn console(&self, machine: &str) -> Option<PathBuf> {
        Some(boot::console_path(&self.inner.folder, machine))
    }

    fn shutdown(&self) -> BoxFuture<'static, ()> {
        let slots: Vec<Slot> = self.machines().drain().map(|(_, slot)| slot).collect();
        Box::pin(async move {
            let running: Vec<Sandbox> = slots.iter().filter_map(|slot| slot.sandbox.clone()).collect();
            drop(slots);
            running.iter().for_each(Sandbox::kill);
            for sandbox in running {
                sandbox.wait().await;
            }
        })
    }
}

fn stat(process: sandbox::ProcessStat) -> ProcessStat {
    let sockets = process.listen_sockets.into_iter();
    ProcessStat {
        pid: u32::try_from(process.pid).unwrap_or(0),
        command: process.command,
        directory: process.directory,
        cpu: process.cpu,
        rss: process.rss,
        rtime: process.rtime,
        stime: process.stime,
        listen_sockets: sockets.map(|s| ListenSocket { proto: s.proto, address: s.address }).collect(),
    }
}
