//! Many orders: with an authority that refuses good nonces, and at the same time.

use std::time::Instant;

use futures::StreamExt;
use moorage::domains::acme::Account;
use serde_json::json;

use crate::scene::{account, authority, believing, issue};

/// Orders to be issued, and at once.
async fn all(account: &Account, count: usize, at_once: usize) -> Vec<u32> {
    let hosts = (0..count).map(|number| format!("{number}.example.dev"));
    let one = async |host: String| issue(account, &[&host], None).await.map(|issued| issued.requests);
    let done: Vec<_> = futures::stream::iter(hosts).map(one).buffer_unordered(at_once).collect().await;
    done.into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn bad_nonces_keep_no_order_from_its_certificate() {
    for percent in [5, 20] {
        let pebble = believing(percent, json!({})).await;
        let account = account(&authority(&pebble, json!({}))).await;
        let began = Instant::now();
        let counts = all(&account, 100, 8).await;
        let sum: u32 = counts.iter().sum();
        println!("{percent} % bad nonces: {} orders, {sum} requests, {:?}", counts.len(), began.elapsed());
        assert_eq!(counts.len(), 100);
    }
}

#[tokio::test]
async fn fifty_orders_of_one_account_go_on_at_the_same_time() {
    let pebble = believing(0, json!({})).await;
    let authority = authority(&pebble, json!({}));
    let account = account(&authority).await;
    let began = Instant::now();
    let counts = all(&account, 50, 50).await;
    let sum: u32 = counts.iter().sum();
    println!("50 orders at the same time: {sum} requests, {:?}", began.elapsed());
    let directories = pebble.log().matches("GET /dir ->").count();
    assert!(directories <= 1, "the directory was read {directories} times");
}
