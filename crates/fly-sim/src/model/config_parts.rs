//! The parts of a Machine's configuration that the simulator acts on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::duration;

/// The parts of a configuration that the simulator acts on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Parts {
    /// The image as it was given.
    pub image: String,
    /// Its size.
    pub guest: Guest,
    /// What the proxy routes here.
    #[serde(deserialize_with = "nullable")]
    pub services: Vec<Service>,
    /// Health checks by name.
    #[serde(deserialize_with = "nullable")]
    pub checks: BTreeMap<String, CheckSpec>,
    /// Mounts; one at most.
    #[serde(deserialize_with = "nullable")]
    pub mounts: Vec<Mount>,
    /// When a program that ended is started again.
    #[serde(deserialize_with = "nullable")]
    pub restart: Restart,
    /// How the program is asked to end.
    #[serde(deserialize_with = "nullable")]
    pub stop_config: StopConfig,
    /// Whether the Machine goes when its program ends.
    #[serde(deserialize_with = "nullable")]
    pub auto_destroy: bool,
    /// A schedule, such as `hourly`.
    #[serde(deserialize_with = "nullable")]
    pub schedule: String,
    /// Machines whose host this one waits to replace.
    #[serde(deserialize_with = "nullable")]
    pub standbys: Vec<String>,
    /// Labels.
    #[serde(deserialize_with = "nullable")]
    pub metadata: BTreeMap<String, String>,
    /// The command line and swap.
    #[serde(deserialize_with = "nullable")]
    pub init: Init,
}

/// The size of a Machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Guest {
    /// `shared` or `performance`.
    #[serde(deserialize_with = "nullable")]
    pub cpu_kind: String,
    /// CPUs.
    #[serde(deserialize_with = "nullable")]
    pub cpus: u64,
    /// Memory in MiB.
    #[serde(deserialize_with = "nullable")]
    pub memory_mb: u64,
}

/// The command line, where it differs from the image's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Init {
    /// Replaces entrypoint and command.
    #[serde(deserialize_with = "nullable")]
    pub exec: Vec<String>,
    /// Replaces the image's entrypoint.
    #[serde(deserialize_with = "nullable")]
    pub entrypoint: Vec<String>,
    /// Replaces the image's command.
    #[serde(deserialize_with = "nullable")]
    pub cmd: Vec<String>,
    /// Swap in MiB; a Machine with swap can't be suspended.
    #[serde(deserialize_with = "nullable")]
    pub swap_size_mb: u64,
}

/// A service behind the proxy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Service {
    /// The port inside the Machine.
    #[serde(deserialize_with = "nullable")]
    pub internal_port: u16,
    /// The public ports.
    #[serde(deserialize_with = "nullable")]
    pub ports: Vec<ServicePort>,
    /// The service's own checks.
    #[serde(deserialize_with = "nullable")]
    pub checks: Vec<CheckSpec>,
    /// What the proxy does with an idle Machine, as the API answers it: `false`, `true` or `"suspend"`.
    pub autostop: Value,
    /// Whether the proxy starts the Machine for a request.
    pub autostart: Option<bool>,
    /// How many the proxy leaves running.
    #[serde(deserialize_with = "nullable")]
    pub min_machines_running: usize,
    /// Load limits.
    #[serde(deserialize_with = "nullable")]
    pub concurrency: Concurrency,
}

/// A public port.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ServicePort {
    /// The port; or a range.
    pub port: Option<u16>,
    /// The first of a range.
    pub start_port: Option<u16>,
    /// The last of a range.
    pub end_port: Option<u16>,
    /// `tls`, `http` and so on.
    #[serde(deserialize_with = "nullable")]
    pub handlers: Vec<String>,
    /// Whether plain HTTP is redirected.
    #[serde(deserialize_with = "nullable")]
    pub force_https: bool,
}

impl ServicePort {
    /// Whether this port, or range, covers a public port.
    pub fn covers(&self, port: u16) -> bool {
        match (self.port, self.start_port, self.end_port) {
            (Some(own), ..) => own == port,
            (None, Some(first), Some(last)) => (first..=last).contains(&port),
            _ => false,
        }
    }
}

/// Load limits of a service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Concurrency {
    /// Above it the proxy looks for another Machine; 20 when it isn't set.
    #[serde(deserialize_with = "nullable")]
    pub soft_limit: u32,
    /// Above it the proxy sends nothing.
    pub hard_limit: Option<u32>,
}

/// So many requests are enough where a service doesn't say.
const SOFT_LIMIT: u32 = 20;

impl Concurrency {
    /// The load above which the proxy looks for another Machine.
    pub fn soft(&self) -> u32 {
        if self.soft_limit == 0 { SOFT_LIMIT } else { self.soft_limit }
    }
}

/// A health check.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CheckSpec {
    /// `tcp` or `http`.
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub kind: String,
    /// The port inside the Machine; a service's check defaults to the service's.
    pub port: Option<u16>,
    /// The time between two checks.
    #[serde(deserialize_with = "time")]
    pub interval: Option<Duration>,
    /// How long an answer may take.
    #[serde(deserialize_with = "time")]
    pub timeout: Option<Duration>,
    /// How long after the start failures don't count.
    #[serde(deserialize_with = "time")]
    pub grace_period: Option<Duration>,
    /// HTTP method.
    pub method: Option<String>,
    /// HTTP path.
    pub path: Option<String>,
    /// Headers to send.
    #[serde(deserialize_with = "nullable")]
    pub headers: Vec<CheckHeader>,
}

/// A header that a check sends.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CheckHeader {
    /// Its name.
    pub name: String,
    /// Its values.
    #[serde(deserialize_with = "nullable")]
    pub values: Vec<String>,
}

/// A volume and where it appears.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// The volume's id.
    #[serde(deserialize_with = "nullable")]
    pub volume: String,
    /// The path.
    #[serde(deserialize_with = "nullable")]
    pub path: String,
}

/// When a program that ended is started again.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Restart {
    /// `no`, `always` or `on-failure`; empty means `on-failure`.
    #[serde(deserialize_with = "nullable")]
    pub policy: String,
    /// How often, for `on-failure`; 10 by default.
    pub max_retries: Option<usize>,
}

/// How the program is asked to end.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct StopConfig {
    /// The signal; `SIGINT` by default.
    pub signal: Option<String>,
    /// How long it may take before it is killed; 5 s by default.
    #[serde(deserialize_with = "time")]
    pub timeout: Option<Duration>,
}

/// Reads `null` as the default.
pub fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    Value::deserialize(deserializer).map(|value| duration::read(&value))
}
