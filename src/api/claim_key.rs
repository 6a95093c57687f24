//! Names of claims, and what the platform has confirmed on them.

use super::name_claim::{ClaimType, ConfirmAction, DeletionPhase, Holder};
use super::{NameClaim, NameClaimSpec};

impl NameClaimSpec {
    /// A name with its holder, and nothing else recorded yet.
    pub fn new(type_: ClaimType, name: impl Into<String>, holder: Holder) -> Self {
        Self {
            type_,
            name: name.into(),
            holder,
            confirm: None,
            tenant_id: None,
            warm: None,
            runtime: None,
            order: None,
            domain: None,
            deletion: None,
            tombstone: None,
        }
    }

    /// Name of the claim's object.
    pub fn key(&self) -> String {
        match self.type_ {
            ClaimType::Namespace => NameClaim::namespace_key(&self.name),
            ClaimType::Subdomain | ClaimType::Slug => NameClaim::label_key(&self.name),
            ClaimType::Warm => NameClaim::warm_key(&self.name),
            ClaimType::Order => NameClaim::order_key(&self.name),
            ClaimType::Hostname => NameClaim::hostname_key(&self.name),
        }
    }

    /// How far the holder's own deletion is.
    pub fn deletion_phase(&self) -> Option<DeletionPhase> {
        self.deletion.as_ref().filter(|deletion| deletion.uid == self.holder.uid).map(|it| it.phase)
    }

    /// Whether the platform has confirmed that the holder's deletion goes on.
    pub fn deletion_confirmed(&self) -> bool {
        self.confirm.as_ref().is_some_and(|confirm| {
            confirm.action == ConfirmAction::Deletion && confirm.uid == self.holder.uid
        })
    }

    /// Whether the platform has confirmed that the object with this UID takes over.
    pub fn takeover_confirmed(&self, uid: Option<&str>) -> bool {
        self.confirm.as_ref().is_some_and(|confirm| {
            confirm.action == ConfirmAction::Takeover && Some(confirm.uid.as_str()) == uid
        })
    }

    /// Whether it is an order's that funds nothing, whatever is paid for it: it is over, or was given up without a
    /// Runtime.
    pub fn funds_nothing(&self) -> bool {
        self.order.as_ref().is_some_and(|order| {
            let has_runtime = order.funds.as_ref().is_some_and(|funds| funds.uid.is_some());
            order.is_over() || (self.tombstone.is_some() && !has_runtime)
        })
    }
}

impl NameClaim {
    /// Object name of the claim on a namespace.
    pub fn namespace_key(namespace: &str) -> String {
        format!("namespace.{namespace}")
    }

    /// Object name of the claim of a warm app.
    pub fn warm_key(name: &str) -> String {
        format!("warm.{name}")
    }

    /// Object name of the claim of an order, by the UID of the first of its name.
    pub fn order_key(uid: &str) -> String {
        format!("order.{uid}")
    }

    /// Object name of the claim on a hostname, as DNS knows it; a wildcard's begins otherwise, since `*` can't stand in it.
    pub fn hostname_key(hostname: &str) -> String {
        match hostname.strip_prefix("*.") {
            Some(bare) => format!("wild.{bare}"),
            None => format!("host.{hostname}"),
        }
    }

    /// Object name of the claim on a label; slugs and subdomains share it.
    pub fn label_key(label: &str) -> String {
        format!("label.{label}")
    }
}
