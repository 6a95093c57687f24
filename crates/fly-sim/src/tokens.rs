//! Who may call: tokens and the organisations, or single apps, that they are for.

use std::collections::HashMap;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::error::{ApiError, ApiResult};

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The organisation.
    pub org: String,
    /// The only app, for a deploy token.
    pub app: Option<String>,
}

/// Known tokens. Printing it for debugging shows none.
#[derive(Default)]
pub struct Tokens {
    open_to: Option<String>,
    known: HashMap<String, Grant>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Any token that isn't empty is good for this organisation.
    pub fn open(org: &str) -> Self {
        Self { open_to: Some(org.to_owned()), known: HashMap::new() }
    }

    /// Makes a token known, with or without its scheme.
    pub fn add(&mut self, token: &str, grant: Grant) {
        self.known.insert(strip_scheme(token).to_owned(), grant);
    }

    /// Tokens that are for one app only, which the simulator itself gave out.
    pub fn deploy_tokens(&self) -> Vec<(String, Grant)> {
        let single = self.known.iter().filter(|(_, grant)| grant.app.is_some());
        single.map(|(token, grant)| (token.clone(), grant.clone())).collect()
    }

    /// What the `Authorization` header grants.
    pub fn check(&self, header: Option<&str>) -> ApiResult<Grant> {
        let token = header.map(strip_scheme).filter(|token| !token.is_empty()).ok_or_else(unauthenticated)?;
        let known = || token.split(',').find_map(|part| self.known.get(part.trim()));
        let open = || self.open_to.as_ref().map(|org| Grant { org: org.clone(), app: None });
        self.known.get(token).or_else(known).cloned().or_else(open).ok_or_else(unauthenticated)
    }
}

fn strip_scheme(header: &str) -> &str {
    let mut rest = header.trim();
    while let Some((scheme, tail)) = rest.split_once(' ') {
        if !scheme.eq_ignore_ascii_case("bearer") && !scheme.eq_ignore_ascii_case("flyv1") {
            break;
        }
        rest = tail.trim();
    }
    let bare = |scheme: &str| rest.eq_ignore_ascii_case(scheme);
    if bare("bearer") || bare("flyv1") { "" } else { rest }
}

fn unauthenticated() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "Authenticate: token validation error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_schemes_are_taken_and_nothing_else() {
        let mut tokens = Tokens::default();
        tokens.add("FlyV1 fm2_abc", Grant { org: "acme".into(), app: None });
        let org = |header| tokens.check(header).map(|grant| grant.org).ok();
        assert_eq!(org(Some("Bearer fm2_abc")).as_deref(), Some("acme"));
        assert_eq!(org(Some("FlyV1 fm2_abc,fm2_discharge")).as_deref(), Some("acme"));
        assert_eq!(org(Some("Bearer FlyV1 fm2_abc")).as_deref(), Some("acme"));
        assert_eq!(org(Some("Bearer other")), None);
        assert_eq!(org(Some("Bearer ")), None);
        assert_eq!(org(None), None);
    }
}
