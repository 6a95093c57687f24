//! Rules and bounds of what tenants write.

use serde_json::{Value, json};

use crate::catalog;
use crate::rule::{KINDS, Rule, check, field, literal, rule, spec, text, valid};
use crate::world::{merge, namespace, try_create};

#[tokio::test]
async fn the_smallest_valid_objects_are_taken() {
    namespace("valid").await;
    for kind in KINDS {
        assert_eq!(try_create("valid", &valid(kind)).await, Ok(()), "{kind}");
    }
}

fn named(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

#[tokio::test]
async fn names_can_be_referred_to_and_become_hostnames() {
    check(names(), "names").await;
}

fn warm(name: &str) -> Value {
    let app = json!({"region": "fra", "phase": "Kept"});
    json!({"metadata": {"name": name}, "spec": {"type": "Warm", "warm": app}})
}

fn names() -> Vec<Rule> {
    let mut rules = vec![
        rule("Runtime", named(&text(40)), named(&text(41)), "`metadata.name` must be at most 40 characters"),
        rule("Runtime", named("a-b"), named("a.b"), "`metadata.name` must be at most 40 characters"),
        rule("Runtime", named("a"), named(&text(300)), "must be no more than 253"),
        rule(
            "NameClaim",
            named("label.acme"),
            named("label.other"),
            "`metadata.name` must be `namespace.` or",
        ),
        rule("NameClaim", named("label.acme"), named("acme"), "`metadata.name` must be `namespace.` or"),
        rule(
            "NameClaim",
            json!({"metadata": {"name": "namespace.acme"}, "spec": {"type": "Namespace"}}),
            spec(json!({"type": "Namespace"})),
            "`metadata.name` must be `namespace.` or",
        ),
        rule("NameClaim", warm("warm.acme"), warm("label.acme"), "`metadata.name` must be `namespace.` or"),
    ];
    for kind in ["Plan", "Blueprint", "Workspace", "RuntimeOrder", "CustomDomain"] {
        let says = "`metadata.name` must be at most 63 characters";
        rules.push(rule(kind, named(&text(63)), named(&text(64)), says));
        rules.push(rule(kind, named("a-b"), named("a.b"), says));
    }
    rules
}

#[tokio::test]
async fn labels_of_hostnames_are_plain_and_not_reserved() {
    check(labels(), "labels").await;
}

fn labels() -> Vec<Rule> {
    let mut rules = Vec::new();
    for (kind, label) in [("Runtime", "slug"), ("Workspace", "subdomain")] {
        let pattern = "should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'";
        for (keeps, breaks) in [("a", ""), ("a-1", "-a"), ("1-a", "a-"), ("ab", "aB"), ("a-b", "a.b")] {
            let says = if breaks.is_empty() { "should be at least 1 chars long" } else { pattern };
            rules.push(field(kind, label, json!(keeps), json!(breaks), says));
        }
        let reserved = "must not be a reserved word, nor begin with `xn--`";
        for (keeps, breaks) in [
            ("api-1", "api"),
            ("wwwx", "www"),
            ("ops", "admin"),
            ("openclaws", "openclaw"),
            ("xn-a", "xn--a"),
        ] {
            rules.push(field(kind, label, json!(keeps), json!(breaks), reserved));
        }
        rules.push(field(kind, label, json!(text(40)), json!(text(300)), "may not be more than 40"));
    }
    rules
}

#[tokio::test]
async fn a_runtime_declares_what_can_be_done() {
    check(runtimes(), "runtimes").await;
}

fn runtimes() -> Vec<Rule> {
    let runtime = |name, keeps, breaks, says| field("Runtime", name, keeps, breaks, says);
    let from = json!({"secretKeyRef": {"name": "keys", "key": "k"}});
    let one_of = "must have exactly one of `value` and `valueFrom`";
    let many = |count: usize| -> Value {
        (0..count).map(|number| json!({"name": format!("V{number}"), "value": ""})).collect()
    };
    let mut rules = vec![
        runtime("env", json!([{"name": "A", "value": ""}]), json!([{"name": "A"}]), one_of),
        runtime(
            "env",
            json!([{"name": "A", "valueFrom": from}]),
            json!([{"name": "A", "value": "x", "valueFrom": from}]),
            one_of,
        ),
        runtime("env", literal("_A1"), literal("1A"), "should match '^[A-Za-z_]"),
        runtime("env", literal(&text(128)), literal(&text(129)), "may not be more than 128"),
        runtime("env", literal("A"), json!([literal("A")[0], literal("A")[0]]), "Duplicate value"),
        runtime("env", many(64), many(65), "must have at most 64 items"),
        runtime(
            "env",
            json!([{"name": "A", "value": text(4096)}]),
            json!([{"name": "A", "value": text(4097)}]),
            "may not be more than 4096",
        ),
        runtime("regions", json!(["fra", "ams"]), json!(["fra1"]), "may not be more than 3"),
        runtime("regions", json!(["fra"]), json!(["FRA"]), "should match '^[a-z]{3}$'"),
        runtime("regions", json!(["fra"]), json!([]), "should have at least 1 items"),
        runtime("regions", json!(vec!["fra"; 8]), json!(vec!["fra"; 9]), "must have at most 8 items"),
        runtime(
            "powerState",
            json!("Stopped"),
            json!("stopped"),
            "supported values: \"Running\", \"Stopped\"",
        ),
        runtime(
            "sleep",
            json!({"mode": "Suspend"}),
            json!({"mode": "Hibernate"}),
            "supported values: \"Never\"",
        ),
        runtime("deletionPolicy", json!("Retain"), json!("Orphan"), "supported values: \"Delete\""),
        runtime("persona", json!({"name": "Ada"}), json!({"name": "Ada\n# More"}), "must be a single line"),
        runtime("persona", json!({"name": text(64)}), json!({"name": text(65)}), "may not be more than 64"),
        runtime("planRef", json!({"name": "basic"}), json!({"name": "Basic"}), "spec.planRef.name in body"),
        runtime("blueprintRef", json!({"name": text(63)}), json!({"name": text(64)}), "more than 63"),
        runtime(
            "workspaceRef",
            json!({"name": "acme"}),
            json!({"name": "../acme"}),
            "workspaceRef.name in body",
        ),
    ];
    let ours = "must not be a name that Moorage or Fly sets";
    for (theirs, our) in [
        ("OPENCLAW_LOG_LEVEL", "OPENCLAW_GATEWAY_TOKEN"),
        ("OPENCLAW_GATEWAYS", "OPENCLAW_GATEWAY_PORT"),
        ("OPENCLAW_STATE", "OPENCLAW_STATE_DIR"),
        ("OPENCLAW_CONFIG", "OPENCLAW_CONFIG_PATH"),
        ("FLYING", "FLY_APP_NAME"),
        ("MOORAGES", "MOORAGE_TOKEN"),
    ] {
        rules.push(runtime("env", literal(theirs), literal(our), ours));
    }
    rules
}

#[tokio::test]
async fn a_workspace_names_people_and_not_system_subjects() {
    check(workspaces(), "workspaces").await;
}

fn workspaces() -> Vec<Rule> {
    let member = |kind: &str, name: &str| json!([{"kind": kind, "name": name, "role": "Viewer"}]);
    let workspace = |name, keeps, breaks, says| field("Workspace", name, keeps, breaks, says);
    let system = "must not be a system subject";
    let people = |count: usize| -> Value {
        (0..count).map(|n| json!({"kind": "User", "name": format!("u{n}"), "role": "Viewer"})).collect()
    };
    vec![
        workspace("displayName", json!("Acme, Inc."), json!(""), "should be at least 1 chars long"),
        workspace("displayName", json!(text(100)), json!(text(300)), "may not be more than 100"),
        workspace("displayName", json!("Acme"), json!("Acme\nBcc: x"), "must be a single line"),
        workspace("defaultRegion", json!("fra"), json!("f1a"), "should match '^[a-z]{3}$'"),
        workspace("defaultPlanRef", json!({"name": "basic"}), json!({"name": "a/b"}), "should match"),
        workspace("members", member("Group", "admins"), member("Group", "system:authenticated"), system),
        workspace("members", member("User", "ann@example.com"), member("User", "system:admin"), system),
        workspace(
            "members",
            member("ServiceAccount", "portal"),
            member("User", "system:serviceaccount:other:portal"),
            system,
        ),
        workspace(
            "members",
            member("ServiceAccount", "portal"),
            member("ServiceAccount", "other:portal"),
            "`name` must be that of a ServiceAccount in this namespace",
        ),
        workspace("members", member("User", &text(253)), member("User", &text(254)), "more than 253"),
        workspace("members", people(2), json!([people(1)[0], people(1)[0]]), "Duplicate value"),
        workspace("members", people(200), people(201), "must have at most 200 items"),
        workspace(
            "members",
            member("User", "ann"),
            json!([{"kind": "User", "name": "ann", "role": "Admin"}]),
            "supported values: \"Owner\"",
        ),
    ]
}

/// Every rule of creation that is tried.
pub fn all() -> Vec<Rule> {
    [names(), labels(), runtimes(), workspaces(), requests(), catalog::all()].into_iter().flatten().collect()
}

#[tokio::test]
async fn what_can_be_asked_for_is_what_is_not_declared() {
    check(requests(), "asked").await;
}

fn requests() -> Vec<Rule> {
    let asked = |type_: &str, more: Value| {
        let mut spec = json!({"operationID": null, "type": type_});
        merge(&mut spec, &more);
        json!({"spec": spec})
    };
    vec![
        rule(
            "RuntimeTask",
            asked("Restart", json!({})),
            asked("Stop", json!({})),
            "the rest is declared on the Runtime",
        ),
        rule(
            "RuntimeTask",
            asked("Upgrade", json!({})),
            asked("Destroy", json!({})),
            "the rest is declared on the Runtime",
        ),
        rule(
            "RuntimeTask",
            asked("Restore", json!({"snapshotID": "vs_abc1"})),
            asked("Snapshot", json!({"snapshotID": "vs_abc1"})),
            "`snapshotID` must go with a request of type Restore only",
        ),
        rule(
            "RuntimeTask",
            asked("Restore", json!({})),
            spec(json!({"type": "Restore", "snapshotID": "vs_abc1"})),
            "`snapshotID` must go with a request of type Restore only",
        ),
        rule(
            "RuntimeTask",
            asked("Restore", json!({"snapshotID": "vs_abc1"})),
            asked("Restore", json!({"snapshotID": "https://example.com"})),
            "should match",
        ),
        rule(
            "RuntimeTask",
            asked("VerifyDomain", json!({"domainRef": {"name": "www"}})),
            asked("VerifyDomain", json!({})),
            "`domainRef` must go with type VerifyDomain",
        ),
    ]
}
