//! What can go wrong, in classes that a program can act on.

use std::fmt;
use std::time::Duration;

/// The result of a call.
pub type Result<T> = std::result::Result<T, Error>;

/// Where there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CapacityScope {
    /// The host of the Machine: retry later, or replace the Machine.
    Host,
    /// The host of the volume: fork the volume, and use the fork.
    VolumePlacement,
    /// The region: try another.
    Region,
}

/// What an error means for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// There is no room.
    Capacity(CapacityScope),
    /// The organisation has reached a limit, or has to add a payment method.
    Quota,
    /// Fly's own policy blocks it.
    PolicyBlocked,
    /// The name of the app or Machine is in use: look whose it is before adopting it.
    NameTaken,
    /// What was to be added is already there (an address, a hostname): read it, and go on.
    AlreadyExists,
    /// Somebody changed it at the same time, or it has another version than expected: read again.
    Conflict,
    /// Somebody else holds the Machine's lease.
    LeaseHeld,
    /// The Machine or volume hasn't settled from its last change: the same call works soon.
    Settling,
    /// The Machine isn't in a state that allows this, and waiting doesn't help.
    WrongState,
    /// The host doesn't answer, or takes no changes.
    HostUnreachable,
    /// It doesn't exist. Close to a creation it may not exist yet.
    NotFound,
    /// A volume that the request names doesn't exist.
    VolumeMissing,
    /// The image can't be fetched. Close to a push, retry for some seconds.
    ImageMissing,
    /// Too many requests; or the client's own budget is used up, and the request wasn't sent.
    Throttled {
        /// When to try again, if known.
        retry_after: Option<Duration>,
    },
    /// The token is missing, malformed, expired or revoked.
    Unauthorized,
    /// The token may not do this, or it belongs to another organisation.
    Forbidden,
    /// The request is wrong; the same request stays wrong.
    Invalid,
    /// The request was sent and nobody knows what came of it: look before repeating it.
    Ambiguous,
    /// The API didn't answer, or not properly, and nothing was to be changed.
    Unavailable,
    /// The API couldn't be reached; nothing was sent.
    Unreachable,
    /// The answer couldn't be understood.
    BadAnswer,
}

impl ErrorClass {
    /// A short name, for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Capacity(CapacityScope::Host) => "capacity_host",
            Self::Capacity(CapacityScope::VolumePlacement) => "capacity_volume_placement",
            Self::Capacity(CapacityScope::Region) => "capacity_region",
            Self::Quota => "quota",
            Self::PolicyBlocked => "policy_blocked",
            Self::NameTaken => "name_taken",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::LeaseHeld => "lease_held",
            Self::Settling => "settling",
            Self::WrongState => "wrong_state",
            Self::HostUnreachable => "host_unreachable",
            Self::NotFound => "not_found",
            Self::VolumeMissing => "volume_missing",
            Self::ImageMissing => "image_missing",
            Self::Throttled { .. } => "throttled",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Invalid => "invalid",
            Self::Ambiguous => "ambiguous",
            Self::Unavailable => "unavailable",
            Self::Unreachable => "unreachable",
            Self::BadAnswer => "bad_answer",
        }
    }

    /// Whether the same call may work later with nothing else changed.
    ///
    /// Ambiguous errors aren't among them: repeat those only after looking.
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Capacity(_)
                | Self::Settling
                | Self::LeaseHeld
                | Self::HostUnreachable
                | Self::Throttled { .. }
                | Self::Unavailable
                | Self::Unreachable
        )
    }

    /// What to do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Capacity(CapacityScope::Host) => {
                "retry later; if it stays full, replace the Machine or fork its volume onto another host"
            }
            Self::Capacity(CapacityScope::VolumePlacement) => {
                "fork the volume with a compute hint, and create the Machine on the fork"
            }
            Self::Capacity(CapacityScope::Region) => "try another region, or wait for room",
            Self::Quota => {
                "ask Fly to raise the organisation's limit, add a payment method, or free some Machines"
            }
            Self::PolicyBlocked => "contact Fly's support: its policy blocks this organisation or app",
            Self::NameTaken => "choose another name, or adopt what has it once it is known to be yours",
            Self::AlreadyExists => "read what is there, and go on with it",
            Self::Conflict => "read the current version, and apply the change to that",
            Self::LeaseHeld => "wait for the lease to end, or send its nonce",
            Self::Settling => "repeat the call in a second, for some minutes at most",
            Self::WrongState => "bring the Machine into a state that allows this first",
            Self::HostUnreachable => {
                "wait for the host, or replace the Machine; restore its volume from a snapshot"
            }
            Self::NotFound => "check the name or id; just after a creation, read again",
            Self::VolumeMissing => "read the app's volumes: the one named has moved or is gone",
            Self::ImageMissing => "check the image's name, tag and registry access",
            Self::Throttled { .. } => "slow down, and try again later",
            Self::Unauthorized => "supply a valid organisation token, as made by `fly tokens create org`",
            Self::Forbidden => "use a token of the organisation that owns this app",
            Self::Invalid => "correct the request",
            Self::Ambiguous => "look for the effect before repeating the call",
            Self::Unavailable => "try again later; nothing was changed",
            Self::Unreachable => "check the network and the base URL; nothing was sent",
            Self::BadAnswer => "check that the base URL is that of the Machines API",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a call that failed may have taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It never left this process.
    NotSent,
    /// The API refused it, or it only reads: nothing has changed.
    Refused,
    /// It was sent; it may have taken effect.
    Unknown,
}

