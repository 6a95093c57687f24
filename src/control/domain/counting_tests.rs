use std::time::Duration;

use futures::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::control::domain::failing::Issued;
use crate::control::domain::hostnames::{Small, path};
use crate::control::small_cluster::SmallCluster;
use crate::domains::DomainError;
use crate::domains::acme::{AcmeError, Cause};

fn limits(account: u32, domain: u32) -> Value {
    json!({"limits": {"ordersPerAccount": account, "certificatesPerDomain": domain,
        "certificatesPerName": 0, "failuresPerName": 0}})
}

fn slow() -> SmallCluster {
    SmallCluster::slow(Duration::from_millis(200))
}

/// Counts an order for each of the hostnames at the same time. How many were counted.
async fn count_all(small: &Small, facts: &mut [Facts]) -> usize {
    let now = small.ctx.clock.now();
    let all = facts.iter_mut().map(|facts| count(&small.ctx, now, facts));
    let _ = join_all(all).await;
    facts.iter().filter(|facts| facts.known.counted.is_some()).count()
}

#[tokio::test]
async fn orders_that_wait_together_are_counted_together_and_none_beyond_the_limits() {
    for (limits, hosts) in [
        (limits(10, 0), (0..30).map(|number| format!("www.{number}.dev")).collect::<Vec<_>>()),
        (limits(0, 10), (0..30).map(|number| format!("{number}.example.dev")).collect()),
    ] {
        let small = Small::new(slow(), limits);
        let mut facts: Vec<Facts> = hosts.iter().map(|host| small.facts(host)).collect();
        assert_eq!(count_all(&small, &mut facts).await, 10);
        assert_eq!(small.cluster.most_at_once(), 10, "none waits for another's to be written");
        assert_eq!(small.cluster.changes(), 10, "nor is anything written of those that have to wait");
        let recorded = hosts.iter().filter(|host| !small.ordering(host)["firstTimes"].is_null());
        assert_eq!(recorded.count(), 10);
        // None is left, though nothing is being counted any more.
        let mut left: Vec<Facts> = hosts.iter().map(|host| small.facts(host)).collect();
        assert_eq!(count_all(&small, &mut left).await, 0);
    }
}

#[tokio::test]
async fn a_count_that_is_not_written_is_left_to_those_who_wait_for_it() {
    let small = Small::new(slow(), limits(1, 0));
    let mut facts = ["www.a.dev", "www.b.dev"].map(|host| small.facts(host));
    small.cluster.fail(&path("www.a.dev"));
    assert_eq!(count_all(&small, &mut facts).await, 1);
    assert!(facts[1].known.counted.is_some(), "it waited for the first, and has its place");
}

#[tokio::test]
async fn an_order_is_forgotten_only_once_it_is_recorded_what_became_of_it() {
    let small = Small::new(SmallCluster::default(), limits(10, 0));
    let mut facts = small.facts_with_an_order("www.a.dev");
    let now = small.ctx.clock.now();
    small.touch("www.a.dev");
    let error: AcmeError = DomainError::certificate_refused("No.").into();
    let given_up = failing::abandon(&small.ctx, now, &mut facts, &error, Issued::No).await;
    assert!(given_up.is_err(), "another writer was first");
    assert!(facts.known.stored.as_ref().unwrap().order.is_some());
    assert_eq!(small.ordering("www.a.dev")["failures"], Value::Null);

    // What stands now is known, and it is done again.
    small.refresh(&mut facts);
    failing::abandon(&small.ctx, now, &mut facts, &error, Issued::No).await.unwrap();
    assert!(facts.known.stored.as_ref().unwrap().order.is_none());
    assert_eq!(small.ordering("www.a.dev")["failures"], 1);
}

#[tokio::test]
async fn an_order_whose_answer_was_lost_is_not_placed_again_on_the_same_count() {
    let small = Small::new(SmallCluster::default(), limits(10, 0));
    let mut facts = small.facts("www.a.dev");
    let now = small.ctx.clock.now();
    count(&small.ctx, now, &mut facts).await.unwrap();
    small.touch("www.a.dev");
    let lost = AcmeError { cause: Cause::Unanswered, error: DomainError::authority_unavailable("Later.") };
    failing::unplaced(&small.ctx, now, &mut facts, &lost).await.unwrap_err();
    assert_eq!(facts.known.counted, None);
}

#[tokio::test]
async fn an_order_counts_as_a_certificate_until_it_ended_without_one() {
    for (issued, certificates) in [(Issued::No, 0), (Issued::Perhaps, 1)] {
        let small = Small::new(SmallCluster::default(), limits(10, 0));
        let mut facts = small.facts_with_an_order("www.a.dev");
        let now = small.ctx.clock.now().saturating_add(SignedDuration::from_secs(5)).unwrap();
        let fault =
            AcmeError { cause: Cause::Unavailable, error: DomainError::authority_unavailable("Later.") };
        failing::abandon(&small.ctx, now, &mut facts, &fault, issued).await.unwrap();
        let ordering = small.ordering("www.a.dev");
        assert_eq!(ordering["firstTimes"].as_array().map_or(0, Vec::len), certificates, "{ordering}");
        assert_eq!(ordering["orderTimes"].as_array().map_or(0, Vec::len), 1, "{ordering}");
    }
}
