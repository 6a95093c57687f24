//! Hostnames of customers with everything real but Fly and the control plane's nodes: records in Knot DNS, certificates
//! from Pebble, and what a visitor is shown at the edge.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test may fail loudly, and asks for the time"
)]

mod acme_source;
#[path = "../domain_support/mod.rs"]
mod domains;
mod fly_source;
mod input;
mod secret_source;
#[path = "../runtime_support/mod.rs"]
mod support;