/// A call that failed.
///
/// Its `Display` is stable for the same cause: no request id, no token and no time is in it, so it can be shown in
/// a status without churn. `Debug` adds the request id and the API's own words.
pub struct Error(Box<Facts>);

pub(crate) struct Facts {
    pub(crate) class: ErrorClass,
    pub(crate) outcome: Outcome,
    pub(crate) operation: &'static str,
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<Box<str>>,
    pub(crate) message: String,
    pub(crate) detail: String,
}

impl Error {
    pub(crate) fn new(facts: Facts) -> Self {
        Self(Box::new(facts))
    }

    /// An error found before anything was sent.
    pub(crate) fn local(operation: &'static str, class: ErrorClass, cause: impl Into<String>) -> Self {
        let cause = cause.into();
        Self::new(Facts {
            class,
            outcome: Outcome::NotSent,
            operation,
            status: None,
            request_id: None,
            message: format!("{operation}: {cause}"),
            detail: cause,
        })
    }

    /// An answer that was good, and of no use.
    pub(crate) fn useless_answer(operation: &'static str, outcome: Outcome, cause: &str) -> Self {
        let class = match outcome {
            Outcome::Unknown => ErrorClass::Ambiguous,
            Outcome::Refused | Outcome::NotSent => ErrorClass::BadAnswer,
        };
        let mut error = Self::local(operation, class, cause);
        error.0.outcome = outcome;
        error
    }

    /// What it means for the caller.
    pub fn class(&self) -> ErrorClass {
        self.0.class
    }

    /// Whether the call may have taken effect.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// The call, such as `machines.create`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The HTTP status, if the API answered.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The API's id of the request, which Fly's support asks for.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The cause, in words that stay the same for the same cause.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the API or the network said, for logs: bounded, without tokens, but not stable.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        self.0.class.remedy()
    }

    /// Whether the thing asked for doesn't exist.
    pub fn is_not_found(&self) -> bool {
        self.0.class == ErrorClass::NotFound
    }

    /// The id of the Machine that has the name which was asked for.
    pub fn existing_machine(&self) -> Option<&str> {
        if self.0.class != ErrorClass::NameTaken {
            return None;
        }
        let (_, rest) = self.0.detail.split_once("machine ID ")?;
        let id = rest.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
        (!id.is_empty()).then_some(id)
    }

    /// When to try again, if the API or the client's own budget said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.0.class {
            ErrorClass::Throttled { retry_after } => retry_after,
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("operation", &self.0.operation)
            .field("class", &self.0.class)
            .field("outcome", &self.0.outcome)
            .field("status", &self.0.status)
            .field("request_id", &self.0.request_id)
            .field("detail", &self.0.detail)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}
