//! Lists: filters, pages, the organisation's, and being behind.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Fly;

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_organisation_is_followed_by_what_changed() {
    let fly = Fly::manual(&[]).await;
    let mut paths = Vec::new();
    for app in ["a", "b", "c"] {
        let path = fly.app(app).await;
        paths.push(fly.machine(&path, json!({ "name": app })).await);
        fly.advance(Duration::from_secs(1)).await;
    }
    let first = fly.get("/v1/orgs/personal/machines?limit=2").await.expect(200).json();
    assert_eq!(names(&first["machines"]), ["a", "b"]);
    assert_eq!(first["machines"][0]["app_name"], "a");
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = fly.get(&format!("/v1/orgs/personal/machines?limit=2&cursor={cursor}")).await.json();
    assert_eq!((names(&rest["machines"]), rest["next_cursor"].as_str()), (vec!["c"], Some("")));
    let last = rest["last_updated_at"].as_str().unwrap().to_owned();
    let since = format!("/v1/orgs/personal/machines?updated_after={last}");
    assert_eq!(names(&fly.get(&since).await.json()["machines"]), [""; 0]);
    fly.fault(json!({ "environment": { "kind": "lists_include_the_time" } })).await;
    assert_eq!(names(&fly.get(&since).await.json()["machines"]), ["c"]);
    fly.no_faults().await;
    fly.post(&format!("{}/stop", paths[0]), Value::Null).await.expect(200);
    let changed = fly.get(&since).await.json();
    assert_eq!(
        (names(&changed["machines"]), &changed["machines"][0]["state"]),
        (vec!["a"], &json!("stopped"))
    );
    fly.advance(Duration::from_secs(1)).await;
    fly.delete("/v1/apps/b?force=true").await.expect(202);
    assert_eq!(names(&fly.get(&since).await.json()["machines"]), ["a"]);
    let deleted = fly.get(&format!("{since}&include_deleted=true")).await.json();
    assert_eq!(
        (names(&deleted["machines"]), &deleted["machines"][1]["state"]),
        (vec!["a", "b"], &json!("destroyed"))
    );
    fly.get("/v1/orgs/personal/machines?updated_after=yesterday").await.expect(400);
    fly.get("/v1/orgs/personal/machines?limit=9999").await.expect(400);
}

#[tokio::test]
async fn lists_are_behind_and_reading_one_is_not() {
    let fly = Fly::manual(&["--consistency-lag-ms", "3000"]).await;
    let app = fly.app("a").await;
    let machine = fly.machine(&app, json!({ "name": "m" })).await;
    let list = format!("{app}/machines");
    assert_eq!(fly.get(&list).await.json(), json!([]));
    fly.get(&machine).await.expect(200);
    fly.advance(Duration::from_secs(3)).await;
    assert_eq!(fly.get(&list).await.json()[0]["state"], "started");
    fly.delete(&format!("{machine}?force=true")).await.expect(200);
    assert_eq!(fly.state_of(&machine).await, "destroyed");
    assert_eq!(names(&fly.get(&list).await.json()), ["m"], "it lingers");
    fly.advance(Duration::from_secs(3)).await;
    assert_eq!(fly.get(&list).await.json(), json!([]));
    assert_eq!(names(&fly.get(&format!("{list}?include_deleted=true")).await.json()), ["m"]);
}

#[tokio::test]
async fn a_deleted_volume_lingers_in_a_list_that_is_behind() {
    let fly = Fly::manual(&["--consistency-lag-ms", "3000"]).await;
    let app = fly.app("a").await;
    let list = format!("{app}/volumes");
    let id = fly.post(&list, json!({ "name": "d", "region": "fra" })).await.expect(200).id();
    assert_eq!(fly.get(&list).await.json(), json!([]));
    fly.advance(Duration::from_secs(3)).await;
    fly.delete(&format!("{list}/{id}")).await.expect(200);
    assert_eq!(fly.get(&list).await.json()[0]["state"], "created");
    fly.advance(Duration::from_secs(3)).await;
    assert_eq!(fly.get(&list).await.json()[0]["state"], "pending_destroy");
}

#[tokio::test]
async fn what_was_just_made_may_not_be_found_yet() {
    let fly = Fly::manual(&[]).await;
    fly.settings(json!({ "appearLagMs": 1000 })).await;
    let app = fly.app("a").await;
    fly.get(&app).await.expect(404);
    let machine = fly.machine(&app, json!({})).await;
    fly.get(&machine).await.expect(404);
    fly.advance(Duration::from_secs(1)).await;
    fly.get(&app).await.expect(200);
    fly.get(&machine).await.expect(200);
}

#[tokio::test]
async fn filters_summaries_and_pages() {
    let fly = Fly::start(&[]).await;
    let app = fly.app("a").await;
    for (name, region, role) in [("one", "fra", "x"), ("two", "ams", "x"), ("three", "fra", "y")] {
        let more = json!({ "name": name, "region": region, "config": { "metadata": { "role": role } } });
        let machine = fly.machine(&app, more).await;
        fly.wait(&machine, "started").await;
    }
    let list = async |query: &str| fly.get(&format!("{app}/machines?{query}")).await.expect(200);
    let count = async |query: &str| list(query).await.json().as_array().unwrap().len();
    assert_eq!(count("region=fra").await, 2);
    assert_eq!(count("metadata.role=x").await, 2);
    assert_eq!(count("metadata.role=x&region=fra").await, 1);
    assert_eq!(count("state=stopped,suspended").await, 0);
    assert_eq!(count("state=started").await, 3);
    let summary = list("summary=true").await.json();
    assert!(summary[0].get("config").is_none() && summary[0]["name"].is_string());
    let page = list("limit=2").await;
    let cursor = page.headers["fly-next-cursor"].to_str().unwrap().to_owned();
    assert_eq!(page.json().as_array().unwrap().len(), 2);
    let rest = list(&format!("limit=2&cursor={cursor}")).await;
    assert_eq!(rest.json().as_array().unwrap().len(), 1);
    assert!(!rest.headers.contains_key("fly-next-cursor"));
    list("limit=1000").await;
    fly.get(&format!("{app}/machines?limit=1001")).await.expect(400);
}
