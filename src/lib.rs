//! Moorage: a Kubernetes operator that gives every customer a dedicated agent runtime on Fly Machines.
//!
//! `docs/ARCHITECTURE.md` maps the code. A decision is found in a `decide` module, an effect in `act`, and a word
//! that users see in [`api`].

pub mod admin;
pub mod api;
pub mod billing;
pub mod cli;
pub mod control;
pub mod domains;
pub mod engine;
pub mod gateway;
pub mod generate;
pub mod process;
pub mod rights;
pub mod serve;
