//! What goes wrong with records and certificates, in the terms that people need.

use std::fmt;
use std::time::Duration;

use crate::api::reason;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainClass {
    /// It passes by itself.
    Transient,
    /// Somebody has to do something; slow retries go on.
    Human,
}

/// Why something about a hostname failed. Its text is stable and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DomainError {
    /// How bad it is.
    pub class: DomainClass,
    /// Why, in one word.
    pub reason: &'static str,
    /// Cause and remedy.
    pub message: String,
    /// What the other side asks us to wait, if it does.
    pub retry_after: Option<Duration>,
}

/// Longest part of somebody else's words that is passed on, in characters.
const QUOTED: usize = 200;

impl DomainError {
    fn new(class: DomainClass, reason: &'static str, message: impl Into<String>) -> Self {
        Self { class, reason, message: message.into(), retry_after: None }
    }

    /// The DNS side doesn't answer, or not now.
    pub fn dns_unavailable(message: impl Into<String>) -> Self {
        Self::new(DomainClass::Transient, reason::DNS_UNAVAILABLE, message)
    }

    /// The DNS side refuses.
    pub fn dns_refused(message: impl Into<String>) -> Self {
        Self::new(DomainClass::Human, reason::DNS_REFUSED, message)
    }

    /// Somebody else has a record of that name.
    pub fn taken(host: &str) -> Self {
        Self::new(
            DomainClass::Human,
            reason::HOSTNAME_TAKEN,
            format!(
                "A record for {host} exists in DNS and isn't ours; it is left alone. Remove it, or choose another slug."
            ),
        )
    }

    /// A secret value of the configuration can't be used.
    pub fn secret(message: impl Into<String>) -> Self {
        Self::new(DomainClass::Human, reason::SECRET_VALUE_INVALID, message)
    }

    /// The certificate authority doesn't answer, or not now.
    pub fn authority_unavailable(message: impl Into<String>) -> Self {
        Self::new(DomainClass::Transient, reason::CERTIFICATE_AUTHORITY_UNAVAILABLE, message)
    }

    /// The certificate authority refuses.
    pub fn certificate_refused(message: impl Into<String>) -> Self {
        Self::new(DomainClass::Human, reason::CERTIFICATE_REFUSED, message)
    }

    /// The certificate authority refuses until a limit of its own allows it again.
    pub fn certificate_limited(message: impl Into<String>) -> Self {
        Self::new(DomainClass::Transient, reason::CERTIFICATE_REFUSED, message)
    }

    /// There is no certificate to be had.
    pub fn certificate_missing(message: impl Into<String>) -> Self {
        Self::new(DomainClass::Human, reason::CERTIFICATE_MISSING, message)
    }

    /// The same, to be tried again after this time at the earliest.
    #[must_use]
    pub fn retry_after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }
}

/// Somebody else's words, bounded and on one line.
pub(crate) fn quoted(words: impl fmt::Display) -> String {
    let line: String = words.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.chars().take(QUOTED).collect::<String>().trim().trim_end_matches('.').to_owned()
}
