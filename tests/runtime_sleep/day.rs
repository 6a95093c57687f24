//! A day in which nearly nobody comes, sped up: the simulator's clock is moved through it in steps.

use std::time::Duration;

use serde_json::{Value, json};
use testbed::{Audit, FlySimOptions, RateLimits, Rig, RigOptions, SimClock};

use crate::support::{Tenant, config, is_ready, prepare};

const DAY: Duration = Duration::from_hours(24);
/// How far the simulator's clock is moved at once.
const STEP: Duration = Duration::from_mins(2);
/// Real time between two steps: the operator follows Fly all the while.
const PAUSE: Duration = Duration::from_millis(80);
/// Hours of the day at which somebody comes.
const VISITS: [u64; 4] = [3, 9, 10, 20];

async fn rig() -> Rig {
    let fly =
        FlySimOptions { rate_limits: RateLimits::Off, clock: SimClock::Manual, ..FlySimOptions::default() };
    let rig = Rig::start(RigOptions { audit: Audit::Requests, fly, config: config(), env: Vec::new() });
    let rig = rig.await.unwrap();
    prepare(&rig.client().await.unwrap()).await.unwrap();
    rig
}

/// Somebody opens the gateway, and gets an answer.
async fn visit(tenant: &Tenant<'_>, host: &str) {
    let browser = tenant.fly.0.browser(host).unwrap();
    let answer = browser.get(tenant.fly.0.edge_url(host, "/healthz")).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
}

/// Milliseconds for which the Machine was awake between two times, by the ledger.
fn awake(entries: &[Value], from: i64, to: i64) -> i64 {
    let mut since = Some(from);
    let mut sum = 0;
    for entry in entries {
        let at = entry["at"].as_i64().unwrap().clamp(from, to);
        match (entry["effect"].as_str().unwrap_or_default(), since) {
            ("machine.start", None) => since = Some(at),
            ("machine.stop" | "machine.suspend", Some(began)) => {
                sum += at - began;
                since = None;
            }
            _ => {}
        }
    }
    sum + since.map_or(0, |began| to - began)
}

#[tokio::test]
async fn in_a_day_it_sleeps_nineteen_hours_out_of_twenty() {
    let mut rig = rig().await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "day").await.unwrap();
    tenant.declare("ops", json!({"sleep": {"mode": "Stop"}})).await.unwrap();
    let object = tenant.wait_ready("ops", "running").await.unwrap();
    let (app, url) = (tenant.app("ops").await.unwrap(), object["status"]["url"].as_str().unwrap().to_owned());
    let host = url.trim_start_matches("https://").to_owned();
    let now =
        async |tenant: &Tenant<'_>| tenant.fly.0.read("clock").await.unwrap()["nowMs"].as_i64().unwrap();
    let (begun, head) = (now(&tenant).await, tenant.fly.head().await.unwrap());
    drop(tenant);

    let steps = u32::try_from(DAY.as_secs() / STEP.as_secs()).unwrap();
    for step in 0..steps {
        let tenant = Tenant::new(&rig.cluster, &rig.fly, "day").await.unwrap();
        let hour = u64::from(step) * STEP.as_secs() / 3600;
        let on_the_hour = (u64::from(step) * STEP.as_secs()).is_multiple_of(3600);
        if on_the_hour && VISITS.contains(&hour) {
            tenant.wait_ready("ops", "sleeping").await.unwrap();
            visit(&tenant, &host).await;
            tenant.wait_ready("ops", "running").await.unwrap();
        }
        if step % 20 == 7 {
            // Whatever makes the operator look at it again.
            let touch = json!({"metadata": {"annotations": {"example.com/touched": step.to_string()}}});
            tenant.patch("ops", touch).await.unwrap();
        }
        rig.fly.advance(STEP).await.unwrap();
        drop(tenant);
        if step == steps / 2 {
            rig.operator.kill().unwrap();
            rig.operator.restart().unwrap();
        }
        tokio::time::sleep(PAUSE).await;
    }
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "day").await.unwrap();
    let ended = now(&tenant).await;
    assert_eq!(ended - begun, i64::try_from(DAY.as_millis()).unwrap());
    let ledger = tenant.fly.ledger(head).await.unwrap();
    let effects: Vec<Value> = ledger["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["kind"] == "effect" && entry["app"] == json!(app))
        .cloned()
        .collect();
    let awake = awake(&effects, begun, ended);
    let asleep = 10_000 - awake * 10_000 / (ended - begun);
    println!("asleep {asleep} of 10,000 parts of the day; {} effects", effects.len());
    assert!(asleep >= 9_500, "asleep {asleep} of 10,000 parts of the day: {effects:#?}");
    let starts = effects.iter().filter(|effect| effect["effect"] == "machine.start").count();
    assert_eq!(starts, VISITS.len(), "only requests wake it: {effects:#?}");
    assert!(is_ready(&tenant.wait_ready("ops", "sleeping").await.unwrap(), "sleeping"));
}
