//! The proxy's loop over idle Machines, on a clock that is moved.

use std::time::Duration;

use serde_json::{Value, json};

use fly_sim::world::routing::Route;

use crate::support::Fly;

fn served(autostop: &str) -> Value {
    json!({ "config": { "services": [{ "internal_port": 3000, "autostop": autostop, "autostart": true,
        "min_machines_running": 0, "ports": [{ "port": 443, "handlers": ["tls", "http"] }] }] } })
}

async fn idle(autostop: &str) -> (Fly, String, String) {
    let fly = Fly::manual(&["--edge-listen", "127.0.0.1:0"]).await;
    let app = fly.app("a").await;
    fly.post(&format!("{app}/ip_assignments"), json!({ "type": "v6" })).await.expect(200);
    let machine = fly.machine(&app, served(autostop)).await;
    fly.wait(&machine, "started").await;
    (fly, app, machine)
}

#[tokio::test]
async fn an_idle_machine_stops_after_some_minutes() {
    let (fly, _, machine) = idle("stop").await;
    fly.advance(Duration::from_mins(4)).await;
    assert_eq!(fly.state_of(&machine).await, "started");
    fly.advance(Duration::from_mins(2)).await;
    assert_eq!(fly.state_of(&machine).await, "stopped");
    let events = fly.get(&format!("{machine}/events")).await.json();
    assert_eq!((&events[1]["type"], &events[1]["source"]), (&json!("stop"), &json!("flyd")));
}

#[tokio::test]
async fn it_suspends_where_asked_and_falls_back_to_stop_above_2_gb() {
    let (fly, app, machine) = idle("suspend").await;
    let mut big = served("suspend");
    big["config"]["guest"] = json!({ "cpus": 2, "memory_mb": 4096 });
    let big = fly.machine(&app, big).await;
    fly.wait(&big, "started").await;
    // One in each pass and region.
    fly.advance(Duration::from_mins(10)).await;
    assert_eq!(fly.state_of(&machine).await, "suspended");
    assert_eq!(fly.state_of(&big).await, "stopped");
}

#[tokio::test]
async fn a_day_passes_and_what_is_off_stays_on() {
    let (fly, app, machine) = idle("off").await;
    let plain = fly.machine(&app, json!({})).await;
    fly.wait(&plain, "started").await;
    fly.advance(Duration::from_hours(24)).await;
    assert_eq!(fly.state_of(&machine).await, "started");
    assert_eq!(fly.state_of(&plain).await, "started");
}

#[tokio::test]
async fn as_many_stay_as_the_minimum_says() {
    let (fly, app, first) = idle("stop").await;
    let mut kept = served("stop");
    kept["config"]["services"][0]["min_machines_running"] = json!(1);
    fly.post(&first, json!({ "config": merged(&kept) })).await.expect(200);
    let second = fly.machine(&app, kept).await;
    fly.wait(&second, "started").await;
    fly.advance(Duration::from_hours(24)).await;
    let states = [fly.state_of(&first).await, fly.state_of(&second).await];
    assert_eq!(states.iter().filter(|state| *state == "started").count(), 1, "{states:?}");
}

fn merged(body: &Value) -> Value {
    let mut config = crate::support::config();
    crate::support::merge(&mut config, body["config"].clone());
    config
}

#[tokio::test]
async fn every_transition_of_a_day_happens_at_its_own_time() {
    let (fly, _, machine) = idle("stop").await;
    fly.settings(json!({ "delays": { "stop": [1500, 1500] } })).await;
    let before = fly.get("/_sim/clock").await.json()["nowMs"].as_i64().unwrap();
    fly.advance(Duration::from_hours(24)).await;
    let events = fly.get(&format!("{machine}/events")).await.json();
    let stopped = events[0]["timestamp"].as_i64().unwrap() - before;
    let asked = events[1]["timestamp"].as_i64().unwrap() - before;
    assert!((300_000..=360_000).contains(&asked), "{asked}");
    assert_eq!(stopped - asked, 1_500);
}

#[tokio::test]
async fn open_connections_count_as_load() {
    let (fly, _, machine) = idle("stop").await;
    let route = fly.sim.enter().route("a.fly.dev", 443);
    let Route::To(key, 3000) = route else { panic!("{route:?}") };
    fly.advance(Duration::from_hours(24)).await;
    assert_eq!(fly.state_of(&machine).await, "started");
    fly.sim.enter().request_ended(&key);
    fly.advance(Duration::from_mins(4)).await;
    assert_eq!(fly.state_of(&machine).await, "started", "the time counts from the end of the connection");
    fly.advance(Duration::from_mins(2)).await;
    assert_eq!(fly.state_of(&machine).await, "stopped");
    assert_eq!(fly.sim.enter().route("a.fly.dev", 443), Route::Wait(key), "a request wakes it");
    assert_eq!(fly.state_of(&machine).await, "started");
}

#[tokio::test]
async fn above_its_soft_limit_a_machine_gets_help() {
    let (fly, app, first) = idle("stop").await;
    let mut limited = served("stop");
    limited["config"]["services"][0]["concurrency"] = json!({ "type": "connections", "soft_limit": 2 });
    fly.post(&first, json!({ "config": merged(&limited) })).await.expect(200);
    fly.wait(&first, "started").await;
    limited["skip_launch"] = json!(true);
    let second = fly.machine(&app, limited).await;
    fly.wait(&second, "stopped").await;
    let ask = || fly.sim.enter().route("a.fly.dev", 443);
    ask();
    ask();
    assert_eq!(fly.state_of(&second).await, "stopped");
    ask();
    assert_eq!(fly.state_of(&second).await, "started");
    let Route::To(key, _) = ask() else { panic!("no machine") };
    assert!(second.ends_with(&key.id), "the less busy one takes the next");
}
