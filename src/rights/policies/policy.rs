//! An admission policy as data, and the API server's object for it.

use k8s_openapi::api::admissionregistration::v1::{
    MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingAdmissionPolicyBindingSpec, ValidatingAdmissionPolicySpec, Validation, Variable,
};

use crate::rights::{Installation, rbac};

/// A kind of write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Making an object.
    Create,
    /// Changing one, by update, patch or apply.
    Update,
    /// Removing one, singly or with others.
    Delete,
}

/// One policy: which writes it judges, and what must hold for them.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Name of the policy and of its binding.
    pub name: &'static str,
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Resources with the operations that are judged; `name/*` is every subresource.
    pub resources: &'static [(&'static [&'static str], &'static [Operation])],
    /// CEL expressions by name, beside `isOperator` and `isPlatform`, which every policy has.
    pub variables: &'static [(&'static str, &'static str)],
    /// What must hold; the first that doesn't is told to whoever asked.
    pub rules: &'static [Rule],
}

/// What must hold for a write.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// A CEL expression.
    pub holds: &'static str,
    /// What to tell whoever asked, the remedy included.
    pub message: &'static str,
}

impl Operation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

impl Policy {
    pub(super) fn object(&self, installation: &Installation) -> ValidatingAdmissionPolicy {
        let mut variables = who(installation);
        variables.extend(self.variables.iter().map(|(name, expression)| variable(name, expression)));
        let spec = ValidatingAdmissionPolicySpec {
            failure_policy: Some("Fail".into()),
            match_constraints: Some(self.matches()),
            variables: Some(variables),
            validations: Some(self.rules.iter().map(Rule::validation).collect()),
            ..ValidatingAdmissionPolicySpec::default()
        };
        ValidatingAdmissionPolicy { metadata: rbac::metadata(self.name), spec: Some(spec), status: None }
    }

    pub(super) fn binding(&self) -> ValidatingAdmissionPolicyBinding {
        let spec = ValidatingAdmissionPolicyBindingSpec {
            policy_name: self.name.into(),
            validation_actions: vec!["Deny".into()],
            ..ValidatingAdmissionPolicyBindingSpec::default()
        };
        ValidatingAdmissionPolicyBinding { metadata: rbac::metadata(self.name), spec }
    }

    /// Every version of the resources, so that a later version of a kind is not a way around.
    fn matches(&self) -> MatchResources {
        let rule = |(resources, operations): &(&[&str], &[Operation])| NamedRuleWithOperations {
            api_groups: Some(vec![self.group.into()]),
            api_versions: Some(vec!["*".into()]),
            operations: Some(operations.iter().map(|operation| operation.as_str().into()).collect()),
            resources: Some(resources.iter().map(|&resource| resource.into()).collect()),
            ..NamedRuleWithOperations::default()
        };
        MatchResources {
            resource_rules: Some(self.resources.iter().map(rule).collect()),
            ..MatchResources::default()
        }
    }
}

impl Rule {
    fn validation(&self) -> Validation {
        Validation {
            expression: self.holds.into(),
            message: Some(self.message.into()),
            reason: Some("Forbidden".into()),
            ..Validation::default()
        }
    }
}

/// The variables that say who asks. JSON lists of strings are CEL lists of strings.
fn who(installation: &Installation) -> Vec<Variable> {
    let list = |names: &[String]| serde_json::Value::from(names.to_vec()).to_string();
    let operator = format!("request.userInfo.username == '{}'", installation.operator_user());
    let platform = "request.userInfo.username in variables.platformUsers || \
        (has(request.userInfo.groups) && \
        request.userInfo.groups.exists(group, group in variables.platformGroups))";
    vec![
        variable("isOperator", &operator),
        variable("platformUsers", &list(&installation.platform.users)),
        variable("platformGroups", &list(&installation.platform.groups)),
        variable("isPlatform", platform),
    ]
}

fn variable(name: &str, expression: &str) -> Variable {
    Variable { name: name.into(), expression: expression.into() }
}
