//! What has to be the same in the end, whatever went wrong on the way.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::ListParams;
use serde_json::Value;
use testbed::eventually;
use testbed::hostnames::History as AtFly;

use crate::domains::{Customer, SYSTEM};
use crate::histories::{Case, History};
use crate::scene::Place;
use crate::support::SOON;

/// What the operator keeps for ordering, by hostname.
type Kept = BTreeMap<String, Vec<Secret>>;

/// Waits for the end of every case; what is wrong with any.
pub async fn problems(place: &Place, cases: &[Case]) -> Vec<String> {
    let customers = place.customers().await;
    let ends = join_all(cases.iter().map(|case| case.end(&customers))).await;
    let mut problems = Vec::new();
    let told = |case: &Case, what: &str| format!("{} with {}: {what}", case.name, case.fault);
    for (case, end) in cases.iter().zip(ends) {
        problems.extend(end.err().map(|error| told(case, &format!("{error:#}"))));
    }
    // A hostname is active while its certificate is renewed. An order that never ends is told below.
    let _ = eventually("orders to end", SOON, async || {
        let kept = kept(place).await?;
        ensure!(!kept.values().flatten().any(is_under_way));
        Ok(())
    })
    .await;
    let all = place.scene.fly().hostnames().await.unwrap();
    let mut apps = BTreeMap::new();
    for customer in [&customers.first, &customers.next] {
        apps.insert(customer.tenant.namespace.clone(), customer.tenant.app("ops").await.unwrap());
    }
    let kept = kept(place).await.unwrap();
    for case in cases {
        let history = all.get(&case.host()).cloned().unwrap_or_default();
        let mut wrong = at_fly(case, &history, &apps[case.ends_with()[0]]);
        let kept = kept.get(&case.host()).map_or(&[][..], Vec::as_slice);
        wrong.extend(ordered(place, &customers.first, case, kept).await.unwrap());
        wrong.extend(in_dns(place, case).await.unwrap());
        let spared = place.books.needed_no_proof(&case.name);
        if !place.books.lost(&case.name) && !case.fault.is_empty() && !spared {
            wrong.push("nothing was lost".to_owned());
        }
        problems.extend(wrong.iter().map(|what| told(case, what)));
    }
    problems
}

async fn kept(place: &Place) -> Result<Kept> {
    let secrets: Api<Secret> = Api::namespaced(place.scene.client().await?, SYSTEM);
    let host = |secret: &Secret| secret.metadata.annotations.as_ref()?.get("moorage.dev/hostname").cloned();
    let all = secrets.list(&ListParams::default()).await?;
    let mut kept = Kept::new();
    for (host, secret) in all.into_iter().filter_map(|secret| Some((host(&secret)?, secret))) {
        kept.entry(host).or_default().push(secret);
    }
    Ok(kept)
}

/// The hostname is on its app alone, with one certificate; or nowhere, once it is deleted.
fn at_fly(case: &Case, history: &AtFly, app: &str) -> Vec<String> {
    let uploads: BTreeSet<&str> = history.uploads().into_iter().collect();
    let apps = if case.is_gone() { BTreeSet::new() } else { BTreeSet::from([app.to_owned()]) };
    let wanted = match case.history {
        History::Fly => (1, 0),
        History::Renewal | History::Handover => (0, 2),
        History::Acme | History::Secret | History::Deletion => (0, 1),
        History::Abandoned => (0, 0),
    };
    let (most_apps, deletions) = match case.history {
        History::Abandoned => (0, 0),
        History::Deletion | History::Handover => (1, 1),
        _ => (1, 0),
    };
    let mut wrong = Vec::new();
    let seen = (history.issued(), uploads.len());
    if seen != wanted {
        wrong.push(format!("certificates of Fly's and imported are {seen:?}, not {wanted:?}: {history:?}"));
    }
    if history.apps != apps || history.most_apps != most_apps {
        wrong.push(format!("it is on {:?}, and was on {} together", history.apps, history.most_apps));
    }
    if history.count("certificate.delete") != deletions {
        wrong.push(format!("it wasn't deleted {deletions} times: {history:?}"));
    }
    wrong
}

