//! The table of Workspaces, Runtimes, orders and hostnames: from objects to lines.

use std::fmt::Write as _;

use serde_json::Value;

use crate::kstatus::{Kstatus, kstatus};
use crate::surroundings::asked_for;
use crate::zone_edit::RecordSet;

/// One object as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) state: String,
    pub(super) ready: String,
    pub(super) url: String,
    pub(super) message: String,
    pub(super) verdict: Kstatus,
    /// Records that the customer is asked to set.
    pub(super) asked: Vec<RecordSet>,
    /// Seconds since it was made.
    pub(super) age: i64,
}

impl Row {
    /// `now` in seconds since the epoch.
    pub(super) fn of(object: &Value, now: i64) -> Self {
        let text =
            |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
        let ready = conditions.and_then(|all| all.iter().find(|one| one["type"] == "Ready"));
        let of_ready = |key: &str| ready.and_then(|ready| ready[key].as_str()).unwrap_or_default().to_owned();
        let has_page = object.pointer("/status/checkout/url").is_some();
        let made = text("/metadata/creationTimestamp")
            .parse::<jiff::Timestamp>()
            .map_or(now, jiff::Timestamp::as_second);
        Self {
            kind: text("/kind"),
            name: format!("{}/{}", text("/metadata/namespace"), text("/metadata/name")),
            state: text("/status/state"),
            ready: of_ready("status"),
            url: text(if has_page { "/status/checkout/url" } else { "/status/url" }),
            message: of_ready("message"),
            verdict: kstatus(object),
            asked: asked_for(object),
            age: (now - made).max(0),
        }
    }

    /// Whether a person would want to hear of the step from `before` to this.
    pub(super) fn differs_from(&self, before: &Self) -> bool {
        let shown = |row: &Self| (row.state.clone(), row.ready.clone(), row.url.clone(), row.message.clone());
        shown(self) != shown(before)
    }

    /// Whether it waits for somebody to pay, and where.
    pub(super) fn checkout(&self) -> Option<&str> {
        let waits = self.kind == "RuntimeOrder" && self.state == "pending_payment" && !self.url.is_empty();
        waits.then_some(self.url.as_str())
    }

    /// Whether all that it should be is done.
    pub(super) fn is_done(&self) -> bool {
        let serves = self.kind != "CustomDomain" || self.state == "active";
        self.verdict == Kstatus::Current && serves
    }

    /// For a log: one line that says it all.
    pub(super) fn line(&self) -> String {
        let mut line = format!("{:>4}  {} {}: {}", age(self.age), self.kind, self.name, or_dash(&self.state));
        let _ = write!(line, ", ready {}", or_dash(&self.ready));
        for part in [&self.url, &self.message].into_iter().filter(|part| !part.is_empty()) {
            let _ = write!(line, ", {part}");
        }
        line
    }
}

const TITLES: [&str; 7] = ["KIND", "NAME", "STATE", "READY", "URL", "AGE", "MESSAGE"];

/// Lines of at most `width` columns; the message takes what is left.
pub(super) fn render(rows: &[Row], width: usize) -> Vec<String> {
    let mut cells: Vec<[String; 7]> = vec![TITLES.map(str::to_owned)];
    cells.extend(rows.iter().map(|row| {
        let dash = |text: &str| or_dash(text).to_owned();
        [&row.kind, &row.name, &row.state, &row.ready, &row.url, &age(row.age), &row.message]
            .map(|cell| dash(cell))
    }));
    let widths: [usize; 7] =
        std::array::from_fn(|column| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    cells.iter().map(|row| line(row, &widths, width)).collect()
}

fn line(row: &[String; 7], widths: &[usize; 7], width: usize) -> String {
    let mut text = String::new();
    for (cell, column) in row.iter().zip(widths) {
        let _ = write!(text, "{cell:column$}   ");
    }
    clip(text.trim_end(), width)
}

fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// As kubectl writes ages.
fn age(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        _ => format!("{}h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn runtime() -> Value {
        json!({
            "kind": "Runtime",
            "metadata": {"namespace": "acme", "name": "ops", "generation": 1,
                "creationTimestamp": "2026-11-21T08:00:00Z"},
            "status": {"observedGeneration": 1, "state": "running", "url": "https://ops.fly.dev",
                "conditions": [{"type": "Ready", "status": "True", "message": "It serves."}]},
        })
    }

    fn seconds(time: &str) -> i64 {
        time.parse::<jiff::Timestamp>().unwrap().as_second()
    }

    #[test]
    fn a_row_says_what_a_person_asks() {
        let row = Row::of(&runtime(), seconds("2026-11-21T08:01:30Z"));
        assert_eq!(
            row.line(),
            " 90s  Runtime acme/ops: running, ready True, https://ops.fly.dev, It serves."
        );
        assert_eq!(row.verdict, Kstatus::Current);
    }

    #[test]
    fn an_order_that_waits_says_where_to_pay() {
        let order = json!({"kind": "RuntimeOrder", "metadata": {"namespace": "acme", "name": "more"},
            "status": {"state": "pending_payment", "checkout": {"url": "http://pay", "attempt": 1}}});
        assert_eq!(Row::of(&order, 0).checkout(), Some("http://pay"));
        assert_eq!(Row::of(&runtime(), 0).checkout(), None);
    }

    #[test]
    fn a_hostname_is_done_once_it_serves_and_says_before_what_to_set() {
        let record = json!({"type": "CNAME", "name": "a.test", "value": "b.test", "state": "Missing"});
        let mut domain = json!({"kind": "CustomDomain", "metadata": {"namespace": "acme", "name": "a"},
            "status": {"observedGeneration": 1, "state": "pending_dns", "records": [record],
                "conditions": [{"type": "Ready", "status": "False"}]}});
        let row = Row::of(&domain, 0);
        assert_eq!(row.asked, [RecordSet::new("a.test", "CNAME", &["b.test"])]);
        assert!(!row.is_done());
        domain["status"]["state"] = "active".into();
        domain["status"]["conditions"][0]["status"] = "True".into();
        assert!(Row::of(&domain, 0).is_done());
        assert!(Row::of(&runtime(), 0).is_done());
    }

    #[test]
    fn an_object_that_nobody_has_looked_at_yet_shows_dashes() {
        let new = json!({"kind": "Runtime", "metadata": {"namespace": "acme", "name": "ops", "generation": 1},
            "status": {"observedGeneration": -1}});
        let row = Row::of(&new, 0);
        assert_eq!(row.line(), "  0s  Runtime acme/ops: -, ready -");
        assert_eq!(row.verdict, Kstatus::InProgress);
    }

    #[test]
    fn columns_line_up_and_no_line_is_wider_than_the_terminal() {
        let row = Row::of(&runtime(), seconds("2026-11-21T08:01:30Z"));
        let lines = render(&[row], 60);
        assert_eq!(lines[0].find("STATE"), lines[1].find("running"));
        assert!(lines.iter().all(|line| line.chars().count() <= 60), "{lines:?}");
    }

    #[test]
    fn age_alone_is_no_news() {
        let (early, late) = (Row::of(&runtime(), 2_000_000_000), Row::of(&runtime(), 2_000_000_060));
        assert!(!late.differs_from(&early));
    }
}
