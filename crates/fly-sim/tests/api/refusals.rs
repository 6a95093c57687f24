//! Every refusal that Fly is known to give, provoked, with its status and text.

use serde_json::{Value, json};

use crate::support::{Fly, config};

/// What the table is about: an app, a running Machine without and one with a volume.
struct Scene {
    fly: Fly,
    app: String,
    machine: String,
    volume: String,
    holder: String,
}

async fn scene() -> Scene {
    let fly = Fly::manual(&["--org", "personal,other"]).await;
    let app = fly.app("a").await;
    let machine = fly.machine(&app, json!({ "name": "m" })).await;
    let body = json!({ "name": "data", "region": "fra", "size_gb": 1 });
    let volume = fly.post(&format!("{app}/volumes"), body).await.expect(200).id();
    let holder =
        fly.machine(&app, json!({ "config": { "mounts": [{ "volume": volume, "path": "/data" }] } })).await;
    fly.wait(&machine, "started").await;
    fly.wait(&holder, "started").await;
    Scene { fly, app, machine, volume, holder }
}

impl Scene {
    fn id(path: &str) -> &str {
        path.rsplit('/').next().unwrap()
    }

    #[track_caller]
    fn is(reply: &crate::support::Reply, status: u16, text: &str) {
        assert_eq!((reply.status, reply.error().as_str()), (status, text));
        assert!(reply.headers.contains_key("fly-request-id"), "{reply:?}");
    }

    async fn refused(&self, method: &str, path: &str, body: Value, status: u16, text: &str) {
        Self::is(&self.fly.call(method, path, body).await, status, text);
    }

    async fn delays(&self, delays: Value) {
        self.fly.settings(json!({ "delays": delays })).await;
    }

    async fn start_refused(&self, text: &str) {
        let text = format!("failed_precondition: {text}");
        self.refused("POST", &format!("{}/start", self.machine), Value::Null, 412, &text).await;
    }

    /// Under a state of the world, a call is refused so; and no longer when it has gone.
    async fn under(
        &self,
        environment: Value,
        (method, path, body): (&str, &str, Value),
        status: u16,
        text: &str,
    ) {
        let id = self.fly.fault(json!({ "environment": environment })).await;
        self.refused(method, path, body, status, text).await;
        self.fly.delete(&format!("/_sim/faults/{id}")).await.expect(204);
    }

    fn create(&self) -> String {
        format!("{}/machines", self.app)
    }
}

#[tokio::test]
async fn start_in_each_state_that_refuses_it() {
    let s = scene().await;
    s.delays(
        json!({ "stop": [1000, 1000], "settle": [5000, 5000], "start": [2000, 2000], "replace": [3000, 3000],
        "image": [6000, 6000], "destroy": [1000, 1000] }),
    )
    .await;
    s.fly.post(&format!("{}/stop", s.machine), Value::Null).await.expect(200);
    s.start_refused("unable to start machine from current state: 'stopping'").await;
    s.fly.advance(std::time::Duration::from_secs(1)).await;
    s.start_refused("machine still active, refusing to start").await;
    s.fly.advance(std::time::Duration::from_secs(5)).await;
    s.fly.post(&format!("{}/start", s.machine), Value::Null).await.expect(200);
    s.start_refused("machine still attempting to start").await;
    s.fly.advance(std::time::Duration::from_secs(2)).await;
    let again = s.fly.post(&format!("{}/start", s.machine), Value::Null).await.expect(200);
    assert_eq!(again.json()["previous_state"], "started");
    s.fly.post(&s.machine, json!({ "config": config() })).await.expect(200);
    s.start_refused("unable to start machine from current state: 'replacing'").await;
    s.fly.advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(s.fly.state_of(&s.machine).await, "stopped");
    s.start_refused("machine getting replaced, refusing to start").await;
    s.fly.advance(std::time::Duration::from_secs(5)).await;
    assert_eq!(s.fly.state_of(&s.machine).await, "started");
    s.fly.delete(&format!("{}?force=true", s.machine)).await.expect(200);
    s.start_refused("unable to start machine from current state: 'destroying'").await;
    s.fly.advance(std::time::Duration::from_secs(1)).await;
    s.start_refused("unable to start machine from current state: 'destroyed'").await;
    let fresh = s.fly.machine(&s.app, json!({})).await;
    let text = "failed_precondition: unable to start machine from current state: 'created'";
    s.refused("POST", &format!("{fresh}/start"), Value::Null, 412, text).await;
}

