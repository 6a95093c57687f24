//! Rules and bounds of what the platform and the operator write.

use serde_json::Value;
use serde_json::json;

use crate::rule::{
    Rule, attempt, blueprint, check, domain, field, identity, literal, order, rule, spec, text,
};
use crate::world::merge;

#[tokio::test]
async fn a_plan_is_a_size_that_fly_sells() {
    check(plans(), "plans").await;
}

fn pool(size: i32, region: &str) -> Value {
    json!({"size": size, "regions": [region]})
}

fn plans() -> Vec<Rule> {
    let size =
        |kind: &str, cpus: i32, memory: i32| spec(json!({"cpuKind": kind, "cpus": cpus, "memoryMB": memory}));
    let shared = "must be a size that Fly sells: `Shared`";
    let performance = "must be a size that Fly sells: `Performance`";
    vec![
        rule("Plan", size("Shared", 1, 256), size("Shared", 3, 1024), shared),
        rule("Plan", size("Shared", 4, 8192), size("Shared", 4, 8448), shared),
        rule("Plan", size("Shared", 8, 2048), size("Shared", 8, 1792), shared),
        rule("Plan", size("Shared", 2, 2048), size("Shared", 2, 2049), shared),
        rule("Plan", size("Performance", 1, 2048), size("Performance", 1, 1024), performance),
        rule("Plan", size("Performance", 1, 8192), size("Performance", 1, 9216), performance),
        rule("Plan", size("Performance", 2, 5120), size("Performance", 2, 5000), performance),
        rule("Plan", size("Performance", 12, 24576), size("Performance", 5, 10240), performance),
        field("Plan", "volumeGB", json!(500), json!(501), "should be less than or equal to 500"),
        field("Plan", "volumeGB", json!(1), json!(0), "should be greater than or equal to 1"),
        field("Plan", "amount", json!(0), json!(-1), "should be greater than or equal to 0"),
        field("Plan", "currency", json!("KRW"), json!("krw"), "should match '^[A-Z]{3}$'"),
        field("Plan", "interval", json!("Year"), json!("Week"), "supported values: \"Month\", \"Year\""),
        field("Plan", "warmPool", pool(50, "fra"), pool(51, "fra"), "should be less than or equal to 50"),
        field("Plan", "warmPool", pool(0, "fra"), pool(-1, "fra"), "should be greater than or equal to 0"),
        field("Plan", "warmPool", pool(1, "ams"), pool(1, "FRA"), "should match '^[a-z]{3}$'"),
        field("Plan", "displayName", json!(text(100)), json!(text(300)), "may not be more than 100"),
    ]
}

#[tokio::test]
async fn a_blueprint_keeps_secrets_out_and_trusts_someone_in_particular() {
    check(blueprints(), "blueprints").await;
}

fn blueprints() -> Vec<Rule> {
    let gateway = |ranges: Value| json!({"adapter": "OpenClaw", "trustedProxies": ranges});
    let trusts = "must not be one that trusts everyone";
    let ours = "must not be a name that Moorage or Fly sets";
    let blueprint = |name, keeps, breaks, says| field("Blueprint", name, keeps, breaks, says);
    let both = |type_: &str| {
        spec(json!({"env": [{"name": "KEY", "value": "x"}], "envSchema": [{"name": "KEY", "type": type_}]}))
    };
    vec![
        rule(
            "Blueprint",
            both("Plain"),
            both("Secret"),
            "`env` must not hold a variable that `envSchema` marks",
        ),
        blueprint("env", literal("OPENCLAW_STATE_DIR"), literal("OPENCLAW_GATEWAY_TOKEN"), ours),
        blueprint("env", literal("FLYING"), literal("FLY_REGION"), ours),
        blueprint("env", literal("MOOR"), literal("MOORAGE_X"), ours),
        blueprint("gateway", gateway(json!(["172.16.0.0/12"])), gateway(json!(["0.0.0.0/0"])), trusts),
        blueprint("gateway", gateway(json!(["fdaa::/16"])), gateway(json!(["::/0"])), trusts),
        blueprint(
            "rollout",
            json!({"strategy": "Staged", "maxUnavailable": 1}),
            json!({"strategy": "Staged", "maxUnavailable": 0}),
            "should be greater than or equal to 1",
        ),
        blueprint(
            "rollout",
            json!({"strategy": "Manual"}),
            json!({"strategy": "Automatic"}),
            "supported values: \"Manual\", \"Staged\"",
        ),
        blueprint("gateway", gateway(json!(["10.0.0.1"])), gateway(json!(["10.0.0.300"])), trusts),
        blueprint("gateway", gateway(json!(["fdaa::1"])), gateway(json!(["10.0.0.0/33"])), trusts),
        blueprint("gateway", gateway(json!([])), gateway(json!(["example.com"])), "should match"),
        blueprint("image", json!("a.b/c@sha256:ab"), json!("a b"), "should match"),
        blueprint("port", json!(65535), json!(65536), "should be less than or equal to 65535"),
        blueprint("mountPath", json!("/data"), json!("data"), "should match"),
        blueprint("command", json!(["run"]), json!([]), "should have at least 1 items"),
        blueprint(
            "stop",
            json!({"signal": "SIGINT", "timeoutSeconds": 300}),
            json!({"signal": "SIGTERM", "timeoutSeconds": 301}),
            "should be less than or equal to 300",
        ),
    ]
}

