//! SIGKILL right after an effect has taken place, while its reply is still on the way.

use std::collections::BTreeMap;

use anyhow::ensure;
use serde_json::json;
use testbed::eventually;

use crate::effects::{ALL, History, Site, clean_runs};
use crate::end::{Case, problems};
use crate::losses::{clean_writes, ready};
use crate::proxy::Loss;
use crate::scene::Scene;
use crate::support::SOON;

/// The cases, round by round: the n-th effect of every history shares a kill.
fn rounds<T: Clone>(runs: &BTreeMap<History, Vec<T>>) -> Vec<Vec<(History, T)>> {
    let longest = runs.values().map(Vec::len).max().unwrap_or_default();
    let round = |at: usize| {
        runs.iter().filter_map(move |(history, sites)| Some((*history, sites.get(at)?.clone()))).collect()
    };
    (0..longest).map(round).collect()
}

#[tokio::test]
async fn after_every_effect_at_fly() {
    let mut scene = Scene::start().await;
    let runs = clean_runs(&scene.tenant("fk").await).await;
    let rounds: Vec<Vec<(History, Site)>> = rounds(&runs);
    let mut cases = Vec::new();
    for (at, round) in rounds.iter().enumerate() {
        for (history, site) in round {
            let fault = format!("a kill after {} {}", site.method, site.route);
            cases.push(Case { history: *history, name: format!("{}{at}", history.name()), fault });
        }
    }
    let tenant = scene.tenant("fk").await;
    for case in &cases {
        case.history.prepare(&tenant, &case.name).await;
    }
    ready(&tenant, &cases).await;
    drop(tenant);
    for (at, round) in rounds.into_iter().enumerate() {
        let tenant = scene.tenant("fk").await;
        let mut rules = Vec::new();
        for (history, site) in round {
            let name = format!("{}{at}", history.name());
            let matching = site.matching(&format!("{}-*", tenant.slug(&name)));
            let rule = tenant.fly.rule(matching, json!({"kind": "hold"})).await.unwrap();
            history.begin(&tenant, &name).await;
            rules.push((rule, name));
        }
        for (rule, name) in &rules {
            eventually(&format!("the effect of {name}"), SOON, async || {
                ensure!(tenant.fly.holds(*rule).await?, "not held yet");
                Ok(())
            })
            .await
            .unwrap();
        }
        drop(tenant);
        scene.operator.kill().unwrap();
        let tenant = scene.tenant("fk").await;
        for (rule, _) in rules {
            tenant.fly.mend(rule).await.unwrap();
        }
        drop(tenant);
        scene.kill();
    }
    let tenant = scene.tenant("fk").await;
    let problems = problems(&tenant, &cases).await;
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[tokio::test]
async fn after_every_write_to_the_api_server() {
    let mut scene = Scene::start().await;
    let mut runs = BTreeMap::new();
    let tenant = scene.tenant("kk").await;
    for history in ALL {
        runs.insert(history, clean_writes(&scene, &tenant, history).await);
    }
    let rounds: Vec<Vec<(History, String)>> = rounds(&runs);
    let mut cases = Vec::new();
    for (at, round) in rounds.iter().enumerate() {
        for (history, write) in round {
            let name = format!("{}{at}x", history.name());
            history.prepare(&tenant, &name).await;
            cases.push(Case { history: *history, name, fault: format!("a kill after {write}") });
        }
    }
    ready(&tenant, &cases).await;
    drop(tenant);
    for (at, round) in rounds.into_iter().enumerate() {
        let tenant = scene.tenant("kk").await;
        for (history, _) in &round {
            let name = format!("{}{at}x", history.name());
            scene.books.mark(&name, history.before(), Some((at, Loss::Held)));
            history.begin(&tenant, &name).await;
        }
        for (history, write) in &round {
            let name = format!("{}{at}x", history.name());
            eventually(&format!("write {at} of {name}, {write}"), SOON, async || {
                ensure!(
                    scene.books.lost(&name),
                    "it came to {:?} of {:?}",
                    scene.books.writes(&name),
                    runs[history]
                );
                Ok(())
            })
            .await
            .unwrap();
        }
        drop(tenant);
        scene.kill();
    }
    let tenant = scene.tenant("kk").await;
    let problems = problems(&tenant, &cases).await;
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}
