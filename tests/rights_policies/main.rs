//! Who writes what, on a real API server: each policy with each verb, tried as the operator, the platform, a tenant
//! with every right in its namespace, and an administrator who isn't on the platform's list.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod catalog;
mod definitions;
mod name_claims;
mod namespace_labels;
mod payment_receipts;
mod runtime_tasks;
mod world;
