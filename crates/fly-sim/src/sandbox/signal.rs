//! The signals that the Machines API knows.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A signal for a Machine's command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the signals' own")]
pub enum Signal {
    Abrt,
    Alrm,
    Fpe,
    Hup,
    Ill,
    Int,
    Kill,
    Pipe,
    Quit,
    Segv,
    Term,
    Trap,
    Usr1,
    Usr2,
}

const NAMES: [(Signal, &str, rustix::process::Signal); 14] = [
    (Signal::Abrt, "SIGABRT", rustix::process::Signal::ABORT),
    (Signal::Alrm, "SIGALRM", rustix::process::Signal::ALARM),
    (Signal::Fpe, "SIGFPE", rustix::process::Signal::FPE),
    (Signal::Hup, "SIGHUP", rustix::process::Signal::HUP),
    (Signal::Ill, "SIGILL", rustix::process::Signal::ILL),
    (Signal::Int, "SIGINT", rustix::process::Signal::INT),
    (Signal::Kill, "SIGKILL", rustix::process::Signal::KILL),
    (Signal::Pipe, "SIGPIPE", rustix::process::Signal::PIPE),
    (Signal::Quit, "SIGQUIT", rustix::process::Signal::QUIT),
    (Signal::Segv, "SIGSEGV", rustix::process::Signal::SEGV),
    (Signal::Term, "SIGTERM", rustix::process::Signal::TERM),
    (Signal::Trap, "SIGTRAP", rustix::process::Signal::TRAP),
    (Signal::Usr1, "SIGUSR1", rustix::process::Signal::USR1),
    (Signal::Usr2, "SIGUSR2", rustix::process::Signal::USR2),
];

impl Signal {
    /// The signal with this number on Linux, if the Machines API knows it.
    pub fn from_number(number: i32) -> Option<Self> {
        NAMES.iter().find(|(_, _, raw)| raw.as_raw() == number).map(|(signal, ..)| *signal)
    }

    /// The number on Linux.
    pub fn number(self) -> i32 {
        self.raw().as_raw()
    }

    /// The name with its `SIG` prefix.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(signal, ..)| *signal == self).map_or("SIGKILL", |(_, name, _)| name)
    }

    pub(super) fn raw(self) -> rustix::process::Signal {
        NAMES
            .iter()
            .find(|(signal, ..)| *signal == self)
            .map_or(rustix::process::Signal::KILL, |(_, _, raw)| *raw)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Signal {
    type Err = UnknownSignal;

    /// Accepts `SIGTERM`, `TERM` and either in lower case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        NAMES
            .iter()
            .find(|(_, known, _)| known.strip_prefix("SIG") == Some(name))
            .map(|(signal, ..)| *signal)
            .ok_or_else(|| UnknownSignal(text.to_owned()))
    }
}

/// A name that is no signal of the Machines API.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown signal {0:?}: use one of SIGABRT ALRM FPE HUP ILL INT KILL PIPE QUIT SEGV TERM TRAP USR1 USR2"
)]
pub struct UnknownSignal(String);
