//! Reading the configuration: the file, then what flags and environment say, then the check of both.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Config, LogFormat, Mode};
use crate::engine::telemetry;

/// Single values that a flag or an environment variable sets over the file's.
#[derive(Args, Clone, Debug, Default)]
pub struct Overrides {
    /// Over `logging.level`: what is logged, such as `info,moorage=debug`.
    #[arg(long = "log-level", env = "MOORAGE_LOG_LEVEL", value_name = "FILTER")]
    pub level: Option<String>,
    /// Over `logging.format`: Json or Pretty.
    #[arg(long = "log-format", env = "MOORAGE_LOG_FORMAT", value_enum, ignore_case = true)]
    pub format: Option<LogFormat>,
    /// Over `address`: where `/healthz`, `/readyz` and `/metrics` are served.
    #[arg(long, env = "MOORAGE_ADDRESS", value_name = "IP:PORT")]
    pub address: Option<String>,
    /// Over `mode`: `ReadWrite` or `ReadOnly`.
    #[arg(long, env = "MOORAGE_MODE", value_enum, ignore_case = true)]
    pub mode: Option<Mode>,
}

impl Overrides {
    fn apply(&self, config: &mut Config) {
        if let Some(level) = &self.level {
            config.logging.level.clone_from(level);
        }
        if let Some(address) = &self.address {
            config.address.clone_from(address);
        }
        config.logging.format = self.format.unwrap_or(config.logging.format);
        config.mode = self.mode.unwrap_or(config.mode);
    }
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read the configuration file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file isn't a configuration.
    #[error("{path} is not a valid configuration: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// A value can't be used.
    #[error("`{field}` {problem}")]
    Value {
        /// The field.
        field: &'static str,
        /// What is wrong, and what would be right.
        problem: &'static str,
    },
}

impl Config {
    /// Reads the file, replaces what `overrides` gives, and checks the result.
    ///
    /// # Errors
    /// Says which file or field is wrong, and what would be right.
    pub fn load(path: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.into(), source })?;
        let mut config: Self = serde_saphyr::from_str(&text)
            .map_err(|error| ConfigError::Parse { path: path.into(), message: error.to_string() })?;
        overrides.apply(&mut config);
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let value = |field, problem| Err(ConfigError::Value { field, problem });
        if !is_label(&self.cluster_id, 32) {
            return value("clusterID", "must be 1 to 32 lower-case letters, digits and dashes");
        }
        if !self.fly.app_prefix.is_empty() && !is_label(self.fly.app_prefix.trim_end_matches('-'), 10) {
            return value("fly.appPrefix", "must be at most 10 lower-case letters, digits and dashes");
        }
        if self.fly.organization.is_empty() {
            return value("fly.organization", "must name the Fly organisation by its slug");
        }
        if self.concurrency == 0 {
            return value("concurrency", "must be at least 1");
        }
        if self.address.parse::<SocketAddr>().is_err() {
            return value("address", "must be an IP address and a port, such as 127.0.0.1:8080");
        }
        if telemetry::check_level(&self.logging.level).is_err() {
            return value("logging.level", "must be a log filter, such as `info` or `info,moorage=debug`");
        }
        self.billing.check(&self.address)?;
        self.custom_domains.check()?;
        self.base_domain.as_ref().map_or(Ok(()), super::BaseDomain::check)
    }
}

fn is_label(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
}
