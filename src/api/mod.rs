//! The resources of `moorage.dev/v1alpha1`: types, validation rules, states and conditions. One file a kind.
//!
//! Nothing in here talks to anything: the types are data, the rules are CEL that the API server runs, and the
//! words that users see (states, condition types, reasons) each stand in one place.

#![allow(clippy::duplicated_attributes, reason = "each printer column has a type of its own")]

pub mod blueprint;
mod claim_key;
pub mod condition;
pub mod crd;
pub mod custom_domain;
pub mod domain_record;
pub mod label;
pub mod name_claim;
pub mod order_record;
pub mod payment_receipt;
pub mod plan;
pub mod reason;
mod receipt_key;
pub mod refs;
pub mod replacement;
pub mod runbook;
pub mod runtime;
pub mod runtime_order;
pub mod runtime_task;
mod shared_text;
pub mod state;
pub mod upgrade;
pub mod warm;
pub mod workspace;
pub mod workspace_policy;

pub use blueprint::{Blueprint, BlueprintSpec};
pub use condition::{Condition, ConditionStatus, ConditionType, Conditions};
pub use custom_domain::{CustomDomain, CustomDomainSpec, CustomDomainStatus};
pub use name_claim::{NameClaim, NameClaimSpec};
pub use payment_receipt::{PaymentReceipt, PaymentReceiptSpec};
pub use plan::{Plan, PlanSpec};
pub use refs::NameRef;
pub use runtime::{Runtime, RuntimeSpec, RuntimeStatus};
pub use runtime_order::{RuntimeOrder, RuntimeOrderSpec, RuntimeOrderStatus};
pub use runtime_task::{RuntimeTask, RuntimeTaskSpec, RuntimeTaskStatus};
pub use shared_text::SharedText;
pub use workspace::{Workspace, WorkspaceSpec, WorkspaceStatus};
pub use workspace_policy::{WorkspacePolicy, WorkspacePolicySpec};

/// The API group of every kind.
pub const GROUP: &str = "moorage.dev";
/// The served and stored version of every kind.
pub const VERSION: &str = "v1alpha1";
/// Field manager of the operator's own writes.
pub const FIELD_MANAGER: &str = "moorage";

/// Annotations that people set and the operator honours.
pub mod annotation {
    /// Restarts a Runtime once whenever its value changes; any text up to 64 characters, by custom a time.
    pub const RESTARTED_AT: &str = "moorage.dev/restarted-at";
    /// On a RuntimeOrder: the time (RFC 3339) at which the customer's own page at the payment provider is asked for.
    /// The link stands in the status for 15 minutes.
    pub const PORTAL_REQUESTED_AT: &str = "moorage.dev/portal-requested-at";
    /// On the Secret `moorage-acme-account` in the operator's namespace: asks for another key of the ACME account whenever
    /// its value changes; any text, by custom a time.
    pub const NEW_KEY_REQUESTED_AT: &str = "moorage.dev/new-key-requested-at";
    /// `true` holds one object: it is looked at, and nothing is begun for it. It is the tenant's to set, so it holds no
    /// stop for want of money or by a policy, and no account of what is paid.
    pub const PAUSED: &str = "moorage.dev/paused";
}

/// Labels that the operator sets or asks for.
pub mod label_key {
    /// On a Secret: its owner allows Moorage to read it (`runtime-env`).
    pub const SECRET_USE: &str = "moorage.dev/use";
    /// The value of [`SECRET_USE`] that lets Runtimes take their environment from the Secret.
    pub const USE_RUNTIME_ENV: &str = "runtime-env";
    /// Name of the Runtime that an object belongs to.
    pub const RUNTIME: &str = "moorage.dev/runtime";
    /// Prefix of the Namespace labels that only the platform may set, matched by WorkspacePolicies.
    pub const POLICY_PREFIX: &str = "policy.moorage.dev/";
    /// Set on everything that the operator makes.
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
}

/// Finalizer of a Runtime: its Fly resources are seen gone (or kept, as its policy says) before it is removed.
pub const RUNTIME_FINALIZER: &str = "moorage.dev/runtime-finalizer";
/// Finalizer of a CustomDomain: nothing leads to the Runtime under it any more before it is removed.
pub const DOMAIN_FINALIZER: &str = "moorage.dev/domain-finalizer";
/// Finalizer of a RuntimeOrder: its checkout or subscription is ended before it is removed.
pub const ORDER_FINALIZER: &str = "moorage.dev/order-finalizer";
/// Finalizer of a Workspace: it waits for its Runtimes, then gives its names back.
pub const WORKSPACE_FINALIZER: &str = "moorage.dev/workspace-finalizer";
