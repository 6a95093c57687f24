//! Certificates by ACME from Pebble, a real authority: proofs, refusals, renewals, accounts, and what it all costs in
//! requests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "test code"
)]

mod accounts;
mod connections;
mod many;
mod proofs;
mod refusals;
mod renewals;
mod requests;
mod scene;
