//! A typed async client for the [Fly Machines API](https://fly.io/docs/machines/api/).
//!
//! ```no_run
//! use fly_machines::{Client, TokenSource, types::{CreateApp, CreateMachine, MachineConfig}};
//!
//! # async fn demo() -> Result<(), fly_machines::Error> {
//! let client = Client::builder(TokenSource::file("/run/secrets/fly-token")).user_agent("my-platform/1.0").build()?;
//! client.apps().create(&CreateApp::new("my-app", "my-org")).await?;
//! let config = MachineConfig { image: "registry-1.docker.io/library/nginx:1.29".into(), ..MachineConfig::default() };
//! let machine = client.machines("my-app").create(&CreateMachine::new(config)).await?;
//! println!("{} is {}", machine.id, machine.state);
//! # Ok(())
//! # }
//! ```
//!
//! What it takes care of:
//!
//! - **Errors have a class** ([`ErrorClass`]), read from the body and not only from the status code, an
//!   [`Outcome`] that says whether the call may have taken effect, a stable message and a remedy.
//! - **Creates are never repeated blindly.** Only reads, and calls that the API refused unread (429), are retried.
//! - **Budgets.** A token bucket for each action and identifier and one for the organisation keep Fly's rates
//!   ([`Limits`]); [`Client::budget`] shows what is left.
//! - **Tolerance.** Unknown fields, nulls and unknown enum values are read; what a Machine's `config` holds beyond
//!   the typed fields survives a read and update.
//! - **Secrecy.** Tokens and secret values are never printed, and a rotated token file is picked up.

mod api;
mod builder;
mod classify;
mod client;
mod cookies;
mod error;
mod limit;
mod observe;
mod path;
mod scrub;
mod token;
mod transport;
pub mod types;

pub use api::addresses::Addresses;
pub use api::apps::Apps;
pub use api::certificates::Certificates;
pub use api::leases::Leases;
pub use api::machines::Machines;
pub use api::metadata::Metadata;
pub use api::org::Org;
pub use api::platform::Platform;
pub use api::secrets::Secrets;
pub use api::tokens::Tokens;
pub use api::volumes::Volumes;
pub use builder::{ClientBuilder, DEFAULT_BASE_URL};
pub use client::Client;
pub use error::{CapacityScope, Error, ErrorClass, Outcome, Result};
pub use limit::{Budget, Limits, Rate};
pub use observe::{CallRecord, Observer};
pub use token::TokenSource;