#[tokio::test]
async fn updates_that_meet_another() {
    let s = scene().await;
    s.delays(json!({ "stop": [1000, 1000], "replace": [3000, 3000] })).await;
    let body = json!({ "config": config() });
    s.fly.post(&s.machine, body.clone()).await.expect(200);
    let text = "machine is replacing: concurrent update in progress";
    s.refused("POST", &s.machine, body.clone(), 409, text).await;
    s.fly.advance(std::time::Duration::from_secs(1)).await;
    let text = "aborted: machine update failed due to concurrent update";
    s.refused("POST", &s.machine, body.clone(), 409, text).await;
    s.fly.advance(std::time::Duration::from_secs(5)).await;
    let stale = json!({ "config": config(), "current_version": "01HEPA330HZ37A78TK080NAK1M" });
    let reply = s.fly.post(&s.machine, stale).await.expect(412);
    assert!(reply.error().starts_with("failed_precondition: current_version "), "{reply:?}");
    let newer = json!({ "config": config(), "min_secrets_version": 9 });
    let reply = s.fly.post(&s.machine, newer).await.expect(412);
    assert!(reply.error().starts_with("failed_precondition: minimum secrets version 9"), "{reply:?}");
    let moved = json!({ "metadata": { "a": "b" }, "machine_version": "01HEPA330HZ37A78TK080NAK1M" });
    let reply = s.fly.call("PATCH", &format!("{}/metadata", s.machine), moved).await.expect(412);
    assert!(reply.error().starts_with("failed_precondition: machine_version "), "{reply:?}");
}

#[tokio::test]
async fn what_is_held_by_another() {
    let s = scene().await;
    let running =
        "failed_precondition: unable to destroy machine, not currently stopped, suspended, failed or created";
    s.refused("DELETE", &s.machine, Value::Null, 412, running).await;
    s.delays(json!({ "stop": [1000, 1000] })).await;
    let other = s.fly.machine(&s.app, json!({})).await;
    s.fly.wait(&other, "started").await;
    s.fly.post(&format!("{other}/stop"), Value::Null).await.expect(200);
    s.refused("DELETE", &other, Value::Null, 412, running).await;
    s.fly.advance(std::time::Duration::from_secs(1)).await;
    s.fly.delete(&other).await.expect(200);
    let volume = format!("{}/volumes/{}", s.app, s.volume);
    let bound =
        format!("failed_precondition: volume is currently bound to machine: {}", Scene::id(&s.holder));
    s.refused("DELETE", &volume, Value::Null, 412, &bound).await;
    let mounting = json!({ "config": { "image": "i", "mounts": [{ "volume": s.volume, "path": "/data" }] } });
    let claimed = format!("failed_precondition: volume already claimed by machine {}", Scene::id(&s.holder));
    s.refused("POST", &s.create(), mounting.clone(), 412, &claimed).await;
    s.delays(json!({ "unbind": [60000, 60000], "unclaim": [90000, 90000] })).await;
    s.fly.delete(&format!("{}?kill=true", s.holder)).await.expect(200);
    s.fly.wait(&s.holder, "destroyed").await;
    s.refused("DELETE", &volume, Value::Null, 412, &bound).await;
    s.fly.advance(std::time::Duration::from_secs(61)).await;
    let lost = format!("failed_precondition: volume already claimed by machine {}", "\0".repeat(14));
    s.refused("POST", &s.create(), mounting.clone(), 412, &lost).await;
    s.fly.advance(std::time::Duration::from_secs(30)).await;
    s.fly.post(&s.create(), mounting).await.expect(200);
}

