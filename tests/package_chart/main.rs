//! The Helm chart: what it renders, and that a real API server takes it, under the restricted Pod level.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod generated;
mod helm;
mod install;
mod render;
mod values;
