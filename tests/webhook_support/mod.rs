//! Claims of orders that nobody holds, and what a payment provider sends about them.
#![allow(dead_code, reason = "each test takes what it needs")]

use anyhow::Result;
use jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use moorage::api::NameClaim;
use ring::hmac;
use serde_json::{Value, json};

/// The number of the registration that payments are for.
pub const REGISTRATION: &str = "7700";

/// Records an order of 19900 won a month, as the operator would; `more` is put into what is recorded of it.
pub async fn record_order(operator: &Client, uid: &str, more: Value) -> Result<()> {
    record_order_of(operator, uid, ("nobody", uid), more).await
}

/// The same, held by an order of this namespace and name.
pub async fn record_order_of(
    operator: &Client,
    uid: &str,
    (namespace, name): (&str, &str),
    more: Value,
) -> Result<()> {
    let plan = json!({"name": "pro", "cpuKind": "Shared", "cpus": 2, "memoryMB": 2048, "volumeGB": 10});
    let mut order = json!({"uid": uid, "mode": "Subscription", "phase": "Unpaid",
        "price": {"plan": plan, "amount": 19900, "currency": "KRW", "interval": "Month"}});
    for (field, value) in more.as_object().into_iter().flatten() {
        order[field] = value.clone();
    }
    let claim = json!({
        "apiVersion": "moorage.dev/v1alpha1", "kind": "NameClaim",
        "metadata": {"name": NameClaim::order_key(uid)},
        "spec": {"type": "Order", "name": uid, "order": order,
            "holder": {"namespace": namespace, "name": name, "uid": uid}},
    });
    let claims: Api<NameClaim> = Api::all(operator.clone());
    claims.create(&PostParams::default(), &serde_json::from_value(claim)?).await?;
    Ok(())
}

/// What is recorded of an order whose registration at PayApp is known.
pub fn registered() -> Value {
    let attempt = json!({"number": 1, "nonce": "nonce", "idempotencyKey": "key", "amount": 19900,
        "createTime": "2026-11-21T00:00:00Z", "currency": "KRW", "state": "Open", "checkoutID": REGISTRATION,
        "subscriptionID": REGISTRATION});
    json!({"provider": "PayApp", "attempts": [attempt]})
}

/// A notice that a payment was made for that registration, with these keys.
pub fn paid(order: &str, number: &str, linkkey: &str, linkval: &str) -> String {
    format!(
        "userid=shop&linkkey={linkkey}&linkval={linkval}&goodname=Runtime&price=19900&pay_state=4&\
         pay_date=2026-11-21+12%3A00%3A00&pay_type=1&var1={order}&var2=1-nonce&mul_no={number}&rebill_no={REGISTRATION}",
    )
}

/// A signed event that a checkout of this order is complete.
pub fn completed(order: &str, id: &str) -> String {
    let object = json!({"id": format!("cs_{id}"), "client_reference_id": order, "object": "checkout.session",
        "description": "x".repeat(1500)});
    let event = json!({"id": format!("evt_{id}"), "object": "event", "livemode": false,
        "type": "checkout.session.completed", "data": {"object": object}});
    event.to_string()
}

/// The header with which a body is signed now.
pub fn signature(secret: &str, body: &str) -> String {
    let at = Timestamp::now().as_second();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={hex}")
}
