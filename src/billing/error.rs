//! What goes wrong with a payment provider, in classes that a program can act on.

use std::fmt;
use std::time::Duration;

/// The longest part of a provider's own words that is kept, in characters.
const QUOTED: usize = 200;
/// What stands in the place of what opens something.
const REDACTED: &str = "[redacted]";
/// What begins a word that opens something.
const SECRETS: [&str; 8] = ["sk_", "rk_", "pk_", "whsec_", "linkkey", "linkval", "Bearer", "Basic"];

/// What an error means for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The provider can't be reached; nothing was sent.
    Unreachable,
    /// It doesn't answer properly, and nothing was to be changed.
    Unavailable,
    /// Too many requests.
    Throttled {
        /// When to try again, if known.
        retry_after: Option<Duration>,
    },
    /// The same call is under way, or the thing is being changed: the same call works soon.
    Busy,
    /// The idempotency key was used for another call. A fault of the caller's.
    KeyReused,
    /// The customer's bank or card says no.
    Declined,
    /// The key is wrong, or may not do this.
    Credentials,
    /// It doesn't exist.
    NotFound,
    /// It isn't in a state that allows this, such as a checkout that is paid.
    WrongState,
    /// The request is wrong; the same request stays wrong.
    Refused,
    /// It was sent, and nobody knows what came of it. With an idempotency key the same call finds out; without
    /// one it is held, never repeated.
    Unknown,
    /// The answer couldn't be understood.
    BadAnswer,
    /// There is more of it than is read.
    TooMany,
}

impl ErrorClass {
    /// A short name, for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Unavailable => "unavailable",
            Self::Throttled { .. } => "throttled",
            Self::Busy => "busy",
            Self::KeyReused => "key_reused",
            Self::Declined => "declined",
            Self::Credentials => "credentials",
            Self::NotFound => "not_found",
            Self::WrongState => "wrong_state",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::BadAnswer => "bad_answer",
            Self::TooMany => "too_many",
        }
    }

    /// Whether the same call may work later with nothing else changed. `Unknown` isn't among them.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Unreachable | Self::Unavailable | Self::Throttled { .. } | Self::Busy)
    }

    /// What to do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Unreachable => "check the network; nothing was sent, and it is tried again",
            Self::Unavailable => "nothing was changed, and it is tried again",
            Self::Throttled { .. } | Self::Busy => "it is tried again by itself",
            Self::KeyReused => "report this as a defect: two different calls had one idempotency key",
            Self::Declined => "the customer has to pay in another way",
            Self::Credentials => {
                "give the operator a valid key of this account, with the right to checkouts, subscriptions, invoices, refunds, products and the portal"
            }
            Self::NotFound => {
                "check that the key belongs to the account and mode in which this was made; what is recorded stands meanwhile"
            }
            Self::WrongState => "read its state, and decide again",
            Self::Refused => "correct what is asked for: a Plan's price, a currency or an address",
            Self::Unknown => "look for the effect at the provider before anything is repeated",
            Self::BadAnswer => "check that the provider's address is right",
            Self::TooMany => {
                "look at the customer at the provider, end what goes on there, and have another order placed"
            }
        }
    }
}

/// A call that failed.
///
/// Its `Display` is stable for the same cause: no key, no request id and no time is in it, so it can be shown in a
/// status. `Debug` adds the request id.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Facts>);

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) class: ErrorClass,
    pub(super) operation: &'static str,
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) replay: Replay,
    pub(super) cause: String,
}

/// Whether an answer is a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replay {
    Fresh,
    Repeated,
}

impl Error {
    /// An error without an answer's details.
    pub fn new(operation: &'static str, class: ErrorClass, cause: impl AsRef<str>) -> Self {
        Self::with(Facts {
            class,
            operation,
            status: None,
            code: None,
            request_id: None,
            replay: Replay::Fresh,
            cause: quoted(cause.as_ref()),
        })
    }

    pub(super) fn with(facts: Facts) -> Self {
        Self(Box::new(facts))
    }

    /// What it means for the caller.
    pub fn class(&self) -> ErrorClass {
        self.0.class
    }

    /// The call, such as `checkout.create`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The provider's own code, such as `card_declined` or `70080`.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The provider's id of the request, which its support asks for.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Whether the provider repeats an answer that it kept for the idempotency key: it will do so each time, so
    /// another try needs another key.
    pub fn is_replayed(&self) -> bool {
        self.0.replay == Replay::Repeated
    }

    /// When to try again, if the provider said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.0.class {
            ErrorClass::Throttled { retry_after } => retry_after,
            _ => None,
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        self.0.class.remedy()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.operation, self.0.cause)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("operation", &self.0.operation)
            .field("class", &self.0.class)
            .field("status", &self.0.status)
            .field("code", &self.0.code)
            .field("request_id", &self.0.request_id)
            .field("cause", &self.0.cause)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}

/// Somebody else's words without these secrets, as they are and as they stand in a form.
pub(super) fn without(words: &str, secrets: &[&str]) -> String {
    let in_form = |secret: &&str| form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>();
    let mut all: Vec<String> = secrets.iter().map(in_form).collect();
    all.extend(secrets.iter().map(|secret| (*secret).to_owned()));
    // What is a part of another goes after it.
    all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let all = all.iter().filter(|secret| !secret.is_empty());
    all.fold(words.to_owned(), |words, secret| words.replace(secret.as_str(), REDACTED))
}

/// Somebody else's words: bounded, on one line, and without anything that opens something.
pub(super) fn quoted(words: &str) -> String {
    let mut line = String::new();
    for word in words.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if line.chars().count() + word.chars().count() >= QUOTED {
            line.push('…');
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        let is_secret = SECRETS.iter().any(|mark| word.contains(mark));
        line.push_str(if is_secret { REDACTED } else { word });
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_elses_words_are_short_and_open_nothing() {
        assert_eq!(quoted("Invalid API Key: sk_test_canary\n\0now"), "Invalid API Key: [redacted] now");
        assert!(quoted(&"long ".repeat(1000)).chars().count() <= QUOTED + 1);
        assert_eq!(quoted(&"x".repeat(1000)), "…");
    }

    #[test]
    fn a_known_secret_goes_whatever_stands_around_it() {
        let secrets = ["canary", "canary+/= 2", ""];
        for words in ["invalid key canary", "(canary+/= 2)", "key=canary%2B%2F%3D+2&x", "canarycanary"] {
            let left = without(words, &secrets);
            assert!(left.contains(REDACTED) && !left.contains("canary") && !left.contains("%2F"), "{left}");
        }
        assert_eq!(without("nothing of it", &secrets), "nothing of it");
    }

    #[test]
    fn what_is_unknown_is_not_repeated_as_if_it_were_harmless() {
        assert!(!ErrorClass::Unknown.is_transient());
        assert!(ErrorClass::Throttled { retry_after: None }.is_transient());
    }
}
