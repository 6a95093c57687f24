//! What the tests of Runtimes share: a rig with short timings, tenants with Runtimes in it, and a witness who sees
//! every version of them.
#![allow(dead_code, unused_imports, reason = "each test binary takes what it needs of it")]

mod fly;
mod rig;
mod tenant;
mod witness;

pub use fly::Fly;
pub use rig::{config, prepare, shared, start};
pub use tenant::{Tenant, condition, is_ready, merge, reason, text};
pub use witness::Witness;

use std::time::Duration;

/// Longest time for anything that should come about by itself. Machines that run the tests may be busy.
pub const SOON: Duration = Duration::from_mins(1);
