//! The examples of Fly's documentation, field by field.

use serde_json::{Value, json};

use crate::support::{Fly, config};

/// Every field of the example is answered, with the example's value where it doesn't depend on the run.
#[track_caller]
fn like(answer: &Value, example: &Value, path: &str) {
    match example {
        Value::Object(fields) => {
            for (name, value) in fields {
                assert!(answer.get(name).is_some(), "{path}.{name} is missing in {answer}");
                like(&answer[name], value, &format!("{path}.{name}"));
            }
        }
        Value::Array(items) => {
            let answers = answer.as_array().unwrap_or_else(|| panic!("{path} is no list: {answer}"));
            assert_eq!(answers.len(), items.len(), "{path}: {answer}");
            answers.iter().zip(items).for_each(|(answer, item)| like(answer, item, path));
        }
        Value::String(text) if text == "*" => assert!(answer.is_string(), "{path} is {answer}"),
        Value::String(text) if text == "#" => assert!(answer.is_i64(), "{path} is {answer}"),
        other => assert_eq!(answer, other, "{path}"),
    }
}

#[tokio::test]
async fn a_new_app() {
    let fly = Fly::start(&[]).await;
    let body = json!({ "app_name": "my-app-name", "org_slug": "personal" });
    let created = fly.post("/v1/apps", body).await.expect(201);
    like(&created.json(), &json!({ "id": "*", "created_at": "#" }), "app");
    let cookie = created.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("fly_flaps_affinity="), "{cookie}");
    assert!(cookie.contains("Path=/v1/apps/my-app-name"), "{cookie}");
    let example = json!({ "id": "*", "name": "my-app-name", "status": "pending",
        "organization": { "name": "*", "slug": "personal" } });
    like(&fly.get("/v1/apps/my-app-name").await.expect(200).json(), &example, "app");
    let example = json!({ "total_apps": 1, "apps": [{ "id": "*", "name": "my-app-name", "machine_count": 0,
        "volume_count": 0, "network": "default" }] });
    like(&fly.get("/v1/apps?org_slug=personal").await.expect(200).json(), &example, "apps");
}

#[tokio::test]
async fn a_new_machine_and_its_first_events() {
    let fly = Fly::start(&[]).await;
    let app = fly.app("a").await;
    let config = json!({ "init": { "exec": ["/bin/sleep", "inf"] },
        "image": "registry-1.docker.io/library/ubuntu:latest", "auto_destroy": true,
        "restart": { "policy": "always" }, "guest": { "cpu_kind": "shared", "cpus": 1, "memory_mb": 256 } });
    let created =
        fly.post(&format!("{app}/machines"), json!({ "region": "fra", "config": config })).await.expect(200);
    let example = json!({ "id": "*", "name": "*", "state": "created", "region": "fra",
        "image_ref": { "registry": "registry-1.docker.io", "repository": "library/ubuntu", "tag": "latest",
            "digest": "*" },
        "instance_id": "*", "private_ip": "*", "created_at": "*", "updated_at": "*", "config": config,
        "events": [{ "type": "launch", "status": "created", "source": "user", "timestamp": "#" }] });
    like(&created.json(), &example, "machine");
    assert_eq!(created.id().len(), 14);
    assert_eq!(created.json()["instance_id"].as_str().unwrap().len(), 26);
    let machine = format!("{app}/machines/{}", created.id());
    fly.wait(&machine, "started").await;
    let example = json!([{ "type": "start", "status": "started", "source": "flyd", "timestamp": "#" },
        { "type": "launch", "status": "created", "source": "user", "timestamp": "#" }]);
    like(&fly.get(&format!("{machine}/events")).await.json(), &example, "events");
}

#[tokio::test]
async fn starting_stopping_and_destroying() {
    let fly = Fly::start(&[]).await;
    let app = fly.app("a").await;
    let machine = fly.machine(&app, json!({})).await;
    fly.wait(&machine, "started").await;
    let ok = json!({ "ok": true });
    assert_eq!(fly.post(&format!("{machine}/stop"), Value::Null).await.expect(200).json(), ok);
    like(&fly.wait(&machine, "stopped").await.json(), &ok, "wait");
    let started = fly.post(&format!("{machine}/start"), Value::Null).await.expect(200).json();
    assert_eq!(started, json!({ "previous_state": "stopped", "migrated": false, "new_host": "" }));
    fly.wait(&machine, "started").await;
    assert_eq!(fly.post(&format!("{machine}/suspend"), Value::Null).await.expect(200).json(), ok);
    assert_eq!(fly.delete(&machine).await.expect(200).json(), ok);
}

#[tokio::test]
async fn a_new_volume() {
    let fly = Fly::start(&[]).await;
    let app = fly.app("a").await;
    let body = json!({ "name": "new_1028_vol", "region": "fra", "size_gb": 10 });
    let created = fly.post(&format!("{app}/volumes"), body).await.expect(200).json();
    let example = json!({ "id": "*", "name": "new_1028_vol", "state": "created", "size_gb": 10, "region": "fra",
        "zone": "*", "encrypted": true, "attached_machine_id": null, "attached_alloc_id": null, "created_at": "*",
        "blocks": "#", "block_size": "#", "blocks_free": "#", "blocks_avail": "#", "fstype": "*",
        "snapshot_retention": 5, "auto_backup_enabled": true, "host_dedication_key": "" });
    like(&created, &example, "volume");
    assert!(created["id"].as_str().unwrap().starts_with("vol_"));
}

#[tokio::test]
async fn labels_leases_and_the_oddities_of_an_update() {
    let fly = Fly::start(&[]).await;
    let app = fly.app("a").await;
    let labels = json!({ "fly_flyctl_version": "0.2.8", "fly_process_group": "app" });
    let machine = fly.machine(&app, json!({ "config": { "metadata": labels } })).await;
    assert_eq!(fly.get(&format!("{machine}/metadata")).await.json(), labels);
    let lease = fly.post(&format!("{machine}/lease"), json!({ "ttl": 60 })).await.expect(201).json();
    let example = json!({ "status": "success", "data": { "nonce": "*", "expires_at": "#", "owner": "*",
        "description": "", "version": "*" } });
    like(&lease, &example, "lease");
    fly.wait(&machine, "started").await;
    fly.settings(json!({ "quirks": "full" })).await;
    let nonce = lease["data"]["nonce"].as_str().unwrap();
    let updated =
        fly.with_nonce(nonce, "POST", &machine, json!({ "config": config() })).await.expect(200).json();
    let odd = json!({ "env": null, "metadata": null, "init": { "exec": null }, "restart": { "policy": "" } });
    like(&updated["config"], &odd, "config");
    assert_eq!(updated["state"], "replacing");
}

#[tokio::test]
async fn the_platform_answers_in_pascal_case() {
    let fly = Fly::start(&[]).await;
    let regions = fly.get("/v1/platform/regions").await.expect(200).json();
    assert_eq!(regions["Nearest"], "fra");
    assert_eq!(regions["Regions"].as_array().unwrap().len(), 2);
    let body = json!({ "org_slug": "personal", "region": "fra", "count": 2 });
    let room = fly.post("/v1/platform/placements", body).await.expect(200).json();
    assert_eq!(room, json!({ "Regions": [{ "Region": "fra", "Count": 2, "Concurrency": 2 }] }));
    fly.fault(json!({ "environment": { "kind": "region_capacity", "region": "fra" } })).await;
    let body = json!({ "org_slug": "personal" });
    let room = fly.post("/v1/platform/placements", body).await.expect(200).json();
    assert_eq!(room["Regions"][0]["Region"], "ams", "only regions with room are answered");
}
