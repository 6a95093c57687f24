//! Health checks: as declared, and as last seen.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wire::{nullable, time};
use super::{Extra, WireDuration};

open_enum! {
    /// How a check asks.
    CheckType {
        /// Opens a connection.
        Tcp = "tcp",
        /// Sends a request and wants a 2xx answer.
        Http = "http",
    }
}

open_enum! {
    /// What a Machine-level check decides.
    CheckKind {
        /// Shown, and nothing else.
        Informational = "informational",
        /// Holds traffic back while it fails.
        Readiness = "readiness",
    }
}

open_enum! {
    /// The last result of a check.
    CheckResult {
        /// It answered well.
        Passing = "passing",
        /// It hasn't answered yet, or not well enough.
        Warning = "warning",
        /// It fails.
        Critical = "critical",
    }
}

/// A health check of a Machine or of one of its services.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// TCP or HTTP.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind_of_probe: Option<CheckType>,
    /// The port inside the Machine; a service's check defaults to the service's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The time between two checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<WireDuration>,
    /// How long an answer may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<WireDuration>,
    /// How long after the start failures don't count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_period: Option<WireDuration>,
    /// HTTP method; GET by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// HTTP path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `http` or `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// HTTP headers to send.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<CheckHeader>,
    /// Whether the check decides about traffic; Machine-level checks only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<CheckKind>,
    /// Fields that this version doesn't model.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Check {
    /// A check that sends GET to a path.
    pub fn http(port: u16, path: impl Into<String>) -> Self {
        Self {
            kind_of_probe: Some(CheckType::Http),
            port: Some(port),
            path: Some(path.into()),
            ..Self::default()
        }
    }

    /// A check that opens a connection.
    pub fn tcp(port: u16) -> Self {
        Self { kind_of_probe: Some(CheckType::Tcp), port: Some(port), ..Self::default() }
    }
}

/// A header that an HTTP check sends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckHeader {
    /// The header's name.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// Its values.
    #[serde(default, deserialize_with = "nullable")]
    pub values: Vec<String>,
}

/// What a check last saw.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct CheckStatus {
    /// The check's name.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// Its result.
    #[serde(default)]
    pub status: CheckResult,
    /// What the probe printed or received.
    #[serde(default, deserialize_with = "nullable")]
    pub output: String,
    /// When it last ran.
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<Timestamp>,
}
