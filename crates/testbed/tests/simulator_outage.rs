//! A simulator that was killed comes back as it was, where it was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use serde_json::json;
use testbed::{FlySim, FlySimOptions, ledger};

fn request(url: &str, method: http::Method) -> reqwest::RequestBuilder {
    reqwest::Client::new().request(method, url).header("Authorization", "Bearer fm2_any")
}

#[tokio::test]
async fn an_outage_loses_nothing_and_moves_nothing() {
    let mut fly = FlySim::start(FlySimOptions::default()).await.unwrap();
    let (api, edge, authority) = (fly.api_url().to_owned(), fly.edge().to_owned(), read(fly.edge_ca()));
    let apps = format!("{api}/v1/apps");
    let body = json!({"app_name": "kept", "org_slug": fly.organization(), "network": "m-1"});
    let answer = request(&apps, http::Method::POST).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    // What was done is on disk within a quarter of a second.
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;

    fly.restart().await.unwrap();

    assert_eq!((fly.api_url(), fly.edge(), read(fly.edge_ca())), (&*api, &*edge, authority));
    let found = request(&format!("{apps}/kept"), http::Method::GET).send().await.unwrap();
    assert_eq!(found.status(), 200);
    let changes = ledger::changes(&fly.read("ledger").await.unwrap()).unwrap();
    assert_eq!(ledger::standing(&changes)["kept"].network, "m-1");
}

fn read(path: &std::path::Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}
