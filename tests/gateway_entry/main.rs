//! The entry script, run by the system's Node in front of a fake gateway.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a failed step is a failed test"
)]

mod config;
mod identity;
mod process;
mod safety;
mod world;
