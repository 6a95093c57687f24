//! What has to be the same in the end, whatever went wrong on the way.

use serde_json::Value;
use testbed::ledger::{Expectation, check_ledger};

use crate::effects::{History, app_of};
use crate::support::Tenant;

/// One Runtime with one thing that goes wrong.
pub struct Case {
    pub history: History,
    pub name: String,
    /// What goes wrong, for messages.
    pub fault: String,
}

/// Waits for the end of every case; what is wrong with any.
pub async fn problems(tenant: &Tenant<'_>, cases: &[Case]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut expected = Expectation::default();
    for case in cases {
        let told = format!("{:?} with {}", case.history, case.fault);
        if let Err(error) = case.history.end(tenant, &case.name).await {
            problems.push(format!("{told}: {error:#}"));
        }
        let app = app_of(tenant, &case.name).await;
        problems.extend(end_state(tenant, case, &app).await.into_iter().map(|it| format!("{told}: {it}")));
        match case.history.intent() {
            Some(intent) => drop(expected.intents.insert(app, intent)),
            None => drop(expected.kept.insert(app)),
        }
    }
    let mut changes = tenant.changes().await.unwrap();
    let ours = |app: &str| expected.kept.contains(app) || expected.intents.contains_key(app);
    changes.retain(|change| ours(&change.app));
    problems.extend(check_ledger(&changes, &expected));
    problems
}

/// What stands at Fly against what should.
async fn end_state(tenant: &Tenant<'_>, case: &Case, app: &str) -> Vec<String> {
    let standing = tenant.fly.standing(app).await.unwrap();
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
        let running = !matches!(case.history, History::Stop | History::Retain);
        let state: &Value = &standing["machines"][0]["state"];
        if (state == "started") != running {
            problems.push(format!("the Machine is {state}"));
        }
    }
    problems
}
