//! Tokens of warm apps: each is made from one key and the app's identity, so that nothing has to be kept for each.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use rand::RngCore;
use ring::hmac;
use secrecy::SecretString;
use std::collections::BTreeMap;

use crate::api::{FIELD_MANAGER, label_key, reason};
use crate::control::context::Context;
use crate::control::runtime::facts::Refusal;
use crate::control::runtime::token::hexadecimal;
use crate::control::runtime::trouble::Failure;

/// The Secret in the operator's namespace.
const SECRET: &str = "moorage-warm-tokens";
/// Where the key stands in it.
const KEY: &str = "key";
/// Its length in bytes.
const LENGTH: usize = 32;

/// The token of the warm app of this identity.
///
/// # Errors
/// If the key can't be read or made, or isn't one.
pub async fn token(ctx: &Context, identity: &str) -> Result<SecretString, Failure> {
    let secrets: Api<Secret> = Api::namespaced(ctx.kube.clone(), &ctx.config.namespace);
    let standing = match secrets.get_opt(SECRET).await? {
        Some(standing) => standing,
        None => make(&secrets).await?,
    };
    let key = standing.data.as_ref().and_then(|data| data.get(KEY)).filter(|key| key.0.len() == LENGTH);
    let Some(key) = key else { return Err(unfit().into()) };
    Ok(SecretString::from(derived(&key.0, identity)))
}

fn derived(key: &[u8], identity: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), identity.as_bytes());
    hexadecimal(tag.as_ref())
}

async fn make(secrets: &Api<Secret>) -> kube::Result<Secret> {
    let mut key = vec![0_u8; LENGTH];
    rand::rng().fill_bytes(&mut key);
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(SECRET.to_owned()),
            labels: Some(BTreeMap::from([(label_key::MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned())])),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(KEY.to_owned(), ByteString(key))])),
        ..Secret::default()
    };
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    match secrets.create(&params, &secret).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => secrets.get(SECRET).await,
        made => made,
    }
}

fn unfit() -> Refusal {
    Refusal::new(
        reason::SECRET_VALUE_INVALID,
        format!(
            "The Secret `{SECRET}` in the operator's namespace holds no usable key (`{KEY}`, {LENGTH} bytes). Delete it and a new one is made; warm apps are then restarted once with other tokens."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::derived;

    #[test]
    fn a_token_is_stable_and_each_app_has_its_own() {
        let (key, other) = ([1_u8; 32], [2_u8; 32]);
        assert_eq!(derived(&key, "abc"), derived(&key, "abc"));
        assert_ne!(derived(&key, "abc"), derived(&key, "abd"));
        assert_ne!(derived(&key, "abc"), derived(&other, "abc"));
        assert_eq!(derived(&key, "abc").len(), 64);
    }
}
