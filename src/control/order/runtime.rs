//! Makes the Runtime that an order funds, and deletes it.

use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};

use super::facts::Facts;
use crate::api::{FIELD_MANAGER, Runtime, RuntimeOrder, RuntimeSpec};
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;

/// Makes the Runtime, by the name that the order gives: one that exists already is decided on next.
pub async fn create(ctx: &Context, facts: &mut Facts) -> Result<(), Failure> {
    let Some(runtime) = wanted(&facts.order) else { return Ok(()) };
    let namespace = facts.order.namespace().unwrap_or_default();
    let api: Api<Runtime> = Api::namespaced(ctx.kube.clone(), &namespace);
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    let standing = match api.create(&params, &runtime).await {
        Ok(created) => created,
        Err(kube::Error::Api(status)) if status.is_already_exists() => api.get(&runtime.name_any()).await?,
        Err(error) => return Err(error.into()),
    };
    facts.cluster.runtime = Some(standing.into());
    facts.known.runtime_missing_at = None;
    Ok(())
}

/// The Runtime that the order makes, if it makes one.
pub fn wanted(order: &RuntimeOrder) -> Option<Runtime> {
    let wanted = order.spec.runtime.as_ref()?;
    let spec = RuntimeSpec {
        plan_ref: Some(order.spec.plan_ref.clone()),
        slug: wanted.slug.clone(),
        ..RuntimeSpec::default()
    };
    let mut runtime = Runtime::new(&wanted.name, spec);
    runtime.metadata.namespace.clone_from(&order.metadata.namespace);
    Some(runtime)
}

/// Deletes the Runtime of this UID, and no other of its name. Its own deletion policy says what becomes of its data.
pub async fn delete(ctx: &Context, namespace: &str, name: &str, uid: &str) -> Result<(), Failure> {
    let api: Api<Runtime> = Api::namespaced(ctx.kube.clone(), namespace);
    let exactly = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    let params = DeleteParams { preconditions: Some(exactly), ..DeleteParams::default() };
    match api.delete(name, &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
