//! Reads the environment's secret values: by name, from the Runtime's own namespace, only from labelled Secrets.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use secrecy::SecretString;

use super::facts::{EnvFact, Facts, Refusal};
use super::trouble::Failure;
use crate::api::refs::SecretKeyRef;
use crate::api::{label_key, reason};
use crate::control::context::Context;

/// Longest value, in bytes.
const MAX_VALUE: usize = 32 * 1024;

/// Every value that the spec takes from a Secret.
///
/// # Errors
/// If the API server can't be asked. A Secret that is missing or unfit is a fact, not an error.
pub async fn read(ctx: &Context, facts: &Facts) -> Result<EnvFact, Failure> {
    let namespace = facts.runtime.namespace().unwrap_or_default();
    let secrets: Api<Secret> = Api::namespaced(ctx.kube.clone(), &namespace);
    let mut cache: BTreeMap<&str, Option<Secret>> = BTreeMap::new();
    let mut values = BTreeMap::new();
    for env in &facts.runtime.spec.env {
        let Some(reference) = env.value_from.as_ref().map(|source| &source.secret_key_ref) else { continue };
        if !cache.contains_key(reference.name.as_str()) {
            cache.insert(&reference.name, secrets.get_opt(&reference.name).await?);
        }
        let secret = cache.get(reference.name.as_str()).and_then(Option::as_ref);
        match value(secret, reference) {
            Ok(value) => {
                values.insert(env.name.clone(), value);
            }
            Err(refusal) => return Ok(EnvFact::Refused(refusal)),
        }
    }
    Ok(EnvFact::Known(Arc::new(values)))
}

fn value(secret: Option<&Secret>, reference: &SecretKeyRef) -> Result<SecretString, Refusal> {
    let SecretKeyRef { name, key } = reference;
    let Some(secret) = secret else {
        return Err(Refusal::new(
            reason::SECRET_NOT_FOUND,
            format!(
                "There is no Secret `{name}` in this namespace. Create it, with the label `moorage.dev/use: runtime-env`; it is looked for every half minute."
            ),
        ));
    };
    if secret.labels().get(label_key::SECRET_USE).map(String::as_str) != Some(label_key::USE_RUNTIME_ENV) {
        return Err(Refusal::new(
            reason::SECRET_NOT_LABELLED,
            format!(
                "The Secret `{name}` isn't labelled `moorage.dev/use: runtime-env`, so it isn't read. Label it if a Runtime may use it."
            ),
        ));
    }
    let Some(bytes) = secret.data.as_ref().and_then(|data| data.get(key)) else {
        return Err(Refusal::new(
            reason::SECRET_KEY_NOT_FOUND,
            format!("The Secret `{name}` has no key `{key}`. Add it, or refer to one that it has."),
        ));
    };
    let text = (bytes.0.len() <= MAX_VALUE).then(|| String::from_utf8(bytes.0.clone()).ok()).flatten();
    match text {
        Some(text) if !text.contains('\0') => Ok(SecretString::from(text)),
        _ => Err(Refusal::new(
            reason::SECRET_VALUE_INVALID,
            format!(
                "The key `{key}` of the Secret `{name}` can't be a variable: it must be text of at most 32 kB."
            ),
        )),
    }
}
