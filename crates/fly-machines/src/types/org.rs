//! What a whole organisation has: the cheap way to follow thousands of apps.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::wire::{nullable, nullable_map, time};
use super::{Guest, HostStatus, MachineState, VolumeState};

/// A filter for an organisation's lists. They are sorted by `updated_at`, oldest first.
#[derive(Clone, Debug, Default)]
pub struct OrgQuery {
    /// Only what changed after this time. Take some minutes off: changes take time to show.
    pub updated_after: Option<Timestamp>,
    /// Where the last page ended; wins over `updated_after`.
    pub cursor: Option<String>,
    /// Includes what is destroyed.
    pub include_deleted: bool,
    /// Leaves out the configuration.
    pub summary: bool,
    /// Only this region.
    pub region: Option<String>,
    /// Only these states.
    pub states: Vec<String>,
    /// At most so many on a page, up to 2000; fewer may come though more remain.
    pub limit: Option<u32>,
}

/// A page of an organisation's Machines.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct OrgMachinesPage {
    /// The Machines.
    #[serde(default, deserialize_with = "nullable")]
    pub machines: Vec<OrgMachine>,
    /// Where the next page begins; empty on the last.
    #[serde(default, deserialize_with = "nullable")]
    pub next_cursor: String,
    /// The `updated_at` of the last row.
    #[serde(default, deserialize_with = "time")]
    pub last_updated_at: Option<Timestamp>,
    /// Regions that couldn't be read: what is missing from there is not proved gone.
    #[serde(default, deserialize_with = "nullable")]
    pub error_regions: Vec<String>,
}

/// A Machine in an organisation's list.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct OrgMachine {
    /// Its id.
    #[serde(default, deserialize_with = "nullable")]
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// Its app.
    #[serde(default, deserialize_with = "nullable")]
    pub app_name: String,
    /// Where it is in its life.
    #[serde(default)]
    pub state: MachineState,
    /// Its region.
    #[serde(default, deserialize_with = "nullable")]
    pub region: String,
    /// The version of its configuration.
    #[serde(default, deserialize_with = "nullable")]
    pub instance_id: String,
    /// Its private address.
    #[serde(default, deserialize_with = "nullable")]
    pub private_ip: String,
    /// When it was made.
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<Timestamp>,
    /// A part of its configuration; absent in summaries.
    #[serde(default)]
    pub config: Option<Box<OrgMachineConfig>>,
}

/// The part of a configuration that an organisation's list shows.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct OrgMachineConfig {
    /// The image.
    #[serde(default, deserialize_with = "nullable")]
    pub image: String,
    /// CPUs and memory.
    #[serde(default)]
    pub guest: Option<Guest>,
    /// The metadata.
    #[serde(default, deserialize_with = "nullable_map")]
    pub metadata: BTreeMap<String, String>,
}

/// A page of an organisation's volumes.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct OrgVolumesPage {
    /// The volumes.
    #[serde(default, deserialize_with = "nullable")]
    pub volumes: Vec<OrgVolume>,
    /// Where the next page begins; empty on the last.
    #[serde(default, deserialize_with = "nullable")]
    pub next_cursor: String,
    /// The `updated_at` of the last row.
    #[serde(default, deserialize_with = "time")]
    pub last_updated_at: Option<Timestamp>,
    /// Regions that couldn't be read: what is missing from there is not proved gone.
    #[serde(default, deserialize_with = "nullable")]
    pub error_regions: Vec<String>,
}

/// A volume in an organisation's list.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct OrgVolume {
    /// Its id.
    #[serde(default, deserialize_with = "nullable")]
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// Its app.
    #[serde(default, deserialize_with = "nullable")]
    pub app_name: String,
    /// Where it is in its life.
    #[serde(default)]
    pub state: VolumeState,
    /// Its region.
    #[serde(default, deserialize_with = "nullable")]
    pub region: String,
    /// Its size in GB.
    #[serde(default, deserialize_with = "nullable")]
    pub size_gb: u32,
    /// The Machine that has it.
    #[serde(default)]
    pub attached_machine_id: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<Timestamp>,
    /// Whether its host answers.
    #[serde(default)]
    pub host_status: Option<HostStatus>,
}
