//! Regions, and where there is room.

use serde::{Deserialize, Serialize};

use super::Guest;
use super::wire::nullable;

/// Fly's regions. The API spells the keys with and without capitals.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Regions {
    /// All regions.
    #[serde(default, alias = "Regions", deserialize_with = "nullable")]
    pub regions: Vec<Region>,
    /// The code of the one nearest to the caller.
    #[serde(default, alias = "Nearest", deserialize_with = "nullable")]
    pub nearest: String,
}

/// A region.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Region {
    /// Its code, such as `fra`.
    #[serde(default, alias = "Code", deserialize_with = "nullable")]
    pub code: String,
    /// Its name.
    #[serde(default, alias = "Name", deserialize_with = "nullable")]
    pub name: String,
    /// Whether it takes nothing new.
    #[serde(default, alias = "Deprecated", deserialize_with = "nullable")]
    pub deprecated: bool,
    /// Whether it needs a paid plan.
    #[serde(default, alias = "RequiresPaidPlan", deserialize_with = "nullable")]
    pub requires_paid_plan: bool,
    /// The part of the world.
    #[serde(default, alias = "GeoRegion", deserialize_with = "nullable")]
    pub geo_region: String,
}

/// A question for room; it reserves nothing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PlacementQuery {
    /// The organisation.
    pub org_slug: String,
    /// Regions, as in a Machine's creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The size of a Machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compute: Option<Guest>,
    /// How many Machines; 0 asks for the organisation's limit in each region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The name of the volume that each needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_name: Option<String>,
    /// The size of that volume in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_size_bytes: Option<u64>,
}

/// A region with room.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct RegionRoom {
    /// Its code.
    #[serde(default, alias = "Region", deserialize_with = "nullable")]
    pub region: String,
    /// How many Machines fit.
    #[serde(default, alias = "Count", deserialize_with = "nullable")]
    pub count: u64,
    /// How many may be made at the same time.
    #[serde(default, alias = "Concurrency", deserialize_with = "nullable")]
    pub concurrency: u64,
}

#[derive(Deserialize)]
pub(crate) struct PlacementsAnswer {
    #[serde(default, alias = "Regions", deserialize_with = "nullable")]
    pub(crate) regions: Vec<RegionRoom>,
}
