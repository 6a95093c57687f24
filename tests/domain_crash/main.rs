//! One fault at every effect of a hostname's life, on the real process: a request lost, a reply lost, or the process
//! killed while the reply is on its way. The effects aren't written down here: they are those of a clean run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod books;
#[path = "../domain_support/mod.rs"]
mod domains;
mod end;
mod faults;
mod gates;
mod histories;
mod scene;
#[path = "../runtime_support/mod.rs"]
mod support;
