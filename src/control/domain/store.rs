//! What the operator keeps for ordering certificates of one hostname: a Secret in its own namespace, since it holds keys
//! and addresses of orders, which no tenant is to write.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::certificate::{Kept, Stored, StoredOrder};
use super::facts::Count;
use crate::api::{FIELD_MANAGER, NameClaim, label_key};
use crate::control::context::Context;
use crate::domains::certificate::Certificate;
use crate::domains::dns::Text;
use crate::domains::name::Hostname;
use crate::engine::hash::short_hash;

/// Where the order under way stands.
const STATE: &str = "state.json";
/// Where the last certificate stands.
const CHAIN: &str = "tls.crt";
/// Where its key stands.
const KEY: &str = "tls.key";
/// Annotation with the hostname, for whoever looks at the Secret.
const HOSTNAME: &str = "moorage.dev/hostname";

/// The order under way, as it is stored.
#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct State {
    order: Option<Order>,
    texts: Vec<Text>,
    answers: Vec<String>,
}

#[derive(Deserialize, Serialize)]
struct Order {
    url: String,
    key: String,
    #[serde(default)]
    count: Option<Count>,
}

/// Name of the Secret: a hostname may be longer than a name, and begin with a star.
pub fn name(host: &Hostname) -> String {
    format!("moorage-domain-{}", short_hash(&[&NameClaim::hostname_key(host.as_str())], 16))
}

/// What is kept; nothing at first, nor if it can't be understood.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn read(ctx: &Context, host: &Hostname) -> kube::Result<Stored> {
    let secret = api(ctx).get_opt(&name(host)).await?;
    let kept = if secret.is_some() { Kept::Secret } else { Kept::Nothing };
    let mut data = secret.and_then(|secret| secret.data).unwrap_or_default();
    let mut text = |key: &str| data.remove(key).and_then(|bytes| String::from_utf8(bytes.0).ok());
    let state: State = text(STATE).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let (chain, key) = (text(CHAIN).unwrap_or_default(), text(KEY).unwrap_or_default());
    Ok(Stored {
        kept,
        order: state.order.map(|Order { url, key, count }| StoredOrder { url, key: key.into(), count }),
        texts: state.texts,
        answers: state.answers,
        certificate: Certificate::read(&chain, SecretString::from(key)).ok().map(Arc::new),
    })
}

/// Keeps it.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn write(ctx: &Context, host: &Hostname, stored: &mut Stored) -> kube::Result<()> {
    let order = stored.order.as_ref().map(|order| Order {
        url: order.url.clone(),
        key: order.key.expose_secret().to_owned(),
        count: order.count,
    });
    let state = State { order, texts: stored.texts.clone(), answers: stored.answers.clone() };
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    let mut data = BTreeMap::from([(STATE, ByteString(serde_json::to_vec(&state).unwrap_or_default()))]);
    if let Some(certificate) = &stored.certificate {
        data.insert(CHAIN, bytes(&certificate.chain));
        data.insert(KEY, bytes(certificate.key.expose_secret()));
    }
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name(host),
            "labels": {label_key::MANAGED_BY: FIELD_MANAGER},
            "annotations": {HOSTNAME: host.as_str()},
        },
        "type": "Opaque",
        "data": data,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api(ctx).patch(&name(host), &params, &Patch::Apply(&secret)).await?;
    stored.kept = Kept::Secret;
    Ok(())
}

/// Removes it.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn remove(ctx: &Context, host: &Hostname) -> kube::Result<()> {
    match api(ctx).delete(&name(host), &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
}

fn api(ctx: &Context) -> Api<Secret> {
    Api::namespaced(ctx.kube.clone(), &ctx.config.namespace)
}