#[tokio::test]
async fn names_that_are_taken() {
    let s = scene().await;
    let taken = json!({ "name": "m", "config": config() });
    let text = format!(
        "already_exists: unique machine name violation, machine ID {} already exists with name \"m\"",
        Scene::id(&s.machine)
    );
    s.refused("POST", &s.create(), taken, 409, &text).await;
    let reply = s.fly.post("/v1/apps", json!({ "name": "a", "org_slug": "personal" })).await.expect(422);
    let body = json!({ "error": "Validation failed: Name has already been taken", "status": "name_taken" });
    assert_eq!(reply.json(), body);
    let rule = "Validation failed: Name under 63 chars using numbers, lowercase letters and dashes";
    let long = "a".repeat(63);
    for name in ["Upper", "under_score", "", long.as_str()] {
        let body = json!({ "name": name, "org_slug": "personal" });
        s.refused("POST", "/v1/apps", body, 422, rule).await;
    }
    let none = "authorization: request doesn't contain org_slug";
    s.refused("POST", "/v1/apps", json!({ "name": "b" }), 400, none).await;
}

#[tokio::test]
async fn things_that_are_not_there() {
    let s = scene().await;
    s.refused("GET", "/v1/apps/none", Value::Null, 404, "Could not find App").await;
    let machine = format!("{}/machines/4d8910aa112287", s.app);
    for (method, path) in [
        ("GET", machine.clone()),
        ("POST", format!("{machine}/start")),
        ("GET", format!("{machine}/wait?timeout=1")),
        ("DELETE", machine.clone()),
    ] {
        s.refused(method, &path, Value::Null, 404, "not_found: machine not found").await;
    }
    s.refused("GET", &format!("{}/lease", s.machine), Value::Null, 404, "lease not found").await;
    let missing = json!({ "config": { "image": "i", "mounts": [{ "volume": "vol_gone", "path": "/d" }] } });
    s.refused("POST", &s.create(), missing, 400, "volume vol_gone not found").await;
    let unnamed = json!({ "config": { "image": "i", "mounts": [{ "path": "/d" }] } });
    s.refused("POST", &s.create(), unnamed, 400, "volume not found").await;
    s.fly.get(&format!("{}/volumes/vol_gone", s.app)).await.expect(404);
    s.fly.get(&format!("{}/secrets/NONE", s.app)).await.expect(404);
    s.fly.get(&format!("{}/metadata/none", s.machine)).await.expect(404);
}

#[tokio::test]
async fn requests_that_make_no_sense() {
    let s = scene().await;
    let range = "invalid_argument: invalid WaitMachineRequest.Timeout: value must be inside range [1s, 1m0s]";
    for seconds in ["0", "61", "x"] {
        let path = format!("{}/wait?timeout={seconds}", s.machine);
        s.refused("GET", &path, Value::Null, 400, range).await;
    }
    let array = "json: cannot unmarshal array into Go struct field MachineExecRequest.cmd of type string";
    s.refused("POST", &format!("{}/exec", s.machine), json!({ "cmd": ["ls"] }), 400, array).await;
    let text = "json: cannot unmarshal string into Go struct field MachineService.config.services.autostart of type bool";
    let service = json!([{ "internal_port": 80, "autostart": "true" }]);
    s.refused("POST", &s.create(), json!({ "config": { "image": "i", "services": service } }), 400, text)
        .await;
    for config in [
        json!({}),
        json!({ "image": "i", "mounts": [{ "volume": "a", "path": "/a" }, { "volume": "b", "path": "/b" }] }),
        json!({ "image": "i", "mounts": [{ "volume": s.volume, "path": "data" }] }),
        json!({ "image": "i", "guest": { "cpus": 3 } }),
        json!({ "image": "i", "guest": { "cpus": 18_000_000_000_000_000_000_u64 } }),
        json!({ "image": "i", "mounts": "data" }),
        json!({ "image": "i", "services": [7] }),
        json!({ "image": "i", "services": [{ "internal_port": 99_999 }] }),
        json!({ "image": "i", "env": { "A": 1 } }),
        json!([]),
        json!({ "image": "i", "guest": { "cpus": 1, "memory_mb": 4096 } }),
        json!({ "image": "i", "guest": { "cpus": 1, "memory_mb": 300 } }),
        json!({ "image": "i", "size": "shared-cpu-1x", "guest": { "cpus": 1 } }),
        json!({ "image": "i", "restart": { "policy": "sometimes" } }),
        json!({ "image": "i", "stop_config": { "timeout": "soon" } }),
        json!({ "image": "i", "files": [{ "guest_path": "/a", "raw_value": "!" }] }),
        json!({ "image": "i", "files": [{ "guest_path": "/a" }] }),
    ] {
        s.fly.post(&s.create(), json!({ "config": config })).await.expect(400);
    }
    s.fly.post(&s.create(), json!({ "config": config(), "region": "nowhere" })).await.expect(400);
    let ip = format!("{}/ip_assignments", s.app);
    s.refused("POST", &ip, json!({ "type": "v5" }), 400, "invalid ip address type").await;
    let private = json!({ "type": "private_v6", "network": "none" });
    s.refused("POST", &ip, private, 400, "network not found").await;
    s.fly.post(&ip, json!({ "type": "shared_v4" })).await.expect(200);
    s.fly.post(&ip, json!({ "type": "shared_v4" })).await.expect(422);
}

