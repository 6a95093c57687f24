//! The process that makes a Machine's namespaces, and its init inside them.
//!
//! Two processes, because a new pid namespace holds only children: the outer one
//! unshares and waits, the inner one is pid 1 of the Machine. Stdin of both is
//! the control channel. If the outer dies the kernel kills the inner; if the
//! simulator dies the inner reads the end of the channel and exits.

mod boot;
mod copy;
mod devices;
mod network;
mod overlay;
mod processes;
pub(super) mod rootfs;
mod seed;
mod serve;

use std::{
    ffi::OsString,
    fs, io,
    os::fd::AsFd as _,
    process::{Command, ExitCode},
};

use nix::sched::CloneFlags;
use rustix::process::{Signal, getegid, geteuid, set_parent_process_death_signal, setsid};

use super::{MACHINE_INIT, control, protocol::Reply};

/// The argument that asks only whether this host can do it.
pub(super) const PROBE: &str = "probe";
/// The argument of the inner process.
const INNER: &str = "inner";
const INNER_PROBE: &str = "inner-probe";

/// A step of the set-up that failed, for the one who started the Machine.
type Step<T = ()> = Result<T, String>;

/// Names the step in a failure.
trait Doing<T> {
    fn doing(self, step: impl FnOnce() -> String) -> Step<T>;
}

impl<T, E: std::fmt::Display> Doing<T> for Result<T, E> {
    fn doing(self, step: impl FnOnce() -> String) -> Step<T> {
        self.map_err(|error| format!("{}: {error}", step()))
    }
}

/// Runs as a Machine's init. `arguments` are those after [`MACHINE_INIT`].
///
/// The caller must not have started a thread: call this first in `main`.
pub fn machine_init(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<String> = arguments.map(|text| text.to_string_lossy().into_owned()).collect();
    match arguments.first().map(String::as_str) {
        None => outer(INNER, report_on_channel),
        Some(PROBE) => outer(INNER_PROBE, report_on_stderr),
        Some(INNER) => serve::run(),
        Some(INNER_PROBE) => match boot::probe() {
            Ok(()) => ExitCode::SUCCESS,
            Err(cause) => report_on_stderr(cause),
        },
        Some(_) => report_on_stderr("machine-init is started by the simulator itself".to_owned()),
    }
}

/// Unshares, starts the inner process in the new namespaces and lives as long as it does.
fn outer(inner: &str, report: fn(String) -> ExitCode) -> ExitCode {
    match unshare().and_then(|()| run_inner(inner)) {
        Ok(code) => code,
        Err(cause) => report(cause),
    }
}

fn unshare() -> Step {
    // A session of its own: Ctrl-C on the simulator's terminal isn't for the Machine.
    let _ = setsid();
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let namespaces = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    nix::sched::unshare(namespaces).doing(|| "user namespaces aren't available (unshare)".into())?;
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/uid_map", &format!("0 {uid} 1"))?;
    write("/proc/self/gid_map", &format!("0 {gid} 1"))
}

fn write(path: &str, text: &str) -> Step {
    fs::write(path, text).doing(|| format!("writing {path}"))
}

fn run_inner(argument: &str) -> Step<ExitCode> {
    let mut inner = Command::new("/proc/self/exe")
        .args([MACHINE_INIT, argument])
        .spawn()
        .doing(|| "starting the inner process".into())?;
    let status = inner.wait().doing(|| "waiting for the inner process".into())?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The inner process follows the outer one into death, whatever kills that.
fn die_with_parent() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(())
}

fn report_on_channel(cause: String) -> ExitCode {
    // If nobody listens any more there is nobody to tell.
    let _ = control::send_now(io::stdin().as_fd(), &Reply::BootFailed { cause });
    ExitCode::FAILURE
}

#[allow(
    clippy::print_stderr,
    clippy::needless_pass_by_value,
    reason = "a program of its own, and one of two ways to report"
)]
fn report_on_stderr(cause: String) -> ExitCode {
    eprintln!("{cause}");
    ExitCode::FAILURE
}
