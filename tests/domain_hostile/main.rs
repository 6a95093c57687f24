//! Customers who want names that aren't theirs, and name servers that help them: never a claim, a certificate or a route
//! for anybody but the one whom DNS shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod dangling;
#[path = "../domain_support/mod.rs"]
mod domains;
mod family;
mod forged;
mod place;
mod race;
mod servers;
#[path = "../domain_looks/stranger.rs"]
#[allow(dead_code, reason = "other tests take more of it")]
mod stranger;
mod stripped;
#[path = "../runtime_support/mod.rs"]
mod support;
