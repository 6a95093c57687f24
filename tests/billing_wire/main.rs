//! The clients of the payment providers against stand-ins that behave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test may fail loudly"
)]

mod payapp;
mod payapp_bench;
mod stripe_bench;
mod stripe_checkouts;
mod stripe_events;
mod stripe_failures;
mod stripe_lists;
mod stripe_money_back;
mod stripe_requests;
mod stripe_subscriptions;
