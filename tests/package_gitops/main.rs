//! Argo CD and Flux read every object's health right, and the examples for them keep tenants off the platform's list.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod examples;
mod health;
mod kstatus;
mod tools;
