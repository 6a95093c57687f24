//! Sleep on a real API server and the simulator: what nobody uses sleeps, a request wakes it, and nothing else does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod day;
mod life;
#[path = "../runtime_support/mod.rs"]
mod support;
