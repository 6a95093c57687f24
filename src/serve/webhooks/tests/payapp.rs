//! PayApp's notices.

use super::api_server::{CLAIMS, RECEIPTS};
use super::*;

fn notice(changes: &[(&str, &str)]) -> Request<Body> {
    let mut fields: std::collections::BTreeMap<&str, &str> = [
        ("userid", "shop"),
        ("linkkey", LINKKEY),
        ("linkval", LINKVAL),
        ("price", "19900"),
        ("pay_state", "4"),
        ("pay_date", "2026-11-21 23:08:27"),
        ("var1", "uid-1"),
        ("var2", "1-nonce"),
        ("mul_no", "31000001"),
    ]
    .into();
    fields.extend(changes.iter().copied());
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    post(PAYAPP_PATH, "application/x-www-form-urlencoded", body)
}

fn taken() -> (StatusCode, String) {
    (StatusCode::OK, "SUCCESS".to_owned())
}

async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench.api.put(CLAIMS, claim("uid-1", &json!({})));
    bench
}

#[tokio::test]
async fn a_payment_is_one_receipt_however_often_it_is_told() {
    let bench = bench().await;
    for _ in 0..3 {
        assert_eq!(bench.send(notice(&[])).await, taken());
    }
    let receipts = bench.api.all(RECEIPTS);
    assert_eq!(receipts.len(), 1);
    let spec = &receipts[0]["spec"];
    assert_eq!((spec["orderUID"].as_str(), spec["amount"].as_i64()), (Some("uid-1"), Some(19_900)));
    assert_eq!((spec["event"].as_str(), &spec["flags"]), (Some("Paid"), &Value::Null));
    assert_eq!(spec["payTime"], "2026-11-21T14:08:27Z");
    assert_eq!((bench.count("payapp", "taken"), bench.count("payapp", "duplicate")), (1, 2));
}

#[tokio::test]
async fn it_is_not_taken_before_it_is_stored() {
    let bench = bench().await;
    bench.api.down(true);
    assert_eq!(bench.send(notice(&[])).await, (StatusCode::SERVICE_UNAVAILABLE, "FAIL".to_owned()));
    bench.api.down(false);
    assert_eq!(bench.send(notice(&[])).await, taken());
    assert_eq!(bench.api.all(RECEIPTS).len(), 1);
}

#[tokio::test]
async fn the_request_is_recorded_on_its_attempt_and_nothing_is_paid_by_it() {
    let bench = Bench::new().await;
    let attempt = json!({"number": 1, "nonce": "nonce", "idempotencyKey": "key", "amount": 19900,
        "createTime": "2026-11-21T00:00:00Z", "currency": "KRW", "state": "Opening"});
    let mut other = attempt.clone();
    other["number"] = json!(2);
    bench.api.put(CLAIMS, claim("uid-1", &json!({"attempts": [other, attempt]})));
    let requested = || notice(&[("pay_state", "1"), ("price", "1")]);
    assert_eq!(bench.send(requested()).await, taken());
    let attempts = bench.api.get(CLAIMS, "order.uid-1")["spec"]["order"]["attempts"].clone();
    assert_eq!((&attempts[0]["checkoutID"], &attempts[1]["checkoutID"]), (&Value::Null, &json!("31000001")));
    let patches = bench.api.patches();
    assert_eq!(bench.send(requested()).await, taken());
    assert_eq!((bench.api.patches(), bench.api.all(RECEIPTS).len()), (patches, 0));
    let (status, said) = bench.send(notice(&[("pay_state", "1"), ("mul_no", "31000002")])).await;
    assert_eq!((status, said.as_str()), (StatusCode::BAD_REQUEST, "FAIL"), "another request is another's");
}

#[tokio::test]
async fn a_registration_is_recorded_by_its_request_and_learned_when_it_is_paid() {
    let bench = Bench::new().await;
    let attempt = json!({"number": 1, "nonce": "nonce", "idempotencyKey": "key", "amount": 19900,
        "createTime": "2026-11-21T00:00:00Z", "currency": "KRW", "state": "Held"});
    bench.api.put(CLAIMS, claim("uid-1", &json!({"mode": "Subscription", "attempts": [attempt]})));
    let numbers = || {
        let attempt = bench.api.get(CLAIMS, "order.uid-1")["spec"]["order"]["attempts"][0].clone();
        (attempt["checkoutID"].clone(), attempt["subscriptionID"].clone())
    };
    assert_eq!(bench.send(notice(&[("pay_state", "1")])).await, taken());
    assert_eq!(numbers(), (json!("31000001"), Value::Null));
    for (number, flags) in [("31000001", Value::Null), ("31000044", Value::Null)] {
        assert_eq!(bench.send(notice(&[("rebill_no", "77"), ("mul_no", number)])).await, taken());
        assert_eq!(numbers(), (json!("31000001"), json!("77")));
        let receipts = bench.api.all(RECEIPTS);
        let stored = receipts.iter().find(|receipt| receipt["spec"]["providerID"] == number).unwrap();
        assert_eq!((&stored["spec"]["flags"], &stored["spec"]["subscriptionID"]), (&flags, &json!("77")));
    }
}

