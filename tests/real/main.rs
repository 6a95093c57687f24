//! Runtimes with real OpenClaw gateways: the operator under its shipped rights, a real API server, and `fly-sim` that
//! runs each Machine's own command in a sandbox. Installs two versions of OpenClaw from npm on first use.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod belongings;
mod chromium;
mod control_ui;
mod customer;
#[path = "../runtime_support/fly.rs"]
#[allow(dead_code, reason = "it is shared, and has more than is needed here")]
mod fly;
mod latest;
mod machine;
mod moving_tag;
mod platform;
mod previous;
mod serving;
mod travels;
mod upgraded;
mod warm;
