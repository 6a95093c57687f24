//! Every effect of a clean run, each with each fault.

use std::collections::BTreeMap;

use anyhow::ensure;
use futures::future::join_all;
use testbed::eventually;

use crate::books::{Loss, Site};
use crate::end::problems;
use crate::histories::{ALL, Case, History, ready};
use crate::scene::Place;
use crate::support::SOON;

/// Most that is held at once: each takes one of the operator's workers.
const MOST: usize = 24;

/// The effects of a clean run of each history.
async fn clean_runs(place: &Place) -> BTreeMap<History, Vec<Site>> {
    let cases: Vec<Case> = ALL.map(|history| Case::new(history, "clean", "")).into();
    let customers = place.customers().await;
    ready(place, &customers, &cases).await;
    for case in &cases {
        place.books.mark(&case.name, None);
        case.begin(place, &customers).await.unwrap();
    }
    assert_eq!(problems(place, &cases).await, [""; 0]);
    let sites = |case: &Case| {
        let all = place.books.sites(&case.name).into_iter();
        (case.history, all.filter(|site| every_run_has(case.history, site)).collect())
    };
    let runs: BTreeMap<History, Vec<Site>> = cases.iter().map(sites).collect();
    for (history, sites) in &runs {
        assert!(sites.len() > 4, "{history:?}: {sites:?}");
    }
    runs
}

/// How often Fly is asked to look again, and what is recorded then, depends on when it sees a name.
fn every_run_has(history: History, site: &Site) -> bool {
    let most = match (site.kind.as_str(), history) {
        ("fly POST certificates check", History::Fly)
        | ("kube PATCH nameclaims", History::Fly | History::Secret) => 1,
        ("fly POST certificates check", _) => 0,
        ("kube PATCH nameclaims", _) => 2,
        _ => usize::MAX,
    };
    site.ordinal <= most
}

/// A case for every effect of each history, and its fault. The n-th of every history come before the n + 1st.
fn cases(runs: &BTreeMap<History, Vec<Site>>, losses: &[Loss]) -> Vec<(Case, Site, Loss)> {
    let longest = runs.values().map(Vec::len).max().unwrap_or_default();
    let mut all = Vec::new();
    for at in 0..longest {
        for (history, sites) in runs {
            let Some(site) = sites.get(at) else { continue };
            for loss in losses {
                let word = format!("{at:02}-{}", format!("{loss:?}").to_lowercase());
                let fault = format!("{loss:?} of {} {} lost", site.kind, site.ordinal);
                all.push((Case::new(*history, &word, fault), site.clone(), *loss));
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_or_a_reply_that_is_lost_changes_nothing_in_the_end() {
    let place = Place::start().await;
    let runs = clean_runs(&place).await;
    let all = cases(&runs, &[Loss::Request, Loss::Reply]);
    let cases: Vec<Case> = all.iter().map(|(case, ..)| case.clone()).collect();
    let customers = place.customers().await;
    ready(&place, &customers, &cases).await;
    for (case, site, loss) in &all {
        place.books.mark(&case.name, Some((site.clone(), *loss)));
        case.begin(&place, &customers).await.unwrap();
    }
    let problems = problems(&place, &cases).await;
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_after_any_effect_changes_nothing_in_the_end() {
    let mut place = Place::start().await;
    let runs = clean_runs(&place).await;
    let all = cases(&runs, &[Loss::Held]);
    let cases: Vec<Case> = all.iter().map(|(case, ..)| case.clone()).collect();
    ready(&place, &place.customers().await, &cases).await;
    for round in all.chunks(MOST) {
        let customers = place.customers().await;
        for (case, site, loss) in round {
            place.books.mark(&case.name, Some((site.clone(), *loss)));
            case.begin(&place, &customers).await.unwrap();
        }
        let held = round.iter().map(|(case, ..)| {
            eventually(format!("{} comes to {}", case.name, case.fault).leak(), SOON, async || {
                let spared = place.books.needed_no_proof(&case.name);
                ensure!(spared || place.books.lost(&case.name), "{:?}", place.books.sites(&case.name));
                Ok(())
            })
        });
        for held in join_all(held).await {
            held.unwrap();
        }
        place.scene.rig.operator.kill().unwrap();
        drop(customers);
        place.restart();
    }
    let problems = problems(&place, &cases).await;
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}
