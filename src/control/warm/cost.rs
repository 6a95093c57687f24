//! What a warm app costs at Fly, about: list prices of the cheapest regions, in US dollars for 30 days.

use crate::api::name_claim::PinnedPlan;
use crate::api::plan::CpuKind;

/// A shared CPU with its 256 MB.
const SHARED: f64 = 2.0;
/// A dedicated CPU with its 2 GB.
const PERFORMANCE: f64 = 32.0;
/// Each GB of memory more.
const MEMORY_GB: f64 = 5.0;
/// Each GB of the volume.
const VOLUME_GB: f64 = 0.15;

/// Dollars for 30 days of a Machine that runs all the time, and its volume.
pub fn monthly(plan: &PinnedPlan) -> f64 {
    let (cpu, included) = match plan.cpu_kind {
        CpuKind::Shared => (SHARED, 0.25),
        CpuKind::Performance => (PERFORMANCE, 2.0),
    };
    let cpus = f64::from(plan.cpus);
    let more = (f64::from(plan.memory_mb) / 1024.0 - included * cpus).max(0.0);
    cpu * cpus + MEMORY_GB * more + VOLUME_GB * f64::from(plan.volume_gb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_most_of_what_a_shared_machine_costs() {
        let plan = |cpu_kind, cpus, memory_mb| PinnedPlan {
            name: "basic".into(),
            cpu_kind,
            cpus,
            memory_mb,
            volume_gb: 10,
        };
        assert!((monthly(&plan(CpuKind::Shared, 2, 4096)) - 23.0).abs() < 0.01);
        assert!((monthly(&plan(CpuKind::Performance, 1, 4096)) - 43.5).abs() < 0.01);
    }
}