#[tokio::test]
async fn a_policy_selects_by_what_only_the_platform_sets() {
    check(policies(), "policies").await;
}

fn policies() -> Vec<Rule> {
    let by = |selector: Value| spec(json!({"selector": selector}));
    let labels = |labels: Value| by(json!({"namespaces": null, "matchLabels": labels}));
    let tier = |value: &str| labels(json!({"policy.moorage.dev/tier": value}));
    let policy = |name, keeps, breaks, says| field("WorkspacePolicy", name, keeps, breaks, says);
    let none = "must name `namespaces` or `matchLabels`";
    vec![
        rule("WorkspacePolicy", tier("trial"), by(json!({"namespaces": null})), none),
        rule(
            "WorkspacePolicy",
            tier("trial"),
            labels(json!({"tier": "trial"})),
            "must use keys below `policy.moorage.dev/`",
        ),
        rule("WorkspacePolicy", tier("trial"), labels(json!({})), "should have at least 1 properties"),
        rule("WorkspacePolicy", tier(&text(63)), tier(&text(64)), "may not be more than 63"),
        rule(
            "WorkspacePolicy",
            by(json!({"namespaces": ["a"]})),
            by(json!({"namespaces": []})),
            "should have at least 1 items",
        ),
        policy("maxRuntimes", json!(0), json!(-1), "should be greater than or equal to 0"),
        policy("allowedRegions", json!(["fra"]), json!(["Frankfurt"]), "may not be more than 3"),
        policy("allowedPlans", json!([]), json!(["a", "a"]), "Duplicate value"),
        policy("allowedDeletionPolicies", json!(["Retain"]), json!(["Keep"]), "supported values"),
    ]
}

#[tokio::test]
async fn claims_and_receipts_are_complete() {
    check(claims(), "claims").await;
    check(receipts(), "receipts").await;
}

fn claims() -> Vec<Rule> {
    let without = |field: &str| {
        let mut identity = identity();
        identity.as_object_mut().unwrap().remove(field);
        spec(json!({"runtime": identity}))
    };
    let mut short = identity();
    short["identity"] = json!("abc");
    let mut open = identity();
    open["pin"]["spec"] = blueprint();
    open["pin"]["spec"]["gateway"]["trustedProxies"] = json!(["0.0.0.0/0"]);
    let whole = || spec(json!({"runtime": identity()}));
    let says_open = "must not be one that trusts everyone";
    let host = |change: Value| {
        let mut identity = identity();
        identity["hostname"] =
            json!({"name": "acme.example.dev", "addresses": ["66.1.1.1"], "certificate": "f1"});
        merge(&mut identity["hostname"], &change);
        spec(json!({"runtime": identity}))
    };
    let named = |change, says| rule("NameClaim", host(json!({})), host(change), says);
    vec![
        named(json!({"name": null}), "spec.runtime.hostname.name: Required value"),
        named(json!({"name": ""}), "should be at least 1 chars long"),
        named(json!({"name": text(254)}), "may not be more than 253 bytes"),
        named(json!({"addresses": ["66.1.1.1", "66.1.1.1"]}), "Duplicate value"),
        named(
            json!({"addresses": (0..9).map(|n| n.to_string()).collect::<Vec<_>>()}),
            "must have at most 8 items",
        ),
        named(json!({"addresses": [text(46)]}), "may not be more than 45 bytes"),
        named(json!({"certificate": text(65)}), "may not be more than 64 bytes"),
        rule("NameClaim", whole(), without("app"), "spec.runtime.app: Required value"),
        rule("NameClaim", whole(), without("deletionPolicy"), "spec.runtime.deletionPolicy: Required value"),
        rule("NameClaim", whole(), spec(json!({"runtime": short})), "should be at least 4 chars long"),
        rule("NameClaim", whole(), spec(json!({"runtime": open})), says_open),
        field("NameClaim", "tenantID", json!("01234567"), json!("0"), "should be at least 8 chars long"),
        field("NameClaim", "holder", json!({"uid": "1"}), json!({"uid": null}), "holder.uid: Required value"),
    ]
}

