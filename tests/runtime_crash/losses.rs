//! Requests and replies that are lost, at every effect at Fly and at every write to the API server.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testbed::eventually;

use crate::effects::{ALL, History, clean_runs, ready};
use crate::end::{Case, problems};
use crate::histories::host_loss;
use crate::proxy::Loss;
use crate::scene::Scene;
use crate::support::{SOON, Tenant};

fn faults() -> [(&'static str, Value); 4] {
    [
        ("reply", json!({"kind": "drop_reply"})),
        ("request", json!({"kind": "refuse"})),
        ("before", json!({"kind": "status", "status": 500, "when": "before"})),
        ("after", json!({"kind": "status", "status": 503, "when": "after"})),
    ]
}

#[tokio::test]
async fn a_loss_at_any_effect_at_fly_changes_nothing_in_the_end() {
    let scene = Scene::start().await;
    let tenant = scene.tenant("fl").await;
    let runs = clean_runs(&tenant).await;
    let mut cases = Vec::new();
    let mut waiting = Vec::new();
    for (history, sites) in &runs {
        assert!(!sites.is_empty(), "{history:?} has no effect");
        for (at, site) in sites.iter().enumerate() {
            for (word, action) in faults() {
                let name = format!("{}{at}{word}", history.name());
                let fault = format!("{word} of {} {} lost", site.method, site.route);
                waiting.push((*history, name.clone(), site.clone(), action));
                cases.push(Case::new(*history, name, fault));
            }
        }
    }
    ready(&tenant, &cases).await;
    let mut rules = Vec::new();
    for (history, name, site, action) in waiting {
        let app = format!("{}-*", tenant.slug(&name));
        let rule = tenant.fly.rule(site.matching(&app), action).await.unwrap();
        history.begin(&tenant, &name).await;
        if site.route == "/v1/apps" {
            // The app's name isn't in the path: only one at a time can be told apart.
            applied(&tenant, rule, &name).await;
        }
        rules.push((rule, name));
    }
    let problems = problems(&tenant, &scene.dns, &cases).await;
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    for (rule, name) in rules {
        assert!(tenant.fly.applied(rule).await.unwrap() > 0, "nothing was lost for {name}");
    }
}

async fn applied(tenant: &Tenant<'_>, rule: u64, name: &str) {
    eventually(&format!("the fault of {name}"), SOON, async || {
        anyhow::ensure!(tenant.fly.applied(rule).await? > 0, "not met yet");
        Ok(())
    })
    .await
    .unwrap();
}

/// The writes to the API server of a clean run of each history.
pub async fn clean_writes(scene: &Scene, tenant: &Tenant<'_>) -> BTreeMap<History, Vec<String>> {
    // A rotated Secret changes the Machine alone, and so does what puts a Machine right.
    let all = ALL.into_iter().filter(|history| !matches!(history, History::Rotation | History::Meddled));
    let cases: Vec<Case> =
        all.map(|history| Case::new(history, format!("count-{}", history.name()), "")).collect();
    ready(tenant, &cases).await;
    for Case { history, name, .. } in &cases {
        scene.books.mark(name, history.rests(tenant, name).await, None);
        history.begin(tenant, name).await;
    }
    let mut runs = BTreeMap::new();
    for Case { history, name, .. } in &cases {
        history.end(tenant, name).await.unwrap();
        let writes = scene.books.writes(name);
        assert!(!writes.is_empty(), "{history:?} writes nothing");
        runs.insert(*history, writes);
    }
    host_loss::mend(tenant).await;
    runs
}

#[tokio::test]
async fn a_loss_at_any_write_to_the_api_server_changes_nothing_in_the_end() {
    let scene = Scene::start().await;
    let tenant = scene.tenant("kl").await;
    let mut cases = Vec::new();
    let mut waiting = Vec::new();
    for (history, writes) in clean_writes(&scene, &tenant).await {
        for (at, write) in writes.iter().enumerate() {
            for loss in [Loss::Request, Loss::Answer] {
                let name = format!("{}{at}{}", history.name(), format!("{loss:?}").to_lowercase());
                cases.push(Case::new(history, name.clone(), format!("{loss:?} of {write} lost")));
                waiting.push((history, name, at, loss));
            }
        }
    }
    ready(&tenant, &cases).await;
    for (history, name, at, loss) in &waiting {
        scene.books.mark(name, history.rests(&tenant, name).await, Some((*at, *loss)));
        history.begin(&tenant, name).await;
    }
    let problems = problems(&tenant, &scene.dns, &cases).await;
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    for (_, name, ..) in &waiting {
        assert!(scene.books.lost(name), "nothing was lost for {name}");
    }
}
