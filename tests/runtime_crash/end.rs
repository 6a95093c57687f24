//! What has to be the same in the end, whatever went wrong on the way.

use serde_json::Value;
use testbed::NameServer;
use testbed::ledger::{Expectation, check_ledger};

use crate::effects::{History, named};
use crate::histories::host_loss;
use crate::scene::DOMAIN;
use crate::support::{Tenant, text};

/// One Runtime with one thing that goes wrong.
#[derive(Clone, Debug)]
pub struct Case {
    pub history: History,
    pub name: String,
    /// What goes wrong, for messages.
    pub fault: String,
}

impl Case {
    pub fn new(history: History, name: impl Into<String>, fault: impl Into<String>) -> Self {
        Self { history, name: name.into(), fault: fault.into() }
    }
}

/// Waits for the end of every case; what is wrong with any.
pub async fn problems(tenant: &Tenant<'_>, dns: &NameServer, cases: &[Case]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut expected = Expectation::default();
    for case in cases {
        if let Err(error) = case.history.end(tenant, &case.name).await {
            problems.push(format!("{:?} with {}: {error:#}", case.history, case.fault));
        }
    }
    // Lost hosts answer again: what stands there has no Runtime any more.
    host_loss::mend(tenant).await;
    for case in cases {
        if let Err(error) = case.history.cleared(tenant, &case.name).await {
            problems.push(format!("{:?} with {}: {error:#}", case.history, case.fault));
        }
    }
    let mut changes = tenant.changes().await.unwrap();
    let standing = tenant.fly.0.read("state").await.unwrap();
    for case in cases {
        let told = format!("{:?} with {}", case.history, case.fault);
        let app = named(tenant, &changes, &case.name);
        let mut apps = standing["apps"].as_array().into_iter().flatten();
        let found = apps.find(|one| one["name"] == app).cloned().unwrap_or_default();
        let wrong = [end_state(case, &found), names(tenant, dns, case).await].concat();
        problems.extend(wrong.into_iter().map(|it| format!("{told}: {it}")));
        match case.history.intent() {
            Some(intent) => drop(expected.intents.insert(app, intent)),
            None => drop(expected.kept.insert(app)),
        }
    }
    let ours = |app: &str| expected.kept.contains(app) || expected.intents.contains_key(app);
    changes.retain(|change| ours(&change.app));
    problems.extend(check_ledger(&changes, &expected));
    problems
}

/// What stands at Fly against what should.
fn end_state(case: &Case, standing: &Value) -> Vec<String> {
    let count = |what: &str| standing[what].as_array().map_or(0, Vec::len);
    let alive = |list: &str, gone: &[&str]| {
        let all = standing[list].as_array().cloned().unwrap_or_default();
        all.iter().filter(|one| !gone.contains(&one["state"].as_str().unwrap_or_default())).count()
    };
    let machines = alive("machines", &["destroyed", "destroying"]);
    let volumes = alive("volumes", &["destroyed", "destroying", "pending_destroy", "scheduling_destroy"]);
    let seen = (standing.is_null(), machines, volumes, count("addresses"));
    let wanted = match case.history {
        History::Delete => (true, 0, 0, 0),
        History::Snapshot => (false, 0, 0, 0),
        _ => (false, 1, 1, 2),
    };
    let mut problems = Vec::new();
    if seen != wanted {
        problems
            .push(format!("app gone, Machines, volumes, addresses are {seen:?}, not {wanted:?}: {standing}"));
    }
    if machines == 1 {
        let running = !matches!(case.history, History::Stop | History::Off | History::Retain);
        let state = alive_state(standing);
        // What may sleep may be asleep by now.
        if case.history != History::Sleep && (state == "started") != running {
            problems.push(format!("the Machine is {state}"));
        }
    }
    problems
}

/// The state of the Machine that nobody destroyed.
fn alive_state(standing: &Value) -> &str {
    let all = standing["machines"].as_array().into_iter().flatten();
    let mut states = all.map(|machine| text(machine, "/state"));
    states.find(|state| !["destroyed", "destroying"].contains(state)).unwrap_or_default()
}

/// Whether the hostname leads to the Runtime, or to nowhere once it is gone.
async fn names(tenant: &Tenant<'_>, dns: &NameServer, case: &Case) -> Vec<String> {
    let host = format!("{}.{DOMAIN}", tenant.slug(&case.name));
    let records = dns.records(&host, "A").await.unwrap();
    let wanted = usize::from(case.history.intent().is_none());
    let problem = (records.len() != wanted).then(|| format!("{host} has the records {records:?}"));
    problem.into_iter().collect()
}
