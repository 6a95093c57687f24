//! Everything that an installation needs of the API server beside the CRDs, in the order in which it is applied.

use serde::Serialize;
use serde_json::Value;

use super::{Installation, policies, rbac};

/// Namespace, ServiceAccount, roles, bindings and admission policies.
///
/// # Errors
/// If one can't be written as JSON, which is a fault of the program.
pub fn objects(installation: &Installation) -> Result<Vec<Value>, serde_json::Error> {
    let mut all = vec![serde_json::to_value(rbac::namespace(installation))?];
    all.extend(rights(installation)?);
    all.extend(admission(installation)?);
    Ok(all)
}

/// [`objects`] as one YAML stream.
///
/// # Errors
/// If one can't be written as YAML, which is a fault of the program.
pub fn yaml(installation: &Installation) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    Ok(stream(&objects(installation)?)?)
}

/// What is needed besides, only where external-dns keeps the base domain's records, as one YAML stream.
///
/// # Errors
/// If one can't be written as YAML, which is a fault of the program.
pub fn external_dns_yaml(
    installation: &Installation,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    Ok(stream(&dns_endpoint_rights(installation)?)?)
}

/// ServiceAccount, roles and bindings.
pub(super) fn rights(installation: &Installation) -> Result<Vec<Value>, serde_json::Error> {
    let mut all = vec![
        value(&rbac::service_account(installation))?,
        value(&rbac::operator_cluster_role())?,
        value(&rbac::operator_role(installation))?,
    ];
    for role in rbac::shipped_roles() {
        all.push(value(&role)?);
    }
    all.push(value(&rbac::operator_cluster_role_binding(installation))?);
    all.push(value(&rbac::operator_role_binding(installation))?);
    Ok(all)
}

/// Role and binding that are needed only with external-dns.
pub(super) fn dns_endpoint_rights(installation: &Installation) -> Result<Vec<Value>, serde_json::Error> {
    Ok(vec![
        value(&rbac::dns_endpoint_role(installation))?,
        value(&rbac::dns_endpoint_role_binding(installation))?,
    ])
}

/// The admission policies, each with its binding.
pub(super) fn admission(installation: &Installation) -> Result<Vec<Value>, serde_json::Error> {
    let mut all = Vec::new();
    for (policy, binding) in policies::all(installation) {
        all.push(value(&policy)?);
        all.push(value(&binding)?);
    }
    Ok(all)
}

/// The documents, each after its separator.
pub(super) fn stream(objects: &[Value]) -> Result<String, serde_saphyr::ser::Error> {
    let mut text = String::new();
    for object in objects {
        text.push_str("---\n");
        text.push_str(serde_saphyr::to_string(object)?.trim_end());
        text.push('\n');
    }
    Ok(text)
}

fn value(object: &impl Serialize) -> Result<Value, serde_json::Error> {
    serde_json::to_value(object)
}
