//! Runtimes: from a declaration to a live gateway, and away.

pub mod conditions;
pub mod decide;
pub mod desired;
pub mod facts;
pub mod resolve;
pub mod step;
pub mod view;
