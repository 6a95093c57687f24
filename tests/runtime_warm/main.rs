//! Warm pools on a real API server: they fill, give each app once, are refilled, replaced and emptied, over kills and a
//! restored cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod given;
mod kept;
mod kills;
mod pool;
mod restored;
#[path = "../runtime_support/mod.rs"]
mod support;
