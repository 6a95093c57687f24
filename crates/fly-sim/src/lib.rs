//! A faithful stand-in for the Fly Machines API.
//!
//! It answers as Fly answers (statuses, bodies, refusals, delays, limits), keeps a ledger of every effect, and lets
//! everything go wrong on request. [`serve::Server`] is the whole of it; the program `fly-sim` is a thin cover.

pub mod certificate_files;
pub mod cli;
pub mod clock;
pub mod dns;
pub mod driver;
pub mod edge;
pub mod error;
pub mod faults;
pub mod http;
pub mod ids;
pub mod ledger;
pub mod light_gateway;
pub mod limiter;
pub mod model;
pub mod persist;
pub mod public;
pub mod sandbox;
pub mod serve;
pub mod settings;
pub mod tokens;
pub mod world;
