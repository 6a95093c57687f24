//! Many orders: with an authority that refuses good nonces, and at the same time.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use futures::StreamExt;
use moorage::domains::acme::{Account, AcmeError};
use serde_json::json;
use testbed::Pebble;

use crate::scene::{account, authority, believing, issue};

/// Orders that may be lost on the way, and not by the authority's word: on a loaded machine a connection may break.
const LOST: usize = 2;

/// Orders to be issued, and at once.
async fn all(pebble: &Pebble, account: &Account, count: usize, at_once: usize) -> Vec<u32> {
    let hosts = (0..count).map(|number| format!("{number}.example.dev"));
    let lost = AtomicUsize::new(0);
    let one = async |host: String| loop {
        match issue(account, &[&host], None).await {
            Ok(issued) => break issued.requests,
            Err(error) if has_no_answer(pebble, &error) && lost.fetch_add(1, Relaxed) < LOST => {}
            Err(error) => panic!("{error:?}; {:?}", pebble.process().check_running()),
        }
    };
    futures::stream::iter(hosts).map(one).buffer_unordered(at_once).collect().await
}

/// Whether an authority that runs said nothing at all; a nonce that it doesn't take is an answer.
fn has_no_answer(pebble: &Pebble, error: &AcmeError) -> bool {
    pebble.process().check_running().is_ok() && error.error.message.contains("doesn't answer;")
}

#[tokio::test]
async fn bad_nonces_keep_no_order_from_its_certificate() {
    for percent in [5, 20] {
        let pebble = believing(percent, json!({})).await;
        let account = account(&authority(&pebble, json!({}))).await;
        let began = Instant::now();
        let counts = all(&pebble, &account, 100, 8).await;
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
    let counts = all(&pebble, &account, 50, 50).await;
    let sum: u32 = counts.iter().sum();
    println!("50 orders at the same time: {sum} requests, {:?}", began.elapsed());
    let directories = pebble.log().matches("GET /dir ->").count();
    assert!(directories <= 1, "the directory was read {directories} times");
}
