//! What an authority's answers mean.

use std::time::Duration;

use instant_acme::{Error, Identifier, Problem};

use super::error::{AcmeError, Cause, Fault};
use super::said::said;
use crate::domains::DomainError;
use crate::domains::error::quoted;

/// Most names that one message tells.
const NAMED: usize = 5;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// An account, a new order, or what belongs to no order.
    Account,
    /// An order, or a part of one.
    Order,
    /// What an order is to be finished with.
    Request,
}

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
}

/// Whether the authority didn't take the nonce.
pub(super) fn is_bad_nonce(error: &Error) -> bool {
    matches!(error, Error::Api(problem) if word(problem.r#type.as_deref()) == "badNonce")
}

/// Whether the order isn't in a state to be finalized, as it is if a reply to that was lost.
pub(super) fn is_not_ready(error: &Error) -> bool {
    matches!(error, Error::Api(problem) if word(problem.r#type.as_deref()) == "orderNotReady")
}

/// What a failed call means; `head` is of the last answer that there was.
pub(super) fn judge(error: &Error, head: Option<Head>, subject: Subject) -> AcmeError {
    tracing::debug!(%error, ?head, "the certificate authority refused or failed");
    let judged = match (error, head.map(|head| head.status)) {
        (Error::Api(problem), status) => refusal(problem, problem.status.or(status), subject),
        (_, Some(429)) => limited("too many requests"),
        (_, Some(404)) if subject != Subject::Account => AcmeError::order_unknown(),
        (Error::KeyRejected, _) => AcmeError::account_unknown(),
        (_, Some(200..=499)) => AcmeError::unavailable(
            "The certificate authority's answer can't be understood; it is tried again. Check the directory's address.",
        ),
        _ => AcmeError::unavailable("The certificate authority doesn't answer; it is tried again."),
    };
    let pause = head.and_then(|head| head.retry_after);
    AcmeError { error: judged.error.retry_after(pause), ..judged }
}

fn refusal(problem: &Problem, status: Option<u16>, subject: Subject) -> AcmeError {
    let (kind, names, words) = (kind(problem), names(problem), said(problem.detail.as_deref()));
    let refused = |cause, message: String| AcmeError::new(cause, DomainError::certificate_refused(message));
    match (kind, status.unwrap_or_default()) {
        ("accountDoesNotExist", _) => AcmeError::account_unknown(),
        ("rateLimited", _) if is_paused(problem) => paused(&words),
        ("rateLimited", _) | (_, 429) => limited(&words),
        ("badNonce" | "serverInternal", _) | (_, 500..) => AcmeError::unavailable(format!(
            "The certificate authority couldn't do it ({}); it is tried again.",
            quoted(kind)
        )),
        ("rejectedIdentifier", _) => refused(
            Cause::IdentifierRejected,
            format!("The certificate authority doesn't issue for {names}: {words}. Use another hostname, or another authority."),
        ),
        ("caa", _) => forbidden(&names, &words),
        ("externalAccountRequired", _) => refused(
            Cause::ExternalAccountRequired,
            "The certificate authority wants an external account; configure `externalAccount` with the id and the key that it gave out.".into(),
        ),
        ("invalidProfile", _) => refused(
            Cause::ProfileInvalid,
            format!("The certificate authority doesn't know the profile: {words}. Configure one that its directory lists, or none."),
        ),
        ("alreadyReplaced", _) => refused(
            Cause::AlreadyReplaced,
            "The certificate was replaced by another order already; it is ordered anew.".into(),
        ),
        ("userActionRequired", _) => AcmeError::refused(
            "The certificate authority wants its new terms of service to be agreed to. Read them; with a new account they are agreed to.",
        ),
        (_, 404) if subject != Subject::Account => AcmeError::order_unknown(),
        // It is another account's. What an order is finished with is told so for what is wrong with that.
        ("unauthorized", _) if subject == Subject::Order => AcmeError::order_unknown(),
        _ => AcmeError::refused(format!(
            "The certificate authority refuses ({}): {words}. It is tried again, ever more slowly.",
            quoted(kind)
        )),
    }
}

fn limited(words: &str) -> AcmeError {
    let message = format!(
        "The certificate authority's limit is reached: {words}. It goes on when the limit allows it."
    );
    AcmeError::new(Cause::RateLimited, DomainError::certificate_limited(message))
}

/// Let's Encrypt stops orders for names that fail a thousand times, until somebody asks it to go on.
fn is_paused(problem: &Problem) -> bool {
    problem.detail.as_deref().is_some_and(|detail| detail.contains("/unpause"))
}

fn paused(words: &str) -> AcmeError {
    let message = format!(
        "The certificate authority has paused the account: {words}. Somebody has to have it unpaused at the address that the authority tells, which is in the operator's log at level debug."
    );
    AcmeError::new(Cause::RateLimited, DomainError::certificate_refused(message))
}

fn forbidden(names: &str, words: &str) -> AcmeError {
    let message = format!(
        "CAA records keep the certificate authority from issuing for {names}: {words}. Add a CAA record that names the authority, or remove them."
    );
    AcmeError::new(Cause::CaaForbids, DomainError::certificate_refused(message))
}

/// What it means that an authorization or an order failed with this problem. `hosts` are what it is about, if the
/// problem doesn't say.
pub(super) fn failure(problem: &Problem, hosts: &[String]) -> AcmeError {
    tracing::debug!(%problem, "the certificate authority gave an order up");
    let told = names(problem);
    let host = if problem.subproblems.iter().any(|part| part.identifier.is_some()) || hosts.is_empty() {
        told
    } else {
        listed(hosts)
    };
    let words = said(problem.detail.as_deref());
    let failed =
        |fault, message| AcmeError::new(Cause::ProofFailed(fault), DomainError::certificate_refused(message));
    match kind(problem) {
        "caa" => forbidden(&host, &words),
        "unauthorized" | "incorrectResponse" => failed(
            Fault::Unauthorized,
            format!(
                "The certificate authority doesn't find the proof for {host}: {words}. See that the hostname still leads here."
            ),
        ),
        "dns" => failed(
            Fault::Dns,
            format!(
                "The certificate authority gets no answer from DNS for {host}: {words}. Repair the domain's name servers."
            ),
        ),
        "connection" | "tls" => failed(
            Fault::Connection,
            format!(
                "The certificate authority can't reach {host}: {words}. See that the hostname leads here, with no address of somebody else's beside."
            ),
        ),
        "rateLimited" => limited(&words),
        "rejectedIdentifier" | "serverInternal" | "externalAccountRequired" | "invalidProfile" => {
            refusal(problem, problem.status, Subject::Order)
        }
        _ => {
            failed(Fault::Other, format!("The certificate authority gave the proof for {host} up: {words}."))
        }
    }
}

/// The kind of a problem; of one that only bundles others, that of the first.
fn kind(problem: &Problem) -> &str {
    let own = word(problem.r#type.as_deref());
    let first =
        problem.subproblems.iter().map(|part| word(part.r#type.as_deref())).find(|kind| *kind != "malformed");
    match (own, first) {
        ("compound" | "malformed" | "", Some(first)) => first,
        _ => own,
    }
}

fn word(kind: Option<&str>) -> &str {
    kind.unwrap_or_default().rsplit(':').next().unwrap_or_default()
}

fn names(problem: &Problem) -> String {
    let name = |identifier: &Identifier| match identifier {
        Identifier::Dns(name) => Some(name.clone()),
        _ => None,
    };
    let named: Vec<String> =
        problem.subproblems.iter().filter_map(|part| name(part.identifier.as_ref()?)).collect();
    if named.is_empty() { "the hostname".into() } else { listed(&named) }
}

fn listed(names: &[String]) -> String {
    let first: Vec<String> = names.iter().take(NAMED).map(quoted).collect();
    let more = if names.len() > NAMED { " and others" } else { "" };
    first.join(", ") + more
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