#[tokio::test]
async fn a_machine_that_does_not_run() {
    let s = scene().await;
    s.fly.post(&format!("{}/stop", s.machine), Value::Null).await.expect(200);
    s.fly.wait(&s.machine, "stopped").await;
    let exec = json!({ "command": ["ls"] });
    let text = "failed_precondition: machine not running";
    s.refused("POST", &format!("{}/exec", s.machine), exec, 412, text).await;
    let late = s.fly.get(&format!("{}/wait?state=started&timeout=1", s.machine)).await;
    let text = "deadline_exceeded: machine failed to reach desired state, started, currently stopped";
    Scene::is(&late, 408, text);
}

#[tokio::test]
async fn nowhere_has_room() {
    let s = scene().await;
    let new = || ("POST", json!({ "region": "fra", "config": config() }));
    let id = s.fly.fault(json!({ "environment": { "kind": "region_capacity", "region": "fra" } })).await;
    let reply = s.fly.post(&s.create(), new().1).await.expect(422);
    let body = json!({ "error": "could not find a candidate host", "status": "insufficient_capacity" });
    assert_eq!(reply.json(), body);
    let elsewhere =
        s.fly.post(&s.create(), json!({ "region": "fra,ams", "config": config() })).await.expect(200);
    assert_eq!(elsewhere.json()["region"], "ams", "a list of regions is tried in order");
    s.fly.delete(&format!("/_sim/faults/{id}")).await.expect(204);
    s.fly.post(&format!("{}/stop", s.machine), Value::Null).await.expect(200);
    s.fly.wait(&s.machine, "stopped").await;
    for (scarce, what) in [
        ("memory", "insufficient memory available to fulfill request"),
        ("cpus", "insufficient CPUs available to fulfill request"),
        ("ips", "insufficient IPs available to fulfill request"),
        ("resources", "insufficient resources available to fulfill request"),
    ] {
        let full = json!({ "kind": "host_full", "on": Scene::id(&s.machine), "of": scarce });
        let text = format!("aborted: could not reserve resource for machine: {what}");
        s.under(full.clone(), ("POST", &format!("{}/start", s.machine), Value::Null), 409, &text).await;
        let bigger = json!({ "config": { "image": "i", "guest": { "cpus": 2, "memory_mb": 1024 } } });
        s.under(full, ("POST", &s.machine, bigger), 409, &text).await;
    }
    let volume = json!({ "name": "v", "region": "fra" });
    let text = "failed_precondition: insufficient resources in fra: no capacity for volume";
    let full = json!({ "kind": "volume_capacity", "region": "fra" });
    s.under(full, ("POST", &format!("{}/volumes", s.app), volume), 412, text).await;
}

