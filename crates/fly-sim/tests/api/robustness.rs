//! Bodies and queries that no client means: each is answered, none breaks anything.

use bytes::Bytes;
use serde_json::json;

use crate::support::Fly;

const BODIES: &[&str] = &[
    "",
    "{",
    "null",
    "7",
    "[]",
    "\"text\"",
    "{}",
    r#"{"config":null}"#,
    r#"{"config":{"image":7}}"#,
    r#"{"config":{"image":"i","services":{},"checks":[],"mounts":{},"files":7,"guest":"big","init":[]}}"#,
    r#"{"config":{"image":"i","services":[{"internal_port":-1}],"restart":7,"stop_config":[]}}"#,
    r#"{"config":{"image":"i","checks":{"a":{"interval":-5}}}}"#,
    r#"{"name":7,"org_slug":[],"network":{}}"#,
    r#"{"values":{"A":7,"":"x"}}"#,
    r#"{"values":[],"value":{},"metadata":{"a":7}}"#,
    r#"{"ttl":-9223372036854775808,"signal":99,"timeout":"-1s","size_gb":18446744073709551615}"#,
    r#"{"ttl":9223372036854775807,"signal":"SIGNOPE","timeout":1e300,"size_gb":-1}"#,
    r#"{"command":[7],"cmd":{},"hostname":"..","type":"v9","limit_mb":-1,"plaintext":[256]}"#,
    r#"{"hostname":"x.example.com","fullchain":"-----BEGIN CERTIFICATE-----","private_key":""}"#,
];

#[tokio::test]
async fn every_call_answers_every_odd_body() {
    let fly = Fly::start(&[]).await;
    let app = fly.app("a").await;
    let machine = fly.machine(&app, json!({})).await;
    fly.wait(&machine, "started").await;
    let volume =
        fly.post(&format!("{app}/volumes"), json!({ "name": "d", "region": "fra" })).await.expect(200).id();
    let mut calls: Vec<(&str, String)> = vec![
        ("POST", "/v1/apps".into()),
        ("POST", "/v1/platform/placements".into()),
        ("POST", "/v1/tokens/oidc".into()),
        ("POST", "/_sim/faults".into()),
        ("POST", "/_sim/settings".into()),
        ("POST", "/_sim/dns".into()),
        ("POST", machine.clone()),
        ("PUT", format!("{app}/volumes/{volume}")),
        ("PUT", format!("{app}/volumes/{volume}/extend")),
    ];
    for rest in [
        "machines",
        "volumes",
        "ip_assignments",
        "secrets",
        "secrets/A",
        "secretkeys/K",
        "secretkeys/K/sign",
        "certificates/acme",
        "certificates/custom",
        "deploy_token",
    ] {
        calls.push(("POST", format!("{app}/{rest}")));
    }
    for rest in ["stop", "restart", "signal", "exec", "lease", "metadata/k", "memory/reclaim", "start"] {
        calls.push(("POST", format!("{machine}/{rest}")));
    }
    calls.push(("PATCH", format!("{machine}/metadata")));
    calls.push(("PUT", format!("{machine}/memory")));
    for (method, path) in &calls {
        for body in BODIES {
            let reply = fly.try_call(method, path, &[], Bytes::from_static(body.as_bytes())).await;
            let reply = reply.unwrap_or_else(|cut| panic!("{method} {path} {body}: {cut}"));
            assert!(reply.status < 500, "{method} {path} {body}: {reply:?}");
        }
    }
    fly.get(&app).await.expect(200);
}

#[tokio::test]
async fn every_list_answers_every_odd_query() {
    let fly = Fly::start(&[]).await;
    let app = fly.app("a").await;
    for list in ["/v1/apps", "/v1/orgs/personal/machines", "/v1/orgs/personal/volumes"]
        .map(str::to_owned)
        .into_iter()
        .chain(["machines", "volumes", "certificates", "secrets"].map(|rest| format!("{app}/{rest}")))
    {
        for query in [
            "limit=-1",
            "limit=0",
            "limit=x",
            "limit=99999999999999999999",
            "cursor=%FF",
            "cursor=****",
            "updated_after=9999999-01-01",
            "state=%00",
            "min_version=x",
            "a&b&=&==",
            "%zz",
        ] {
            let reply = fly.try_call("GET", &format!("{list}?{query}"), &[], Bytes::new()).await.unwrap();
            assert!(reply.status < 500, "{list}?{query}: {reply:?}");
        }
    }
}
