//! Leases: who alone may change a Machine for a while.

use serde::{Deserialize, Serialize};

use crate::clock::Millis;

/// A held lease.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lease {
    /// What the holder sends with its calls.
    pub nonce: String,
    /// When it ends.
    pub expires_at: Millis,
    /// Who holds it.
    pub owner: String,
    /// What for.
    pub description: String,
    /// The Machine's version when it was taken.
    pub version: String,
}

impl Lease {
    /// Whether it is still held.
    pub fn holds(&self, now: Millis) -> bool {
        self.expires_at > now
    }
}

/// A lease as the API answers it.
#[derive(Debug, Serialize)]
pub struct LeaseView<'a> {
    nonce: &'a str,
    expires_at: i64,
    owner: &'a str,
    description: &'a str,
    version: &'a str,
}

impl<'a> From<&'a Lease> for LeaseView<'a> {
    fn from(lease: &'a Lease) -> Self {
        Self {
            nonce: &lease.nonce,
            expires_at: lease.expires_at.div_euclid(1_000),
            owner: &lease.owner,
            description: &lease.description,
            version: &lease.version,
        }
    }
}
