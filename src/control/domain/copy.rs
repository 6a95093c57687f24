//! The copy of an ordered certificate in the namespace of its CustomDomain, for whoever else needs it, such as an ingress.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use secrecy::ExposeSecret;
use serde_json::json;

use super::certificate::CopyFact;
use super::view::secret_name;
use crate::api::{CustomDomain, FIELD_MANAGER, label_key, reason};
use crate::control::context::Context;
use crate::control::runtime::facts::Refusal;
use crate::control::runtime::trouble::Failure;
use crate::domains::certificate::Certificate;

/// Whether it holds this certificate.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn read(
    ctx: &Context,
    domain: &CustomDomain,
    certificate: &Certificate,
) -> Result<CopyFact, Failure> {
    let secrets: Api<Secret> = Api::namespaced(ctx.kube.clone(), &domain.namespace().unwrap_or_default());
    let standing = secrets.get_opt(&secret_name(&domain.name_any())).await?;
    let holds = |secret: &Secret, key: &str, text: &str| {
        secret.data.as_ref().and_then(|data| data.get(key)).is_some_and(|bytes| bytes.0 == text.as_bytes())
    };
    let same = standing.is_some_and(|secret| {
        holds(&secret, "tls.crt", &certificate.chain)
            && holds(&secret, "tls.key", certificate.key.expose_secret())
    });
    Ok(if same { CopyFact::Of(certificate.fingerprint.clone()) } else { CopyFact::Gone })
}

/// Writes it. A Secret of that name that isn't ours is left alone.
///
/// # Errors
/// If there is one, or the API server refuses or can't be asked.
pub async fn write(ctx: &Context, domain: &CustomDomain, certificate: &Certificate) -> Result<(), Failure> {
    let name = secret_name(&domain.name_any());
    let secrets: Api<Secret> = Api::namespaced(ctx.kube.clone(), &domain.namespace().unwrap_or_default());
    let standing = secrets.get_metadata_opt(&name).await?;
    let is_ours = |uid: Option<&str>| uid == domain.metadata.uid.as_deref();
    let owned = standing
        .as_ref()
        .is_none_or(|secret| secret.owner_references().iter().any(|owner| is_ours(Some(owner.uid.as_str()))));
    if !owned {
        let message = format!(
            "The Secret `{name}` isn't ours, so the certificate isn't written into it. Remove it, or give it another name."
        );
        return Err(Refusal::new(reason::NAME_TAKEN, message).into());
    }
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "labels": {label_key::MANAGED_BY: FIELD_MANAGER},
            "ownerReferences": domain.controller_owner_ref(&()).map(|owner| vec![owner]).unwrap_or_default(),
        },
        "type": "kubernetes.io/tls",
        "data": {"tls.crt": bytes(&certificate.chain), "tls.key": bytes(certificate.key.expose_secret())},
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    secrets.patch(&name, &params, &Patch::Apply(&secret)).await?;
    Ok(())
}
