use serde_json::{Value, json};

use super::*;
use crate::domains::DomainClass;

fn problem(kind: &str, detail: &str) -> Value {
    json!({"type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail})
}

fn judged(problem: &Value, status: u16, subject: Subject) -> AcmeError {
    let problem: Problem = serde_json::from_value(problem.clone()).unwrap();
    judge(&Error::Api(problem), Some(Head { status, retry_after: None }), subject)
}

fn failed(problem: &Value, hosts: &[&str]) -> AcmeError {
    let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
    failure(&serde_json::from_value(problem.clone()).unwrap(), &hosts)
}

#[test]
fn refusals_are_told_apart() {
    for (kind, status, cause, class) in [
        ("accountDoesNotExist", 400, Cause::AccountUnknown, DomainClass::Transient),
        ("malformed", 404, Cause::OrderUnknown, DomainClass::Transient),
        ("unauthorized", 403, Cause::OrderUnknown, DomainClass::Transient),
        ("rateLimited", 429, Cause::RateLimited, DomainClass::Transient),
        ("rateLimited", 403, Cause::RateLimited, DomainClass::Transient),
        ("malformed", 429, Cause::RateLimited, DomainClass::Transient),
        ("rejectedIdentifier", 400, Cause::IdentifierRejected, DomainClass::Human),
        ("caa", 403, Cause::CaaForbids, DomainClass::Human),
        ("externalAccountRequired", 403, Cause::ExternalAccountRequired, DomainClass::Human),
        ("invalidProfile", 400, Cause::ProfileInvalid, DomainClass::Human),
        ("alreadyReplaced", 409, Cause::AlreadyReplaced, DomainClass::Human),
        ("userActionRequired", 403, Cause::Refused, DomainClass::Human),
        ("badCSR", 400, Cause::Refused, DomainClass::Human),
        ("badNonce", 400, Cause::Unavailable, DomainClass::Transient),
        ("serverInternal", 500, Cause::Unavailable, DomainClass::Transient),
        ("whatever", 503, Cause::Unavailable, DomainClass::Transient),
    ] {
        let error = judged(&problem(kind, "because"), status, Subject::Order);
        assert_eq!((error.cause, error.error.class), (cause, class), "{kind} {status}");
        let text = error.to_string();
        assert!(text.ends_with('.') && !text.contains("urn:"), "{text}");
    }
    let account = judged(&problem("unauthorized", "it is deactivated"), 403, Subject::Account);
    assert_eq!(account.cause, Cause::Refused, "a new order names no order");
    assert!(account.to_string().contains("it is deactivated"), "{account}");
}

#[test]
fn a_finished_order_that_is_refused_is_not_begun_again_at_once() {
    let refused = judged(&problem("unauthorized", "CSR is missing a name"), 403, Subject::Request);
    assert_eq!((refused.cause, refused.error.class), (Cause::Refused, DomainClass::Human));
    assert_eq!(judged(&problem("malformed", "gone"), 404, Subject::Request).cause, Cause::OrderUnknown);
}

#[test]
fn an_account_that_is_paused_needs_a_person() {
    let detail = "Your account is temporarily prevented from requesting certificates for a.example.dev. Please visit: https://ca.example/sfe/v1/unpause?jwt=eyJ";
    let paused = judged(&problem("rateLimited", detail), 429, Subject::Account);
    assert_eq!((paused.cause, paused.error.class), (Cause::RateLimited, DomainClass::Human));
    let text = paused.to_string();
    assert!(text.contains("for a.example.dev. Somebody") && !text.contains("jwt"), "{text}");
}

#[test]
fn failed_proofs_are_told_apart_and_say_for_which_host() {
    for (kind, cause) in [
        ("unauthorized", Cause::ProofFailed(Fault::Unauthorized)),
        ("incorrectResponse", Cause::ProofFailed(Fault::Unauthorized)),
        ("dns", Cause::ProofFailed(Fault::Dns)),
        ("connection", Cause::ProofFailed(Fault::Connection)),
        ("tls", Cause::ProofFailed(Fault::Connection)),
        ("unheardOf", Cause::ProofFailed(Fault::Other)),
        ("caa", Cause::CaaForbids),
        ("rateLimited", Cause::RateLimited),
        ("serverInternal", Cause::Unavailable),
    ] {
        let error = failed(&problem(kind, "because"), &["a.example.dev"]);
        assert_eq!(error.cause, cause, "{kind}");
        let is_about_the_host = cause.is_failed_validation();
        assert_eq!(error.to_string().contains("a.example.dev"), is_about_the_host, "{error}");
    }
    let nameless = failed(&problem("dns", "SERVFAIL"), &[]);
    assert!(nameless.to_string().contains("for the hostname: SERVFAIL."), "{nameless}");
}

#[test]
fn a_problem_of_several_names_tells_which() {
    let part = |kind: &str, name: &str| {
        json!({"type": format!("urn:ietf:params:acme:error:{kind}"), "detail": "no",
            "identifier": {"type": "dns", "value": name}})
    };
    let mut bundle = problem("malformed", "Some of the identifiers requested were rejected");
    bundle["subproblems"] =
        json!([part("malformed", "_a.example.dev"), part("rejectedIdentifier", "b.example.dev")]);
    let error = judged(&bundle, 400, Subject::Account);
    assert_eq!(error.cause, Cause::IdentifierRejected);
    assert!(error.to_string().contains("for _a.example.dev, b.example.dev: Some of"), "{error}");
    let many: Vec<Value> = (0..100).map(|number| part("caa", &format!("{number}.example.dev"))).collect();
    bundle["subproblems"] = json!(many);
    let error = failed(&bundle, &["elsewhere.example.dev"]);
    assert_eq!(error.cause, Cause::CaaForbids);
    assert!(error.to_string().contains("4.example.dev and others: "), "{error}");
}

#[test]
fn the_pause_that_is_asked_for_is_told_with_the_failure() {
    let limited = Head { status: 429, retry_after: Some(Duration::from_secs(90)) };
    let head = Some(limited);
    let limit: Problem = serde_json::from_value(problem("rateLimited", "too many")).unwrap();
    let error = judge(&Error::Api(limit), head, Subject::Account);
    let now: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(error.wait_until(now), Some("2026-01-01T00:01:30Z".parse().unwrap()));
    // Some limits are told by no problem at all, but by a proxy.
    let proxied = judge(&Error::Str("html"), head, Subject::Account);
    assert_eq!(proxied.cause, Cause::RateLimited);
    let down = judge(&Error::Str("html"), Some(Head { status: 503, ..limited }), Subject::Order);
    assert_eq!((down.cause, down.error.retry_after), (Cause::Unavailable, Some(Duration::from_secs(90))));
}

#[test]
fn what_is_no_answer_of_acme_passes() {
    let judged =
        |status| judge(&Error::Str("html"), Some(Head { status, retry_after: None }), Subject::Account);
    assert_eq!(judged(200).cause, Cause::Unavailable);
    assert!(judged(200).to_string().contains("Check the directory's address"));
    assert!(judged(403).to_string().contains("Check the directory's address"));
    assert!(judged(502).to_string().contains("doesn't answer"));
    assert_eq!(judged(404).cause, Cause::Unavailable, "no order was asked for");
    assert_eq!(judge(&Error::Str("lost"), None, Subject::Order).cause, Cause::Unavailable);
    assert_eq!(judge(&Error::KeyRejected, None, Subject::Account).cause, Cause::AccountUnknown);
}
