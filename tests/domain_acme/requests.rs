//! What an order costs.

use serde_json::json;

use crate::scene::{account, authority, believing, issue};

/// newOrder, authorization, challenge, a poll, finalize, a poll, certificate.
const LEAST: u32 = 7;
/// Beside them: a nonce to begin with, and polls that come too early.
const MORE: u32 = 4;

#[tokio::test]
async fn an_order_costs_little_more_than_the_protocol_needs() {
    let pebble = believing(0, json!({"retryAfter": {"authz": 1, "order": 1}})).await;
    let authority = authority(&pebble, json!({}));
    let account = account(&authority).await;
    let before = authority.requests();
    assert!(before <= 3, "the directory, a nonce, the account: {before}");
    let mut counts = Vec::new();
    for host in ["a.example.dev", "b.example.dev", "c.example.dev"] {
        counts.push(issue(&account, &[host], None).await.unwrap().requests);
    }
    assert!(counts.iter().all(|count| (LEAST..=LEAST + MORE).contains(count)), "{counts:?}");
    assert_eq!(authority.requests() - before, counts.iter().map(|count| u64::from(*count)).sum::<u64>());
    println!("requests of orders for one name: {counts:?}");
    let two = issue(&account, &["*.d.example.dev", "d.example.dev"], None).await.unwrap().requests;
    assert!(two <= LEAST + 2 + MORE, "{two}");
    println!("requests of an order for two names: {two}");
}
