//! Looks at records of strangers: at real name servers of two kinds, found by a real resolver from a root of its own,
//! and at servers that lie, dawdle and babble.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "test code"
)]

mod authorizations;
mod hostnames;
mod servers;
mod stranger;
mod strangers;
mod wildcards;
mod world;
