//! Regions and room.

use crate::client::Client;
use crate::error::Result;
use crate::path::Path;
use crate::transport::Call;
use crate::types::{PlacementQuery, PlacementsAnswer, RegionRoom, Regions};

/// Calls about the platform.
#[derive(Clone, Copy, Debug)]
pub struct Platform<'a> {
    client: &'a Client,
}

impl<'a> Platform<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self { client }
    }

    /// Lists the regions.
    pub async fn regions(&self) -> Result<Regions> {
        let call = Call::get("platform.regions", Path::new("platform").then("regions"));
        self.client.transport().json(call).await
    }

    /// Asks where there is room. Only regions with room are named, and nothing is reserved.
    pub async fn placements(&self, query: &PlacementQuery) -> Result<Vec<RegionRoom>> {
        let call = Call::post("platform.placements", Path::new("platform").then("placements"))
            .reads()
            .counted_for(&query.org_slug)
            .body(query);
        Ok(self.client.transport().json::<PlacementsAnswer>(call).await?.regions)
    }
}
