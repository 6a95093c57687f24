//! Answers to HTTP-01 challenges: a ConfigMap in the operator's namespace, from which every replica answers. None of them
//! is secret.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Map, Value, json};

use crate::api::{FIELD_MANAGER, label_key};

/// The ConfigMap.
pub const CONFIG_MAP: &str = "moorage-acme-challenges";
/// Longest token that is looked for.
pub const LONGEST_TOKEN: usize = 128;

/// Adds answers, by their tokens.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn add(kube: &Client, namespace: &str, answers: &[(String, String)]) -> kube::Result<()> {
    let data = answers.iter().map(|(token, answer)| (token.clone(), json!(answer))).collect();
    write(kube, namespace, data).await
}

/// Removes the answers of these tokens.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn remove(kube: &Client, namespace: &str, tokens: &[String]) -> kube::Result<()> {
    write(kube, namespace, tokens.iter().map(|token| (token.clone(), Value::Null)).collect()).await
}

/// The answer for a token, if there is one.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn find(kube: &Client, namespace: &str, token: &str) -> kube::Result<Option<String>> {
    let found = api(kube, namespace).get_opt(CONFIG_MAP).await?;
    Ok(found.and_then(|map| map.data?.remove(token)))
}

/// Whether a text can be a token: those of base64url.
pub fn is_token(text: &str) -> bool {
    (1..=LONGEST_TOKEN).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

async fn write(kube: &Client, namespace: &str, data: Map<String, Value>) -> kube::Result<()> {
    let api = api(kube, namespace);
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({"data": data}));
    match api.patch(CONFIG_MAP, &params, &patch).await {
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        other => return other.map(drop),
    }
    // An apply makes it if it isn't there, and takes nothing away of what another wrote meanwhile.
    let empty = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": CONFIG_MAP, "labels": {label_key::MANAGED_BY: FIELD_MANAGER}},
    });
    api.patch(CONFIG_MAP, &PatchParams::apply(FIELD_MANAGER), &Patch::Apply(&empty)).await?;
    api.patch(CONFIG_MAP, &params, &patch).await.map(drop)
}

fn api(kube: &Client, namespace: &str) -> Api<ConfigMap> {
    Api::namespaced(kube.clone(), namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_base64url_of_bounded_length() {
        assert!(is_token("LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0") && is_token("-_"));
        for wrong in ["", "a/b", "../x", "a b", "ä", &"a".repeat(129)] {
            assert!(!is_token(wrong), "{wrong}");
        }
    }
}
