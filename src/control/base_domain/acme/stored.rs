//! What has to survive a restart: the account, the order under way, texts in DNS, failures, the renewal's time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::api::{FIELD_MANAGER, label_key};
use crate::domains::dns::Text;

/// The Secret in the operator's namespace that holds it.
const SECRET: &str = "moorage-base-domain-acme";
/// The key in it.
const KEY: &str = "state.json";

/// What is stored. It holds keys: it is never logged or shown.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stored {
    /// The account's credentials.
    pub account: Option<Account>,
    /// The order under way.
    pub order: Option<OrderRecord>,
    /// Texts that were put into DNS, or are about to be, and not removed yet.
    pub texts: Vec<Text>,
    /// Failures in a row.
    pub failures: u32,
    /// When to try again at the earliest.
    pub next_try: Option<Timestamp>,
    /// The last failure's cause and remedy.
    pub problem: Option<String>,
    /// When the certificate is to be renewed, as the authority suggested.
    pub renewal: Option<Renewal>,
}

/// An account with one authority.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The authority's directory.
    pub directory: String,
    /// Id and key.
    pub credentials: String,
}

/// An order under way.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRecord {
    /// Its URL.
    pub url: String,
    /// The key that the certificate is for, PEM.
    pub key: String,
}

/// When to renew, as the authority suggested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Renewal {
    /// A moment drawn once from what it suggested; without a suggestion, none.
    pub at: Option<Timestamp>,
    /// When it was asked.
    pub asked: Timestamp,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored").field("failures", &self.failures).finish_non_exhaustive()
    }
}

/// Reads and writes it.
pub struct Store {
    api: Api<Secret>,
}

impl Store {
    /// In the operator's namespace.
    pub fn new(kube: Client, namespace: &str) -> Self {
        Self { api: Api::namespaced(kube, namespace) }
    }

    /// What is stored; nothing at first, nor if it can't be understood.
    ///
    /// # Errors
    /// If the API server refuses or can't be asked.
    pub async fn read(&self) -> kube::Result<Stored> {
        let secret = self.api.get_opt(SECRET).await?;
        let bytes = secret.and_then(|secret| secret.data?.remove(KEY));
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes.0).ok()).unwrap_or_default())
    }

    /// Stores it.
    ///
    /// # Errors
    /// If the API server refuses or can't be asked.
    pub async fn write(&self, stored: &Stored) -> kube::Result<()> {
        let bytes = serde_json::to_vec(stored).unwrap_or_default();
        self.apply(SECRET, "Opaque", &BTreeMap::from([(KEY.to_owned(), ByteString(bytes))])).await
    }

    /// Writes a certificate where everything else reads it.
    ///
    /// # Errors
    /// If the API server refuses or can't be asked.
    pub async fn write_certificate(&self, name: &str, chain: &str, key: &str) -> kube::Result<()> {
        let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
        let data = BTreeMap::from([("tls.crt".to_owned(), bytes(chain)), ("tls.key".to_owned(), bytes(key))]);
        self.apply(name, "kubernetes.io/tls", &data).await
    }

    async fn apply(&self, name: &str, kind: &str, data: &BTreeMap<String, ByteString>) -> kube::Result<()> {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "labels": {label_key::MANAGED_BY: FIELD_MANAGER}},
            "type": kind,
            "data": data,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.api.patch(name, &params, &Patch::Apply(&secret)).await.map(drop)
    }
}
