//! Histories that need more around them than a Runtime.

pub mod adopt;
pub mod full_fork;
pub mod host_loss;
pub mod meddled;
pub mod rotation;
pub mod upgrade;
