//! What somebody else does at Fly to a Runtime that runs: put right or explained, and its volume kept.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail loudly, and its helpers are its own"
)]

#[path = "../runtime_support/mod.rs"]
mod support;

mod spelling;
