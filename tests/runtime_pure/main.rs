//! Runtimes without any I/O: whole histories of `decide` in a small world.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail loudly, and its helpers are its own"
)]

mod around;
mod degraded;
mod drift;
mod endings;
mod env;
mod faults;
mod hostnames;
mod journeys;
mod life_check;
mod marks;
mod model_check;
mod moves;
mod names;
mod paths;
mod readings;
mod remains;
mod restart;
mod restore;
mod sleep;
mod snapshots;
mod stalled;
mod stuck;
mod update_available;
mod upgrade;
mod volumes;
mod warm;
mod warm_pool;
mod word;
mod world;