#[tokio::test]
async fn a_volume_whose_host_is_full() {
    let s = scene().await;
    let body = json!({ "name": "other", "region": "fra", "size_gb": 1 });
    let volume = s.fly.post(&format!("{}/volumes", s.app), body).await.expect(200).id();
    let id = s.fly.fault(json!({ "environment": { "kind": "host_full", "on": volume } })).await;
    let new = json!({ "config": { "image": "i", "mounts": [{ "volume": volume, "path": "/d" }] } });
    let reply = s.fly.post(&s.create(), new).await.expect(412);
    let text = format!("insufficient resources to create new machine with existing volume '{volume}'");
    assert_eq!(reply.json(), json!({ "error": text, "status": "volume_placement_capacity" }));
    let fork = json!({ "name": "other", "source_volume_id": volume, "require_unique_zone": true });
    let fork = s.fly.post(&format!("{}/volumes", s.app), fork).await.expect(200);
    let mounting = json!({ "config": { "image": "i", "mounts": [{ "volume": fork.id(), "path": "/d" }] } });
    s.fly.post(&s.create(), mounting).await.expect(200);
    s.fly.delete(&format!("/_sim/faults/{id}")).await.expect(204);
}

#[tokio::test]
async fn quotas_and_policy() {
    let s = scene().await;
    let new = || json!({ "region": "fra", "config": config() });
    let create = s.create();
    let text = "Your organization has reached its machine limit. Please contact billing@fly.io";
    let quota = json!({ "kind": "machine_quota", "org": "personal", "machines": 2 });
    s.under(quota, ("POST", &create, new()), 422, text).await;
    let text = "organization \"personal\" is using 512 MB of memory in fra which is over the allowed quota. \
                please consider other regions";
    let quota = json!({ "kind": "memory_quota", "org": "personal", "megabytes": 600 });
    s.under(quota, ("POST", &create, new()), 403, text).await;
    let text = "To create more than 1 machine per app please add a payment method";
    let unpaid = json!({ "kind": "payment_missing", "org": "personal" });
    s.under(unpaid, ("POST", &create, new()), 422, text).await;
    s.fly.post(&format!("{}/stop", s.machine), Value::Null).await.expect(200);
    s.fly.wait(&s.machine, "stopped").await;
    let text = "permission_denied: governor policy blocked start";
    let start = format!("{}/start", s.machine);
    s.under(json!({ "kind": "start_blocked" }), ("POST", &start, Value::Null), 403, text).await;
}

#[tokio::test]
async fn hosts_and_images_out_of_reach() {
    let s = scene().await;
    let on = Scene::id(&s.machine).to_owned();
    let stop = format!("{}/stop", s.machine);
    let text = "unavailable: host is unreachable, please try again later";
    let lost = || json!({ "kind": "host_unreachable", "on": on });
    s.under(lost(), ("POST", &stop, Value::Null), 503, text).await;
    for action in ["start", "restart", "suspend", "cordon", "signal", "exec", "lease"] {
        let body = json!({ "signal": "SIGTERM", "command": ["ls"], "ttl": 5 });
        s.under(lost(), ("POST", &format!("{}/{action}", s.machine), body), 503, text).await;
    }
    s.under(lost(), ("POST", &s.machine, json!({ "config": config() })), 503, text).await;
    s.under(lost(), ("DELETE", &format!("{}?force=true", s.machine), Value::Null), 503, text).await;
    let text = "unavailable: deploys to this host are temporarily disabled, please try again later";
    let update = ("POST", s.machine.as_str(), json!({ "config": config() }));
    s.under(json!({ "kind": "host_maintenance", "on": on }), update, 503, text).await;
    let missing = json!({ "kind": "image_failure", "image": "ghcr.io/o/none:1", "how": "manifest_unknown" });
    s.fly.fault(json!({ "environment": missing })).await;
    let reply =
        s.fly.post(&s.create(), json!({ "config": { "image": "ghcr.io/o/none:1" } })).await.expect(400);
    assert!(reply.error().contains("MANIFEST_UNKNOWN"), "{reply:?}");
    let update = s.fly.post(&s.machine, json!({ "config": { "image": "ghcr.io/o/none:1" } })).await;
    assert_eq!(update.expect(400).error(), reply.error());
}
