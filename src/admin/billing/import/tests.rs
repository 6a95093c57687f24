use super::*;

const TENANTS: [&str; 1] = ["abcdefghijklmnopqrst"];

fn made(text: &str) -> Result<BTreeMap<String, PaymentReceiptSpec>, String> {
    let past: Past = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let tenants = TENANTS.map(str::to_owned);
    receipts(&past, &tenants, "paula", "2026-11-21T12:00:00Z".parse().unwrap())
}

const TWO: &str = "
payments:
- tenant: abcdefghijklmnopqrst
  provider: PayApp
  id: '4711'
  amount: 19900 KRW
  time: 2025-03-01T09:00:00Z
  note: first month
- tenant: abcdefghijklmnopqrst
  provider: PayApp
  id: '4712'
  type: Refund
  refunds: '4711'
  amount: 19900 KRW
  time: 2025-03-02T09:00:00Z
";

#[test]
fn each_is_kept_under_its_tenant_and_funds_nothing() {
    let all = made(TWO).unwrap();
    assert_eq!(all.len(), 2);
    for spec in all.values() {
        assert_eq!(spec.order_uid, "tenant.abcdefghijklmnopqrst");
        assert_eq!((spec.provider, spec.amount, spec.currency.as_str()), (Provider::Manual, 19_900, "KRW"));
        assert!(spec.note.as_deref().unwrap().contains("imported by paula on 2026-11-21T12:00:00Z"));
    }
    assert!(all.values().any(|spec| spec.refunds.as_deref() == Some("PayApp/4711")));
}

#[test]
fn json_is_read_too_and_names_never_change() {
    let json = r#"{"payments": [{"tenant": "abcdefghijklmnopqrst", "provider": "PayApp", "id": "4711",
        "amount": "19900 KRW", "time": "2025-03-01T09:00:00Z"}]}"#;
    let name = made(json).unwrap().into_keys().next().unwrap();
    assert!(made(TWO).unwrap().contains_key(&name));
}

#[test]
fn what_cant_be_kept_is_named_and_nothing_is_made() {
    for (from, to, why) in [
        ("abcdefghijklmnopqrst", "other", "payment 1 (PayApp 4711): there is no tenant `other`"),
        ("'4712'\n  type: Refund\n  refunds: '4711'", "'4711'", "payment 2 (PayApp 4711): it stands twice"),
        ("refunds: '4711'\n", "note: x\n", "`refunds` must stand on a Refund"),
        ("19900 KRW", "199.5 KRW", "`amount`: "),
        ("19900 KRW", "-5 KRW", "at least 0"),
        ("2025-03-02", "2029-03-02", "in the future"),
        ("provider: PayApp", "provider: Pay App", "one word"),
        ("note:", "nota:", "nota"),
    ] {
        let refused = made(&TWO.replace(from, to)).unwrap_err();
        assert!(refused.contains(why), "{to}: {refused}");
    }
}
