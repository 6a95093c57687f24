//! The histories, and the effects that a clean run of each has.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testbed::ledger::Intent;

use crate::support::{Tenant, text};

/// What is asked for of a Runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum History {
    Create,
    Stop,
    Start,
    Update,
    Resize,
    Restart,
    Keep,
    Delete,
    Snapshot,
    Retain,
}

pub const ALL: [History; 10] = [
    History::Create,
    History::Stop,
    History::Start,
    History::Update,
    History::Resize,
    History::Restart,
    History::Keep,
    History::Delete,
    History::Snapshot,
    History::Retain,
];

impl History {
    /// A short name, for slugs.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// What the Runtime is before, if it is anything.
    pub fn before(self) -> Option<&'static str> {
        match self {
            Self::Create => None,
            Self::Start => Some("stopped"),
            _ => Some("running"),
        }
    }

    /// Makes it what it is before, without waiting.
    pub async fn prepare(self, tenant: &Tenant<'_>, name: &str) {
        match self.before() {
            None => {}
            Some("stopped") => tenant.declare(name, json!({"powerState": "Stopped"})).await.unwrap(),
            Some(_) => tenant.declare(name, json!({})).await.unwrap(),
        }
    }

    /// Asks for the change.
    pub async fn begin(self, tenant: &Tenant<'_>, name: &str) {
        let power = |state: &str| json!({"spec": {"powerState": state}});
        match self {
            Self::Create => tenant.declare(name, json!({})).await,
            Self::Stop => tenant.patch(name, power("Stopped")).await,
            Self::Start => tenant.patch(name, power("Running")).await,
            Self::Update => tenant.patch(name, json!({"spec": {"persona": {"name": "Ada"}}})).await,
            Self::Resize => tenant.patch(name, json!({"spec": {"planRef": {"name": "medium"}}})).await,
            Self::Restart => tenant.ask(name, "Restart").await,
            Self::Keep => tenant.ask(name, "Snapshot").await,
            Self::Delete => tenant.delete(name, "Delete").await,
            Self::Snapshot => tenant.delete(name, "Snapshot").await,
            Self::Retain => tenant.delete(name, "Retain").await,
        }
        .unwrap();
    }

    /// What the owner wants to become of the app; `None` if it stays.
    pub fn intent(self) -> Option<Intent> {
        match self {
            Self::Delete => Some(Intent::Delete),
            Self::Snapshot => Some(Intent::Snapshot),
            Self::Retain => Some(Intent::Retain),
            _ => None,
        }
    }

    /// Waits for the end.
    pub async fn end(self, tenant: &Tenant<'_>, name: &str) -> anyhow::Result<()> {
        match self {
            Self::Restart | Self::Keep => {
                tenant.wait_task(name, "completed").await?;
                tenant.wait_ready(name, "running").await.map(drop)
            }
            Self::Stop => tenant.wait_ready(name, "stopped").await.map(drop),
            Self::Create | Self::Start | Self::Update | Self::Resize => {
                tenant.wait_ready(name, "running").await.map(drop)
            }
            Self::Delete | Self::Snapshot | Self::Retain => tenant.wait_gone(name).await,
        }
    }
}

/// A call that changed something: the n-th of its method and route in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    pub method: String,
    pub route: String,
    pub ordinal: u64,
}

impl Site {
    /// The calls that this matches, for the apps of one Runtime.
    pub fn matching(&self, app: &str) -> Value {
        let app = if self.route == "/v1/apps" { "" } else { app };
        json!({"method": self.method, "route": self.route, "app": app, "ordinal": self.ordinal})
    }
}

/// The changing calls of an app since an entry of the ledger, in order.
pub async fn sites(tenant: &Tenant<'_>, app: &str, since: u64) -> Vec<Site> {
    let ledger = tenant.fly.ledger(since).await.unwrap();
    let entries = ledger["entries"].as_array().unwrap();
    let requests: BTreeMap<u64, &Value> = entries
        .iter()
        .filter(|entry| entry["kind"] == "request")
        .filter_map(|entry| Some((entry["request"].as_u64()?, entry)))
        .collect();
    let mut seen: Vec<u64> = Vec::new();
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut sites = Vec::new();
    for effect in entries.iter().filter(|entry| entry["kind"] == "effect" && entry["app"] == app) {
        let Some(request) = effect["request"].as_u64().filter(|id| !seen.contains(id)) else { continue };
        seen.push(request);
        let Some(call) = requests.get(&request) else { continue };
        let (method, route) = (text(call, "/call/method").to_owned(), text(call, "/call/route").to_owned());
        let count = counts.entry((method.clone(), route.clone())).or_default();
        *count += 1;
        sites.push(Site { method, route, ordinal: *count });
    }
    sites
}

/// The effects of a clean run of each history.
pub async fn clean_runs(tenant: &Tenant<'_>) -> BTreeMap<History, Vec<Site>> {
    let mut runs = BTreeMap::new();
    for history in ALL {
        let name = format!("clean-{}", history.name());
        history.prepare(tenant, &name).await;
        if let Some(state) = history.before() {
            tenant.wait_ready(&name, state).await.unwrap();
        }
        let head = tenant.fly.head().await.unwrap();
        history.begin(tenant, &name).await;
        history.end(tenant, &name).await.unwrap();
        let app = tenant.app(&name).await.unwrap_or_default();
        let app = if app.is_empty() { app_of(tenant, &name).await } else { app };
        runs.insert(history, sites(tenant, &app, head).await);
    }
    runs
}

/// The app that was made for a Runtime, by the ledger: the claim forgets it once nothing is left.
pub async fn app_of(tenant: &Tenant<'_>, name: &str) -> String {
    let prefix = format!("{}-", tenant.slug(name));
    let changes = tenant.changes().await.unwrap();
    let mine = |app: &&str| app.strip_prefix(&prefix).is_some_and(|identity| !identity.contains('-'));
    changes.iter().map(|change| change.app.as_str()).find(mine).unwrap_or_default().to_owned()
}
