//! Why a step of an order failed, in kinds that a program can act on.

use jiff::{SignedDuration, Timestamp};

use crate::domains::DomainError;

/// Why a step failed. Its text has cause and remedy, and is stable: no addresses of pages, no ids, no times.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct AcmeError {
    /// What it comes down to.
    pub cause: Cause,
    /// How bad it is, in words for people, with the pause that the authority asks for.
    pub error: DomainError,
}

/// What a failure comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The authority doesn't know the account (any more): register anew.
    AccountUnknown,
    /// The authority doesn't know the order (any more): begin another.
    OrderUnknown,
    /// A limit of the authority's is reached.
    RateLimited,
    /// The authority doesn't issue for a name.
    IdentifierRejected,
    /// A CAA record keeps the authority from issuing.
    CaaForbids,
    /// The authority didn't find the proof.
    ProofFailed(Fault),
    /// The authority wants an external account.
    ExternalAccountRequired,
    /// The authority has no such profile.
    ProfileInvalid,
    /// The certificate was replaced by another order: order without that.
    AlreadyReplaced,
    /// It refuses for another reason.
    Refused,
    /// It doesn't answer, or answers with an error of its own.
    Unavailable,
    /// It was told to do something, and what became of that isn't known: it may have done it.
    Unanswered,
    /// It isn't the authority's doing.
    Elsewhere,
}

/// Where a proof failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Something else was there, or nothing.
    Unauthorized,
    /// DNS gave no answer.
    Dns,
    /// The host couldn't be reached.
    Connection,
    /// Elsewhere.
    Other,
}

impl Cause {
    /// A short name, for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountUnknown => "account_unknown",
            Self::OrderUnknown => "order_unknown",
            Self::RateLimited => "rate_limited",
            Self::IdentifierRejected => "identifier_rejected",
            Self::CaaForbids => "caa_forbids",
            Self::ProofFailed(Fault::Unauthorized) => "proof_unauthorized",
            Self::ProofFailed(Fault::Dns) => "proof_dns",
            Self::ProofFailed(Fault::Connection) => "proof_connection",
            Self::ProofFailed(Fault::Other) => "proof_failed",
            Self::ExternalAccountRequired => "external_account_required",
            Self::ProfileInvalid => "profile_invalid",
            Self::AlreadyReplaced => "already_replaced",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Unanswered => "unanswered",
            Self::Elsewhere => "elsewhere",
        }
    }

    /// Whether a validation failed, which authorities count.
    pub const fn is_failed_validation(self) -> bool {
        matches!(self, Self::ProofFailed(_) | Self::CaaForbids)
    }
}

impl AcmeError {
    pub(super) fn new(cause: Cause, error: DomainError) -> Self {
        Self { cause, error }
    }

    /// The authority doesn't know the account (any more).
    pub fn account_unknown() -> Self {
        let message = "The certificate authority doesn't know our account (any more); another one is made.";
        Self::new(Cause::AccountUnknown, DomainError::authority_unavailable(message))
    }

    /// The authority doesn't know the order (any more).
    pub fn order_unknown() -> Self {
        let message = "The certificate authority doesn't know our order (any more); another one is begun.";
        Self::new(Cause::OrderUnknown, DomainError::authority_unavailable(message))
    }

    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Cause::Unavailable, DomainError::authority_unavailable(message))
    }

    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self::new(Cause::Refused, DomainError::certificate_refused(message))
    }

    /// Until when the authority asks us to wait, if it does.
    pub fn wait_until(&self, now: Timestamp) -> Option<Timestamp> {
        let pause = SignedDuration::try_from(self.error.retry_after?).ok()?;
        now.saturating_add(pause).ok()
    }
}

impl From<DomainError> for AcmeError {
    fn from(error: DomainError) -> Self {
        Self::new(Cause::Elsewhere, error)
    }
}
