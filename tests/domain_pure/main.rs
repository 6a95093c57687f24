//! The pure part of CustomDomains: whose a hostname is, where it leads, and its certificate.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail loudly, and its helpers are its own"
)]

mod act;
mod authority;
mod copies;
mod doubts;
mod edge;
mod elsewhere;
mod faults;
mod holds;
mod life;
mod overdue;
mod owners;
mod proxies;
mod records;
mod restarts;
mod rivals;
mod texts;
mod world;
