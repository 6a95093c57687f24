//! Where there is room: hosts, regions, quotas.

use http::StatusCode;

use super::state::{Key, State};
use crate::error::{ApiError, ApiResult};
use crate::faults::environment::{Environment, Scarce};
use crate::model::config::Guest;
use crate::model::host::{HOSTS_PER_REGION, host};
use crate::model::machine::Machine;

impl State {
    /// The first of these regions, and a host in it, that takes another Machine.
    pub fn place(&mut self, regions: &[&'static str]) -> ApiResult<(&'static str, String)> {
        for region in regions {
            if self.region_full(region) {
                continue;
            }
            if let Some(host) = self.free_host(region, &[]) {
                return Ok((region, host));
            }
        }
        Err(no_candidate())
    }

    /// A host in a region with room, other than those taken.
    pub fn free_host(&mut self, region: &str, taken: &[String]) -> Option<String> {
        let first = usize::try_from(self.ids.between(0, 1_000)).unwrap_or(0);
        (0..HOSTS_PER_REGION).map(|n| host(region, (first + n) % HOSTS_PER_REGION)).find(|host| {
            !taken.contains(host) && self.host_full(host).is_none() && self.host_ok(host).is_ok()
        })
    }

    fn region_full(&self, region: &str) -> bool {
        let limit = self.faults.environments.find(|environment| match environment {
            Environment::RegionCapacity { region: of, machines } if of == region => Some(*machines),
            _ => None,
        });
        limit.is_some_and(|limit| self.living().filter(|(_, m)| m.region == region).count() >= limit)
    }

    /// Whether a region has room for volumes.
    pub fn has_volume_room(&self, region: &str) -> bool {
        let full = |environment: &Environment| match environment {
            Environment::VolumeCapacity { region: of } if of == region => Some(()),
            _ => None,
        };
        self.faults.environments.find(full).is_none()
    }

    /// What a host has run out of.
    pub fn host_full(&self, host: &str) -> Option<Scarce> {
        self.faults.environments.find(|environment| match environment {
            Environment::HostFull { on, of } if on == host => Some(*of),
            _ => None,
        })
    }

    /// Whether a host can be asked and takes deploys.
    pub fn host_ok(&self, host: &str) -> ApiResult<()> {
        if self.host_status(host) != "ok" {
            return Err(ApiError::unavailable("host is unreachable, please try again later"));
        }
        let closed = |environment: &Environment| match environment {
            Environment::HostMaintenance { on } if on == host => Some(()),
            _ => None,
        };
        match self.faults.environments.find(closed) {
            Some(()) => Err(ApiError::unavailable(
                "deploys to this host are temporarily disabled, please try again later",
            )),
            None => Ok(()),
        }
    }

    /// What is known of a host.
    pub fn host_status(&self, host: &str) -> &'static str {
        let lost = |environment: &Environment| match environment {
            Environment::HostUnreachable { on } if on == host => Some("unreachable"),
            Environment::HostUnknown { on } if on == host => Some("unknown"),
            _ => None,
        };
        self.faults.environments.find(lost).unwrap_or("ok")
    }

    /// Refuses a Machine on a host that can't be asked.
    pub fn reachable(&self, key: &Key) -> ApiResult<()> {
        self.machine(key).map_or(Ok(()), |machine| self.host_ok(&machine.host))
    }

    /// Refuses a start or a bigger size on a full host.
    pub fn reserve(&self, host: &str) -> ApiResult<()> {
        let what = match self.host_full(host) {
            None => return Ok(()),
            Some(Scarce::Memory) => "insufficient memory available to fulfill request",
            Some(Scarce::Cpus) => "insufficient CPUs available to fulfill request",
            Some(Scarce::Ips) => "insufficient IPs available to fulfill request",
            Some(Scarce::Resources) => "insufficient resources available to fulfill request",
        };
        Err(ApiError::aborted(format!("could not reserve resource for machine: {what}")))
    }

    /// Refuses what is over an organisation's quota.
    pub fn within_quota(&self, org: &str, region: &str, guest: &Guest) -> ApiResult<()> {
        if self.faults.environments.is_empty() {
            return Ok(());
        }
        let mine = || self.living().filter(|(of, _)| *of == org);
        let machines = self.faults.environments.find(|environment| match environment {
            Environment::MachineQuota { org: of, machines } if of == org => Some(*machines),
            _ => None,
        });
        if machines.is_some_and(|limit| mine().count() >= limit) {
            return Err(ApiError::unprocessable(
                "Your organization has reached its machine limit. Please contact billing@fly.io",
            ));
        }
        self.within_memory(org, region, guest.memory_mb)
    }

    /// Refuses a second Machine in an app of an organisation without a payment method.
    pub fn paid_for(&self, app: &str) -> ApiResult<()> {
        let app = self.app(app)?;
        let unpaid = |environment: &Environment| match environment {
            Environment::PaymentMissing { org } if *org == app.org => Some(()),
            _ => None,
        };
        if app.living().next().is_none() || self.faults.environments.find(unpaid).is_none() {
            return Ok(());
        }
        Err(ApiError::unprocessable("To create more than 1 machine per app please add a payment method"))
    }

    fn within_memory(&self, org: &str, region: &str, wanted: u64) -> ApiResult<()> {
        let limit = self.faults.environments.find(|environment| match environment {
            Environment::MemoryQuota { org: of, megabytes } if of == org => Some(*megabytes),
            _ => None,
        });
        let here = self.living().filter(|(of, m)| *of == org && m.region == region);
        let used: u64 = here.map(|(_, m)| m.config.parts().guest.memory_mb).sum();
        if limit.is_none_or(|limit| used + wanted <= limit) {
            return Ok(());
        }
        let text = format!(
            "organization \"{org}\" is using {used} MB of memory in {region} which is over the allowed quota. \
             please consider other regions"
        );
        Err(ApiError::new(StatusCode::FORBIDDEN, text))
    }

    /// Every Machine that isn't destroyed, with its organisation.
    pub fn living(&self) -> impl Iterator<Item = (&str, &Machine)> {
        self.apps.values().flat_map(|app| app.living().map(|machine| (app.org.as_str(), machine)))
    }

    /// How many more Machines a region takes, at most `ceiling`.
    pub fn room(&self, region: &str, ceiling: usize) -> usize {
        let limit = self.faults.environments.find(|environment| match environment {
            Environment::RegionCapacity { region: of, machines } if of == region => Some(*machines),
            _ => None,
        });
        let used = || self.living().filter(|(_, m)| m.region == region).count();
        limit.map_or(ceiling, |limit| limit.saturating_sub(used()).min(ceiling))
    }
}

fn no_candidate() -> ApiError {
    ApiError::unprocessable("could not find a candidate host").coded("insufficient_capacity")
}
