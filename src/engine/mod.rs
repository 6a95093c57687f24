//! What every controller stands on: configuration, the clock, the lease, back-off, metrics, logs.

pub mod backoff;
pub mod clock;
pub mod config;
pub mod controller;
pub mod hash;
pub mod lease;
pub mod metrics;
pub mod preflight;
pub mod shutdown;
pub mod telemetry;
pub mod watch;
