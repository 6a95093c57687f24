//! The key that hostnames' proofs are made from: random, made once, in a Secret of the operator's own namespace.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use rand::RngCore;

use super::ownership::{KEY_LENGTH, Key};
use crate::api::{FIELD_MANAGER, label_key, reason};
use crate::control::context::Context;
use crate::control::runtime::facts::Refusal;
use crate::control::runtime::trouble::Failure;

/// The Secret in the operator's namespace.
pub const SECRET: &str = "moorage-domain-key";
/// Where the key stands in it.
const KEY: &str = "key";

/// The key; read once in a process's life.
///
/// # Errors
/// If it can't be read or made, or isn't one.
pub async fn read(ctx: &Context) -> Result<Key, Failure> {
    if let Some(key) = ctx.domains.key() {
        return Ok(key);
    }
    let secrets: Api<Secret> = Api::namespaced(ctx.kube.clone(), &ctx.config.namespace);
    let standing = match secrets.get_opt(SECRET).await? {
        Some(standing) => standing,
        None => make(&secrets).await?,
    };
    let bytes = standing.data.as_ref().and_then(|data| data.get(KEY)).map(|bytes| bytes.0.as_slice());
    let key = bytes.and_then(Key::new).ok_or_else(unfit)?;
    ctx.domains.keep_key(&key);
    Ok(key)
}

async fn make(secrets: &Api<Secret>) -> kube::Result<Secret> {
    let mut key = vec![0_u8; KEY_LENGTH];
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

fn unfit() -> Failure {
    Refusal::new(
        reason::SECRET_VALUE_INVALID,
        format!(
            "The Secret `{SECRET}` in the operator's namespace holds no usable key (`{KEY}`, {KEY_LENGTH} bytes). Restore it from a backup. If there is none, delete it: a new one is made, hostnames that are held stay so by their claims, and those that are pending get other records to set."
        ),
    )
    .into()
}
