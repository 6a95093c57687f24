//! The histories, and the effects that a clean run of each has.

use std::collections::BTreeMap;

use anyhow::ensure;
use moorage::control::runtime::desired::metadata;
use serde_json::{Value, json};
use testbed::eventually;
use testbed::ledger::{Change, Intent};

use crate::end::Case;
use crate::histories::{adopt, full_fork, host_loss, meddled, rotation, upgrade};
use crate::proxy::{Rest, Rests};
use crate::support::{SOON, Tenant, condition, is_ready, text};

/// What is asked for of a Runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum History {
    Create,
    Adopt,
    Stop,
    Off,
    Start,
    Update,
    Sleep,
    Rotation,
    Drift,
    Meddled,
    Resize,
    Fork,
    FullFork,
    Restart,
    Keep,
    Restore,
    HostLoss,
    Upgrade,
    Rollback,
    Delete,
    Snapshot,
    Retain,
}

pub const ALL: [History; 22] = [
    History::Create,
    History::Adopt,
    History::Stop,
    History::Off,
    History::Start,
    History::Update,
    History::Sleep,
    History::Rotation,
    History::Drift,
    History::Meddled,
    History::Resize,
    History::Fork,
    History::FullFork,
    History::Restart,
    History::Keep,
    History::Restore,
    History::HostLoss,
    History::Upgrade,
    History::Rollback,
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
            Self::Create | Self::Adopt => None,
            Self::Start => Some("stopped"),
            _ => Some("running"),
        }
    }

    /// Which statuses at rest every run of it has, from what is told of the Runtime now.
    pub async fn rests(self, tenant: &Tenant<'_>, name: &str) -> Rests {
        if self.intent().is_some() {
            return Rests::None;
        }
        let Some(_) = self.before() else { return Rests::Since(None) };
        Rests::Since(Rest::told(&tenant.get(name).await.unwrap()["status"]))
    }

    /// Makes it what it is before, without waiting.
    pub async fn prepare(self, tenant: &Tenant<'_>, name: &str) {
        match self {
            Self::Create => {}
            Self::Adopt => adopt::make(tenant, name).await,
            Self::Start => tenant.declare(name, json!({"powerState": "Stopped"})).await.unwrap(),
            Self::Off => tenant.declare(name, json!({"sleep": {"mode": "Stop"}})).await.unwrap(),
            Self::Rotation => rotation::declare(tenant, name).await,
            Self::HostLoss => host_loss::declare(tenant, name).await,
            Self::Upgrade | Self::Rollback => upgrade::declare(tenant, name).await,
            _ => tenant.declare(name, json!({})).await.unwrap(),
        }
    }

    /// What has to come about before, once it is what it is before.
    pub async fn arrange(self, tenant: &Tenant<'_>, name: &str) {
        match self {
            Self::Restore | Self::HostLoss => keep(tenant, name).await,
            Self::FullFork => full_fork::arrange(tenant, name).await,
            _ => {}
        }
    }

    /// Asks for the change.
    pub async fn begin(self, tenant: &Tenant<'_>, name: &str) {
        let power = |state: &str| json!({"spec": {"powerState": state}});
        let medium = json!({"spec": {"planRef": {"name": "medium"}}});
        match self {
            Self::Create => tenant.declare(name, json!({})).await,
            Self::Adopt => adopt::adopt(tenant, name).await,
            Self::Stop | Self::Off => tenant.patch(name, power("Stopped")).await,
            Self::Start => tenant.patch(name, power("Running")).await,
            Self::Update => tenant.patch(name, json!({"spec": {"persona": {"name": "Ada"}}})).await,
            Self::Sleep => tenant.patch(name, json!({"spec": {"sleep": {"mode": "Stop"}}})).await,
            Self::Rotation => rotation::rotate(tenant, name, "second").await,
            Self::Drift => destroyed(tenant, name).await,
            Self::Meddled => meddled::begin(tenant, name).await,
            Self::Resize => tenant.patch(name, medium).await,
            Self::Fork => {
                full_host(tenant, name).await;
                tenant.patch(name, medium).await
            }
            Self::FullFork => {
                full_host(tenant, name).await;
                full_fork::watch(tenant, name).await.unwrap();
                tenant.patch(name, medium).await
            }
            Self::Restart => tenant.ask(name, "Restart").await,
            Self::Keep => tenant.ask(name, "Snapshot").await,
            Self::Restore => tenant.ask(name, "Restore").await,
            Self::HostLoss => host_loss::begin(tenant, name).await,
            Self::Upgrade | Self::Rollback => upgrade::begin(tenant, self, name).await,
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

    /// How many moves from volume to volume it takes.
    pub fn moves(self) -> i32 {
        match self {
            Self::Fork | Self::Restore | Self::HostLoss | Self::Rollback => 1,
            Self::FullFork => 2,
            _ => 0,
        }
    }

    /// Waits for the end.
    pub async fn end(self, tenant: &Tenant<'_>, name: &str) -> anyhow::Result<()> {
        match self {
            Self::Restart | Self::Keep | Self::Restore | Self::Upgrade => {
                drop(tenant.wait_task(name, "completed").await?);
            }
            Self::Rollback => drop(tenant.wait_task(name, "failed").await?),
            Self::Rotation => rotation::applied(tenant, name).await?,
            Self::Drift => made_again(tenant, name).await?,
            Self::Meddled => meddled::put_back(tenant, name).await?,
            Self::Delete | Self::Snapshot | Self::Retain => return tenant.wait_gone(name).await,
            _ => {}
        }
        match self {
            Self::Sleep => drop(tenant.wait(name, "awake or asleep", is_up_or_asleep).await?),
            Self::FullFork => full_fork::taken_back(tenant, name).await?,
            Self::Stop | Self::Off => drop(tenant.wait_ready(name, "stopped").await?),
            _ => drop(tenant.wait_ready(name, "running").await?),
        }
        tenant.wait(name, "its hostname", has_its_hostname).await?;
        if self.moves() > 0 {
            let there = |identity: &Value| {
                identity["incarnation"] == self.moves() && identity["replacement"].is_null()
            };
            claimed(tenant, name, "on another volume", there).await?;
        }
        if self == Self::HostLoss { Ok(()) } else { self.cleared(tenant, name).await }
    }

    /// Waits until nothing is left to be cleared up.
    pub async fn cleared(self, tenant: &Tenant<'_>, name: &str) -> anyhow::Result<()> {
        if self.moves() == 0 && self != Self::Upgrade {
            return Ok(());
        }
        let done = |identity: &Value| identity["displaced"].is_null() && identity["upgrade"].is_null();
        claimed(tenant, name, "cleared up", done).await
    }
}

fn is_up_or_asleep(object: &Value) -> bool {
    is_ready(object, "running") || is_ready(object, "sleeping")
}

fn has_its_hostname(object: &Value) -> bool {
    let reason = condition(object, "HostnameReady")["reason"].clone();
    reason == "HostnameInService" || reason == "RestartNeeded"
}

/// Somebody destroys its Machine by another tool.
async fn destroyed(tenant: &Tenant<'_>, name: &str) -> anyhow::Result<()> {
    let machine = text(&tenant.claim(name).await?, "/spec/runtime/machineID").to_owned();
    tenant.fly.event(json!({"kind": "machine_destroy", "machine": machine})).await
}

/// Waits until the claim records another Machine than the first.
async fn made_again(tenant: &Tenant<'_>, name: &str) -> anyhow::Result<()> {
    let app = app_of(tenant, name).await;
    let changes = tenant.changes().await?;
    let first = changes.into_iter().find(|it| it.app == app && it.effect == "machine.create");
    let first = first.map(|change| change.id).unwrap_or_default();
    claimed(tenant, name, "another Machine", |it| it["machineID"].is_string() && it["machineID"] != first)
        .await
}

/// Waits until what the claim records is so.
async fn claimed(
    tenant: &Tenant<'_>,
    name: &str,
    what: &str,
    is_so: impl Fn(&Value) -> bool,
) -> anyhow::Result<()> {
    eventually(&format!("{name}: {what}"), SOON, async || {
        let identity = tenant.claim(name).await?["spec"]["runtime"].take();
        ensure!(is_so(&identity), "{identity}");
        Ok(())
    })
    .await
}

/// A snapshot of the volume, as Fly has one each day.
async fn keep(tenant: &Tenant<'_>, name: &str) {
    let spec = json!({"runtimeRef": {"name": name}, "type": "Snapshot"});
    let task = format!("{name}-before");
    tenant.apply("moorage.dev/v1alpha1", "RuntimeTask", &task, json!({"spec": spec})).await.unwrap();
    tenant.wait_task(&task, "completed").await.unwrap();
}

/// The Machine's host has no room for another size.
async fn full_host(tenant: &Tenant<'_>, name: &str) {
    let refusal =
        "aborted: could not reserve resource for machine: insufficient memory available to fulfill request";
    let matching = json!({"method": "POST", "route": "/v1/apps/{app}/machines/{machine}",
        "app": format!("{}-*", tenant.slug(name))});
    let action = json!({"kind": "status", "status": 409, "body": {"error": refusal}});
    tenant.fly.rule(matching, action).await.unwrap();
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
        if is_of_the_slow_round(call) {
            continue;
        }
        let (method, route) = (text(call, "/call/method").to_owned(), text(call, "/call/route").to_owned());
        let count = counts.entry((method.clone(), route.clone())).or_default();
        *count += 1;
        sites.push(Site { method, route, ordinal: *count });
    }
    sites
}

