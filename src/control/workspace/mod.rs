//! Workspaces: a namespace's boundary, with its names, its members and the customer's dashboard.
//!
//! `observe` and `look` gather facts, `decide` names the next step, `act` performs it, `view` says what the status
//! is to be, and `record` writes it. `visit` is the loop through them.

pub mod act;
pub mod alerts;
pub mod binding;
pub mod claim;
pub mod conditions;
pub mod dashboard;
pub mod decide;
pub mod facts;
pub mod look;
pub mod members;
pub mod memory;
pub mod observe;
pub mod pace;
pub mod record;
pub mod step;
pub mod view;
pub mod visit;
pub mod wire;

#[cfg(test)]
mod samples;
