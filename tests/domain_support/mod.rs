//! What the tests of CustomDomains share: an Internet in small with the platform's zone and those of customers, a rig
//! that looks at it, and customers who declare hostnames and set records.
#![allow(dead_code, unused_imports, reason = "each test binary takes what it needs of it")]

mod customer;
mod scene;

pub use customer::{Customer, condition_of, record};
pub use scene::{BASE, SYSTEM, Scene, acme, base, domains, pebble, updates_key, without_limits};
