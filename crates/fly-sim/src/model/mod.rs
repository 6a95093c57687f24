//! What the simulated Fly remembers: apps, Machines, volumes, secrets, addresses, certificates.

pub mod address;
pub mod app;
pub mod certificate;
pub mod certificate_view;
pub mod config;
pub mod config_parts;
pub mod duration;
pub mod event;
pub mod host;
pub mod lease;
pub mod machine;
pub mod machine_view;
pub mod normalize;
pub mod raw;
pub mod secrets;
pub mod snapshot;
pub mod volume;
