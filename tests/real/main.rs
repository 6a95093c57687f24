//! Runtimes with real OpenClaw gateways: the operator under its shipped rights, a real API server, and `fly-sim` that
//! runs each Machine's own command in a sandbox. Installs two versions of OpenClaw from npm on first use.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod chromium;
mod control_ui;
mod customer;
mod latest;
mod machine;
mod moving_tag;
mod platform;
mod previous;
mod serving;
