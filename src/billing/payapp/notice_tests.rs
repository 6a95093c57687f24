use proptest::prelude::*;

use super::*;
use crate::billing::payapp::{Expected, Fit, Judgement, judge};
use crate::billing::provider::Billing;
use crate::billing::receipt::ReceiptEvent;
use crate::billing::truth::Interval;

fn merchant() -> Merchant {
    Merchant {
        userid: "simshop".to_owned(),
        linkkey: SecretString::from("canary-key+/="),
        linkval: SecretString::from("canary-val"),
    }
}

fn body(changes: &[(&str, &str)]) -> Vec<u8> {
    let mut fields: BTreeMap<&str, &str> = [
        ("userid", "simshop"),
        ("linkkey", "canary-key+/="),
        ("linkval", "canary-val"),
        ("goodname", "오픈클로"),
        ("price", "19900"),
        ("pay_state", "4"),
        ("pay_date", "2026-11-21 23:08:27"),
        ("var1", "uid-1"),
        ("var2", "1-nonce"),
        ("mul_no", "31000001"),
        ("something_new", "1"),
    ]
    .into();
    fields.extend(changes.iter().copied());
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes()
}

fn read(changes: &[(&str, &str)]) -> Notice {
    merchant().check(&body(changes)).unwrap()
}

fn once() -> Expected {
    Expected {
        mark: "1-nonce".to_owned(),
        price: Money::new(19_900, KRW),
        billing: Billing::Once,
        payment: Some("31000001".to_owned()),
        subscription: None,
    }
}

fn monthly() -> Expected {
    Expected { billing: Billing::Every(Interval::Month), subscription: Some("77".to_owned()), ..once() }
}

#[test]
fn a_notice_says_what_it_is_about() {
    let notice = read(&[]);
    assert_eq!((notice.order.as_str(), notice.payment.as_str()), ("uid-1", "31000001"));
    assert_eq!((notice.state, notice.amount), (NoticeState::Paid, Some(Money::new(19_900, KRW))));
    assert_eq!(notice.paid_at, Some("2026-11-21T14:08:27Z".parse().unwrap()));
    assert_eq!(notice.subscription, None);
    assert_eq!(read(&[("rebill_no", "0")]).subscription, None);
}

#[test]
fn without_all_three_keys_it_is_forged() {
    for (name, value) in [
        ("userid", "simshop2"),
        ("linkkey", "canary-key"),
        ("linkkey", ""),
        ("linkval", "canary-va"),
        ("linkval", "canary-val "),
        ("linkval", "CANARY-VAL"),
    ] {
        assert_eq!(merchant().check(&body(&[(name, value)])), Err(Rejection::Forged), "{name}={value}");
    }
    let unset = Merchant { linkval: SecretString::from(""), ..merchant() };
    assert_eq!(unset.check(&body(&[("linkval", "")])), Err(Rejection::Forged));
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let mut twice = body(&[]);
    twice.extend_from_slice(b"&price=1000");
    assert_eq!(merchant().check(&twice), Err(Rejection::Malformed));
    for (name, value) in [
        ("pay_state", "four"),
        ("mul_no", ""),
        ("mul_no", "1 or 1"),
        ("var1", ""),
        ("var2", ""),
        ("rebill_no", "x"),
    ] {
        assert_eq!(merchant().check(&body(&[(name, value)])), Err(Rejection::Malformed), "{name}={value}");
    }
    assert_eq!(merchant().check(&vec![b'a'; MAX_NOTICE + 1]), Err(Rejection::TooLarge));
    let many: String = (0..200).map(|number| format!("a{number}=1&")).collect::<Vec<_>>().concat();
    assert_eq!(merchant().check(many.as_bytes()), Err(Rejection::Malformed));
}

#[test]
fn what_names_no_plain_amount_is_read_and_pays_for_nothing() {
    for price in ["", "19,900", "19900.0", "-1", "99999999999999999999"] {
        let paid = read(&[("price", price)]);
        assert_eq!(paid.amount, None, "{price}");
        assert_eq!(judge(&paid, &once()), Judgement::Store(ReceiptEvent::Paid, Fit::WrongAmount));
        let begun = read(&[("price", price), ("pay_state", "1")]);
        assert!(matches!(judge(&begun, &once()), Judgement::Record { .. }));
    }
}

#[test]
fn a_month_that_failed_needs_no_number_but_its_registrations() {
    let failed = |day: &str| {
        read(&[("pay_state", "99"), ("mul_no", ""), ("rebill_no", "77"), ("pay_date", ""), ("reqdate", day)])
    };
    assert_eq!(failed("2026-12-21 09:00:00").payment, "77-20261221");
    assert_ne!(failed("2027-01-21 09:00:00").payment, failed("2026-12-21 09:00:00").payment);
    let told = judge(&failed("2026-12-21"), &monthly());
    assert!(matches!(told, Judgement::Store(ReceiptEvent::RenewalFailed, _)), "{told:?}");
    let unnamed = body(&[("pay_state", "99"), ("mul_no", ""), ("rebill_no", "")]);
    assert_eq!(merchant().check(&unnamed), Err(Rejection::Malformed));
}

