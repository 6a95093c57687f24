use proptest::prelude::*;

use super::*;

const ACCOUNT: &str = "https://acme.example/acct/1";

fn set(records: &[(&str, &str)]) -> CaaSet {
    let one = |(tag, value): &(&str, &str)| {
        let is_critical = tag.starts_with('!');
        Caa { is_critical, tag: tag.trim_start_matches('!').into(), value: (*value).into() }
    };
    CaaSet { name: "example.com".into(), records: records.iter().map(one).collect() }
}

fn admit(records: &[(&str, &str)], covers: Covers) -> Result<(), CaaError> {
    let identities = ["ca.example".to_owned(), "old-ca.example".to_owned()];
    let wanted = Issuance { identities: &identities, account: Some(ACCOUNT), method: Method::Dns01, covers };
    set(records).admit(&wanted)
}

#[track_caller]
fn admitted(records: &[(&str, &str)]) {
    assert_eq!(admit(records, Covers::Name), Ok(()), "{records:?}");
}

#[track_caller]
fn other_issuer(records: &[(&str, &str)]) {
    let error = admit(records, Covers::Name).unwrap_err();
    assert!(matches!(error, CaaError::Issuer { tag: "issue", .. }), "{records:?}: {error}");
}

#[test]
fn any_may_issue_where_no_issuer_is_named() {
    admitted(&[]);
    admitted(&[("iodef", "mailto:security@example.com")]);
    admitted(&[("issuemail", ";"), ("contactemail", "a@example.com")]);
    admitted(&[("issuewild", ";")]);
}

#[test]
fn those_that_are_named_may_issue() {
    for value in [
        "ca.example",
        " ca.example ",
        "CA.Example",
        "ca.example;",
        "ca.example ; ",
        "old-ca.example",
        "ca.example; policy=ev",
    ] {
        admitted(&[("issue", value)]);
        admitted(&[("issue", ";"), ("issue", "other.example"), ("issue", value)]);
    }
}

#[test]
fn nobody_else_may() {
    for value in ["", ";", " ; ", "other.example", "sub.ca.example", "example", "notca.example"] {
        other_issuer(&[("issue", value)]);
        other_issuer(&[("issue", value), ("issuewild", "ca.example"), ("iodef", "mailto:a@example.com")]);
    }
}

#[test]
fn what_is_written_wrongly_names_nobody() {
    for value in [
        "%%%%%",
        "ca.example policy=ev",
        "ca.example; policy",
        "ca.example; =ev",
        "ca.example; policy=ev;",
        "ca.example; -p=1",
        "ca.example; a=b c",
        "ca..example",
        "-ca.example",
        "ca.example.",
        "ca.example; a=ü",
    ] {
        other_issuer(&[("issue", value)]);
    }
}

#[test]
fn wildcards_have_a_property_of_their_own() {
    let wild = |records: &[(&str, &str)]| admit(records, Covers::Wildcard);
    assert_eq!(wild(&[("issue", "ca.example")]), Ok(()), "it counts as long as there is no other");
    assert_eq!(wild(&[("issue", "other.example"), ("issuewild", "ca.example")]), Ok(()));
    for records in [
        &[("issue", "ca.example"), ("issuewild", ";")][..],
        &[("issue", "ca.example"), ("issuewild", "other.example")],
    ] {
        assert!(matches!(wild(records), Err(CaaError::Issuer { tag: "issuewild", .. })), "{records:?}");
    }
    assert!(matches!(wild(&[("issue", ";")]), Err(CaaError::Issuer { tag: "issue", .. })));
}