/// A new Machine is marked with its secrets' digests when its turn in the slow round comes, before or after the end.
fn is_of_the_slow_round(call: &Value) -> bool {
    text(call, "/call/path").contains(metadata::DIGESTS)
}

/// The effects of a clean run of each history.
pub async fn clean_runs(tenant: &Tenant<'_>) -> BTreeMap<History, Vec<Site>> {
    let cases: Vec<Case> =
        ALL.map(|history| Case::new(history, format!("clean-{}", history.name()), "")).into();
    ready(tenant, &cases).await;
    let head = tenant.fly.head().await.unwrap();
    for case in &cases {
        case.history.begin(tenant, &case.name).await;
    }
    let mut runs = BTreeMap::new();
    for case in &cases {
        case.history.end(tenant, &case.name).await.unwrap();
        let app = app_of(tenant, &case.name).await;
        runs.insert(case.history, sites(tenant, &app, head).await);
    }
    host_loss::mend(tenant).await;
    for case in &cases {
        case.history.cleared(tenant, &case.name).await.unwrap();
    }
    runs
}

/// Makes all that they are before.
pub async fn ready(tenant: &Tenant<'_>, cases: &[Case]) {
    host_loss::steer(tenant).await;
    for case in cases {
        case.history.prepare(tenant, &case.name).await;
    }
    for case in cases {
        if let Some(state) = case.history.before() {
            tenant.wait_ready(&case.name, state).await.unwrap();
            tenant.wait(&case.name, "its hostname", has_its_hostname).await.unwrap();
        }
    }
    for case in cases {
        case.history.arrange(tenant, &case.name).await;
    }
    if cases.iter().any(|case| case.history == History::HostLoss) {
        host_loss::lose(tenant).await;
    }
}

/// The app that was made for a Runtime, by the ledger: the claim forgets it once nothing is left.
pub async fn app_of(tenant: &Tenant<'_>, name: &str) -> String {
    named(tenant, &tenant.changes().await.unwrap(), name)
}

/// The same, from what is known of the ledger.
pub fn named(tenant: &Tenant<'_>, changes: &[Change], name: &str) -> String {
    let prefix = format!("{}-", tenant.slug(name));
    let mine = |app: &&str| app.strip_prefix(&prefix).is_some_and(|identity| !identity.contains('-'));
    changes.iter().map(|change| change.app.as_str()).find(mine).unwrap_or_default().to_owned()
}