fn receipts() -> Vec<Rule> {
    vec![
        field("PaymentReceipt", "amount", json!(0), json!(-1), "should be greater than or equal to 0"),
        field("PaymentReceipt", "provider", json!("PayApp"), json!("Cash"), "supported values"),
        rule(
            "PaymentReceipt",
            spec(json!({"event": "Paid"})),
            spec(json!({"event": "Refunded"})),
            "`event` must be one of its type",
        ),
        rule(
            "PaymentReceipt",
            spec(json!({"type": "Refund", "refunds": "in_0", "event": "PartlyRefunded"})),
            spec(json!({"type": "Refund", "refunds": "in_0", "event": "Paid"})),
            "`event` must be one of its type",
        ),
        rule(
            "PaymentReceipt",
            spec(json!({"type": "Notice", "event": "RenewalFailed"})),
            spec(json!({"type": "Notice"})),
            "a Notice is what a payment provider told",
        ),
        rule(
            "PaymentReceipt",
            spec(json!({"type": "Notice", "event": "AwaitingDeposit"})),
            spec(json!({"type": "Notice", "event": "AwaitingDeposit", "provider": "Manual", "note": "x"})),
            "a Notice is what a payment provider told",
        ),
        field(
            "PaymentReceipt",
            "flags",
            json!(["AmountMismatch", "UnknownAttempt"]),
            json!(["AmountMismatch", "AmountMismatch"]),
            "Duplicate value",
        ),
        field("PaymentReceipt", "flags", json!(["UnknownAttempt"]), json!(["Odd"]), "supported values"),
        field("PaymentReceipt", "attempt", json!(text(128)), json!(text(129)), "may not be more than 128"),
        field("PaymentReceipt", "subscriptionID", json!(text(255)), json!(text(256)), "more than 255"),
        field(
            "PaymentReceipt",
            "payTime",
            json!("2026-01-01T00:00:00Z"),
            json!("yesterday"),
            "must be of type date-time",
        ),
        rule(
            "PaymentReceipt",
            spec(json!({"provider": "Manual", "note": "approved by Ada on the phone"})),
            spec(json!({"provider": "Manual"})),
            "`note` must say who approved",
        ),
        rule(
            "PaymentReceipt",
            spec(json!({"type": "Refund", "refunds": "in_0"})),
            spec(json!({"type": "Refund"})),
            "`refunds` must name the payment",
        ),
        rule("PaymentReceipt", spec(json!({})), spec(json!({"refunds": "in_0"})), "stand on no other type"),
        field(
            "PaymentReceipt",
            "period",
            json!({"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"}),
            json!({"start": "2026-02-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}),
            "`start` must be before `end`",
        ),
        field("PaymentReceipt", "orderUID", json!("1"), json!(null), "spec.orderUID: Required value"),
        field("RuntimeTask", "type", json!("Stop"), json!("Format"), "supported values: \"Provision\""),
    ]
}

#[tokio::test]
async fn an_order_is_one_checkout_of_one_runtime() {
    check(orders(), "orders").await;
}

fn orders() -> Vec<Rule> {
    vec![
        rule(
            "NameClaim",
            an_order(json!({})),
            an_order(json!({"order": null})),
            "`order` must stand on the claim",
        ),
        rule("NameClaim", an_order(json!({})), spec(json!({"order": order()})), "and on no other"),
        rule(
            "NameClaim",
            an_order(json!({"order": {"attempts": [attempt()]}})),
            an_order(json!({"order": {"attempts": [attempt(), attempt()]}})),
            "Duplicate value",
        ),
        rule(
            "NameClaim",
            an_order(json!({"order": {"endings": [ending("AtPeriodEnd")]}})),
            an_order(json!({"order": {"endings": [ending("Never")]}})),
            "supported values",
        ),
        rule(
            "NameClaim",
            an_order(json!({})),
            json!({"metadata": {"name": "label.0b7e"}, "spec": {"type": "Order", "name": "0b7e", "order": order()}}),
            "`metadata.name` must be `namespace.`",
        ),
        field(
            "RuntimeOrder",
            "runtime",
            json!({"name": "a", "slug": "acme-a"}),
            json!(null),
            "must have exactly one of `runtime`",
        ),
        rule(
            "RuntimeOrder",
            spec(json!({"runtime": null, "runtimeRef": {"name": "ops"}})),
            spec(json!({"runtimeRef": {"name": "ops"}})),
            "must have exactly one of `runtime`",
        ),
        field(
            "RuntimeOrder",
            "runtime",
            json!({"name": "a"}),
            json!({"slug": "www"}),
            "must not be a reserved",
        ),
        field(
            "RuntimeOrder",
            "payment",
            json!({"mode": "OneTime"}),
            json!({"mode": "Never"}),
            "supported values",
        ),
    ]
}

#[tokio::test]
async fn a_hostname_is_one_and_its_certificate_has_one_source() {
    check(domains(), "domains").await;
}

fn domains() -> Vec<Rule> {
    let host = |keeps: &str, breaks: &str, says| {
        field("CustomDomain", "hostname", json!(keeps), json!(breaks), says)
    };
    let source =
        |keeps: Value, breaks: Value, says| field("CustomDomain", "certificate", keeps, breaks, says);
    let secret = json!({"source": "Secret", "secretRef": {"name": "tls"}});
    let http = json!({"source": "ACME", "challenge": "HTTP01"});
    vec![
        host("Ai.Example.com.", "192.0.2.1", "not an IP address"),
        host("ai.example.com", "2001:db8::1", "not an IP address"),
        host("b\u{fc}cher.example", "localhost", "at least two labels"),
        host("*.example.com", "a.*.example.com", "as its whole first label only"),
        host("a.example.com", "*a.example.com", "as its whole first label only"),
        host("a.example.com", "https://a.example.com", "without scheme, port, path"),
        host("a.example.com", "a.example.com:443", "without scheme, port, path"),
        host("a.example.com", "_a.example.com", "without scheme, port, path"),
        host("a.example.com", &format!("{}.com", text(260)), "may not be more than 254"),
        source(secret.clone(), json!({"source": "Secret"}), "must have `secretRef` with source Secret"),
        source(secret, json!({"secretRef": {"name": "tls"}}), "must have `secretRef` with source Secret"),
        source(http, json!({"challenge": "HTTP01"}), "must have `challenge` with source ACME only"),
        rule(
            "NameClaim",
            a_hostname("host.ai.example.com", "ai.example.com"),
            a_hostname("wild.ai.example.com", "ai.example.com"),
            "`metadata.name` must be `namespace.`",
        ),
        rule(
            "NameClaim",
            a_hostname("wild.example.com", "*.example.com"),
            a_hostname("host.example.com", "*.example.com"),
            "`metadata.name` must be `namespace.`",
        ),
        rule(
            "NameClaim",
            a_hostname("host.b.example.com", "b.example.com"),
            spec(json!({"domain": domain()})),
            "`domain` must stand on the claim of a hostname",
        ),
    ]
}

/// The claim of a hostname.
fn a_hostname(key: &str, name: &str) -> Value {
    let mut object = json!({"metadata": {"name": key}});
    merge(&mut object, &spec(json!({"type": "Hostname", "name": name, "domain": domain()})));
    object
}

fn ending(when: &str) -> Value {
    json!({"subscriptionID": "sub_1", "when": when, "idempotencyKey": "k"})
}

/// The claim of an order, with `more` in its spec.
fn an_order(more: Value) -> Value {
    let mut spec = json!({"type": "Order", "name": "0b7e", "order": order()});
    merge(&mut spec, &more);
    json!({"metadata": {"name": "order.0b7e"}, "spec": spec})
}

/// Every rule that is tried here.
pub fn all() -> Vec<Rule> {
    [plans(), blueprints(), policies(), claims(), receipts(), orders(), domains()]
        .into_iter()
        .flatten()
        .collect()
}
