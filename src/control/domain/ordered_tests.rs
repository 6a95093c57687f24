use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use testbed::{Pebble, PebbleOptions, PebbleSetup, Proofs};

use super::*;
use crate::control::domain::hostnames::Small;
use crate::control::small_cluster::SmallCluster;

const HOST: &str = "www.example.dev";

/// An authority that takes each proof for good.
async fn believing() -> Pebble {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let options = PebbleOptions { dns: nowhere, validity: 90 * 24 * 3600, bad_nonces: 0 };
    let setup = PebbleSetup { proofs: Proofs::Believed, ..PebbleSetup::default() };
    Pebble::start_with(options, setup).await.unwrap()
}

/// Looks at the order until it is no longer worked at.
async fn settled(small: &Small, facts: &mut Facts) {
    while matches!(facts.known.order, Some(OrderFact::Working(_))) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        look(&small.ctx, small.ctx.clock.now(), facts).await.unwrap();
    }
}

/// An order whose certificate was made.
async fn valid(small: &Small) -> Facts {
    let mut facts = small.facts(HOST);
    counting::count(&small.ctx, small.ctx.clock.now(), &mut facts).await.unwrap();
    small.refresh(&mut facts);
    begin(&small.ctx, small.ctx.clock.now(), &mut facts).await.unwrap();
    answer(&small.ctx, small.ctx.clock.now(), &mut facts).await.unwrap();
    settled(small, &mut facts).await;
    assert_eq!(facts.known.order, Some(OrderFact::Ready));
    finalize(&small.ctx, small.ctx.clock.now(), &mut facts).await.unwrap();
    settled(small, &mut facts).await;
    assert_eq!(facts.known.order, Some(OrderFact::Valid));
    facts
}

/// The order under way, as the next process finds it.
async fn stored_order(small: &Small) -> Option<StoredOrder> {
    store::read(&small.ctx, &Hostname::parse(HOST).unwrap()).await.unwrap().order
}

fn certificates(ordering: &Value) -> usize {
    ordering["firstTimes"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn a_certificate_that_can_not_be_used_ends_its_order_for_every_process() {
    let pebble = believing().await;
    let authority = json!({"directoryURL": pebble.directory(), "caFile": pebble.ca_file()});
    let small = Small::at(SmallCluster::default(), authority, json!({}));
    let mut facts = valid(&small).await;
    assert!(stored_order(&small).await.unwrap().count.is_some(), "how it counts outlives the process");
    // What it was made for is another key than what is known.
    facts.known.stored.as_mut().unwrap().order.as_mut().unwrap().key = new_key().unwrap();
    let now = small.ctx.clock.now();
    collect(&small.ctx, now, &mut facts).await.unwrap();
    assert!(facts.known.stored.as_ref().unwrap().order.is_none());
    assert!(stored_order(&small).await.is_none());
    let ordering = small.ordering(HOST);
    assert_eq!((&ordering["reason"], &ordering["failures"]), (&json!("CertificateRefused"), &json!(1)));
    let message = ordering["message"].as_str().unwrap();
    assert!(message.contains("can't be used") && message.contains("ordered after a pause"), "{message}");
    let next: Timestamp = ordering["nextTime"].as_str().unwrap().parse().unwrap();
    assert!(now.duration_until(next) >= SignedDuration::from_mins(59), "{next}");
    assert_eq!(certificates(&ordering), 1, "it was issued: {ordering}");
}

#[tokio::test]
async fn a_certificate_that_renews_none_is_counted_before_it_is_asked_for() {
    let pebble = believing().await;
    let authority = json!({"directoryURL": pebble.directory(), "caFile": pebble.ca_file()});
    let small = Small::at(SmallCluster::default(), authority, json!({}));
    let mut facts = small.facts(HOST);
    // As of an order that was thought to be a renewal.
    facts.known.counted = Some(Count { kind: Kind::KnownRenewal, at: facts.at });
    begin(&small.ctx, small.ctx.clock.now(), &mut facts).await.unwrap();
    answer(&small.ctx, small.ctx.clock.now(), &mut facts).await.unwrap();
    settled(&small, &mut facts).await;
    assert_eq!(certificates(&small.ordering(HOST)), 0);
    finalize(&small.ctx, small.ctx.clock.now(), &mut facts).await.unwrap();
    assert_eq!(facts.known.order, Some(OrderFact::Ready), "only counted yet");
    assert_eq!(certificates(&small.ordering(HOST)), 1);
    assert!(stored_order(&small).await.unwrap().count.is_some());
    finalize(&small.ctx, small.ctx.clock.now(), &mut facts).await.unwrap();
    assert_ne!(facts.known.order, Some(OrderFact::Ready));
    assert_eq!(certificates(&small.ordering(HOST)), 1);
}
