//! Every field of every answer may be null or missing, and fields that nobody knows may come with it.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

/// What is done to one field of an object.
type Change = fn(&mut serde_json::Map<String, Value>, &str);

/// Calls `change` on each field of each object in turn, each time on a fresh copy.
fn for_each_field(whole: &Value, change: Change) -> Vec<(String, Value)> {
    let mut pointers = Vec::new();
    collect(whole, "", &mut pointers);
    let mut copies = Vec::new();
    for (parent, key) in pointers {
        let mut copy = whole.clone();
        let object = copy.pointer_mut(&parent).and_then(Value::as_object_mut).unwrap();
        change(object, &key);
        copies.push((format!("{parent}/{key}"), copy));
    }
    copies
}

fn collect(value: &Value, at: &str, pointers: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                pointers.push((at.to_owned(), key.clone()));
                collect(inner, &format!("{at}/{key}"), pointers);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                collect(inner, &format!("{at}/{index}"), pointers);
            }
        }
        _ => {}
    }
}

fn assert_tolerated<T: DeserializeOwned>(whole: &Value) {
    let name = std::any::type_name::<T>();
    T::deserialize(whole).unwrap_or_else(|error| panic!("{name}: {error}"));
    let changes: [(&str, Change); 3] = [
        ("null", |object, key| {
            object.insert(key.to_owned(), Value::Null);
        }),
        ("missing", |object, key| {
            object.remove(key);
        }),
        ("a new field beside it", |object, _| {
            object.insert("brand_new".to_owned(), json!({"a": [1, null]}));
        }),
    ];
    for (what, change) in changes {
        for (field, copy) in for_each_field(whole, change) {
            // A new key in a map of strings is no new field.
            let in_a_map =
                ["/env/", "/metadata/", "/labels/", "/checks/"].iter().any(|map| field.contains(map));
            if what.starts_with("a new") && in_a_map {
                continue;
            }
            T::deserialize(&copy).unwrap_or_else(|error| panic!("{name}, {field} {what}: {error}"));
        }
    }
}

#[test]
fn machines() {
    assert_tolerated::<Machine>(&json!({
        "id": "1", "name": "n", "state": "started", "region": "fra", "instance_id": "01", "version": "01",
        "private_ip": "fdaa::1", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        "image_ref": {"registry": "r", "repository": "p", "tag": "t", "digest": "sha256:1", "labels": {"a": "b"}},
        "config": {
            "image": "i", "env": {"A": "1"}, "metadata": {"k": "v"}, "auto_destroy": false,
            "init": {"exec": ["a"], "entrypoint": ["b"], "cmd": ["c"]},
            "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
            "restart": {"policy": "always", "max_retries": 1}, "stop_config": {"timeout": "5s", "signal": "SIGTERM"},
            "mounts": [{"volume": "vol_1", "path": "/data", "name": "data"}],
            "files": [{"guest_path": "/f", "raw_value": "aGk=", "secret_name": "S", "mode": 1}],
            "checks": {"alive": {"type": "http", "port": 1, "path": "/", "interval": "1s", "kind": "readiness",
                                 "headers": [{"name": "a", "values": ["b"]}]}},
            "services": [{"protocol": "tcp", "internal_port": 1, "autostop": true, "autostart": true,
                "min_machines_running": 0, "concurrency": {"type": "requests", "soft_limit": 1, "hard_limit": 2},
                "checks": [{"type": "tcp"}], "ports": [{"port": 443, "handlers": ["tls"], "force_https": true}]}]
        },
        "events": [{"id": "1", "type": "exit", "status": "stopped", "source": "flyd", "timestamp": 1,
                    "request": {"exit_event": {"exit_code": 1, "guest_exit_code": 0, "guest_signal": -1,
                                               "oom_killed": false, "requested_stop": false, "restarting": true},
                                "MonitorEvent": {"exit_event": {"exit_code": 1}}, "restart_count": 1}}],
        "checks": [{"name": "alive", "status": "passing", "output": "o", "updated_at": "2026-01-01T00:00:00Z"}],
        "nonce": "n", "host_status": "ok", "incomplete_config": {"image": "i"}, "cordoned": false,
        "lease": {"nonce": "n", "expires_at": 1, "owner": "o", "description": "d", "version": "01"}
    }));
}

