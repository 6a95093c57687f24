//! Runs a Machine's own command in namespaces of its own, without root.
//!
//! A sandbox has its own user, mount, pid, network, UTS and IPC namespace:
//! `files`, `/data` and port 3000 mean in it what they mean on Fly, and no host
//! port opens. The root filesystem is the image with a fresh upper layer at each
//! boot; only the volume survives.
//!
//! Making namespaces needs a process with one thread, so [`Sandbox::spawn`]
//! starts a program whose `main` hands over to [`machine_init`] before anything
//! else runs. That process becomes the Machine's init: it starts the command,
//! reaps, opens connections from the inside and runs `exec`. It ends, and the
//! kernel with it every process of the Machine, as soon as its control socket
//! closes; so nothing outlives the simulator, even one that was killed.
//!
//! What a sandbox doesn't do: limit memory or CPU. That takes cgroup rights
//! that an ordinary user doesn't have.

mod console;
mod control;
mod error;
mod exec;
mod handle;
mod image;
mod init;
mod launch;
mod protocol;
mod signal;
mod spec;

pub use error::SandboxError;
pub use exec::{ExecOutcome, ExecRequest, OUTPUT_LIMIT};
pub use handle::Sandbox;
pub use image::Image;
pub use init::machine_init;
pub use launch::supported_by;
pub use protocol::{ListenSocket, ProcessStat};
pub use signal::Signal;
pub use spec::{ConsoleLog, Exit, RootfsStrategy, SandboxSpec, SeedFile, VolumeMount};

/// The argument with which a program must hand over to [`machine_init`].
pub const MACHINE_INIT: &str = "machine-init";
