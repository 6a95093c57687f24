//! Who writes what, whatever rights somebody holds: one admission policy for each kind that is believed.
//!
//! Claims, receipts, policies, Plans and Blueprints are read as facts, so each verb on them has its writers, and
//! an administrator who isn't on the platform's list is refused like anybody else. The policies are CEL inside the
//! API server: there is no webhook that could be down. Kubernetes exempts admission policies from admission, so who
//! may delete these objects may do anything; `docs/security.md` says what that means.

mod policy;
mod writers;

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};

use super::Installation;
pub use policy::{Operation, Policy, Rule};

/// Every policy with the binding that puts it in force everywhere.
pub(super) fn all(
    installation: &Installation,
) -> Vec<(ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding)> {
    writers::POLICIES.iter().map(|policy| (policy.object(installation), policy.binding())).collect()
}

/// The policies, as data.
pub fn table() -> &'static [Policy] {
    writers::POLICIES
}
