//! Hostnames: their records in DNS and their certificates.
//!
//! Nothing in here knows a Runtime or any other kind: records belong to an owner, certificates cover names.

pub mod acme;
pub mod budget;
pub mod caa;
pub mod certificate;
pub mod dns;
pub(crate) mod error;
#[doc(hidden)]
pub mod fuzz;
pub mod name;
pub mod secret;

pub use error::{DomainClass, DomainError};
