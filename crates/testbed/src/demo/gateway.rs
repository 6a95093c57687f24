//! What a Machine runs: the real gateway where the system can, else a light one with the same answers.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use tokio::task::spawn_blocking;

use super::memory::available_bytes;
use crate::fly_sim::Driver;
use crate::images::{self, OPENCLAW_LATEST};
use crate::programs;
use crate::progress::Progress;

/// What the demo is asked to run as gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayChoice {
    /// The real one if the system can, else the light one.
    Auto,
    /// The real one, or an error.
    Real,
    /// The light one.
    Fake,
}

/// Free memory that one real gateway needs, in bytes: it was seen to use 1.4 GB.
const NEEDED_BYTES: u64 = 2_000_000_000;

/// With these `fly-sim` makes the namespaces and mounts of a Machine, and nothing else.
const SANDBOX_PROBE: [&str; 2] = ["machine-init", "probe"];

/// Each system has its own switch for them, and the kernel doesn't tell which one is off.
const NAMESPACES_REMEDY: &str = "The real one needs user namespaces for ordinary users: see `sysctl \
    user.max_user_namespaces kernel.unprivileged_userns_clone kernel.apparmor_restrict_unprivileged_userns`, and in \
    a container its seccomp profile and its masked /proc";

pub(super) async fn choose(choice: GatewayChoice, runtimes: usize, progress: Progress) -> Result<Driver> {
    let obstacle = match choice {
        GatewayChoice::Fake => Some("as asked with GATEWAY=fake".to_owned()),
        GatewayChoice::Auto | GatewayChoice::Real => obstacle(runtimes),
    };
    match obstacle {
        Some(reason) if choice == GatewayChoice::Real => bail!("the real gateway can't run here: {reason}"),
        Some(reason) => {
            progress.note(&format!("Gateway: a light stand-in with OpenClaw's answers ({reason})"));
            Ok(Driver::Instant)
        }
        None => {
            let images =
                spawn_blocking(move || images::openclaw_images(&[OPENCLAW_LATEST], progress)).await??;
            progress
                .note(&format!("Gateway: the real OpenClaw {OPENCLAW_LATEST}, a process for each Machine"));
            Ok(Driver::Process { images })
        }
    }
}

fn obstacle(runtimes: usize) -> Option<String> {
    if let Err(error) = probe(Command::new("npm").arg("--version")) {
        return Some(format!("npm is not there: {error:#}. The real one needs Node's npm on the PATH"));
    }
    let sandbox =
        programs::program("fly-sim").and_then(|program| probe(Command::new(program).args(SANDBOX_PROBE)));
    if let Err(error) = sandbox {
        return Some(format!("Machines can't run as processes here: {error:#}. {NAMESPACES_REMEDY}"));
    }
    let needed = NEEDED_BYTES * u64::try_from(runtimes.max(1)).unwrap_or(u64::MAX);
    match available_bytes() {
        Some(free) if free < needed => Some(format!(
            "{:.1} GB of memory are free, and the real one needs {:.1} GB. End other programs, or raise the limit",
            gigabytes(free),
            gigabytes(needed)
        )),
        _ => None,
    }
}

/// Runs a program that is to succeed; what it says if it doesn't is the reason.
fn probe(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn asking_for_the_light_gateway_needs_nothing_of_the_system() {
        let driver = choose(GatewayChoice::Fake, 100, Progress::quiet()).await.unwrap();
        assert_eq!(driver, Driver::Instant);
    }
}
