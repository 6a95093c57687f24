//! What the operator and the shipped roles may do, as a real API server sees it: what their tables say, and nothing
//! besides.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod operator;
mod people;
mod world;
