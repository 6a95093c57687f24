//! Stand-ins for Stripe and PayApp that behave: checkouts that can be paid, subscriptions that renew and fail, refunds,
//! disputes, notices, and everything that can go wrong with them.
//!
//! [`serve::Server`] is the whole of it; the program `billing-sim` is a thin cover. Rules on calls, the clock and the
//! ledger are those of `fly-sim`.

pub mod cli;
pub mod control;
pub mod error;
pub mod pages;
pub mod params;
pub mod payapp;
pub mod pipeline;
pub mod serve;
pub mod state;
pub mod stripe;

pub use fly_sim::{clock, ledger};
