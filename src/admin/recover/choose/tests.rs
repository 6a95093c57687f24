use serde_json::{Value, json};

use super::*;

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn asked() -> Recover {
    Recover {
        runtime: Place { namespace: "acme".into(), name: "ops".into() },
        way: None,
        snapshot: None,
        slug: None,
        timeout: 1,
        yes: false,
    }
}

fn by(way: Way) -> Recover {
    Recover { way: Some(way), ..asked() }
}

/// A Runtime whose `Ready` has this status and reason, and that is stalled if it isn't ready.
fn runtime(status: &str, reason: &str) -> Runtime {
    let condition = |kind: &str, status: &str| {
        json!({"type": kind, "status": status, "reason": reason,
        "message": "Told.", "observedGeneration": 1, "lastTransitionTime": "2026-11-21T11:00:00Z"})
    };
    let mut conditions = vec![condition("Ready", status)];
    if status == "False" && !reason.starts_with("Awaiting") {
        conditions.push(condition("Stalled", "True"));
    }
    serde_json::from_value(json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Runtime",
        "metadata": {"name": "ops", "namespace": "acme", "uid": "new"}, "spec": {"slug": "acme-ops"},
        "status": {"conditions": conditions}}))
    .unwrap()
}

fn claim(slug: &str, more: &Value) -> NameClaim {
    let mut spec = json!({"type": "Slug", "name": slug,
        "holder": {"namespace": "acme", "name": "ops", "uid": "old"}});
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    serde_json::from_value(json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "NameClaim",
        "metadata": {"name": format!("label.{slug}")}, "spec": spec}))
    .unwrap()
}

fn identity(snapshot: Option<&str>) -> Value {
    let spec = json!({"image": "claw:1", "command": ["run"], "port": 3000, "mountPath": "/data",
        "minimumMemoryMB": 256, "gateway": {"adapter": "OpenClaw"},
        "healthCheck": {"path": "/healthz", "intervalSeconds": 15, "timeoutSeconds": 5, "gracePeriodSeconds": 60},
        "stop": {"signal": "SIGTERM", "timeoutSeconds": 60}});
    let plan = json!({"name": "basic", "cpuKind": "Shared", "cpus": 2, "memoryMB": 2048, "volumeGB": 10});
    let mut identity = json!({"identity": "abcd", "app": "acme-ops-abcd", "region": "fra",
        "deletionPolicy": "Snapshot", "volumeID": "vol_1",
        "pin": {"plan": plan, "blueprint": "openclaw", "blueprintGeneration": 1, "spec": spec}});
    if let Some(expiry) = snapshot {
        identity["snapshot"] = json!({"id": "vs_1", "volumeID": "vol_1", "expiryTime": expiry});
    }
    json!({"runtime": identity})
}

fn tombstone(mut more: Value) -> Value {
    more["tombstone"] = json!({"releaseTime": "2026-11-20T00:00:00Z", "message": "kept"});
    more
}

fn seen(runtime: Option<Runtime>, claims: Vec<NameClaim>) -> Seen {
    Seen { place: asked().runtime, runtime, claims }
}

fn chosen(status: &str, reason: &str, wanted: &Recover) -> Result<Vec<Step>, String> {
    let claims = vec![claim("acme-ops", &identity(None))];
    plan(now(), &seen(Some(runtime(status, reason)), claims), wanted).map(|plan| plan.steps)
}

#[test]
fn each_trouble_has_the_remedy_that_loses_least() {
    for reason in ["CrashLoop", "OutOfMemory", "HealthCheckFailing", "DeadlineExceeded"] {
        assert_eq!(chosen("False", reason, &asked()), Ok(vec![Step::Restart]), "{reason}");
    }
    assert_eq!(chosen("False", "VolumeLost", &asked()), Ok(vec![Step::Restore { snapshot: None }]));
    let claim = "label.acme-ops".to_owned();
    assert_eq!(chosen("False", "IdentityChanged", &asked()), Ok(vec![Step::TakeOver { claim }]));
}

#[test]
fn data_is_given_up_only_by_whoever_says_so() {
    for reason in ["HostUnreachable", "ConfigurationRefused"] {
        let refused = chosen("False", reason, &asked()).unwrap_err();
        assert!(refused.contains("--way restore"), "{reason}: {refused}");
        let restored = chosen("False", reason, &by(Way::Restore));
        assert_eq!(restored, Ok(vec![Step::Restore { snapshot: None }]), "{reason}");
    }
}

#[test]
fn what_waits_for_a_person_or_is_well_is_left_alone() {
    for (status, reason, told) in [
        ("True", "Running", "It is well"),
        ("Unknown", "Starting", "It is on its way"),
        ("False", "AwaitingOrder", "AwaitingOrder: Told."),
        ("False", "PlanNotFound", "docs/runbook.md"),
    ] {
        let refused = chosen(status, reason, &asked()).unwrap_err();
        assert!(refused.contains(told), "{reason}: {refused}");
    }
    let refused = chosen("False", "AwaitingOrder", &by(Way::Restart)).unwrap_err();
    assert!(refused.contains("nothing is done before"), "{refused}");
    assert_eq!(chosen("True", "Running", &by(Way::Restart)), Ok(vec![Step::Restart]));
}

#[test]
fn one_that_is_gone_comes_back_from_its_volume_or_its_snapshot() {
    let from = |more: Value| plan(now(), &seen(None, vec![claim("acme-ops", &more)]), &asked());
    let steps = |plan: Result<Plan, String>| plan.unwrap().steps.len();
    assert_eq!(steps(from(tombstone(identity(None)))), 2, "a volume is only taken over");
    assert_eq!(steps(from(tombstone(identity(Some("2026-12-21T00:00:00Z"))))), 3, "a snapshot is restored");
    let expired = from(tombstone(identity(Some("2026-11-20T00:00:00Z")))).unwrap_err();
    assert!(expired.contains("nothing of its data is left"), "{expired}");
    let removed = from(tombstone(json!({}))).unwrap_err();
    assert!(removed.contains("removed with its data"), "{removed}");
}

#[test]
fn nothing_is_brought_back_while_it_is_taken_down() {
    let mut going = identity(None);
    going["deletion"] = json!({"uid": "old", "time": "2026-11-21T11:00:00Z", "phase": "Begun"});
    let refused = plan(now(), &seen(None, vec![claim("acme-ops", &going)]), &asked()).unwrap_err();
    assert!(refused.contains("being taken down"), "{refused}");
    let several = vec![claim("one", &tombstone(identity(None))), claim("two", &tombstone(identity(None)))];
    let refused = plan(now(), &seen(None, several.clone()), &asked()).unwrap_err();
    assert!(refused.contains("--slug: one, two"), "{refused}");
    let chosen = Recover { slug: Some("two".into()), ..asked() };
    assert!(plan(now(), &seen(None, several), &chosen).is_ok());
    assert!(plan(now(), &seen(None, Vec::new()), &asked()).unwrap_err().contains("Declare it anew"));
}
