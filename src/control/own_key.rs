//! Keys of the operator's own: random, each made once, in a Secret of its own namespace.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use rand::RngCore;

use super::context::Context;
use crate::api::{FIELD_MANAGER, label_key};

/// Where a key stands in its Secret.
pub const FIELD: &str = "key";

/// What stands in the Secret as its key, made with this length in bytes if there is no such Secret; `None` if it has none.
///
/// # Errors
/// If it can't be read or made.
pub async fn read_or_make(ctx: &Context, secret: &str, length: usize) -> kube::Result<Option<Vec<u8>>> {
    let secrets: Api<Secret> = Api::namespaced(ctx.kube.clone(), &ctx.config.namespace);
    let standing = match secrets.get_opt(secret).await? {
        Some(standing) => standing,
        None => make(&secrets, secret, length).await?,
    };
    Ok(standing.data.and_then(|mut data| data.remove(FIELD)).map(|key| key.0))
}

/// One that another replica made first is taken as it is.
async fn make(secrets: &Api<Secret>, name: &str, length: usize) -> kube::Result<Secret> {
    let mut key = vec![0_u8; length];
    rand::rng().fill_bytes(&mut key);
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from([(label_key::MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned())])),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(FIELD.to_owned(), ByteString(key))])),
        ..Secret::default()
    };
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    match secrets.create(&params, &secret).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => secrets.get(name).await,
        made => made,
    }
}
