//! Addresses.

use crate::client::Client;
use crate::error::Result;
use crate::path::Path;
use crate::transport::Call;
use crate::types::{AssignIp, IpAssignment, IpList};

/// Calls about the addresses of an app. An app made by the API has none, and can't be reached until it has.
#[derive(Clone, Copy, Debug)]
pub struct Addresses<'a> {
    client: &'a Client,
    app: &'a str,
}

impl<'a> Addresses<'a> {
    pub(crate) fn new(client: &'a Client, app: &'a str) -> Self {
        Self { client, app }
    }

    fn root(&self) -> Path {
        Path::new("apps").id(self.app).then("ip_assignments")
    }

    /// Lists the addresses.
    pub async fn list(&self) -> Result<Vec<IpAssignment>> {
        let call = Call::get("addresses.list", self.root()).counted_for(self.app);
        Ok(self.client.transport().json::<IpList>(call).await?.ips)
    }

    /// Adds an address.
    ///
    /// # Errors
    /// `AlreadyExists` counts as done. `Ambiguous`: list before repeating it.
    pub async fn assign(&self, address: &AssignIp) -> Result<IpAssignment> {
        let call = Call::post("addresses.assign", self.root()).counted_for(self.app).body(address);
        self.client.transport().json(call).await
    }

    /// Gives an address back.
    ///
    /// # Errors
    /// `NotFound` if it is gone already.
    pub async fn release(&self, ip: &str) -> Result<()> {
        let call = Call::delete("addresses.release", self.root().id(ip)).counted_for(self.app);
        self.client.transport().done(call).await
    }
}
