//! SIGKILL right after an effect has taken place, while its reply is still on the way.

use std::collections::BTreeMap;

use anyhow::ensure;
use serde_json::json;
use testbed::eventually;

use crate::effects::{History, Site, clean_runs, ready};
use crate::end::{Case, problems};
use crate::losses::clean_writes;
use crate::proxy::Loss;
use crate::scene::Scene;
use crate::support::{SOON, Tenant};

/// Most that is held at once: each takes one of the operator's workers.
const MOST: usize = 28;

/// The cases, round by round: many share a kill. What a case is of, its number in its history, and what it is killed
/// after; the n-th of every history come before the n + 1st.
fn rounds<T: Clone>(runs: &BTreeMap<History, Vec<T>>) -> Vec<Vec<(Case, T)>> {
    let longest = runs.values().map(Vec::len).max().unwrap_or_default();
    let nth = |at: usize| {
        let name = move |history: History| format!("{}{at}x", history.name());
        let all = runs.iter().filter_map(move |(history, all)| Some((*history, all.get(at)?.clone())));
        all.map(move |(history, what)| (Case::new(history, name(history), ""), what))
    };
    let all: Vec<(Case, T)> = (0..longest).flat_map(nth).collect();
    all.chunks(MOST).map(<[(Case, T)]>::to_vec).collect()
}

/// What goes wrong in each, for messages.
fn told<T>(rounds: &[Vec<(Case, T)>], what: impl Fn(&T) -> String) -> Vec<Case> {
    let fault =
        |(case, site): &(Case, T)| Case { fault: format!("a kill after {}", what(site)), ..case.clone() };
    rounds.iter().flatten().map(fault).collect()
}

/// Begins a history whose effect is held once it has taken place.
async fn hold(tenant: &Tenant<'_>, case: &Case, site: &Site) -> u64 {
    let matching = site.matching(&format!("{}-*", tenant.slug(&case.name)));
    let rule = tenant.fly.rule(matching, json!({"kind": "hold"})).await.unwrap();
    case.history.begin(tenant, &case.name).await;
    rule
}

async fn held(tenant: &Tenant<'_>, case: &Case, rule: u64) {
    eventually(&format!("the effect of {}", case.name), SOON, async || {
        ensure!(tenant.fly.holds(rule).await?, "not held yet");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn after_every_effect_at_fly() {
    let mut scene = Scene::start().await;
    let runs = clean_runs(&scene.tenant("fk").await).await;
    let rounds: Vec<Vec<(Case, Site)>> = rounds(&runs);
    let cases = told(&rounds, |site| format!("{} {}", site.method, site.route));
    ready(&scene.tenant("fk").await, &cases).await;
    for mut round in rounds {
        let tenant = scene.tenant("fk").await;
        // The app's name isn't in this path: it is held before anybody else makes an app.
        round.sort_by_key(|(_, site)| site.route != "/v1/apps");
        let mut rules = Vec::new();
        for (case, site) in round {
            let rule = hold(&tenant, &case, &site).await;
            if site.route == "/v1/apps" {
                held(&tenant, &case, rule).await;
            }
            rules.push((rule, case));
        }
        for (rule, case) in &rules {
            held(&tenant, case, *rule).await;
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
    let problems = problems(&tenant, &scene.dns, &cases).await;
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[tokio::test]
async fn after_every_write_to_the_api_server() {
    let mut scene = Scene::start().await;
    let runs = clean_writes(&scene, &scene.tenant("kk").await).await;
    let numbered =
        runs.iter().map(|(history, writes)| (*history, writes.iter().cloned().enumerate().collect()));
    let rounds: Vec<Vec<(Case, (usize, String))>> = rounds(&numbered.collect());
    let cases = told(&rounds, |(_, write)| write.clone());
    ready(&scene.tenant("kk").await, &cases).await;
    for round in rounds {
        let tenant = scene.tenant("kk").await;
        for (Case { history, name, .. }, (at, _)) in &round {
            scene.books.mark(name, history.rests(&tenant, name).await, Some((*at, Loss::Held)));
            history.begin(&tenant, name).await;
        }
        for (Case { history, name, .. }, (at, write)) in &round {
            eventually(&format!("write {at} of {name}, {write}"), SOON, async || {
                let seen = scene.books.writes(name);
                ensure!(scene.books.lost(name), "it came to {seen:?} of {:?}", runs[history]);
                Ok(())
            })
            .await
            .unwrap();
        }
        drop(tenant);
        scene.kill();
    }
    let tenant = scene.tenant("kk").await;
    let problems = problems(&tenant, &scene.dns, &cases).await;
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}
