//! Workspaces on a real API server, with the operator under exactly the rights that are shipped: names, members,
//! limits, the dashboard, and every order of deletion.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod catalog;
mod dashboard;
mod deletion;
mod history;
mod members;
mod names;
mod policy;
mod world;
