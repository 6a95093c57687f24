//! Gates between the operator and all that it changes: the API server, Fly, the authority, and the platform's zone.

mod acme;
mod http;
mod updates;

pub use http::{authority, fly, kube};
pub use updates::updates;
