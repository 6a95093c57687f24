//! PaymentReceipts: created once, `Manual` by the platform and the rest by the operator; never changed or removed.

use serde_json::{Value, json};

use crate::world::{Kind, OUTSIDERS, PLATFORM, Try, Verdict, Who, moorage, policy};

pub const RECEIPTS: Kind = moorage("PaymentReceipt", "paymentreceipts");
const POLICY: &str = "moorage-paymentreceipts";
const EVERYBODY: [Who; 5] =
    [Who::Operator, Who::PlatformUser, Who::PlatformGroup, Who::ClusterAdmin, Who::Masters];

fn receipt(provider: &str) -> Try {
    let spec = json!({"type": "Payment", "provider": provider, "providerID": "ref-1", "orderUID": "0b7e",
        "amount": 900, "currency": "EUR", "note": "approved by a test"});
    Try::Create(RECEIPTS.object("new", &spec))
}

#[tokio::test]
async fn a_manual_one_is_the_platforms_to_create() {
    RECEIPTS.expect(&PLATFORM, receipt("Manual"), &Verdict::Allowed).await;
    RECEIPTS.expect(&[Who::Operator], receipt("Manual"), &policy(POLICY)).await;
    RECEIPTS.expect(&OUTSIDERS, receipt("Manual"), &policy(POLICY)).await;
    RECEIPTS.expect(&[Who::Tenant], receipt("Manual"), &Verdict::Rights).await;
}

#[tokio::test]
async fn to_vouch_for_money_takes_a_verb_of_its_own() {
    RECEIPTS.expect(&[Who::Helper], receipt("Manual"), &policy(POLICY)).await;
    let same = Try::Change("stripe-1", json!({"spec": {"amount": 900}}));
    RECEIPTS.expect(&[Who::Helper], same, &Verdict::Allowed).await;
}

#[tokio::test]
async fn a_providers_is_the_operators_to_create() {
    for provider in ["Stripe", "PayApp"] {
        RECEIPTS.expect(&[Who::Operator], receipt(provider), &Verdict::Allowed).await;
        RECEIPTS.expect(&PLATFORM, receipt(provider), &policy(POLICY)).await;
        RECEIPTS.expect(&OUTSIDERS, receipt(provider), &policy(POLICY)).await;
        RECEIPTS.expect(&[Who::Tenant], receipt(provider), &Verdict::Rights).await;
    }
}

#[tokio::test]
async fn none_is_ever_changed_or_removed() {
    let metadata = |change: Value| Try::Change("stripe-1", json!({"metadata": change}));
    for what in [
        metadata(json!({"labels": {"a": "b"}})),
        metadata(json!({"finalizers": ["example.test/stuck"]})),
        Try::Delete("stripe-1"),
        Try::DeleteAll,
    ] {
        RECEIPTS.expect(&EVERYBODY, what.clone(), &policy(POLICY)).await;
        RECEIPTS.expect(&[Who::Tenant], what, &Verdict::Rights).await;
    }
}

#[tokio::test]
async fn the_platform_may_apply_one_again_that_is_the_same() {
    let same = Try::Change("stripe-1", json!({"spec": {"amount": 900}}));
    RECEIPTS.expect(&PLATFORM, same.clone(), &Verdict::Allowed).await;
    RECEIPTS.expect(&OUTSIDERS, same, &policy(POLICY)).await;
}

/// The schema refuses it before any policy is asked.
#[tokio::test]
async fn another_amount_is_refused_to_all() {
    for who in EVERYBODY {
        let seen = RECEIPTS.attempt(who, &Try::Change("stripe-1", json!({"spec": {"amount": 1}}))).await;
        assert_ne!(seen, Verdict::Allowed, "{who:?}");
    }
}
