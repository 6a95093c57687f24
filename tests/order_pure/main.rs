//! The pure part of orders: what receipts come to, and what is done about it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail loudly, and its helpers are its own"
)]

mod account;
mod again;
mod bank;
mod changes;
mod checkouts;
mod counter;
mod decisions;
mod matrix;
mod missed;
mod model;
mod notices;
mod oracle;
mod payapp;
mod polls;
mod post;
mod registrations;
mod sequences;
mod unfunded;
mod vanished;
mod world;
