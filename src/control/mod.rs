//! The controllers. Each has the same rooms: observe, decide (pure), act, status.

pub mod policy;
pub mod runtime;
