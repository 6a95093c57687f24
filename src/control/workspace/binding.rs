//! Writes `RoleBindings`.

use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::facts::{BindingFact, Bound, Facts};
use super::members::{binding, judge, role_name};
use crate::api::FIELD_MANAGER;
use crate::api::workspace::Role;
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;

/// Gives a role to its members. Whatever else others set on the `RoleBinding` stays, but whom it binds.
pub async fn bind(ctx: &Context, now: Timestamp, facts: &mut Facts, role: Role) -> Result<(), Failure> {
    let Some(wanted) = binding(&facts.workspace, role) else { return Ok(()) };
    // Whatever comes of it, it has to be looked at again unless the answer tells.
    facts.known.bindings.remove(&role);
    let mut body = json!(wanted);
    body["apiVersion"] = json!("rbac.authorization.k8s.io/v1");
    body["kind"] = json!("RoleBinding");
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let written = api(ctx, facts).patch(role_name(role), &params, &Patch::Apply(&body)).await?;
    facts.known.bindings.insert(role, Bound { fact: judge(role, Some(&written)), at: now });
    Ok(())
}

/// Removes the `RoleBinding` of a role.
pub async fn unbind(ctx: &Context, now: Timestamp, facts: &mut Facts, role: Role) -> Result<(), Failure> {
    facts.known.bindings.remove(&role);
    match api(ctx, facts).delete(role_name(role), &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        done => drop(done?),
    }
    facts.known.bindings.insert(role, Bound { fact: BindingFact::Missing, at: now });
    Ok(())
}

fn api(ctx: &Context, facts: &Facts) -> Api<RoleBinding> {
    Api::namespaced(ctx.kube.clone(), &facts.workspace.namespace().unwrap_or_default())
}
