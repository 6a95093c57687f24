//! The client against the simulator of the whole API: the real program, over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests may stop hard"
)]

mod certificates;
mod environments;
mod leases_and_metadata;
mod life_of_an_app;
mod lost_replies;
mod organisation;
mod refusals;
mod simulator;
