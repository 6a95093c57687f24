//! Objects for the tests of this module.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kube::api::ObjectMeta;

use super::facts::{Bound, Cluster, Facts, Knowledge, Settings};
use super::members::{ROLES, binding, judge};
use super::step::Name;
use crate::api::condition::{Condition, ConditionStatus, ConditionType};
use crate::api::name_claim::{ClaimType, Holder, NameClaim, NameClaimSpec};
use crate::api::runtime::{RuntimeSpec, RuntimeStatus};
use crate::api::state::RuntimeState;
use crate::api::workspace::{Member, MemberKind, Role, WorkspaceSpec};
use crate::api::{Runtime, WORKSPACE_FINALIZER, Workspace};
use crate::control::policy::EffectivePolicy;
use crate::control::runtime::facts::NamespaceFact;
use crate::engine::config::Mode;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) fn member(kind: MemberKind, name: &str, role: Role) -> Member {
    Member { kind, name: name.to_owned(), role }
}

/// The Workspace `acme/acme` with our finalizer on it.
pub(crate) fn workspace() -> Workspace {
    Workspace {
        metadata: ObjectMeta {
            name: Some("acme".into()),
            namespace: Some("acme".into()),
            uid: Some("uid-1".into()),
            generation: Some(1),
            finalizers: Some(vec![WORKSPACE_FINALIZER.into()]),
            ..ObjectMeta::default()
        },
        spec: WorkspaceSpec {
            display_name: "Acme".into(),
            subdomain: "acme".into(),
            default_plan_ref: None,
            default_region: None,
            members: Vec::new(),
        },
        status: None,
    }
}

/// A claim on one of the Workspace's names, held by it.
pub(crate) fn claim(facts: &Facts, name: Name) -> NameClaim {
    let tenant = (name == Name::Namespace).then(|| "tenant-1".to_owned());
    NameClaim::new(
        &facts.key(name),
        NameClaimSpec {
            tenant_id: tenant,
            ..NameClaimSpec::new(name.claim_type(), facts.name(name), facts.holder())
        },
    )
}

/// Facts of a Workspace that was never visited, in an empty cluster.
pub(crate) fn fresh() -> Facts {
    Facts {
        workspace: Arc::new(workspace()),
        cluster: Cluster {
            namespace: NamespaceFact::Active,
            namespace_claim: None,
            subdomain_claim: None,
            policy: EffectivePolicy::unselected(10),
            orders: 0,
            runtimes: 0,
            settings: Settings {
                cluster_id: "test".into(),
                mode: Mode::ReadWrite,
                tombstone: SignedDuration::from_hours(1),
                start_deadline: SignedDuration::from_mins(10),
                destroy_deadline: SignedDuration::from_mins(30),
                slow_retry: SignedDuration::from_mins(10),
            },
        },
        known: Knowledge::default(),
    }
}

/// Facts of a Workspace that holds its names and whose members are bound, as seen at `now`.
pub(crate) fn settled(now: Timestamp) -> Facts {
    let mut facts = fresh();
    facts.cluster.namespace_claim = Some(Arc::new(claim(&facts, Name::Namespace)));
    facts.cluster.subdomain_claim = Some(Arc::new(claim(&facts, Name::Subdomain)));
    facts.known.bindings = ROLES
        .into_iter()
        .map(|role| {
            let fact = judge(role, binding(&facts.workspace, role).as_ref());
            (role, Bound { fact, at: now })
        })
        .collect::<BTreeMap<_, _>>();
    facts
}

/// Another holder of a name.
pub(crate) fn holder(namespace: &str, name: &str, uid: &str) -> Holder {
    Holder { namespace: namespace.into(), name: name.into(), uid: uid.into() }
}

/// Lets `change` alter the claim on a name.
pub(crate) fn claimed(mut facts: Facts, name: Name, change: impl FnOnce(&mut NameClaimSpec)) -> Facts {
    let mut claim = claim(&facts, name);
    change(&mut claim.spec);
    match name {
        Name::Namespace => facts.cluster.namespace_claim = Some(Arc::new(claim)),
        Name::Subdomain => facts.cluster.subdomain_claim = Some(Arc::new(claim)),
    }
    facts
}

/// The type of claims on slugs.
pub(crate) const SLUG: ClaimType = ClaimType::Slug;

pub(crate) fn runtime(name: &str) -> Runtime {
    let mut runtime = Runtime::new(name, RuntimeSpec::default());
    runtime.metadata.namespace = Some("acme".into());
    runtime.metadata.generation = Some(1);
    runtime
}

pub(crate) fn in_state(name: &str, state: RuntimeState) -> Runtime {
    let status = RuntimeStatus { state: Some(state), ..RuntimeStatus::default() };
    Runtime { status: Some(status), ..runtime(name) }
}

/// The Runtime with these conditions, since second 100.
pub(crate) fn with(mut runtime: Runtime, conditions: &[(ConditionType, ConditionStatus, &str)]) -> Runtime {
    let conditions = conditions.iter().map(|(type_, status, reason)| Condition {
        type_: *type_,
        status: *status,
        observed_generation: 1,
        last_transition_time: at(100),
        reason: (*reason).into(),
        message: format!("message of {reason}").into(),
    });
    runtime.status.get_or_insert_default().conditions = conditions.collect();
    runtime
}
