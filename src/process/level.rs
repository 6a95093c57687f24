//! Follows the log level in the configuration file.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::RunArgs;
use crate::engine::config::Config;
use crate::engine::telemetry::LevelHandle;

/// How often the file is looked at without being told to: a container without a shell can't be sent a signal.
const LOOK: Duration = Duration::from_secs(15);

/// Takes up the file's level on SIGHUP, and soon after the file has changed. Nothing else of the file is taken up.
///
/// # Errors
/// If the system refuses to catch the signal.
pub(super) fn follow(
    args: RunArgs,
    level: String,
    handle: LevelHandle,
) -> io::Result<impl Future<Output = ()> + Send> {
    let hangup = signal(SignalKind::hangup())?;
    Ok(follow_until_dropped(args, level, handle, hangup))
}

async fn follow_until_dropped(args: RunArgs, mut level: String, handle: LevelHandle, mut hangup: Signal) {
    let mut said = None;
    loop {
        tokio::select! {
            _ = hangup.recv() => said = None,
            () = tokio::time::sleep(LOOK) => {}
        }
        let problem = take_up(&args, &mut level, &handle).err();
        if let Some(problem) = problem.as_ref().filter(|problem| said.as_ref() != Some(*problem)) {
            tracing::error!(error = problem, "the changed configuration can't be used; the log level stays");
        }
        said = problem;
    }
}

fn take_up(args: &RunArgs, level: &mut String, handle: &LevelHandle) -> Result<(), String> {
    let config = Config::load(&args.config, &args.overrides).map_err(|error| error.to_string())?;
    if config.logging.level != *level {
        handle.set(&config.logging.level).map_err(|error| error.to_string())?;
        tracing::info!(from = level, to = config.logging.level, "the log level has changed");
        *level = config.logging.level;
    }
    Ok(())
}
