//! How the process ends: asked once it drains, asked twice it stops where it is.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit status after a second signal, as shells give it to what an interrupt has ended.
const ABORTED: i32 = 130;

/// SIGINT and SIGTERM, caught.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Catches them from now on. Must be called inside a runtime.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn catch() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    /// Cancels `stop` at the first signal and ends the process at the second.
    pub async fn watch(mut self, stop: CancellationToken) {
        let name = self.next().await;
        tracing::info!(signal = name, "stops: takes no new work and finishes what runs");
        stop.cancel();
        let name = self.next().await;
        tracing::warn!(signal = name, "aborts: was asked a second time");
        std::process::exit(ABORTED);
    }
}

/// How a drain went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained<T> {
    /// The work has ended by itself.
    Ended(T),
    /// It was still running at the deadline, and was dropped at its next pause.
    CutOff,
}

/// Asks the work to end and waits for it until the deadline. Work that is dropped stops at its next `await`, so a
/// call may have been sent whose answer nobody reads; records written ahead make that safe.
pub async fn drain<T>(
    stop: &CancellationToken,
    work: impl Future<Output = T>,
    within: Duration,
) -> Drained<T> {
    stop.cancel();
    match tokio::time::timeout(within, work).await {
        Ok(result) => Drained::Ended(result),
        Err(_) => Drained::CutOff,
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    async fn work(stop: CancellationToken, last: Duration) -> &'static str {
        stop.cancelled().await;
        sleep(last).await;
        "done"
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_ends_in_time_is_waited_for() {
        let stop = CancellationToken::new();
        let running = work(stop.clone(), Duration::from_secs(9));
        assert_eq!(drain(&stop, running, Duration::from_secs(10)).await, Drained::Ended("done"));
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_does_not_end_is_cut_off() {
        let stop = CancellationToken::new();
        let running = work(stop.clone(), Duration::from_secs(11));
        assert_eq!(drain(&stop, running, Duration::from_secs(10)).await, Drained::CutOff);
    }
}
