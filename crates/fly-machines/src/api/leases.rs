//! Leases.

use std::time::Duration;

use crate::client::Client;
use crate::error::Result;
use crate::path::Path;
use crate::transport::Call;
use crate::types::{AcquireLease, Lease, LeaseAnswer, LeaseNonce};

/// Calls about the leases on an app's Machines.
#[derive(Clone, Copy, Debug)]
pub struct Leases<'a> {
    client: &'a Client,
    app: &'a str,
}

impl<'a> Leases<'a> {
    pub(crate) fn new(client: &'a Client, app: &'a str) -> Self {
        Self { client, app }
    }

    fn path(&self, machine: &str) -> Path {
        Path::new("apps").id(self.app).then("machines").id(machine).then("lease")
    }

    /// Takes a lease.
    ///
    /// # Errors
    /// `LeaseHeld` if somebody else has it.
    pub async fn acquire(&self, machine: &str, lease: &AcquireLease) -> Result<Lease> {
        let call = Call::post("leases.acquire", self.path(machine)).counted_for(machine).body(lease);
        Ok(self.client.transport().json::<LeaseAnswer>(call).await?.into())
    }

    /// Makes a lease that is held last this long from now.
    pub async fn refresh(&self, machine: &str, nonce: &LeaseNonce, ttl: Duration) -> Result<Lease> {
        let call = Call::post("leases.refresh", self.path(machine))
            .counted_for(machine)
            .nonce(Some(nonce))
            .body(&AcquireLease::new(ttl));
        Ok(self.client.transport().json::<LeaseAnswer>(call).await?.into())
    }

    /// Reads who has the lease.
    ///
    /// # Errors
    /// `NotFound` if nobody has.
    pub async fn get(&self, machine: &str) -> Result<Lease> {
        let call = Call::get("leases.get", self.path(machine)).counted_for(machine);
        Ok(self.client.transport().json::<LeaseAnswer>(call).await?.into())
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// `NotFound` if it has ended already.
    pub async fn release(&self, machine: &str, nonce: &LeaseNonce) -> Result<()> {
        let call = Call::delete("leases.release", self.path(machine)).counted_for(machine).nonce(Some(nonce));
        self.client.transport().done(call).await
    }
}
