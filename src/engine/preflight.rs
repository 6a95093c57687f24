//! What must hold before the process may act: the kinds are served as this program knows them, its rights suffice,
//! and its Fly token is good.
//!
//! A fault doesn't end the process. It shows in `/readyz` and the log with its remedy, and the checks are repeated:
//! a token that is mended must not need a restart.

mod fly;
mod rights;
mod served;

pub use fly::connect as connect_fly;
use std::fmt;

use kube::Client;

use super::config::Config;
use super::metrics::Metrics;

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The API server can be reached and serves our kinds.
    CustomResources,
    /// The process may do what it needs to do.
    Rights,
    /// The Fly token is good, and of the configured organisation.
    FlyToken,
}

impl Check {
    /// Its short name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CustomResources => "custom-resources",
            Self::Rights => "rights",
            Self::FlyToken => "fly-token",
        }
    }
}

/// A check that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The check.
    pub check: Check,
    /// Why it failed.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}

impl Fault {
    fn new(check: Check, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, cause: cause.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; remedy: {}", self.check.as_str(), self.cause, self.remedy)
    }
}

/// The checks of one process.
pub struct Preflight<'a> {
    client: Client,
    config: &'a Config,
    metrics: Metrics,
}

impl<'a> Preflight<'a> {
    /// Checks with this client, which should have short time limits.
    pub fn new(client: Client, config: &'a Config, metrics: Metrics) -> Self {
        Self { client, config, metrics }
    }

    /// Makes every check. Gives the Fly client, or everything that is wrong at once.
    ///
    /// # Errors
    /// At least one fault.
    pub async fn check(&self) -> Result<fly_machines::Client, Vec<Fault>> {
        let (served, rights, fly) = tokio::join!(
            served::check(&self.client),
            rights::check(&self.client, self.config),
            fly::check(&self.config.fly, &self.metrics),
        );
        let mut faults: Vec<Fault> = [served.err(), rights.err()].into_iter().flatten().collect();
        match fly {
            Ok(client) if faults.is_empty() => return Ok(client),
            Ok(_) => {}
            Err(fault) => faults.push(fault),
        }
        Err(faults)
    }
}
