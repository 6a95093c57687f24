//! Every operation of Fly's OpenAPI file is served, and every answer fits it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::schema::{misfits, spec};
use crate::support::{Fly, Reply};

struct Tour {
    fly: Fly,
    spec: Value,
    seen: BTreeSet<String>,
    misfits: Vec<String>,
}

impl Tour {
    /// Makes a call of an operation and compares the answer; `template` is the path as the file has it.
    async fn call(&mut self, method: &str, template: &str, path: &str, body: Value) -> Reply {
        let url = if path.starts_with("/v1") { path.to_owned() } else { format!("/v1{path}") };
        let reply = self.fly.call(method, &url, body).await;
        assert!(reply.status < 300, "{method} {url}: {reply:?}");
        assert!(reply.headers.contains_key("fly-request-id"), "{method} {url} has no request id");
        let operation = &self.spec["paths"][template][method.to_lowercase()];
        let id =
            operation["operationId"].as_str().unwrap_or_else(|| panic!("no {method} {template} in the file"));
        self.seen.insert(id.to_owned());
        let listed = &operation["responses"][reply.status.to_string()];
        // The file has 200 for a new lease; the wire has 201.
        let listed = if id == "Machines_create_lease" { &operation["responses"]["200"] } else { listed };
        assert!(!listed.is_null(), "{id} answers {}, which the file doesn't have", reply.status);
        let schema = &listed["content"]["application/json"]["schema"];
        if reply.text.is_empty() {
            assert!(schema.is_null() || reply.status == 204, "{id} answers nothing");
        } else if !schema.is_null() {
            self.misfits.extend(misfits(&self.spec, schema, &reply.json(), id, ""));
        }
        reply
    }
}

const APP: &str = "/apps/{app_name}";

fn at(rest: &str) -> String {
    format!("{APP}{rest}")
}

#[tokio::test]
async fn every_operation_answers_as_the_file_says() {
    let fly = Fly::start(&[]).await;
    let mut tour = Tour { fly, spec: spec(), seen: BTreeSet::new(), misfits: Vec::new() };
    apps_and_tokens(&mut tour).await;
    secrets_and_keys(&mut tour).await;
    let volume = volumes(&mut tour).await;
    let machine = machines(&mut tour, &volume).await;
    actions(&mut tour, &machine).await;
    addresses_and_certificates(&mut tour).await;
    lists(&mut tour).await;
    away(&mut tour, &machine, &volume).await;
    assert_eq!(tour.misfits, [""; 0]);
    let all: BTreeSet<String> = operations(&tour.spec);
    assert_eq!(all.difference(&tour.seen).collect::<Vec<_>>(), [&""; 0], "operations that weren't called");
    assert_eq!(all.len(), 73);
}

