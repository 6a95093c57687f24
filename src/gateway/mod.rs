//! What Moorage knows about `OpenClaw`: the configuration it owns, how that
//! reaches the volume, and what a gateway's answers and exits mean.
//!
//! Everything here is a pure function of its arguments. The one effect is in
//! the entry script, which runs on the Machine itself, before the gateway.

pub mod config;
pub mod exit;
pub mod health;
pub mod identity;
pub mod provider;
pub mod seed;
pub mod settings;
