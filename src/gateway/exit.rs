//! What the end of a Machine means.
//!
//! The entry script gives every end of the gateway a code of its own: exit 0
//! that nobody asked for is a reported stop, since the restart policy leaves
//! that one alone, and a gateway that ends by itself is 75.

/// `EX_TEMPFAIL`: the gateway ended by itself, or couldn't be started just then.
const ENDED_BY_ITSELF: i32 = 75;
/// `EX_CONFIG`: the gateway's own code for a configuration it refuses.
const REFUSED_CONFIGURATION: i32 = 78;
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

/// The exit event of a Machine, as the Machines API gives it.
///
/// Judge only an event of the version that should run: while an update
/// replaces a Machine, the old version's end reads as not requested.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MachineExit {
    /// The exit code; a zero may be left out.
    pub code: Option<i32>,
    /// The signal that ended it; absent or not positive when none did.
    pub signal: Option<i32>,
    /// The kernel ended a process for want of memory.
    pub oom_killed: bool,
    /// Someone asked for the stop through the API.
    pub requested_stop: bool,
}

/// Why a Machine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCause {
    /// As asked.
    Requested,
    /// A start that can't succeed until its cause is mended; it isn't tried again.
    ConfigurationRefused,
    /// Out of memory.
    OutOfMemory,
    /// Anything else; Fly starts it again.
    Crashed {
        /// The exit code, 128 + n for signal n.
        code: i32,
    },
}

impl ExitCause {
    /// Reads the cause from an exit event.
    pub fn of(exit: MachineExit) -> Self {
        let signal = exit.signal.filter(|signal| *signal > 0);
        let code = signal.map_or(exit.code.unwrap_or(0), |signal| 128 + signal);
        match code {
            _ if exit.requested_stop => Self::Requested,
            _ if exit.oom_killed => Self::OutOfMemory,
            0 | REFUSED_CONFIGURATION => Self::ConfigurationRefused,
            code => Self::Crashed { code },
        }
    }

    /// One line for a user; stable.
    pub fn message(self) -> String {
        match self {
            Self::Requested => "the Machine stopped as asked".to_owned(),
            Self::ConfigurationRefused => {
                "the gateway can't start with its configuration or volume, and was not started again"
                    .to_owned()
            }
            Self::OutOfMemory => "the gateway ran out of memory".to_owned(),
            Self::Crashed { code: ENDED_BY_ITSELF } => "the gateway ended by itself".to_owned(),
            Self::Crashed { code } => match named_signal(code) {
                Some(name) => format!("the gateway was ended by {name} (exit {code})"),
                None => format!("the gateway failed with exit {code}"),
            },
        }
    }

    /// What to do about it; None when nothing is wrong.
    pub fn remedy(self) -> Option<&'static str> {
        const CRASHED: &str = "read the Machine's log; it is started again by itself. If the log says that another gateway owns the state directory, that ends within five minutes of the loss of its former Machine";
        const MEMORY: &str = "choose a Plan with more memory; a gateway needs 2 GB at least";
        match self {
            Self::Requested => None,
            Self::ConfigurationRefused => Some(
                "read the Machine's log: lines that begin with `moorage:` name the cause, the gateway's own lines before them the key; mend openclaw.json or the declaration, then restart",
            ),
            Self::OutOfMemory => Some(MEMORY),
            Self::Crashed { code } if code == 128 + SIGABRT || code == 128 + SIGKILL => {
                Some("read the Machine's log; if it speaks of heap or memory, choose a Plan with more of it")
            }
            Self::Crashed { .. } => Some(CRASHED),
        }
    }
}

fn named_signal(code: i32) -> Option<&'static str> {
    match code - 128 {
        1 => Some("SIGHUP"),
        2 => Some("SIGINT"),
        SIGABRT => Some("SIGABRT"),
        SIGKILL => Some("SIGKILL"),
        11 => Some("SIGSEGV"),
        15 => Some("SIGTERM"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(code: i32) -> MachineExit {
        MachineExit { code: Some(code), ..MachineExit::default() }
    }

    #[test]
    fn what_was_asked_for_is_no_fault_whatever_its_code() {
        for code in [0, 75, 78, 137, 143] {
            let asked = MachineExit { requested_stop: true, oom_killed: code == 137, ..exit(code) };
            assert_eq!(ExitCause::of(asked), ExitCause::Requested);
            assert_eq!(ExitCause::of(asked).remedy(), None);
        }
    }

    #[test]
    fn an_unasked_zero_is_a_reported_stop() {
        for reported in [exit(0), exit(78), MachineExit::default()] {
            assert_eq!(ExitCause::of(reported), ExitCause::ConfigurationRefused);
        }
    }

    #[test]
    fn memory_comes_before_the_code() {
        let killed = MachineExit { oom_killed: true, ..exit(137) };
        assert_eq!(ExitCause::of(killed), ExitCause::OutOfMemory);
        assert!(ExitCause::of(killed).remedy().unwrap().contains("memory"));
    }

    #[test]
    fn crashes_keep_their_code() {
        for code in [1, 75, 134, 139] {
            assert_eq!(ExitCause::of(exit(code)), ExitCause::Crashed { code });
        }
        assert!(ExitCause::of(exit(134)).message().contains("SIGABRT"));
        assert!(ExitCause::of(exit(75)).message().contains("by itself"));
    }

    #[test]
    fn a_signal_counts_as_128_and_its_number() {
        let signalled = |signal| MachineExit { signal: Some(signal), ..exit(0) };
        assert_eq!(ExitCause::of(signalled(9)), ExitCause::Crashed { code: 137 });
        assert_eq!(ExitCause::of(signalled(-1)), ExitCause::ConfigurationRefused);
    }
}
