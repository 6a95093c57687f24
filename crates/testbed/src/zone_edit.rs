//! Changes of a running server's zones, as whoever keeps them makes them: with Knot's own `knotc`.

use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::name_server::{NameServer, program};

/// Seconds for which the records may be remembered.
const TTL: &str = "1";

/// All records of one name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSet {
    /// The name, without a final dot.
    pub name: String,
    /// The type, such as `CNAME`.
    pub kind: String,
    /// Their data; none of them is removed by leaving all out. A name without a final dot gets one, a text gets its quotes.
    pub values: Vec<String>,
}

impl RecordSet {
    /// Records of one name and type; none at all if there are no values.
    pub fn new(name: &str, kind: &str, values: &[&str]) -> Self {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        Self { name: name.to_owned(), kind: kind.to_owned(), values }
    }

    fn written(&self) -> impl Iterator<Item = String> + '_ {
        self.values.iter().map(|value| match self.kind.as_str() {
            "CNAME" if !value.ends_with('.') => format!("{value}."),
            "TXT" if !value.starts_with('"') => format!("\"{value}\""),
            _ => value.clone(),
        })
    }
}

impl NameServer {
    /// Puts these records in the place of those that one of its zones has of the same names and types, all at once.
    ///
    /// # Errors
    /// If Knot refuses a record, or doesn't have the zone.
    pub async fn change(&self, zone: &str, sets: &[RecordSet]) -> Result<()> {
        let (socket, zone, sets) = (self.control_socket(), zone.to_owned(), sets.to_vec());
        tokio::task::spawn_blocking(move || change(&Control { socket, zone }, &sets)).await?
    }
}

impl NameServer {
    /// How often one of its zones was asked for records of a type since it began.
    ///
    /// # Errors
    /// If Knot doesn't say, or doesn't have the zone.
    pub async fn queries(&self, zone: &str, kind: &str) -> Result<u64> {
        let (control, counter) =
            (Control { socket: self.control_socket(), zone: zone.to_owned() }, format!("[{kind}]"));
        let said = tokio::task::spawn_blocking(move || control.say("zone-stats", &["mod-stats.query-type"]));
        let said = said.await??;
        // Types that nobody asked for aren't listed.
        let line = said.lines().find(|line| line.contains(&counter));
        let count = line.and_then(|line| line.rsplit(' ').next());
        count.map_or(Ok(0), |count| count.parse().with_context(|| said.clone()))
    }
}

struct Control {
    socket: PathBuf,
    zone: String,
}

/// How often the beginning of a change is tried: a server that is busy with the zone refuses it.
const TRIES: u32 = 5;

fn change(control: &Control, sets: &[RecordSet]) -> Result<()> {
    control.begin()?;
    let written = sets.iter().try_for_each(|set| write(control, set));
    if let Err(error) = written {
        control.run("zone-abort", &[])?;
        return Err(error);
    }
    control.run("zone-commit", &[])
}

fn write(control: &Control, set: &RecordSet) -> Result<()> {
    let owner = format!("{}.", set.name);
    // There may be none.
    let _ = control.run("zone-unset", &[&owner, &set.kind]);
    set.written().try_for_each(|value| control.run("zone-set", &[&owner, TTL, &set.kind, &value]))
}

impl Control {
    fn run(&self, action: &str, more: &[&str]) -> Result<()> {
        self.say(action, more).map(drop)
    }

    /// Begins a change, and takes back one that was left open by a reply that came too late.
    fn begin(&self) -> Result<()> {
        for _ in 1..TRIES {
            if self.run("zone-begin", &[]).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_secs(1));
            let _ = self.run("zone-abort", &[]);
        }
        self.run("zone-begin", &[])
    }

    fn say(&self, action: &str, more: &[&str]) -> Result<String> {
        let mut command = Command::new(program("knotc"));
        command.arg("-s").arg(&self.socket).args([action, &self.zone]).args(more);
        let done = command.output().context("start knotc; install the package `knot`")?;
        let said = String::from_utf8_lossy(&done.stdout);
        let error = String::from_utf8_lossy(&done.stderr);
        ensure!(
            done.status.success(),
            "knotc {action} {} {more:?}: {}: {error}{said}",
            self.zone,
            done.status
        );
        Ok(said.into_owned())
    }
}
