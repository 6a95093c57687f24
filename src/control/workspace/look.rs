//! Looks at what no watch shows: `RoleBindings`, read by name.

use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::{Api, ResourceExt};

use super::facts::{Bound, Facts};
use super::members::{judge, role_name};
use crate::api::workspace::Role;
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;

/// Reads the `RoleBinding` of a role.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn look(ctx: &Context, now: Timestamp, facts: &mut Facts, role: Role) -> Result<(), Failure> {
    let bindings: Api<RoleBinding> =
        Api::namespaced(ctx.kube.clone(), &facts.workspace.namespace().unwrap_or_default());
    let standing = bindings.get_opt(role_name(role)).await?;
    facts.known.bindings.insert(role, Bound { fact: judge(role, standing.as_ref()), at: now });
    Ok(())
}
