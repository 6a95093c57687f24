//! What the API server makes of the definitions: each rule and bound with one object that passes and one that
//! doesn't, defaults, tables, field selectors, `kubectl explain`, and the examples.
#![allow(clippy::needless_pass_by_value, reason = "`json!` literals are passed as they stand")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod catalog;
mod columns;
mod creates;
mod defaults;
mod definitions;
mod examples;
mod explain;
mod rule;
mod updates;
mod world;
