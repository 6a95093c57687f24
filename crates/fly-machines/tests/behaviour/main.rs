//! How the client behaves over HTTP, against a small server that answers as each test says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests may stop hard"
)]

mod bounds;
mod cookies;
mod headers;
mod lists;
mod lost_replies;
mod secrecy;
mod server;
mod throttling;
mod tls;
mod waiting;
