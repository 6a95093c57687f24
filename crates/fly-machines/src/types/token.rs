//! What the caller's token may do.

use secrecy::SecretString;
use serde::Deserialize;

use super::secret::secret;
use super::wire::nullable;

/// The tokens in the caller's token string.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct TokensAnswer {
    /// One for each.
    #[serde(default, deserialize_with = "nullable")]
    pub tokens: Vec<TokenInfo>,
}

impl TokensAnswer {
    /// Whether one of the tokens is for this organisation, and neither for some apps nor for one Machine.
    pub fn covers_org(&self, org_slug: &str) -> bool {
        self.tokens.iter().any(|token| {
            token.org_slug == org_slug && token.apps.is_empty() && token.restricted_to_machine.is_empty()
        })
    }
}

/// One token.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct TokenInfo {
    /// Its id, which is no secret.
    #[serde(default, deserialize_with = "nullable")]
    pub token_id: String,
    /// The organisation's slug.
    #[serde(default, deserialize_with = "nullable")]
    pub org_slug: String,
    /// The organisation's id.
    #[serde(default, deserialize_with = "nullable")]
    pub organization: String,
    /// The apps that it is limited to; empty for all.
    #[serde(default, deserialize_with = "nullable")]
    pub apps: Vec<String>,
    /// Whose it is.
    #[serde(default, deserialize_with = "nullable")]
    pub user: String,
    /// The Machine that it is limited to.
    #[serde(default, deserialize_with = "nullable")]
    pub restricted_to_machine: String,
}

#[derive(Deserialize)]
pub(crate) struct DeployTokenAnswer {
    #[serde(default, deserialize_with = "secret")]
    pub(crate) token: Option<SecretString>,
}
