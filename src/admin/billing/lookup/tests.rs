use serde_json::json;

use super::*;

fn claim(spec: &Value) -> NameClaim {
    serde_json::from_value(json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "NameClaim",
        "metadata": {"name": "any"}, "spec": spec}))
    .unwrap()
}

fn ordered(phase: &str) -> NameClaim {
    let plan =
        json!({"name": "openclaw-basic", "cpuKind": "Shared", "cpus": 2, "memoryMB": 2048, "volumeGB": 10});
    claim(
        &json!({"type": "Order", "name": "0b7e", "holder": {"namespace": "acme", "name": "first", "uid": "0b7e"},
        "order": {"uid": "0b7e", "provider": "Manual", "mode": "Subscription", "phase": phase,
            "paidUntil": "2026-12-21T12:00:00Z", "funds": {"name": "ops"},
            "price": {"plan": plan, "amount": 2900, "currency": "USD", "interval": "Month"}}}),
    )
}

fn receipt(name: &str, amount: i64) -> Receipt {
    let spec = json!({"type": "Payment", "provider": "Manual", "providerID": name, "orderUID": "0b7e",
        "amount": amount, "currency": "USD", "note": "by a test"});
    Receipt {
        name: name.into(),
        created: "2026-11-21T12:00:00Z".parse().unwrap(),
        spec: serde_json::from_value(spec).unwrap(),
    }
}

fn shown(receipts: Vec<Receipt>) -> Book {
    let order = books::claimed(ordered("Paid")).unwrap();
    let known = Ok(json!({"graceSeconds": 5, "stripe": {"secretKeyFile": "/etc/key"}}));
    book(("tenant-1".into(), "acme".into()), vec![(order, receipts)], &[ordered("Paid")], &[], &[], known)
}

#[test]
fn each_receipt_says_what_it_counts_for() {
    let book = shown(vec![receipt("good", 2900), receipt("wrong", 2899)]);
    let counts: Vec<&str> = book.orders[0].receipts.iter().map(|entry| entry.counts.as_str()).collect();
    assert_eq!(counts, ["counts", "another amount than the price: funds nothing, refund it"]);
}

#[test]
fn everything_is_told_in_lines_that_fit() {
    let lines = lines(&shown(vec![receipt("good", 2900)]));
    assert!(lines.iter().all(|line| line.chars().count() <= output::WIDTH), "{lines:#?}");
    let text = lines.join("\n");
    for part in ["Order first (0b7e): Paid by Manual", "29.00 USD", "graceSeconds: 5", "stripe.secretKeyFile"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_tenant_without_orders_is_told_so() {
    let book = book(("t".into(), "acme".into()), Vec::new(), &[], &[], &[], Err("no".into()));
    let text = lines(&book).join("\n");
    assert!(text.contains("No order was ever placed here.") && text.contains("not known: no"), "{text}");
}

#[test]
fn what_nobody_can_be_charged_with_and_what_was_left_to_say_is_told() {
    let mut given_up = ordered("Paid");
    given_up.spec.tombstone = serde_json::from_value(
        json!({"releaseTime": "2026-11-22T12:00:00Z", "message": "It funds nothing. Give the money back."}),
    )
    .unwrap();
    let order = books::claimed(given_up).unwrap();
    let mut stranger = receipt("1001", 2900);
    stranger.spec.order_uid = "never-heard-of".into();
    let orders = vec![(order, Vec::new())];
    let book = book(("t".into(), "acme".into()), orders, &[], &[], &[stranger], Err("no".into()));
    let text = lines(&book).join(" ");
    for part in ["Give the money back.", "Of no known order", "1001", "never-heard-of", "refund it"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
