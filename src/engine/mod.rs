//! What every controller stands on: configuration, the clock, the lease, back-off, metrics, logs.

pub mod clock;
pub mod config;
pub mod hash;
