//! A Machine as the API answers it.

use serde::Serialize;
use serde_json::{Value, json};

use super::event::Event;
use super::lease::LeaseView;
use super::machine::{CheckResult, ImageRef, Machine, MachineState};
use super::raw::RawJson;
use crate::clock::rfc3339;
use crate::settings::Quirks;

/// What an answer about a Machine depends on.
#[derive(Clone, Debug)]
pub struct Lens<'a> {
    /// The state to show.
    pub state: MachineState,
    /// What is known of its host.
    pub host_status: &'static str,
    /// Which oddities to show.
    pub quirks: Quirks,
    /// How its checks stand.
    pub checks: Vec<CheckResult>,
    /// The nonce of a lease taken with this call.
    pub nonce: Option<&'a str>,
    /// The lease to show.
    pub lease: Option<&'a super::lease::Lease>,
}

/// A Machine as the API answers it.
#[derive(Debug, Serialize)]
pub struct MachineView<'a> {
    id: &'a str,
    name: &'a str,
    state: &'static str,
    region: &'a str,
    image_ref: ImageView<'a>,
    instance_id: &'a str,
    version: &'a str,
    private_ip: &'a str,
    created_at: String,
    updated_at: String,
    config: Option<ConfigView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete_config: Option<ConfigView<'a>>,
    events: Vec<&'a Event>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<CheckResult>,
    host_status: &'static str,
    cordoned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<LeaseView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x_sim_unknown: Option<Value>,
}

#[derive(Debug, Serialize)]
struct ImageView<'a> {
    #[serde(flatten)]
    image: &'a ImageRef,
    labels: Option<Value>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ConfigView<'a> {
    Stored(&'a RawJson),
    Changed(Value),
}

/// A Machine in a list that asks for summaries.
#[derive(Debug, Serialize)]
pub struct SummaryView<'a> {
    id: &'a str,
    name: &'a str,
    state: &'static str,
    region: &'a str,
    image_ref: &'a ImageRef,
    instance_id: &'a str,
    version: &'a str,
    private_ip: &'a str,
    created_at: String,
    updated_at: String,
    cordoned: bool,
}

/// So many events are shown with a Machine.
const EVENTS: usize = 20;

impl Machine {
    /// The Machine as the API answers it.
    pub fn view<'a>(&'a self, lens: Lens<'a>) -> MachineView<'a> {
        let full = lens.quirks == Quirks::Full;
        let known = lens.host_status == "ok";
        let config = if full {
            ConfigView::Changed(odd(self.config.raw()))
        } else {
            ConfigView::Stored(self.config.raw())
        };
        let (config, incomplete_config) = if known { (Some(config), None) } else { (None, Some(config)) };
        MachineView {
            id: &self.id,
            name: &self.name,
            state: lens.state.as_str(),
            region: &self.region,
            image_ref: ImageView { image: &self.image, labels: (!full).then(|| json!({})) },
            instance_id: &self.instance_id,
            version: &self.instance_id,
            private_ip: &self.private_ip,
            created_at: rfc3339(self.created_at),
            updated_at: rfc3339(self.updated_at),
            config,
            incomplete_config,
            events: self.events.iter().take(EVENTS).collect(),
            checks: lens.checks,
            host_status: lens.host_status,
            cordoned: self.cordoned,
            nonce: lens.nonce,
            lease: lens.lease.map(LeaseView::from),
            x_sim_unknown: full.then(|| json!({ "list": [1, null], "map": {} })),
        }
    }

    /// The Machine as a list of summaries shows it.
    pub fn summary(&self, state: MachineState) -> SummaryView<'_> {
        SummaryView {
            id: &self.id,
            name: &self.name,
            state: state.as_str(),
            region: &self.region,
            image_ref: &self.image,
            instance_id: &self.instance_id,
            version: &self.instance_id,
            private_ip: &self.private_ip,
            created_at: rfc3339(self.created_at),
            updated_at: rfc3339(self.updated_at),
            cordoned: self.cordoned,
        }
    }
}

/// A configuration with nulls where a client may expect maps and lists, as some answers of the live API have.
fn odd(config: &RawJson) -> Value {
    let mut config = config.value();
    for key in ["env", "metadata", "mounts", "services", "checks", "files"] {
        if config[key].is_null() {
            config[key] = Value::Null;
        }
    }
    if config["init"]["exec"].is_null() {
        config["init"]["exec"] = Value::Null;
    }
    if config["restart"].is_null() {
        config["restart"] = json!({ "policy": "" });
    }
    config["x_sim_unknown"] = json!(true);
    config
}