#[test]
fn all_the_rest() {
    assert_tolerated::<App>(&json!({
        "id": "1", "name": "n", "status": "deployed", "network": "d", "machine_count": 1, "volume_count": 1,
        "organization": {"name": "n", "slug": "s"}, "cname_target": "c"
    }));
    assert_tolerated::<Volume>(&json!({
        "id": "vol_1", "name": "n", "state": "created", "size_gb": 1, "region": "fra", "zone": "z", "encrypted": true,
        "attached_machine_id": "1", "created_at": "2026-01-01T00:00:00Z", "bytes_used": 1, "bytes_total": 2,
        "snapshot_retention": 5, "auto_backup_enabled": true, "host_status": "ok"
    }));
    assert_tolerated::<Vec<Snapshot>>(&json!([
        {"id": "vs_1", "status": "created", "size": 1, "volume_size": 2, "created_at": "2026-01-01T00:00:00Z", "retention_days": 5}
    ]));
    assert_tolerated::<OrgMachinesPage>(&json!({
        "machines": [{"id": "1", "name": "n", "app_name": "a", "state": "started", "region": "fra", "instance_id": "01",
            "private_ip": "fdaa::1", "created_at": "x", "updated_at": "y",
            "config": {"image": "i", "guest": {"cpus": 1}, "metadata": {"k": "v"}}}],
        "next_cursor": "c", "last_updated_at": "2026-01-01T00:00:00Z", "error_regions": ["fra"]
    }));
    assert_tolerated::<OrgVolumesPage>(&json!({
        "volumes": [{"id": "vol_1", "name": "n", "app_name": "a", "state": "created", "region": "fra", "size_gb": 1,
                     "attached_machine_id": "1", "created_at": "x", "updated_at": "y", "host_status": "ok"}],
        "next_cursor": "c", "last_updated_at": "x", "error_regions": ["fra"]
    }));
    assert_tolerated::<IpList>(&json!({
        "ips": [{"ip": "1.2.3.4", "region": "global", "shared": true, "service_name": "s", "created_at": "x",
                 "network": {"name": "n", "org_slug": "o"}, "egress": false}]
    }));
    assert_tolerated::<CertificatesPage>(&json!({
        "certificates": [{"hostname": "h", "status": "active", "dns_provider": "d", "acme_dns_configured": true,
            "acme_alpn_configured": true, "acme_http_configured": true, "ownership_txt_configured": true,
            "configured": true, "acme_requested": true, "has_custom_certificate": false, "has_fly_certificate": true,
            "created_at": "x", "updated_at": "y"}],
        "next_cursor": "c", "total_count": 1
    }));
    assert_tolerated::<CertificateDetail>(&json!({
        "hostname": "h", "status": "active", "configured": true, "acme_requested": true, "dns_provider": "d",
        "rate_limited_until": "x", "validation": {"dns_configured": true}, "validation_errors": [{"code": "c", "message": "m", "remediation": "r", "timestamp": "x"}],
        "certificates": [{"source": "fly", "status": "active", "created_at": "x", "expires_at": "y", "issuer": "i",
                          "issued": [{"type": "rsa", "expires_at": "x", "certificate_authority": "a"}]}],
        "dns_requirements": {"a": ["1"], "aaaa": ["2"], "cname": "c", "acme_challenge": {"name": "n", "target": "t"},
                             "ownership": {"name": "n", "app_value": "a", "org_value": "o"}},
        "dns_records": {"a": ["1"], "aaaa": [], "cname": [], "resolved_addresses": [], "soa": "s", "acme_challenge_cname": "c", "ownership_txt": "t"},
        "warning": "w"
    }));
    assert_tolerated::<SecretsWire>(&json!({
        "secrets": [{"name": "n", "digest": "d", "created_at": "x", "updated_at": "y", "value": "v"}],
        "digest": "d", "version": 1, "Version": 1
    }));
    assert_tolerated::<Regions>(&json!({
        "Regions": [{"code": "fra", "name": "n", "deprecated": false, "requires_paid_plan": false, "geo_region": "g"}],
        "Nearest": "fra"
    }));
    assert_tolerated::<TokensAnswer>(&json!({
        "tokens": [{"token_id": "1", "org_slug": "o", "organization": "i", "apps": ["a"], "user": "u", "restricted_to_machine": "m"}]
    }));
    assert_tolerated::<Vec<Process>>(&json!([
        {"pid": 1, "command": "c", "directory": "d", "cpu": 1, "rss": 1, "listen_sockets": [{"proto": "tcp", "address": "a"}]}
    ]));
    assert_tolerated::<ExecAnswer>(&json!({"exit_code": 1, "exit_signal": 1, "stdout": "o", "stderr": "e"}));
    assert_tolerated::<Started>(&json!({"previous_state": "stopped", "migrated": false}));
    assert_tolerated::<Waited>(&json!({"ok": true, "state": "started", "version": "01"}));
}
