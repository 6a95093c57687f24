//! Orders that are paid at a provider, against a real API server and the providers' stand-ins: one checkout open, one
//! charge, one Runtime, whatever is lost on the way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test may fail loudly, and its helpers are its own"
)]

mod absence;
mod again;
mod by_hand;
mod checkout;
mod faults;
mod payapp;
mod payapp_faults;
mod plans;
mod registrations;
mod scene;
#[allow(dead_code, reason = "it is shared with the tests of orders that are paid by hand")]
#[path = "../order_life/shop.rs"]
mod shop;
mod stripped;
#[path = "../runtime_support/mod.rs"]
mod support;