#[test]
fn four_alone_says_that_it_is_paid() {
    for number in 0..200 {
        let notice = read(&[("pay_state", &number.to_string())]);
        let is_paid = judge(&notice, &once()) == Judgement::Store(ReceiptEvent::Paid, Fit::Right);
        assert_eq!(is_paid, number == 4, "{number}");
    }
}

#[test]
fn the_request_is_recorded_and_pays_nothing() {
    let requested = read(&[("pay_state", "1"), ("price", "1")]);
    let recorded = Judgement::Record { payment: "31000001".to_owned(), subscription: None };
    for known in [None, Some("31000001".to_owned())] {
        assert_eq!(judge(&requested, &Expected { payment: known, ..once() }), recorded);
    }
    let other = Expected { payment: Some("31000002".to_owned()), ..once() };
    assert_eq!(judge(&requested, &other), Judgement::Stranger);
}

#[test]
fn a_payment_has_to_fit_what_was_recorded() {
    let paid = read(&[]);
    assert_eq!(judge(&paid, &once()), Judgement::Store(ReceiptEvent::Paid, Fit::Right));
    let cheap = read(&[("price", "1000")]);
    assert_eq!(judge(&cheap, &once()), Judgement::Store(ReceiptEvent::Paid, Fit::WrongAmount));
    for stranger in [
        Expected { mark: "2-nonce".to_owned(), ..once() },
        Expected { payment: None, ..once() },
        Expected { payment: Some("31000002".to_owned()), ..once() },
        Expected { payment: Some("31000002".to_owned()), ..monthly() },
    ] {
        assert_eq!(judge(&paid, &stranger), Judgement::Stranger, "{stranger:?}");
    }
}

#[test]
fn renewals_have_new_numbers_and_the_registration_has_to_fit() {
    let renewed = read(&[("mul_no", "31000099"), ("rebill_no", "77")]);
    assert_eq!(judge(&renewed, &monthly()), Judgement::Store(ReceiptEvent::Paid, Fit::Right));
    let other = read(&[("mul_no", "31000099"), ("rebill_no", "78")]);
    assert_eq!(judge(&other, &monthly()), Judgement::Stranger);
    assert_eq!(judge(&renewed, &once()), Judgement::Stranger);
    let begun = read(&[("pay_state", "1"), ("rebill_no", "77")]);
    let recorded = Judgement::Record { payment: "31000001".to_owned(), subscription: Some("77".to_owned()) };
    assert_eq!(judge(&begun, &Expected { payment: None, subscription: None, ..monthly() }), recorded);
}

#[test]
fn a_registration_is_known_by_the_number_of_its_request_until_its_own_is_told() {
    let begun = read(&[("pay_state", "1")]);
    let nothing = Expected { payment: None, subscription: None, ..monthly() };
    let by_request = Expected { payment: Some("31000001".to_owned()), ..nothing.clone() };
    let recorded = Judgement::Record { payment: "31000001".to_owned(), subscription: None };
    assert_eq!(judge(&begun, &nothing), recorded);
    assert_eq!(judge(&begun, &by_request), recorded);
    let other = read(&[("pay_state", "1"), ("mul_no", "31000002")]);
    assert_eq!(judge(&other, &by_request), Judgement::Stranger);
    let withdrawn = read(&[("pay_state", "8")]);
    assert_eq!(judge(&withdrawn, &by_request), Judgement::Store(ReceiptEvent::RequestCancelled, Fit::Right));
    assert_eq!(judge(&withdrawn, &nothing), Judgement::Stranger);
    // The mark is a secret of ours and PayApp's: what is paid with it is the attempt's, whatever was lost before.
    let paid = read(&[("rebill_no", "77")]);
    for known in [nothing, by_request] {
        assert_eq!(judge(&paid, &known), Judgement::Learn { subscription: "77".to_owned(), fit: Fit::Right });
    }
    assert_eq!(judge(&read(&[]), &monthly()), Judgement::Store(ReceiptEvent::Paid, Fit::Right));
}

#[test]
fn nothing_shows_the_keys() {
    let merchant = merchant();
    let notice = merchant.check(&body(&[])).unwrap();
    let refused = merchant.check(&body(&[("linkkey", "canary")])).unwrap_err();
    let shown = format!("{merchant:?} {notice:?} {refused:?} {refused}");
    assert!(!shown.contains("canary"), "{shown}");
}

proptest! {
    #[test]
    fn any_body_is_refused_and_never_panics(body in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(merchant().check(&body).is_err());
    }

    #[test]
    fn any_field_is_read_or_refused(name in "[a-z_0-9]{1,12}", value in ".*") {
        let _ = merchant().check(&body(&[(&name, &value)]));
    }
}
