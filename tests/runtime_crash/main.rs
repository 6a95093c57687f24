//! One fault at every effect of a Runtime's life, on the real process: killed right after it, its reply lost, its
//! request lost. The effects aren't written down here: they come from the ledger of a clean run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod effects;
mod end;
mod histories;
mod kills;
mod losses;
mod proxy;
mod scene;
#[path = "../runtime_support/mod.rs"]
mod support;
