//! Proofs that an authority asks for.

use instant_acme::{
    AuthorizationHandle, AuthorizationStatus, Challenge as Challenged, ChallengeStatus, ChallengeType,
    Identifier,
};

use crate::domains::dns::Text;

/// How a name is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// By a text in DNS (dns-01); the only one for wildcards.
    Dns,
    /// By a file at port 80 of the host (http-01).
    Http,
}

impl Method {
    /// Its name in ACME, which CAA records may hold as `validationmethods`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns-01",
            Self::Http => "http-01",
        }
    }

    pub(super) const fn kind(self) -> ChallengeType {
        match self {
            Self::Dns => ChallengeType::Dns01,
            Self::Http => ChallengeType::Http01,
        }
    }
}

/// A proof that is asked for and wasn't given yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The name as it was ordered, such as `*.example.dev`.
    pub name: String,
    /// What has to be where.
    pub proof: Proof,
}

/// What has to be where before a challenge is answered. None of it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A text, which for a wildcard stands under the name below the star, beside others.
    Dns(Text),
    /// A file at `http://{name}/.well-known/acme-challenge/{token}`.
    Http {
        /// The last part of its path.
        token: String,
        /// What it holds.
        key_authorization: String,
    },
}

/// What an authorization asks for.
pub(super) enum Asked {
    /// Nothing, or nothing any more.
    Nothing,
    /// This.
    Proof(Challenge),
    /// A proof for this name by another method.
    Otherwise(String),
}

/// What an authorization asks for whose name is proved by this method.
pub(super) fn asked<'a>(authorization: &'a mut AuthorizationHandle<'a>, method: Method) -> Asked {
    let name = name(authorization);
    if authorization.status != AuthorizationStatus::Pending {
        return Asked::Nothing;
    }
    let Some(challenge) = authorization.challenge(method.kind()) else { return Asked::Otherwise(name) };
    if challenge.status != ChallengeStatus::Pending {
        return Asked::Nothing;
    }
    let key = challenge.key_authorization();
    let proof = match method {
        Method::Dns => {
            Proof::Dns(Text { name: format!("_acme-challenge.{}", bare(&name)), value: key.dns_value() })
        }
        Method::Http => {
            Proof::Http { token: challenge.token.clone(), key_authorization: key.as_str().to_owned() }
        }
    };
    Asked::Proof(Challenge { name, proof })
}

/// Whether the authority waits for this proof.
pub(super) fn is_open(authorization: &AuthorizationHandle<'_>, method: Method) -> bool {
    let is_open = |one: &Challenged| one.r#type == method.kind() && one.status == ChallengeStatus::Pending;
    authorization.status == AuthorizationStatus::Pending && authorization.challenges.iter().any(is_open)
}

/// The name of an authorization, as it was ordered.
pub(super) fn name(authorization: &AuthorizationHandle<'_>) -> String {
    let identifier = authorization.identifier();
    match (identifier.identifier, identifier.wildcard) {
        (Identifier::Dns(name), true) => format!("*.{}", bare(name)),
        _ => identifier.to_string(),
    }
}

/// The name that is proved: a wildcard's is the one below the star.
fn bare(name: &str) -> &str {
    name.strip_prefix("*.").unwrap_or(name)
}
