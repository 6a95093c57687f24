//! Skeleton.

pub mod edge;
pub mod light_gateway;
pub mod sandbox;
