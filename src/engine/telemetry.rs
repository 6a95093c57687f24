//! Logs: one line each on standard error, as JSON or for people, with a level that changes without a restart.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use super::config::LogFormat;

/// Why logs can't be as asked for.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level isn't a filter.
    #[error(
        "`logging.level` is `{level}`, which is not a log filter ({problem}); an example is `info,moorage=debug`"
    )]
    Level {
        /// What was given.
        level: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The process has a log already.
    #[error("logs are set up already: {0}")]
    Twice(#[from] TryInitError),
    /// The log is gone, at the end of the process.
    #[error("the level can't be changed: {0}")]
    Gone(#[from] reload::Error),
}

/// Changes the level of the running process.
#[derive(Clone, Debug)]
pub struct LevelHandle(reload::Handle<EnvFilter, Registry>);

impl LevelHandle {
    /// Logs what this filter lets through from now on.
    ///
    /// # Errors
    /// If it isn't a filter; the old one stays.
    pub fn set(&self, level: &str) -> Result<(), LogError> {
        Ok(self.0.reload(filter(level)?)?)
    }
}

/// Sets up the process's log.
///
/// # Errors
/// If the level isn't a filter, or there is a log already.
pub fn init(format: LogFormat, level: &str) -> Result<LevelHandle, LogError> {
    let (filter, handle) = reload::Layer::new(filter(level)?);
    let lines = match format {
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(stderr).boxed(),
        LogFormat::Pretty => fmt::layer().with_ansi(stderr().is_terminal()).with_writer(stderr).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(LevelHandle(handle))
}

/// Checks a level.
///
/// # Errors
/// If it isn't a filter.
pub fn check_level(level: &str) -> Result<(), LogError> {
    filter(level).map(drop)
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::try_new(level)
        .map_err(|error| LogError::Level { level: level.into(), problem: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_none_says_what_one_looks_like() {
        check_level("info,moorage=debug").unwrap();
        let error = check_level("moorage=loud").unwrap_err().to_string();
        assert!(error.contains("`moorage=loud`") && error.contains("`info,moorage=debug`"), "{error}");
    }
}
