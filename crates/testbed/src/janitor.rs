//! Nothing that the testbed starts outlives it, however it ends.
//!
//! A child process can't be trusted to notice that its parent was killed, and a parent that was killed
//! cleans up nothing. So each process that uses the testbed keeps one small shell beside it, which holds
//! the other end of a pipe. When the pipe closes, by whatever death, the shell kills the process groups
//! and removes the folders that it was told of. It is portable, needs no rights and runs no unsafe code.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::{Context, Result};

/// Reads `watch PID`, `forget PID` and `remove DIR` lines until its standard input closes.
const SCRIPT: &str = r#"
trap '' INT TERM HUP QUIT
pids=
while read -r verb what; do
  case $verb in
    watch) pids="$pids $what" ;;
    forget) left=; for pid in $pids; do [ "$pid" = "$what" ] || left="$left $pid"; done; pids=$left ;;
    remove) set -- "$@" "$what" ;;
  esac
done
for pid in $pids; do kill -KILL "-$pid"; done
[ $# -eq 0 ] || rm -rf -- "$@" || { sleep 1; rm -rf -- "$@"; }
"#;

fn janitor() -> MutexGuard<'static, Option<Child>> {
    static JANITOR: OnceLock<Mutex<Option<Child>>> = OnceLock::new();
    JANITOR.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

fn start() -> Result<Child> {
    Command::new("/bin/sh")
        .args(["-c", SCRIPT, "testbed-janitor"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("start /bin/sh, which ends the started processes if this one is killed")
}

fn tell(verb: &str, what: &str) -> Result<()> {
    let mut slot = janitor();
    let child = match slot.as_mut() {
        Some(child) => child,
        None => slot.insert(start()?),
    };
    let pipe = child.stdin.as_mut().context("the janitor has no pipe")?;
    writeln!(pipe, "{verb} {what}").context("the shell that ends the started processes has died")
}

/// Kills the process group of `pid` when this process ends.
pub(crate) fn watch(pid: u32) -> Result<()> {
    tell("watch", &pid.to_string())
}

/// `pid` has been reaped; its number may soon belong to somebody else.
pub(crate) fn forget(pid: u32) -> Result<()> {
    tell("forget", &pid.to_string())
}

/// Removes `dir` with everything in it when this process ends.
pub(crate) fn remove(dir: &Path) -> Result<()> {
    tell("remove", &dir.display().to_string())
}

/// Cleans up now and waits for it, so that a program can end with truly nothing left behind it.
pub fn finish() {
    let child = janitor().take();
    if let Some(mut child) = child {
        drop(child.stdin.take());
        let _ = child.wait();
    }
}
