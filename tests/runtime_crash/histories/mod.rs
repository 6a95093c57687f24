//! Histories that need more around them than a Runtime.

pub mod adopt;
pub mod host_loss;
pub mod rotation;
pub mod upgrade;
