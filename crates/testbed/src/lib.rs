//! Starts the real parts that tests, benches and the demo run against, and ends them again.
//!
//! Most cluster tests want everything at once, a [`Rig`]:
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use std::time::Duration;
//!
//! use testbed::{Rig, RigOptions, apply, eventually, ledger::Expectation};
//!
//! let rig = Rig::start(RigOptions::default()).await?;
//! let client = rig.client().await?;
//! apply(&client, "{apiVersion: v1, kind: Namespace, metadata: {name: acme}}").await?;
//! // … apply objects, and wait for what they should become:
//! eventually("the thing", Duration::from_secs(10), async || Ok(())).await?;
//! assert_eq!(rig.problems(&["acme"], Some(&Expectation::default())).await?, [""; 0]);
//! # Ok(()) }
//! ```
//!
//! Others take a control plane alone, with [`Identity`] for who asks:
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let cluster = testbed::ControlPlane::shared().await?;
//! let tenant = cluster.client(&testbed::Identity::user("ann", &["customers"])).await?;
//! # Ok(()) }
//! ```
//!
//! Nothing of it knows the operator's own types: objects are JSON here, so that the operator's tests may
//! depend on it. What it starts ends with the process that started it, even if that is killed.

pub mod bench;
mod billing_sim;
pub mod cache;
mod certs;
mod conditions;
mod control_plane;
pub mod demo;
mod fly_sim;
mod go;
mod go_tool;
pub mod hostnames;
mod images;
pub mod internet;
mod janitor;
mod kstatus;
mod kubeconfig;
pub mod ledger;
pub mod name_server;
mod objects;
mod operator;
mod payments;
mod pebble;
pub mod platform;
mod ports;
mod process;
mod programs;
pub mod progress;
mod rig;
mod signals;
mod stripe_mock;
mod surroundings;
pub mod survey;
mod visit;
mod zone_edit;

pub use billing_sim::{BillingSim, BillingSimOptions};
pub use certs::wildcard_certificate;
pub use conditions::{Moment, check_conditions};
pub use control_plane::{Audit, AuditEvent, ControlPlane, ControlPlaneOptions};
pub use fly_sim::{Delays, Driver, FlySim, FlySimOptions, RateLimits, SimClock};
pub use go::control_plane_binaries;
pub use go_tool::go_tool;
pub use images::{OPENCLAW_LATEST, OPENCLAW_PREVIOUS, openclaw_images};
pub use internet::{Internet, RunningInternet};
pub use janitor::finish;
pub use kstatus::{Kstatus, kstatus};
pub use kubeconfig::{Identity, connect};
pub use name_server::{NameServer, Software};
pub use objects::{FIELD_MANAGER, api_for, apply, condition_is, documents, eventually};
pub use operator::{Operator, OperatorOptions};
pub use payments::Payments;
pub use pebble::{Pebble, PebbleOptions, PebbleSetup, Proofs};
pub use process::Process;
pub use programs::program;
pub use rig::{Rig, RigOptions};
pub use signals::interrupted;
pub use stripe_mock::StripeMock;
pub use visit::Visit;
pub use zone_edit::RecordSet;

/// The root of the checkout that this was built from.
pub fn repository() -> std::path::PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}
