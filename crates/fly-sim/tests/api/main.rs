//! The simulator as seen over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "these are tests")]

mod support;

mod autostop;
mod certificate_faults;
mod certificate_resolver;
mod certificates;
mod clients;
mod custom_certificates;
mod faults;
mod golden;
mod hostnames;
mod leases;
mod ledger;
mod lists;
mod machines;
mod openapi;
mod persistence;
mod processes;
mod public;
mod rate_limits;
mod refusals;
mod robustness;
mod tokens;
mod volumes;
mod waiting;