#[tokio::test]
async fn a_wrong_amount_is_stored_with_a_flag_and_does_not_keep_the_right_one_out() {
    let bench = bench().await;
    assert_eq!(bench.send(notice(&[("price", "1000")])).await, taken());
    assert_eq!(bench.api.all(RECEIPTS)[0]["spec"]["flags"], json!(["AmountMismatch"]));
    assert_eq!(bench.send(notice(&[])).await, taken());
    let receipts = bench.api.all(RECEIPTS);
    assert_eq!(receipts.iter().filter(|receipt| receipt["spec"]["flags"].is_null()).count(), 1);
}

#[tokio::test]
async fn a_notice_that_names_no_plain_amount_is_taken_all_the_same() {
    let bench = bench().await;
    assert_eq!(bench.send(notice(&[("pay_state", "1"), ("price", "")])).await, taken());
    assert_eq!(bench.send(notice(&[("pay_state", "8"), ("price", "")])).await, taken());
    assert_eq!(bench.send(notice(&[("price", "19,900")])).await, taken());
    let spec = |event: &str| {
        let all = bench.api.all(RECEIPTS);
        all.iter().find(|receipt| receipt["spec"]["event"] == event).unwrap()["spec"].clone()
    };
    assert_eq!(spec("Paid")["flags"], json!(["AmountMismatch"]), "it has to be looked at");
    assert_eq!(bench.send(notice(&[("pay_state", "9"), ("price", "")])).await, taken());
    assert_eq!((&spec("Refunded")["flags"], &spec("Refunded")["amount"]), (&Value::Null, &json!(19_900)));
}

#[tokio::test]
async fn a_month_that_failed_is_known_by_its_registration_alone() {
    let bench = Bench::new().await;
    let attempt = json!({"number": 1, "nonce": "nonce", "idempotencyKey": "key", "amount": 19900, "state": "Closed",
        "createTime": "2026-11-21T00:00:00Z", "currency": "KRW", "subscriptionID": "77"});
    bench.api.put(CLAIMS, claim("uid-1", &json!({"mode": "Subscription", "attempts": [attempt]})));
    for day in ["2026-12-21 09:00:00", "2027-01-21 09:00:00", "2027-01-21 09:00:00"] {
        let failed =
            [("pay_state", "99"), ("mul_no", ""), ("price", ""), ("rebill_no", "77"), ("pay_date", day)];
        assert_eq!(bench.send(notice(&failed)).await, taken());
    }
    let receipts = bench.api.all(RECEIPTS);
    assert_eq!(receipts.len(), 2, "one for each month");
    assert!(receipts.iter().all(|receipt| receipt["spec"]["subscriptionID"] == "77"));
}

#[tokio::test]
async fn without_the_merchants_keys_it_changes_nothing_and_is_told_nothing() {
    let bench = bench().await;
    let told = (StatusCode::BAD_REQUEST, "FAIL".to_owned());
    for forged in [("userid", "other"), ("linkkey", "x"), ("linkval", ""), ("mul_no", "1.5"), ("var1", "")] {
        assert_eq!(bench.send(notice(&[forged])).await, told, "{forged:?}");
    }
    assert_eq!(bench.api.calls(), 0);
    assert_eq!(bench.count("payapp", "rejected"), 5);
    for order in [("var1", "../paymentreceipts"), ("var1", "Not-a-UID")] {
        assert_eq!(bench.send(notice(&[order])).await, told, "{order:?}");
    }
    let withdrawn = notice(&[("var1", "uid-9"), ("pay_state", "8")]);
    assert_eq!(bench.send(withdrawn).await, told, "no money moved");
    assert_eq!(bench.api.all(RECEIPTS).len(), 0);
}

#[tokio::test]
async fn money_for_an_order_that_is_long_gone_is_stored_with_a_flag() {
    let bench = bench().await;
    for _ in 0..2 {
        assert_eq!(bench.send(notice(&[("var1", "uid-9")])).await, taken());
    }
    let receipts = bench.api.all(RECEIPTS);
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0]["spec"]["flags"], json!(["UnknownOrder"]));
    assert_eq!(receipts[0]["spec"]["orderUID"], "uid-9");
}
