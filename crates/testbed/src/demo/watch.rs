//! Shows how things go, and says when all is well or won't be.
#![allow(clippy::print_stdout, reason = "the table is what the program is for")]

use std::collections::{HashMap, HashSet};
use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use kube::api::{ListParams, TypeMeta};
use serde_json::Value;

use super::table::{self, Row};
use super::{Demo, Ending, domain, guide};
use crate::kstatus::Kstatus;
use crate::objects::api_for;
use crate::zone_edit::RecordSet;

const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A real gateway takes 11 seconds to its first answer on a quiet machine, and several times that on a busy one.
const READY_WITHIN: Duration = Duration::from_mins(5);

/// A failure that has stood for so long is the verdict; a shorter one may still pass.
const FAILED_FOR: Duration = Duration::from_secs(20);

pub(super) struct Watch<'a> {
    demo: &'a Demo,
    ending: Ending,
    seen: HashMap<String, Row>,
    drawn_lines: usize,
    was_ready: bool,
    failing_since: Option<Instant>,
    paid: HashSet<String>,
    set: Vec<RecordSet>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(demo: &'a Demo, ending: Ending) -> Self {
        Self {
            demo,
            ending,
            seen: HashMap::new(),
            drawn_lines: 0,
            was_ready: false,
            failing_since: None,
            paid: HashSet::new(),
            set: Vec::new(),
        }
    }

    pub(super) async fn run(mut self) -> Result<()> {
        let until = Instant::now() + READY_WITHIN;
        loop {
            let rows = self.look().await?;
            self.show(&rows);
            self.note_failure(&rows);
            if self.ending == Ending::WhenReady {
                self.pay(&rows).await?;
            }
            self.set_records(&rows).await?;
            let ready = !rows.is_empty() && rows.iter().all(|row| self.is_well(row));
            if ready && !self.was_ready {
                self.was_ready = true;
                self.drawn_lines = 0;
                self.show_chains(&rows).await?;
                if self.ending == Ending::WhenReady {
                    println!("\nEverything is ready. Without ONCE=1 it would stay up for you to try.");
                    return Ok(());
                }
                println!("\n{}", guide::text(self.demo, &rows, &self.demo.trusted().await?));
            }
            if self.ending == Ending::WhenReady {
                self.give_up(&rows, until)?;
            }
            self.demo.operator.process().check_running()?;
            self.demo.fly.process().check_running()?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Whoever stays to watch pays when they like.
    fn is_well(&self, row: &Row) -> bool {
        let waits = self.ending == Ending::Stay && row.checkout().is_some();
        row.is_done() || waits
    }

    /// Pays each checkout once, through its page.
    async fn pay(&mut self, rows: &[Row]) -> Result<()> {
        for (row, page) in rows.iter().filter_map(|row| Some((row, row.checkout()?))) {
            if self.paid.insert(page.to_owned()) {
                println!("      RuntimeOrder {}: pays at {page}", row.name);
                self.drawn_lines = 0;
                self.demo.shop.pay(page).await?;
            }
        }
        Ok(())
    }

    /// Sets what hostnames ask for, each once.
    async fn set_records(&mut self, rows: &[Row]) -> Result<()> {
        let Some(names) = &self.demo.names else { return Ok(()) };
        for row in rows {
            if row.asked.iter().all(|set| self.set.contains(set)) {
                continue;
            }
            names.follow(row).await?;
            self.set.extend(row.asked.iter().cloned());
            self.drawn_lines = 0;
        }
        Ok(())
    }

    /// Tells what visitors of each hostname of the customer's are shown.
    async fn show_chains(&self, rows: &[Row]) -> Result<()> {
        let trusted = self.demo.trusted().await?;
        for row in rows.iter().filter(|row| row.kind == "CustomDomain") {
            println!("\n{}", domain::shown(&self.demo.fly, row, &trusted).await?);
        }
        Ok(())
    }

    /// Everything of ours in the quickstart's namespaces, Workspaces first.
    async fn look(&self) -> Result<Vec<Row>> {
        let now = now();
        let mut rows = Vec::new();
        for kind in ["Workspace", "RuntimeOrder", "Runtime", "CustomDomain"] {
            let types = TypeMeta { api_version: "moorage.dev/v1alpha1".to_owned(), kind: kind.to_owned() };
            for namespace in self.demo.declared.namespaces() {
                let api = api_for(self.demo.cluster.client(), &types, Some(&namespace)).await?;
                for object in api.list(&ListParams::default()).await? {
                    let mut value: Value = serde_json::to_value(object)?;
                    value["kind"] = kind.into();
                    rows.push(Row::of(&value, now));
                }
            }
        }
        Ok(rows)
    }

    fn show(&mut self, rows: &[Row]) {
        if stdout().is_terminal() {
            self.redraw(rows);
        } else {
            self.tell_changes(rows);
        }
        for row in rows {
            self.seen.insert(format!("{} {}", row.kind, row.name), row.clone());
        }
        self.seen.retain(|key, _| rows.iter().any(|row| *key == format!("{} {}", row.kind, row.name)));
    }

    fn redraw(&mut self, rows: &[Row]) {
        let lines = table::render(rows, terminal_width());
        let up = if self.drawn_lines > 0 { format!("\x1b[{}A", self.drawn_lines) } else { String::new() };
        println!("{up}\x1b[J{}", lines.join("\n"));
        let _ = stdout().flush();
        self.drawn_lines = lines.len();
    }

    fn tell_changes(&self, rows: &[Row]) {
        for row in rows {
            let before = self.seen.get(&format!("{} {}", row.kind, row.name));
            if before.is_none_or(|before| row.differs_from(before)) {
                println!("{}", row.line());
            }
        }
        for (key, _) in self
            .seen
            .iter()
            .filter(|(key, _)| !rows.iter().any(|row| **key == format!("{} {}", row.kind, row.name)))
        {
            println!("      {key}: gone");
        }
    }

    fn note_failure(&mut self, rows: &[Row]) {
        let failing = rows.iter().any(|row| row.verdict == Kstatus::Failed);
        self.failing_since = failing.then(|| self.failing_since.unwrap_or_else(Instant::now));
    }

    /// An error once it is plain that waiting won't help.
    fn give_up(&self, rows: &[Row], until: Instant) -> Result<()> {
        let failed = self.failing_since.is_some_and(|since| since.elapsed() > FAILED_FOR);
        if !failed && Instant::now() < until {
            return Ok(());
        }
        let causes: Vec<String> = rows.iter().filter(|row| !row.is_done()).map(Row::line).collect();
        bail!(
            "not ready {}:\n{}\n\nThe operator's last lines:\n{}\n\nThe simulator's last lines:\n{}",
            if failed { "and not getting there" } else { "in time" },
            causes.join("\n"),
            self.demo.operator.process().log_tail(12),
            self.demo.fly.process().log_tail(8),
        )
    }
}

#[expect(clippy::disallowed_methods, reason = "ages are shown to people and decide nothing")]
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn terminal_width() -> usize {
    rustix::termios::tcgetwinsize(stdout()).map_or(100, |size| usize::from(size.ws_col).max(40))
}
