//! 429 and the client's own budget.

use std::time::{Duration, Instant};

use fly_machines::types::CreateMachine;
use fly_machines::{ErrorClass, Limits, Outcome};

use crate::server::{Server, json, with_header};

#[tokio::test]
async fn a_429_is_repeated_after_the_time_told_even_for_a_create() {
    let server = Server::start(|seen| match seen.ordinal {
        1 => with_header(json(429, "rate limit exceeded"), "retry-after", "1"),
        _ => json(200, r#"{"id":"m"}"#),
    })
    .await;
    let client = server.client();
    let start = Instant::now();
    let machine = client.machines("one").create(&CreateMachine::default()).await.unwrap();
    assert_eq!(machine.id, "m");
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(client.budget().throttled_total, 1);
}

#[tokio::test]
async fn a_long_retry_after_is_told_and_closes_the_bucket() {
    let server = Server::start(|_| with_header(json(429, "rate limit exceeded"), "retry-after", "30")).await;
    let client = server.builder().limits(Limits::fly()).build().unwrap();
    let error = client.machines("one").start("m").await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
    assert_eq!(error.outcome(), Outcome::Refused);
    let error = client.machines("one").start("m").await.unwrap_err();
    assert!(matches!(error.class(), ErrorClass::Throttled { .. }));
    assert_eq!((error.outcome(), error.status()), (Outcome::NotSent, None));
    assert_eq!(server.seen().len(), 1, "the second wasn't sent");
    assert_eq!(client.budget().rejected_total, 1);
}

#[tokio::test]
async fn a_429_for_ever_ends() {
    let server = Server::start(|_| with_header(json(429, "rate limit exceeded"), "retry-after", "0")).await;
    let error = server.client().machines("one").get("m").await.unwrap_err();
    assert!(matches!(error.class(), ErrorClass::Throttled { .. }));
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn calls_keep_to_one_a_second_after_a_burst_of_three() {
    let server = Server::start(|_| json(200, "{}")).await;
    let client = server.builder().limits(Limits::fly()).build().unwrap();
    let start = Instant::now();
    for _ in 0..4 {
        client.machines("one").start("m").await.unwrap();
    }
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(950), "the fourth waits: {took:?}");
    assert_eq!(client.budget().delayed_total, 1);
}
