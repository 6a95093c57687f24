use proptest::prelude::*;
use serde_json::json;

use super::*;

const AT: i64 = 1_780_000_000;
const SECRET: &str = "whsec_canary";

fn verifier(secrets: &[&str]) -> Verifier {
    let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
    Verifier::new(&secrets, Mode::Test)
}

fn sign(secret: &str, at: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, &[at.as_bytes(), b".", body].concat());
    let digits: Vec<String> = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

fn header(secret: &str, body: &[u8]) -> String {
    format!("t={AT},v1={}", sign(secret, &AT.to_string(), body))
}

fn now(offset: i64) -> Timestamp {
    Timestamp::from_second(AT + offset).unwrap()
}

fn event(object: &Value) -> Vec<u8> {
    json!({"id": "evt_1", "object": "event", "type": "invoice.paid", "livemode": false, "data": {"object": object}})
        .to_string()
        .into_bytes()
}

#[test]
fn a_known_vector_is_right() {
    // HMAC-SHA256 of "1700000000.{}" with the key "whsec_test", by `openssl dgst -sha256 -hmac`.
    let known = "35495024f4ef3f94e5a93e22221544c4b75e9a42300cd965ab81cb85cd994e91";
    assert_eq!(sign("whsec_test", "1700000000", b"{}"), known);
    let at = Timestamp::from_second(1_700_000_000).unwrap();
    let header = format!("t=1700000000,v1={known}");
    // It is right, and then `{}` is no event.
    assert_eq!(verifier(&["whsec_test"]).verify(Some(&header), b"{}", at), Err(Rejection::NotAnEvent));
    assert_eq!(verifier(&["whsec_test"]).verify(Some(&header), b"{ }", at), Err(Rejection::Forged));
}

#[test]
fn an_event_says_where_to_look() {
    let invoice = json!({"id": "in_1", "object": "invoice", "parent": {"subscription_details": {"subscription": "sub_1", "metadata": {"order": "uid-1"}}}});
    let body = event(&invoice);
    let hint = verifier(&[SECRET]).verify(Some(&header(SECRET, &body)), &body, now(0)).unwrap();
    assert_eq!((hint.event.as_str(), hint.kind.as_str()), ("evt_1", "invoice.paid"));
    assert_eq!(hint.ids, ["in_1", "sub_1"]);
    assert_eq!(hint.order.as_deref(), Some("uid-1"));

    let session = json!({"id": "cs_1", "client_reference_id": "uid-2", "payment_intent": {"id": "pi_1"}});
    let body = event(&session);
    let hint = verifier(&[SECRET]).verify(Some(&header(SECRET, &body)), &body, now(0)).unwrap();
    assert_eq!((hint.ids, hint.order.as_deref()), (vec!["cs_1".into(), "pi_1".into()], Some("uid-2")));
}

#[test]
fn any_signature_by_any_secret_is_enough_while_one_is_rolled() {
    let body = event(&json!({"id": "in_1"}));
    let old = sign("whsec_old", &AT.to_string(), &body);
    let new = sign("whsec_new", &AT.to_string(), &body);
    let both = format!("t={AT},v1={old},v1={new},v0=00,v2=zz");
    for secrets in [&["whsec_new"][..], &["whsec_old"], &["whsec_other", "whsec_old"]] {
        assert!(verifier(secrets).verify(Some(&both), &body, now(0)).is_ok(), "{secrets:?}");
    }
    assert_eq!(verifier(&["whsec_other"]).verify(Some(&both), &body, now(0)), Err(Rejection::Forged));
}

#[test]
fn no_secret_or_an_empty_one_takes_nothing() {
    let body = event(&json!({"id": "in_1"}));
    for secrets in [&[][..], &[""], &[" "]] {
        let header = header("", &body);
        assert_eq!(verifier(secrets).verify(Some(&header), &body, now(0)), Err(Rejection::Forged));
    }
}

#[test]
fn time_counts_in_both_directions() {
    let body = event(&json!({"id": "in_1"}));
    let header = header(SECRET, &body);
    for (offset, expected) in [(300, true), (-300, true), (301, false), (-301, false)] {
        let outcome = verifier(&[SECRET]).verify(Some(&header), &body, now(offset));
        assert_eq!(outcome.is_ok(), expected, "{offset}: {outcome:?}");
    }
}

#[test]
fn what_was_changed_or_isnt_an_event_for_us_is_refused() {
    let body = event(&json!({"id": "in_1"}));
    let good = header(SECRET, &body);
    let verifier = verifier(&[SECRET]);
    let mut changed = body.clone();
    changed.push(b' ');
    assert_eq!(verifier.verify(Some(&good), &changed, now(0)), Err(Rejection::Forged));
    assert_eq!(verifier.verify(None, &body, now(0)), Err(Rejection::Unsigned));
    for header in [
        "",
        "t=1",
        "v1=00",
        "t=,v1=00",
        "t=-1,v1=00",
        "t=1,v1=0g",
        "t=1,t=1,v1=00",
        "t=99999999999999999999,v1=00",
    ] {
        assert_eq!(verifier.verify(Some(header), &body, now(0)), Err(Rejection::Unsigned), "{header}");
    }
    let signed = |body: &[u8]| verifier.verify(Some(&header(SECRET, body)), body, now(0));
    assert_eq!(signed(b"not json"), Err(Rejection::NotAnEvent));
    let thin = json!({"id": "evt_1", "object": "v2.core.event", "livemode": false, "data": {"object": {}}});
    assert_eq!(signed(thin.to_string().as_bytes()), Err(Rejection::NotAnEvent));
    let live = json!({"id": "evt_1", "object": "event", "livemode": true, "data": {"object": {}}});
    assert_eq!(signed(live.to_string().as_bytes()), Err(Rejection::WrongMode));
    assert_eq!(signed(&vec![b' '; MAX_EVENT + 1]), Err(Rejection::TooLarge));
}

#[test]
fn nothing_shows_a_secret() {
    assert!(!format!("{:?}", verifier(&[SECRET])).contains("canary"));
}

proptest! {
    #[test]
    fn any_header_and_body_are_refused_and_never_panic(header in ".*", body in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(verifier(&[SECRET]).verify(Some(&header), &body, now(0)).is_err());
    }

    #[test]
    fn any_signed_body_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = verifier(&[SECRET]).verify(Some(&header(SECRET, &body)), &body, now(0));
    }

    #[test]
    fn one_wrong_digit_is_a_forgery(place in 0_usize..64, digit in "[0-9a-f]") {
        let body = event(&json!({"id": "in_1"}));
        let mut signature = sign(SECRET, &AT.to_string(), &body);
        let was_other = signature[place..=place] != digit;
        signature.replace_range(place..=place, &digit);
        let outcome = verifier(&[SECRET]).verify(Some(&format!("t={AT},v1={signature}")), &body, now(0));
        prop_assert_eq!(outcome.is_err(), was_other);
    }
}
