//! What is looked at when somebody asks: the Fly client's budget, and the process as Linux sees it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// The budget of the client in use; nothing is shown before there is one.
#[derive(Clone, Default)]
pub(super) struct Fly(Arc<OnceLock<fly_machines::Client>>);

impl Fly {
    pub(super) fn watch(&self, client: fly_machines::Client) {
        // A process has one Fly client for its whole life.
        let _ = self.0.set(client);
    }
}

impl fmt::Debug for Fly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fly")
    }
}

impl Collector for Fly {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(budget) = self.0.get().map(fly_machines::Client::budget) else { return Ok(()) };
        if let Some(left) = budget.organisation_remaining {
            gauge(&mut to, "fly_budget_remaining", "Calls that may be made to Fly at once", i64::from(left))?;
        }
        let waiting = i64::try_from(budget.waiting).unwrap_or(i64::MAX);
        gauge(&mut to, "fly_budget_waiting", "Calls that wait for the budget", waiting)?;
        counter(
            &mut to,
            "fly_budget_delayed",
            "Calls that had to wait for the budget",
            budget.delayed_total,
        )?;
        counter(
            &mut to,
            "fly_budget_rejected",
            "Calls that would have waited too long",
            budget.rejected_total,
        )?;
        counter(
            &mut to,
            "fly_throttled",
            "Answers of Fly that say: too many requests",
            budget.throttled_total,
        )
    }
}

/// Memory and processor time of this process, where Linux tells them.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        if let Some(bytes) = resident_bytes() {
            gauge(&mut to, "process_resident_memory_bytes", "Resident memory", bytes)?;
        }
        if let Some(seconds) = cpu_seconds() {
            let metric = ConstCounter::new(seconds);
            let name = "process_cpu_seconds";
            metric.encode(to.encode_descriptor(name, "Processor time", None, metric.metric_type())?)?;
        }
        Ok(())
    }
}

fn gauge(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> fmt::Result {
    let metric = ConstGauge::new(value);
    metric.encode(to.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn counter(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = ConstCounter::new(value);
    metric.encode(to.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<i64>().ok()? * 1024)
}

/// Time on a processor, ended threads included. Linux counts it in hundredths of a second for programs.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name, in parentheses, may hold anything; the numbers follow it.
    let numbers = stat.rsplit_once(')')?.1;
    let mut times = numbers.split_ascii_whitespace().skip(11);
    let (user, system) = (times.next()?.parse::<f64>().ok()?, times.next()?.parse::<f64>().ok()?);
    Some((user + system) / 100.0)
}
