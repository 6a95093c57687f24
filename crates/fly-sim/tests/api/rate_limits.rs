//! Rate limits.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Fly;

#[tokio::test]
async fn one_a_second_with_a_burst_of_three_for_each_action_and_machine() {
    let fly = Fly::manual(&["--rate-limits", "on"]).await;
    let app = fly.app("a").await;
    let (one, two) = (fly.machine(&app, json!({})).await, fly.machine(&app, json!({})).await);
    let cordon = async |machine: &str| fly.post(&format!("{machine}/cordon"), Value::Null).await;
    for _ in 0..3 {
        cordon(&one).await.expect(200);
    }
    let refused = cordon(&one).await.expect(429);
    assert_eq!(refused.text, "rate limit exceeded");
    assert!(!refused.headers.contains_key("retry-after"));
    cordon(&two).await.expect(200);
    fly.post(&format!("{one}/uncordon"), Value::Null).await.expect(200);
    fly.advance(Duration::from_secs(1)).await;
    cordon(&one).await.expect(200);
    cordon(&one).await.expect(429);
}

#[tokio::test]
async fn reading_a_machine_may_be_done_more_often_and_creating_counts_for_the_app() {
    let fly = Fly::manual(&["--rate-limits", "on"]).await;
    let app = fly.app("a").await;
    let machine = fly.machine(&app, json!({})).await;
    for _ in 0..10 {
        fly.get(&machine).await.expect(200);
    }
    fly.get(&machine).await.expect(429);
    fly.advance(Duration::from_millis(200)).await;
    fly.get(&machine).await.expect(200);
    fly.machine(&app, json!({})).await;
    let third = fly.machine(&app, json!({})).await;
    let body = json!({ "config": crate::support::config() });
    // The clock has moved by 200 ms: a fifth of a token.
    fly.post(&format!("{app}/machines"), body).await.expect(429);
    let other = fly.app("b").await;
    fly.machine(&other, json!({})).await;
    fly.settings(json!({ "rateLimits": "off" })).await;
    for _ in 0..20 {
        fly.get(&third).await.expect(200);
    }
}

#[tokio::test]
async fn a_hundred_apps_may_be_deleted_in_a_minute() {
    let fly = Fly::manual(&["--rate-limits", "on"]).await;
    for n in 0..101 {
        fly.app(&format!("app-{n}")).await;
    }
    for n in 0..100 {
        fly.delete(&format!("/v1/apps/app-{n}")).await.expect(202);
    }
    fly.delete("/v1/apps/app-100").await.expect(429);
    fly.advance(Duration::from_secs(1)).await;
    fly.delete("/v1/apps/app-100").await.expect(202);
}
