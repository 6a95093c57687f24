//! The public edge: what answers `https://{hostname}`, as Fly's proxy does.
//!
//! It listens on a loopback address, picks the certificate by the name in the
//! TLS handshake, asks [`Routes`] for a connection to a Machine, and adds the
//! headers that Fly's proxy adds. A name without a certificate fails in the
//! handshake, as at Fly.

mod authority;
mod body;
mod certificates;
mod forward;
mod headers;
mod listen;
mod reply;
mod routes;
mod upgrade;

pub use crate::certificate_files::certified_key;
pub use authority::{Authority, Leaf};
pub use listen::{Edge, EdgeOptions};
pub use routes::{ByteStream, CertificateChoice, Connection, PublicPort, Refusal, Request, Routes};
