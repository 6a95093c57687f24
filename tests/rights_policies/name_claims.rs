//! NameClaims: the operator; the platform creates for a restore, and sets `spec.confirm`.

use serde_json::{Value, json};

use crate::world::{Kind, OUTSIDERS, PLATFORM, Try, Verdict, Who, moorage, policy};

const CLAIMS: Kind = moorage("NameClaim", "nameclaims");
const POLICY: &str = "moorage-nameclaims";

fn new_claim() -> Value {
    let holder = json!({"namespace": "acme", "name": "two", "uid": "77aa"});
    CLAIMS.object("label.two", &json!({"type": "Slug", "name": "two", "holder": holder}))
}

fn confirm() -> Value {
    json!({"spec": {"confirm": {"uid": "77aa"}}})
}

#[tokio::test]
async fn the_operator_does_everything() {
    let holder = json!({"spec": {"holder": {"uid": "99ff"}}});
    for what in [
        Try::Create(new_claim()),
        Try::Change("label.acme", holder),
        Try::Replace("label.acme", "/spec/holder/uid", json!("99ff")),
        Try::Delete("label.acme"),
        Try::DeleteAll,
    ] {
        CLAIMS.expect(&[Who::Operator], what, &Verdict::Allowed).await;
    }
}

#[tokio::test]
async fn the_platform_creates_for_a_restore_and_confirms() {
    let noted = json!({"metadata": {"annotations": {"note": "x"}}, "spec": {"confirm": {"uid": "77aa"}}});
    let unconfirm = json!({"spec": {"confirm": null}});
    for what in [
        Try::Create(new_claim()),
        Try::Change("label.acme", confirm()),
        Try::Change("label.acme", noted),
        Try::Change("label.acme", unconfirm),
    ] {
        CLAIMS.expect(&PLATFORM, what, &Verdict::Allowed).await;
    }
}

#[tokio::test]
async fn to_confirm_takes_a_verb_of_its_own() {
    CLAIMS.expect(&[Who::Helper], Try::Change("label.acme", confirm()), &policy(POLICY)).await;
    let noted = Try::Change("label.acme", json!({"metadata": {"annotations": {"note": "x"}}}));
    CLAIMS.expect(&[Who::Helper], noted, &Verdict::Allowed).await;
    CLAIMS.expect(&[Who::Helper], Try::Create(new_claim()), &Verdict::Allowed).await;
}

/// The claim of an order, as a backup has it.
fn order_claim(more: &Value) -> Value {
    let plan = json!({"name": "pro", "cpuKind": "Shared", "cpus": 2, "memoryMB": 2048, "volumeGB": 10});
    let price = json!({"plan": plan, "amount": 2900, "currency": "USD", "interval": "Month"});
    let holder = json!({"namespace": "acme", "name": "first", "uid": "77aa"});
    let mut order = json!({"uid": "77aa", "provider": "Manual", "mode": "OneTime", "price": price});
    json_patch::merge(&mut order, more);
    CLAIMS.object("order.77aa", &json!({"type": "Order", "name": "77aa", "holder": holder, "order": order}))
}

#[tokio::test]
async fn to_create_what_is_paid_takes_the_verb_too() {
    let mut confirmed = new_claim();
    confirmed["spec"]["confirm"] = json!({"uid": "77aa"});
    for what in [
        order_claim(&json!({"phase": "Paid"})),
        order_claim(&json!({"phase": "PastDue"})),
        order_claim(&json!({"paidUntil": "2027-01-01T00:00:00Z"})),
        order_claim(&json!({"funds": {"name": "ops", "uid": "0b7e"}})),
        confirmed,
    ] {
        CLAIMS.expect(&[Who::Helper], Try::Create(what.clone()), &policy(POLICY)).await;
        // Who restores a cluster has the verb.
        CLAIMS.expect(&PLATFORM, Try::Create(what.clone()), &Verdict::Allowed).await;
        CLAIMS.expect(&[Who::Operator], Try::Create(what), &Verdict::Allowed).await;
    }
    let unpaid = order_claim(&json!({"phase": "Unpaid"}));
    CLAIMS.expect(&[Who::Helper], Try::Create(unpaid), &Verdict::Allowed).await;
}

#[tokio::test]
async fn the_platform_changes_and_removes_nothing_else() {
    let spec = |change: Value| Try::Change("label.acme", json!({"spec": change}));
    let metadata = |change: Value| Try::Change("label.acme", json!({"metadata": change}));
    let owner = json!([{"apiVersion": "v1", "kind": "Namespace", "name": "acme", "uid": "0b7e"}]);
    for what in [
        spec(json!({"holder": {"uid": "99ff"}})),
        spec(json!({"tenantID": "0123456789"})),
        spec(json!({"confirm": {"uid": "77aa"}, "holder": {"uid": "99ff"}})),
        metadata(json!({"labels": {"a": "b"}})),
        metadata(json!({"finalizers": ["example.test/stuck"]})),
        metadata(json!({"ownerReferences": owner})),
        Try::Replace("label.acme", "/spec/holder/uid", json!("99ff")),
        Try::Delete("label.acme"),
        Try::DeleteAll,
    ] {
        CLAIMS.expect(&PLATFORM, what, &policy(POLICY)).await;
    }
}

#[tokio::test]
async fn nobody_else_does_anything_whatever_their_rights() {
    for what in [
        Try::Create(new_claim()),
        Try::Change("label.acme", confirm()),
        Try::Replace("label.acme", "/spec/holder/uid", json!("99ff")),
        Try::Delete("label.acme"),
        Try::DeleteAll,
    ] {
        CLAIMS.expect(&OUTSIDERS, what.clone(), &policy(POLICY)).await;
        CLAIMS.expect(&[Who::Tenant], what, &Verdict::Rights).await;
    }
}