fn operations(spec: &Value) -> BTreeSet<String> {
    let paths = spec["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|methods| methods.as_object().unwrap().values());
    operations.map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect()
}

async fn apps_and_tokens(tour: &mut Tour) {
    tour.call("POST", "/apps", "/apps", json!({ "name": "a", "org_slug": "personal" })).await;
    tour.call("GET", "/apps", "/apps?org_slug=personal", Value::Null).await;
    tour.call("GET", APP, "/apps/a", Value::Null).await;
    tour.call("POST", &at("/deploy_token"), "/apps/a/deploy_token", json!({ "expiry": "24h" })).await;
    tour.call("GET", "/v1/tokens/current", "/v1/tokens/current", Value::Null).await;
    tour.call("POST", "/tokens/oidc", "/tokens/oidc", json!({ "aud": "x" })).await;
    tour.call("POST", "/tokens/kms", "/tokens/kms", Value::Null).await;
}

async fn secrets_and_keys(tour: &mut Tour) {
    tour.call("POST", &at("/secrets"), "/apps/a/secrets", json!({ "values": { "A": "1", "B": null } })).await;
    tour.call("POST", &at("/secrets/{secret_name}"), "/apps/a/secrets/C", json!({ "value": "x" })).await;
    tour.call("GET", &at("/secrets/{secret_name}"), "/apps/a/secrets/C?show_secrets=true", Value::Null).await;
    tour.call("GET", &at("/secrets"), "/apps/a/secrets", Value::Null).await;
    tour.call("DELETE", &at("/secrets/{secret_name}"), "/apps/a/secrets/C", Value::Null).await;
    let key = at("/secretkeys/{secret_name}");
    tour.call(
        "POST",
        &key,
        "/apps/a/secretkeys/k",
        json!({ "type": "SECRETKEY_TYPE_HS256", "value": [1, 2, 3] }),
    )
    .await;
    tour.call("POST", &format!("{key}/generate"), "/apps/a/secretkeys/g/generate", json!({})).await;
    let act = |action: &str| (format!("{key}/{action}"), format!("/apps/a/secretkeys/k/{action}"));
    let (template, path) = act("encrypt");
    let sealed = tour.call("POST", &template, &path, json!({ "plaintext": [104, 105] })).await.json();
    let (template, path) = act("decrypt");
    let plain = tour.call("POST", &template, &path, sealed).await.json();
    assert_eq!(plain, json!({ "plaintext": [104, 105] }));
    let (template, path) = act("sign");
    let signed = tour.call("POST", &template, &path, json!({ "plaintext": [104, 105] })).await.json();
    let (template, path) = act("verify");
    let body = json!({ "plaintext": [104, 105], "signature": signed["signature"] });
    tour.call("POST", &template, &path, body).await;
    tour.call("GET", &key, "/apps/a/secretkeys/k", Value::Null).await;
    tour.call("GET", &at("/secretkeys"), "/apps/a/secretkeys", Value::Null).await;
    tour.call("DELETE", &key, "/apps/a/secretkeys/k", Value::Null).await;
}

async fn volumes(tour: &mut Tour) -> String {
    let body = json!({ "name": "data", "region": "fra", "size_gb": 1 });
    let id = tour.call("POST", &at("/volumes"), "/apps/a/volumes", body).await.id();
    let (one, path) = (at("/volumes/{volume_id}"), format!("/apps/a/volumes/{id}"));
    tour.call("GET", &one, &path, Value::Null).await;
    tour.call("PUT", &one, &path, json!({ "snapshot_retention": 7 })).await;
    tour.call("PUT", &format!("{one}/extend"), &format!("{path}/extend"), json!({ "size_gb": 2 })).await;
    tour.call("POST", &format!("{one}/snapshots"), &format!("{path}/snapshots"), Value::Null).await;
    tour.call("GET", &format!("{one}/snapshots"), &format!("{path}/snapshots"), Value::Null).await;
    tour.call("GET", &at("/volumes"), "/apps/a/volumes", Value::Null).await;
    id
}

fn full_config(volume: &str) -> Value {
    json!({
        "image": "ghcr.io/o/c:1",
        "env": { "A": "b" },
        "metadata": { "role": "gateway" },
        "guest": { "cpu_kind": "shared", "cpus": 2, "memory_mb": 1024 },
        "init": { "cmd": ["serve"] },
        "mounts": [{ "volume": volume, "path": "/data" }],
        "files": [{ "guest_path": "/etc/a", "raw_value": "aGk=" }],
        "restart": { "policy": "on-failure", "max_retries": 3 },
        "stop_config": { "signal": "SIGTERM", "timeout": 60_000_000_000_u64 },
        "checks": { "health": { "type": "http", "port": 3000, "path": "/healthz", "interval": "15s",
            "timeout": "10s", "grace_period": "30s", "kind": "readiness" } },
        "services": [{ "protocol": "tcp", "internal_port": 3000, "autostop": "suspend", "autostart": true,
            "min_machines_running": 0, "concurrency": { "type": "connections", "soft_limit": 20, "hard_limit": 25 },
            "ports": [{ "port": 80, "handlers": ["http"], "force_https": true },
                { "port": 443, "handlers": ["tls", "http"] }],
            "checks": [{ "type": "tcp", "interval": "15s", "timeout": "2s" }] }],
    })
}

async fn machines(tour: &mut Tour, volume: &str) -> String {
    let config = full_config(volume);
    let body = json!({ "name": "m", "region": "fra", "config": config, "lease_ttl": 60 });
    let created = tour.call("POST", &at("/machines"), "/apps/a/machines", body).await;
    assert_eq!(created.json()["config"]["stop_config"]["timeout"], "1m0s");
    let (id, nonce) = (created.id(), created.json()["nonce"].as_str().unwrap().to_owned());
    let (one, path) = (at("/machines/{machine_id}"), format!("/apps/a/machines/{id}"));
    tour.call("GET", &format!("{one}/lease"), &format!("{path}/lease"), Value::Null).await;
    let lease = format!("/v1{path}/lease");
    tour.fly.with_nonce(&nonce, "DELETE", &lease, Value::Null).await.expect(200);
    tour.call("GET", &format!("{one}/wait"), &format!("{path}/wait?state=started"), Value::Null).await;
    tour.call("GET", &one, &path, Value::Null).await;
    tour.call("POST", &one, &path, json!({ "config": config })).await;
    tour.call("GET", &format!("{one}/wait"), &format!("{path}/wait?state=started,failed"), Value::Null).await;
    tour.call("GET", &at("/machines"), "/apps/a/machines?metadata.role=gateway", Value::Null).await;
    path
}

async fn actions(tour: &mut Tour, path: &str) {
    let one = at("/machines/{machine_id}");
    let started = format!("{path}/wait?state=started&timeout=5");
    for (method, action, body) in [
        ("POST", "exec", json!({ "command": ["echo", "hi"], "timeout": 5 })),
        ("GET", "ps", Value::Null),
        ("GET", "events", Value::Null),
        ("GET", "versions", Value::Null),
        ("GET", "memory", Value::Null),
        ("PUT", "memory", json!({ "limit_mb": 512 })),
        ("POST", "memory/reclaim", json!({ "amount_mb": 10 })),
        ("GET", "metadata", Value::Null),
        ("PUT", "metadata", json!({ "metadata": { "k": "v" } })),
        ("POST", "signal", json!({ "signal": "SIGUSR1" })),
        ("POST", "cordon", Value::Null),
        ("POST", "uncordon", Value::Null),
        ("POST", "restart", Value::Null),
    ] {
        tour.call(method, &format!("{one}/{action}"), &format!("{path}/{action}"), body).await;
    }
    let key = format!("{one}/metadata/{{key}}");
    tour.call("POST", &key, &format!("{path}/metadata/x"), json!({ "value": "y" })).await;
    tour.call("GET", &key, &format!("{path}/metadata/x"), Value::Null).await;
    tour.call("DELETE", &key, &format!("{path}/metadata/x"), Value::Null).await;
    tour.call("GET", &format!("{one}/wait"), &started, Value::Null).await;
    tour.call("POST", &format!("{one}/suspend"), &format!("{path}/suspend"), Value::Null).await;
    tour.call("GET", &format!("{one}/wait"), &format!("{path}/wait?state=suspended"), Value::Null).await;
    tour.call("POST", &format!("{one}/start"), &format!("{path}/start"), Value::Null).await;
    let lease = (format!("{one}/lease"), format!("{path}/lease"));
    let taken = tour.call("POST", &lease.0, &lease.1, json!({ "ttl": 30, "description": "d" })).await.json();
    let nonce = taken["data"]["nonce"].as_str().unwrap().to_owned();
    tour.fly.with_nonce(&nonce, "DELETE", &format!("/v1{}", lease.1), Value::Null).await.expect(200);
    tour.seen.insert("Machines_release_lease".to_owned());
}

async fn addresses_and_certificates(tour: &mut Tour) {
    let ip =
        tour.call("POST", &at("/ip_assignments"), "/apps/a/ip_assignments", json!({ "type": "v6" })).await;
    tour.call("GET", &at("/ip_assignments"), "/apps/a/ip_assignments", Value::Null).await;
    let path = format!("/apps/a/ip_assignments/{}", ip.json()["ip"].as_str().unwrap());
    tour.call("DELETE", &at("/ip_assignments/{ip}"), &path, Value::Null).await;
    let all = at("/certificates");
    tour.call(
        "POST",
        &format!("{all}/acme"),
        "/apps/a/certificates/acme",
        json!({ "hostname": "x.example.com" }),
    )
    .await;
    let (chain, key) = certificate("x.example.com");
    let body = json!({ "hostname": "x.example.com", "fullchain": chain, "private_key": key });
    tour.call("POST", &format!("{all}/custom"), "/apps/a/certificates/custom", body).await;
    let (one, path) = (format!("{all}/{{hostname}}"), "/apps/a/certificates/x.example.com");
    tour.call("GET", &all, "/apps/a/certificates", Value::Null).await;
    tour.call("GET", &one, path, Value::Null).await;
    tour.call("POST", &format!("{one}/check"), &format!("{path}/check"), Value::Null).await;
    tour.call("DELETE", &format!("{one}/acme"), &format!("{path}/acme"), Value::Null).await;
    tour.call("DELETE", &format!("{one}/custom"), &format!("{path}/custom"), Value::Null).await;
    tour.call("DELETE", &one, path, Value::Null).await;
}

fn certificate(name: &str) -> (String, String) {
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2099, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

async fn lists(tour: &mut Tour) {
    tour.call(
        "GET",
        "/orgs/{org_slug}/machines",
        "/orgs/personal/machines?include_deleted=true",
        Value::Null,
    )
    .await;
    tour.call("GET", "/orgs/{org_slug}/volumes", "/orgs/personal/volumes", Value::Null).await;
    tour.call("GET", "/platform/regions", "/platform/regions", Value::Null).await;
    let body = json!({ "org_slug": "personal", "region": "fra", "count": 3 });
    tour.call("POST", "/platform/placements", "/platform/placements", body).await;
}

async fn away(tour: &mut Tour, machine: &str, volume: &str) {
    let one = at("/machines/{machine_id}");
    tour.call("POST", &format!("{one}/stop"), &format!("{machine}/stop"), json!({ "timeout": "1s" })).await;
    tour.call("GET", &format!("{one}/wait"), &format!("{machine}/wait?state=stopped"), Value::Null).await;
    tour.call("DELETE", &one, machine, Value::Null).await;
    tour.call("GET", &format!("{one}/wait"), &format!("{machine}/wait?state=destroyed"), Value::Null).await;
    tour.call("DELETE", &at("/volumes/{volume_id}"), &format!("/apps/a/volumes/{volume}"), Value::Null).await;
    tour.call("DELETE", APP, "/apps/a?force=true", Value::Null).await;
}

#[test]
fn an_answer_that_does_not_fit_is_found() {
    let spec = spec();
    let volume = &spec["components"]["schemas"]["Volume"];
    let found = |value: Value| misfits(&spec, volume, &value, "v", "Volume");
    assert_eq!(found(json!({ "id": "vol_1", "size_gb": 1, "host_status": "ok" })), [""; 0]);
    assert_eq!(found(json!({ "size_gb": "1" })).len(), 1);
    assert_eq!(found(json!({ "host_status": "fine" })).len(), 1);
    assert_eq!(found(json!({ "colour": "red" })).len(), 1);
}
