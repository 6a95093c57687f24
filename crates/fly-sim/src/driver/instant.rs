//! A driver without processes: every program starts, stops and answers at once.

use std::io;
use std::time::Duration;

use futures::future::BoxFuture;

use super::{Driver, Exec, ExecError, ExecResult, Launch, ProcessStat, Progress, Run, Stream};
use crate::ids::sha256_hex;

/// Answers a connection to a Machine's port, in place of its program.
pub type Responder = fn(launch: Launch, port: u16) -> BoxFuture<'static, io::Result<Box<dyn Stream>>>;

/// The driver.
#[derive(Clone, Copy, Debug)]
pub struct Instant {
    responder: Responder,
}

impl Default for Instant {
    fn default() -> Self {
        Self { responder: refuse }
    }
}

impl Instant {
    /// A driver whose Machines answer connections through this.
    pub fn answering(responder: Responder) -> Self {
        Self { responder }
    }
}

fn refuse(_: Launch, _: u16) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
    Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
}

impl Driver for Instant {
    fn resolve(&self, image: &str) -> Option<String> {
        Some(
            image
                .rsplit_once("@sha256:")
                .map_or_else(|| sha256_hex(image.as_bytes()), |(_, hex)| hex.to_owned()),
        )
    }

    fn launch(&self, _: Launch) -> Progress {
        Progress::Done
    }

    fn stop(&self, _: &Run, _: &str, _: Duration) -> Progress {
        Progress::Done
    }

    fn kill(&self, _: &Run) {}

    fn signal(&self, _: &str, _: &str) {}

    fn forget_volume(&self, _: &str) {}

    fn copy_volume(&self, _: &str, _: &str) {}

    fn exec(&self, _: &str, _: Exec) -> Option<BoxFuture<'static, Result<ExecResult, ExecError>>> {
        None
    }

    fn processes(&self, _: &str) -> BoxFuture<'static, Vec<ProcessStat>> {
        let init = ProcessStat {
            pid: 1,
            command: "/sbin/init".into(),
            directory: "/".into(),
            ..ProcessStat::default()
        };
        Box::pin(async { vec![init] })
    }

    fn connect(&self, launch: Launch, port: u16) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
        (self.responder)(launch, port)
    }

    fn runs_processes(&self) -> bool {
        false
    }

    fn shutdown(&self) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}
