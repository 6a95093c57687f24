//! A child process with its log, in a process group of its own.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::janitor;

/// How often a waiting loop looks again. Local processes answer in milliseconds.
pub(crate) const POLL: Duration = Duration::from_millis(25);

/// A running child. Dropping it kills its whole process group and reaps it.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: u32,
    log: PathBuf,
    child: Mutex<Child>,
}

impl Process {
    /// Starts `command` with its output appended to `log`. It ends with this process at the latest.
    pub fn spawn(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {name} ({})", command.get_program().display()))?;
        let pid = child.id();
        let process = Self { name: name.to_owned(), pid, log: log.to_owned(), child: Mutex::new(child) };
        janitor::watch(pid)?;
        Ok(process)
    }

    /// The process id, which is also the id of its process group.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Everything that it has written so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The last `lines` lines that it wrote, to say why it failed.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// How it ended, or `None` while it runs.
    pub fn exit_status(&self) -> Result<Option<ExitStatus>> {
        Ok(self.child().try_wait()?)
    }

    /// An error with the end of its log if it has ended.
    pub fn check_running(&self) -> Result<()> {
        match self.exit_status()? {
            None => Ok(()),
            Some(status) => {
                bail!("{} ended with {status}; its last lines:\n{}", self.name, self.log_tail(15))
            }
        }
    }

    /// Waits for it to end by itself.
    pub async fn wait(&self, deadline: Duration) -> Result<ExitStatus> {
        let until = Instant::now() + deadline;
        loop {
            if let Some(status) = self.exit_status()? {
                return Ok(status);
            }
            if Instant::now() > until {
                bail!("{} still runs after {deadline:?}; its last lines:\n{}", self.name, self.log_tail(15));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Asks it to end with SIGTERM, and kills it when `patience` is over.
    pub async fn terminate(&self, patience: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        if let Ok(status) = self.wait(patience).await {
            return Ok(status);
        }
        self.kill()
    }

    /// SIGKILL to the whole group: nothing of it runs a line of code any more.
    pub fn kill(&self) -> Result<ExitStatus> {
        if let Some(pid) = self.raw_pid() {
            // A group whose leader has just been reaped may be gone: that is what was wanted.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        Ok(self.child().wait()?)
    }

    /// Freezes it where it stands (SIGSTOP), as a stalled node or a long pause of the machine would.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a paused process go on (SIGCONT).
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Resident memory in bytes, where the system tells it (Linux).
    pub fn resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.raw_pid().context("a process id above the signed range")?;
        kill_process(pid, signal).with_context(|| format!("signal {signal:?} to {}", self.name))
    }

    fn raw_pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.pid).ok()?)
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors here have no one to go to: the janitor is the second line.
        let _ = self.kill();
        let _ = janitor::forget(self.pid);
    }
}
