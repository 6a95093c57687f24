//! The append-only record of every committed effect and of every request.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;

use crate::clock::Millis;

/// How many entries are kept in memory; the file keeps all.
const KEPT: usize = 500_000;

/// What an entry tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Something changed.
    Effect,
    /// A call was answered, refused, cut, or is being held.
    Request,
    /// A held reply was let go, or its client went away.
    Release,
}

/// One line of the ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its number, from 1.
    pub seq: u64,
    /// When, in milliseconds since the epoch.
    pub at: Millis,
    /// What it tells of.
    pub kind: Kind,
    /// The request that it belongs to; none for what happens by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    /// The app, where there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub app: String,
    /// The effect's name, such as `machine.create`; or how a held reply ended.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub effect: Cow<'static, str>,
    /// The id of the thing that changed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// More on the effect; never a secret's value.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
    /// On a request: the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
}

/// A request as the ledger shows it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Call {
    /// Method.
    pub method: String,
    /// The route's pattern, such as `/v1/apps/{app}/machines`.
    pub route: String,
    /// The path and query as sent.
    pub path: String,
    /// The status that was, or would have been, answered.
    pub status: u16,
    /// The organisation of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// The answer's `fly-request-id`.
    pub request_id: String,
    /// The fault rule that was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<AppliedFault>,
}

/// The fault that a request met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedFault {
    /// The rule's id.
    pub rule: u64,
    /// The action's name.
    pub action: String,
}

/// The record.
#[derive(Debug)]
pub struct Ledger {
    next: u64,
    entries: VecDeque<Arc<Entry>>,
    unwritten: Vec<u8>,
    grown: Arc<Notify>,
}

/// Which entries a query wants.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Query {
    /// Only those after this number.
    pub since: u64,
    /// Only of this kind.
    pub kind: Option<Kind>,
    /// Only of this app.
    pub app: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
    /// How long to wait, in real milliseconds, when there is none yet.
    pub wait_ms: u64,
}

impl Ledger {
    /// A ledger that goes on from what was read back.
    pub fn new(entries: Vec<Entry>) -> Self {
        let next = entries.last().map_or(1, |entry| entry.seq + 1);
        let skip = entries.len().saturating_sub(KEPT);
        let entries = entries.into_iter().skip(skip).map(Arc::new).collect();
        Self { next, entries, unwritten: Vec::new(), grown: Arc::default() }
    }

    /// Adds an entry and returns its number.
    pub fn append(&mut self, mut entry: Entry) -> u64 {
        entry.seq = self.next;
        self.next += 1;
        if serde_json::to_writer(&mut self.unwritten, &entry).is_ok() {
            self.unwritten.push(b'\n');
        }
        let seq = entry.seq;
        self.entries.push_back(Arc::new(entry));
        if self.entries.len() > KEPT {
            self.entries.pop_front();
        }
        self.grown.notify_waiters();
        seq
    }

    /// The number of the newest entry.
    pub fn head(&self) -> u64 {
        self.next - 1
    }

    /// What isn't in the file yet.
    pub fn take_unwritten(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.unwritten)
    }

    /// Wakes those who wait for entries.
    pub fn grown(&self) -> Arc<Notify> {
        Arc::clone(&self.grown)
    }

    /// The entries that a query wants, oldest first.
    pub fn query(&self, query: &Query) -> Vec<Arc<Entry>> {
        let start = self.entries.partition_point(|entry| entry.seq <= query.since);
        let wanted = |entry: &&Arc<Entry>| {
            query.kind.is_none_or(|kind| kind == entry.kind)
                && query.app.as_deref().is_none_or(|app| app == entry.app)
        };
        self.entries.range(start..).filter(wanted).take(query.limit.unwrap_or(usize::MAX)).cloned().collect()
    }
}
