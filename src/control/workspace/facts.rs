//! What is known about one Workspace when a decision is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::step::Name;
use crate::api::name_claim::{ClaimType, Holder};
use crate::api::workspace::Role;
use crate::api::{NameClaim, WORKSPACE_FINALIZER, Workspace};
use crate::control::policy::EffectivePolicy;
use crate::control::runtime::facts::{NamespaceFact, Trouble};
use crate::engine::config::Mode;

/// Everything that `decide` sees.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What is declared.
    pub workspace: Arc<Workspace>,
    /// The cluster around it, from the caches.
    pub cluster: Cluster,
    /// What was read or went wrong, kept between visits.
    pub known: Knowledge,
}

/// What the caches say.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Whether the namespace is being deleted.
    pub namespace: NamespaceFact,
    /// Who holds the namespace.
    pub namespace_claim: Option<Arc<NameClaim>>,
    /// Who holds the subdomain.
    pub subdomain_claim: Option<Arc<NameClaim>>,
    /// What the platform allows.
    pub policy: EffectivePolicy,
    /// RuntimeOrders in the namespace.
    pub orders: usize,
    /// Runtimes in the namespace.
    pub runtimes: usize,
    /// Settings of the operator.
    pub settings: Settings,
}

/// Settings of the operator that decisions depend on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names the cluster.
    pub cluster_id: Arc<str>,
    /// Whether anything may be changed.
    pub mode: Mode,
    /// Time for which a freed name is kept for its last holder.
    pub tombstone: SignedDuration,
    /// Time that setting it up may take.
    pub start_deadline: SignedDuration,
    /// Time that its Runtimes may take to go.
    pub destroy_deadline: SignedDuration,
    /// Pause of slow retries, and between two looks at what no watch shows.
    pub slow_retry: SignedDuration,
}

/// What was read or went wrong. Nothing in here is needed after a restart.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// The `RoleBinding` of each role, as last read or written.
    pub bindings: BTreeMap<Role, Bound>,
    /// What went wrong last, until something succeeds again.
    pub trouble: Option<Trouble>,
}

/// A `RoleBinding` as it was last read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What it is.
    pub fact: BindingFact,
    /// When that was.
    pub at: Timestamp,
}

/// What a `RoleBinding` under our name is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindingFact {
    /// There is none.
    Missing,
    /// It binds another role, which can't be changed.
    Foreign,
    /// It binds our role to these subjects, see [`super::members::fingerprint`].
    Ours(String),
}

impl Facts {
    /// The claim on one of its names.
    pub fn claim(&self, name: Name) -> Option<&Arc<NameClaim>> {
        match name {
            Name::Namespace => self.cluster.namespace_claim.as_ref(),
            Name::Subdomain => self.cluster.subdomain_claim.as_ref(),
        }
    }

    /// Whether it holds one of its names.
    pub fn holds(&self, name: Name) -> bool {
        let uid = self.workspace.metadata.uid.as_deref();
        self.claim(name).is_some_and(|claim| {
            claim.spec.type_ == name.claim_type()
                && Some(claim.spec.holder.uid.as_str()) == uid
                && claim.spec.tombstone.is_none()
        })
    }

    /// The Workspace as a holder of names.
    pub fn holder(&self) -> Holder {
        Holder {
            namespace: self.workspace.namespace().unwrap_or_default(),
            name: self.workspace.name_any(),
            uid: self.workspace.uid().unwrap_or_default(),
        }
    }

    /// One of its names.
    pub fn name(&self, name: Name) -> String {
        match name {
            Name::Namespace => self.workspace.namespace().unwrap_or_default(),
            Name::Subdomain => self.workspace.spec.subdomain.clone(),
        }
    }

    /// Object name of the claim on one of its names.
    pub fn key(&self, name: Name) -> String {
        match name {
            Name::Namespace => NameClaim::namespace_key(&self.name(name)),
            Name::Subdomain => NameClaim::label_key(&self.name(name)),
        }
    }

    /// Pause between two looks at what no watch shows; not the same for all, so that they don't look in step.
    pub fn look_pause(&self) -> SignedDuration {
        let uid = self.workspace.metadata.uid.as_deref().unwrap_or_default();
        let spread = uid.bytes().fold(0_i32, |sum, byte| (sum * 31 + i32::from(byte)) % 128);
        let slow = self.cluster.settings.slow_retry;
        slow.saturating_add(slow / 256 * spread)
    }

    /// Whether our finalizer is on it.
    pub fn has_finalizer(&self) -> bool {
        self.workspace.finalizers().iter().any(|finalizer| finalizer == WORKSPACE_FINALIZER)
    }

    /// Whether it is being deleted.
    pub fn is_deleted(&self) -> bool {
        self.workspace.metadata.deletion_timestamp.is_some()
    }

    /// Generation of its spec.
    pub fn generation(&self) -> i64 {
        self.workspace.metadata.generation.unwrap_or_default()
    }
}

impl Name {
    /// The type of the claim on it.
    pub fn claim_type(self) -> ClaimType {
        match self {
            Self::Namespace => ClaimType::Namespace,
            Self::Subdomain => ClaimType::Subdomain,
        }
    }
}