/// One certificate was issued for what was asked for, it and each order are counted, and none is under way.
async fn ordered(
    place: &Place,
    customer: &Customer<'_>,
    case: &Case,
    kept: &[Secret],
) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let issued = place.books.count(&case.name, "acme finalize-order");
    let placed = place.books.count(&case.name, "acme order-plz");
    if issued != usize::from(matches!(case.history, History::Acme | History::Renewal | History::Handover)) {
        wrong.push(format!("{issued} certificates were issued"));
    }
    let claim = customer.claim(&case.host()).await?.unwrap_or_default();
    let ordering = claim.pointer("/spec/domain/ordering").cloned().unwrap_or_default();
    let times = |which: &str| ordering[which].as_array().map_or(0, Vec::len);
    let orders = times("orderTimes");
    let counted = (times("firstTimes"), times("renewalTimes"), times("failureTimes"));
    // One that was counted when its process was killed counts, whatever became of it.
    let doubt = usize::from(!case.fault.is_empty());
    let (least, more) = match case.history {
        History::Fly | History::Secret => (0, 0),
        History::Acme => (1, doubt),
        History::Handover => (2, doubt),
        History::Renewal | History::Deletion | History::Abandoned => (1, 0),
    };
    let most = least + more;
    let all_orders = match case.history {
        History::Acme => placed..=placed.max(1) + doubt,
        History::Handover => 1 + placed..=1 + placed.max(1) + doubt,
        _ => least..=most,
    };
    // The renewal that is begun again after a lost reply is taken as any other order, since there is one already.
    let renewals = usize::from(case.history == History::Renewal && !case.fault.is_empty());
    let is_counted = all_orders.contains(&orders) && (least..=most).contains(&counted.0);
    if !is_counted || counted.1 > renewals || counted.2 != 0 {
        wrong.push(format!("{placed} orders were placed, {orders} and {counted:?} are counted"));
    }
    if ordering["failures"].is_number() || ordering["nextTime"].is_string() {
        wrong.push(format!("it counts as failed: {ordering}"));
    }
    let orders = !case.is_gone() && !matches!(case.history, History::Fly | History::Secret);
    if kept.len() > 1 {
        wrong.push(format!("{} are kept for ordering", kept.len()));
    }
    match kept.first().and_then(|secret| secret.data.as_ref()) {
        Some(_) if !orders => wrong.push("something is kept for ordering".to_owned()),
        None if orders => wrong.push("nothing is kept for ordering".to_owned()),
        Some(data) if !data.contains_key("tls.key") => wrong.push("its key is lost".to_owned()),
        Some(_) if kept.iter().any(is_under_way) => wrong.push("an order is still under way".to_owned()),
        _ => {}
    }
    Ok(wrong)
}

/// Whether an order isn't over, or what was shown for it isn't taken back.
fn is_under_way(kept: &Secret) -> bool {
    let state = kept.data.as_ref().and_then(|data| data.get("state.json"));
    let state = state.map(|state| serde_json::from_slice::<Value>(&state.0).unwrap()).unwrap_or_default();
    let left = state["texts"].as_array().is_some_and(|texts| !texts.is_empty());
    state["order"].is_object() || left
}

/// No text is left in the platform's zone, and only the name of whom it is leads to the app.
async fn in_dns(place: &Place, case: &Case) -> Result<Vec<String>> {
    let server = place.scene.server();
    let mut wrong = Vec::new();
    for (at, namespace) in case.ends_with().into_iter().enumerate() {
        let target = place.target(namespace, &case.host());
        let texts = server.records(&format!("_acme-challenge.{target}"), "TXT").await?;
        if !texts.is_empty() {
            wrong.push(format!("texts of {namespace} are left: {texts:?}"));
        }
        let addresses = server.records(&target, "A").await?;
        if addresses.len() != usize::from(at == 0 && !case.is_gone()) {
            wrong.push(format!("{target} of {namespace} leads to {addresses:?}"));
        }
    }
    Ok(wrong)
}