#[test]
fn an_account_may_be_named() {
    let with = |parameters: &str| admit(&[("issue", &format!("ca.example{parameters}"))], Covers::Name);
    assert_eq!(with(&format!("; accounturi={ACCOUNT}")), Ok(()));
    assert_eq!(with(&format!(" ;\taccounturi = {ACCOUNT} ; policy=ev")), Ok(()));
    for parameters in [
        "; accounturi=https://acme.example/acct/2".to_owned(),
        "; accounturi=".to_owned(),
        format!("; accounturi={ACCOUNT}/"),
        format!("; accounturi={ACCOUNT}; accounturi={ACCOUNT}"),
    ] {
        assert!(matches!(with(&parameters), Err(CaaError::Account { .. })), "{parameters}");
    }
    let identities = ["ca.example".to_owned()];
    let unknown =
        Issuance { identities: &identities, account: None, method: Method::Http01, covers: Covers::Name };
    let error = set(&[("issue", "ca.example; accounturi=https://acme.example/acct/2")]).admit(&unknown);
    assert!(error.unwrap_err().to_string().contains("still to be made"));
}

#[test]
fn proofs_may_be_named() {
    let with = |parameters: &str| admit(&[("issue", &format!("ca.example; {parameters}"))], Covers::Name);
    assert_eq!(with("validationmethods=dns-01"), Ok(()));
    assert_eq!(with("validationmethods=http-01,dns-01"), Ok(()));
    assert_eq!(with(&format!("accounturi={ACCOUNT}; validationmethods=dns-01")), Ok(()));
    for parameters in [
        "validationmethods=http-01",
        "validationmethods=",
        "validationmethods=DNS-01",
        "validationmethods=dns-01; validationmethods=dns-01",
    ] {
        assert!(matches!(with(parameters), Err(CaaError::Method { .. })), "{parameters}");
    }
}

#[test]
fn one_record_that_lets_it_is_enough() {
    admitted(&[
        ("issue", "ca.example; accounturi=https://acme.example/acct/2"),
        ("issue", "ca.example; validationmethods=http-01"),
        ("issue", "old-ca.example"),
    ]);
    let both = [("issue", "ca.example; validationmethods=http-01"), ("issue", "other.example")];
    let error = admit(&both, Covers::Name).unwrap_err();
    assert!(matches!(error, CaaError::Method { .. }), "the nearest to success is told: {error}");
}

#[test]
fn what_is_critical_and_strange_forbids_everything() {
    let strange = [("issue", "ca.example"), ("!future", "x")];
    for covers in [Covers::Name, Covers::Wildcard] {
        let error = admit(&strange, covers).unwrap_err();
        assert_eq!(error, CaaError::Critical { name: "example.com".into(), tag: "future".into() });
    }
    admitted(&[("issue", "ca.example"), ("future", "x")]);
    admitted(&[("!issue", "ca.example"), ("!issuewild", ";"), ("!iodef", "x"), ("!issuemail", ";")]);
}

#[test]
fn a_refusal_says_what_to_do() {
    let error = admit(&[("issue", "other.example")], Covers::Name).unwrap_err().to_string();
    assert!(error.contains("`example.com CAA 0 issue \"ca.example\"`"), "{error}");
    let error = admit(&[("issue", "ca.example; accounturi=x")], Covers::Name).unwrap_err().to_string();
    assert!(error.contains(ACCOUNT) && error.contains("accounturi"), "{error}");
    let error = admit(&[("issue", "ca.example; validationmethods=x")], Covers::Name).unwrap_err().to_string();
    assert!(error.contains("dns-01") && error.contains("validationmethods"), "{error}");
}

proptest! {
    #[test]
    fn any_value_is_judged(tag in "(!?(issue|issuewild|iodef)|[!a-z]{0,5})", value in any::<String>()) {
        let _ = admit(&[(&tag, &value)], Covers::Wildcard);
    }

    #[test]
    fn a_stranger_is_never_let_in(value in "[a-z.;= \t-]{0,20}") {
        prop_assume!(value.split(';').next().unwrap_or_default().trim() != "ca.example");
        assert!(admit(&[("issue", &value)], Covers::Name).is_err());
    }
}
