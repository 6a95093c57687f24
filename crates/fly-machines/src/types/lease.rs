//! Leases: the right to be the only one who changes a Machine, for a while.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wire::{nullable, time};

/// The proof of a lease. Never printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct LeaseNonce(HeaderValue);

impl LeaseNonce {
    /// A nonce as it was stored. One that no header can carry becomes empty, and the API refuses it.
    pub fn new(nonce: &str) -> Self {
        let mut value = HeaderValue::from_str(nonce).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        Self(value)
    }

    /// The nonce itself, for storing it.
    pub fn expose(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl From<String> for LeaseNonce {
    fn from(nonce: String) -> Self {
        Self::new(&nonce)
    }
}

impl Default for LeaseNonce {
    fn default() -> Self {
        Self::new("")
    }
}

impl fmt::Debug for LeaseNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeaseNonce([redacted])")
    }
}

/// A request for a lease.
#[derive(Clone, Debug, Serialize)]
pub struct AcquireLease {
    /// How long it lasts, in seconds.
    pub ttl: u64,
    /// Why, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
}

impl AcquireLease {
    /// A lease of this length; whole seconds, at least one.
    pub fn new(ttl: Duration) -> Self {
        Self { ttl: ttl.as_secs().max(1), description: String::new() }
    }

    /// Says why.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }
}

/// A lease that is held.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Lease {
    /// What to send along with each change; absent when somebody else holds it.
    #[serde(default)]
    pub nonce: Option<LeaseNonce>,
    /// When it ends.
    #[serde(default, deserialize_with = "time")]
    pub expires_at: Option<Timestamp>,
    /// Whose it is.
    #[serde(default, deserialize_with = "nullable")]
    pub owner: String,
    /// Why.
    #[serde(default, deserialize_with = "nullable")]
    pub description: String,
    /// The Machine's version when it was taken: if it equals `instance_id`, the config hasn't moved.
    #[serde(default, deserialize_with = "nullable")]
    pub version: String,
}

/// The two shapes of the answer: in an envelope, as the API sends it, or flat, as its description says.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum LeaseAnswer {
    Envelope { data: Lease },
    Flat(Lease),
}

impl From<LeaseAnswer> for Lease {
    fn from(answer: LeaseAnswer) -> Self {
        match answer {
            LeaseAnswer::Envelope { data: lease } | LeaseAnswer::Flat(lease) => lease,
        }
    }
}
