//! An authority's directory: where what is, and what it says about itself.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A directory, as far as it is read here; the rest is the library's.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Directory {
    pub(super) new_nonce: String,
    pub(super) key_change: Option<String>,
    pub(super) renewal_info: Option<String>,
    #[serde(default)]
    pub(super) meta: Metadata,
}

/// What an authority says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// The names by which CAA records allow it to issue.
    pub caa_identities: Vec<String>,
    /// The profiles that can be ordered by, with what they are.
    pub profiles: BTreeMap<String, String>,
    /// Whether accounts need an external account.
    pub external_account_required: bool,
    /// Where its terms of service are.
    pub terms_of_service: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_authority_says_of_itself_is_read() {
        let directory: Directory = serde_json::from_str(
            r#"{"newNonce": "https://ca.example/nonce", "newAccount": "https://ca.example/account",
                "keyChange": "https://ca.example/key", "renewalInfo": "https://ca.example/ari", "more": 1,
                "meta": {"caaIdentities": ["ca.example"], "externalAccountRequired": true,
                    "profiles": {"classic": "90 days"}, "termsOfService": "https://ca.example/terms"}}"#,
        )
        .unwrap();
        assert_eq!(directory.meta.caa_identities, ["ca.example"]);
        assert_eq!(directory.meta.profiles["classic"], "90 days");
        assert!(directory.meta.external_account_required);
        assert_eq!(directory.renewal_info.as_deref(), Some("https://ca.example/ari"));
        let bare: Directory = serde_json::from_str(r#"{"newNonce": "https://ca.example/nonce"}"#).unwrap();
        assert_eq!(bare.meta, Metadata::default());
    }
}
