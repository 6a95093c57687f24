//! What the simulator asks of the process driver.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::process::{Process, Slot};
use super::{
    Driver, Exec, ExecError, ExecResult, Happened, Launch, ListenSocket, ProcessStat, Progress, Run, Stream,
    boot,
};
use crate::model::event::Exit;
use crate::sandbox::{self, ExecRequest, Sandbox, SandboxError, Signal};

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
            let sandbox = sandbox.ok_or(ExecError::NotRunning)?;
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
                Err(SandboxError::NotRunning) => Err(ExecError::NotRunning),
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
