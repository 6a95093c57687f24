//! Gathers what is known: the caches at the start of a visit, and whatever the decision asks to look at.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::certificate::CopyFact;
use super::facts::{
    Above, Asked, Base, BaseRecords, Cluster, Facts, Knowledge, Rooms, RuntimeFact, Settings,
};
use super::memory::Wishes;
use crate::api::{CustomDomain, NameClaim, reason};
use crate::control::context::Context;
use crate::control::runtime::facts::{NamespaceFact, Refusal};
use crate::domains::name::Hostname;
use crate::engine::config::Config;

/// Fly's own domain, in which nobody brings hostnames.
const FLY: &str = "fly.dev";

/// The facts at the start of a visit.
pub fn gather(ctx: &Context, now: Timestamp, domain: Arc<CustomDomain>, known: Knowledge) -> Facts {
    let host = Hostname::parse(&domain.spec.hostname)
        .map_err(|error| Refusal::new(reason::HOSTNAME_INVALID, error.to_string()));
    let cluster = cluster(ctx, now, &domain, host.as_ref().ok());
    let mut facts = Facts { at: now, domain, host, cluster, known };
    facts.known.since.get_or_insert(now);
    if facts.cluster.runtime != RuntimeFact::Missing {
        facts.known.runtime_missing_since = None;
    }
    facts.align();
    facts
}

/// Takes in what was asked for while nobody visited.
pub fn wishes(facts: &mut Facts, wishes: Wishes) {
    let known = &mut facts.known;
    if wishes.dns {
        known.asked = Asked::Now;
    }
    if wishes.edge {
        known.edge_asked = Asked::Now;
    }
    if wishes.secret {
        known.material_asked = Asked::Now;
        known.copy = Some(CopyFact::Gone);
    }
}

/// What the caches say now.
pub fn cluster(ctx: &Context, now: Timestamp, domain: &CustomDomain, host: Option<&Hostname>) -> Cluster {
    let namespace = domain.namespace().unwrap_or_default();
    let meta = ctx.stores.namespaces.get(&ObjectRef::new(&namespace));
    let terminating = meta.is_some_and(|meta| meta.metadata.deletion_timestamp.is_some());
    let tenant = tenant(ctx, &namespace);
    let key = host.map(|host| NameClaim::hostname_key(host.as_str()));
    Cluster {
        namespace: if terminating { NamespaceFact::Terminating } else { NamespaceFact::Active },
        claim: key.as_deref().and_then(|key| ctx.claims.get(key)),
        above: host.map_or(Above::Free, |host| above(ctx, host, tenant.as_deref())),
        place: place(ctx, &namespace, domain),
        runtime: runtime(ctx, &namespace, &domain.spec.runtime_ref.name),
        base: ctx.base_domain.as_ref().map(|base| Base {
            name: base.settings().name.clone(),
            records: if base.provider().is_some() { BaseRecords::Kept } else { BaseRecords::Wildcard },
        }),
        acme: ctx.acme.as_ref().map(|acme| acme.offer(ctx)),
        rooms: match (&ctx.acme, host, &key) {
            (Some(acme), Some(host), Some(key)) => acme.rooms(ctx, now, host, key),
            _ => Rooms::FREE,
        },
        settings: settings(&ctx.config),
        tenant,
    }
}

/// Id of a namespace's tenant.
fn tenant(ctx: &Context, namespace: &str) -> Option<String> {
    let claim = ctx.claims.get(&NameClaim::namespace_key(namespace))?;
    claim.spec.tenant_id.clone()
}

/// Whether another tenant holds a name above, or a wildcard that the name is one of.
fn above(ctx: &Context, host: &Hostname, tenant: Option<&str>) -> Above {
    let held = |key: String| {
        ctx.claims.get(&key).is_some_and(|claim| {
            let holder = claim.spec.domain.as_ref().map(|record| record.tenant_id.as_str());
            claim.spec.tombstone.is_none() && holder != tenant
        })
    };
    let any = host.ancestors().any(|name| {
        held(NameClaim::hostname_key(name)) || held(NameClaim::hostname_key(&format!("*.{name}")))
    });
    if any { Above::Held } else { Above::Free }
}

/// Which place it has among the namespace's CustomDomains, the oldest first.
fn place(ctx: &Context, namespace: &str, domain: &CustomDomain) -> usize {
    let age = |domain: &CustomDomain| (domain.creation_timestamp().map(|time| time.0), domain.name_any());
    let own = age(domain);
    let names = ctx.index.domains.in_namespace(namespace);
    let older = names.iter().filter(|name| {
        let other = ctx.stores.domains.get(&ObjectRef::new(name.as_str()).within(namespace));
        other.is_some_and(|other| age(&other) < own)
    });
    older.count()
}

fn runtime(ctx: &Context, namespace: &str, name: &str) -> RuntimeFact {
    let Some(runtime) = ctx.stores.runtimes.get(&ObjectRef::new(name).within(namespace)) else {
        return RuntimeFact::Missing;
    };
    if runtime.metadata.deletion_timestamp.is_some() {
        return RuntimeFact::Going;
    }
    let claim = runtime.uid().and_then(|uid| ctx.claims.slug_of(&uid));
    let held = claim.filter(|claim| claim.spec.tombstone.is_none());
    match held.as_ref().and_then(|claim| claim.spec.runtime.as_ref()) {
        // A Machine stands in it, so it has its addresses.
        Some(identity) if identity.machine_id.is_some() => {
            RuntimeFact::Standing { app: identity.app.clone() }
        }
        _ => RuntimeFact::Pending,
    }
}

/// What decisions need of the configuration.
pub fn settings(config: &Config) -> Settings {
    let seconds = |seconds: u32| SignedDuration::from_secs(i64::from(seconds));
    let domains = &config.custom_domains;
    let own = config.base_domain.iter().map(|base| base.name.clone()).chain([FLY.to_owned()]);
    Settings {
        mode: config.mode,
        own_zones: own.chain(domains.refused_zones.iter().cloned()).collect(),
        most: usize::from(domains.per_namespace),
        recheck: seconds(domains.recheck_seconds),
        grace: seconds(domains.grace_seconds),
        contest: seconds(domains.contest_seconds),
        deadline: seconds(domains.deadline_seconds),
        patience: seconds(config.timing.start_deadline_seconds.min(120)),
        slow_retry: seconds(config.timing.slow_retry_seconds),
    }
}
