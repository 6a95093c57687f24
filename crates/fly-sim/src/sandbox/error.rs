//! What can go wrong around a sandbox, by class.

use std::{io, path::PathBuf};

/// A failure of the sandbox, not of the command in it: that one is an [`super::Exit`].
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// This host lacks something that a sandbox needs.
    #[error(
        "this host can't run Machines as processes: {0}; run with instant Machines (GATEWAY=fake) instead"
    )]
    Unsupported(String),
    /// The image folder can't be used.
    #[error("image {path}: {cause}; an image folder holds rootfs/ and image.json")]
    Image {
        /// The image folder.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The Machine's own settings can't be carried out.
    #[error("the Machine can't boot: {0}")]
    Boot(String),
    /// The Machine isn't running (any more).
    #[error("machine not running")]
    NotRunning,
    /// Nothing in the Machine accepts connections on this port.
    #[error("connection to port {port} of the Machine failed: {cause}")]
    Connect {
        /// The port inside the Machine.
        port: u16,
        /// The kernel's answer.
        cause: io::Error,
    },
    /// An `exec` took longer than it was given; its processes were killed.
    #[error("deadline_exceeded: the command ran longer than allowed")]
    DeadlineExceeded,
    /// An `exec` couldn't start.
    #[error("the command can't be started: {0}")]
    Exec(String),
    /// The simulator's own files or sockets.
    #[error("{doing}: {cause}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The kernel's answer.
        cause: io::Error,
    },
}

impl SandboxError {
    pub(super) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { doing, cause }
    }
}
