//! What concerns hostnames of what changes around them.

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use crate::api::name_claim::ClaimType;
use crate::api::{CustomDomain, NameClaim, Runtime};
use crate::control::context::Context;
use crate::domains::name::Hostname;
use crate::engine::watch::Change;

/// Has a changed CustomDomain visited, keeps the indexes of them, and forgets one that has gone.
pub fn domain_changed(ctx: &Context, change: &Change<'_, CustomDomain>) {
    let index = &ctx.index;
    match change {
        Change::Applied(domain) => {
            index.domains.add(&domain.namespace().unwrap_or_default(), &domain.name_any());
            if let Some(key) = key_of(domain) {
                index.hostnames.add(&key, &path(domain));
            }
            ctx.triggers.domains.visit(domain);
        }
        Change::Deleted(domain) => {
            index.domains.remove(&domain.namespace().unwrap_or_default(), &domain.name_any());
            if let Some(key) = key_of(domain) {
                index.hostnames.remove(&key, &path(domain));
                visit_hostname(ctx, &key);
            }
            if let Some(uid) = domain.uid() {
                ctx.domains.forget(&uid);
            }
        }
        Change::ListBegins => {}
        Change::ListEnds => {
            index.domains.retain(|namespace, name| stands(ctx, namespace, name));
            index.hostnames.retain(|_, path| {
                path.split_once('/').is_some_and(|(namespace, name)| stands(ctx, namespace, name))
            });
        }
    }
}

fn stands(ctx: &Context, namespace: &str, name: &str) -> bool {
    ctx.stores.domains.get(&ObjectRef::new(name).within(namespace)).is_some()
}

fn path(domain: &CustomDomain) -> String {
    format!("{}/{}", domain.namespace().unwrap_or_default(), domain.name_any())
}

/// Name of the claim on the hostname that it is for.
fn key_of(domain: &CustomDomain) -> Option<String> {
    Hostname::parse(&domain.spec.hostname).ok().map(|host| NameClaim::hostname_key(host.as_str()))
}

/// Has everybody visited whom a hostname's claim concerns: those who want it, and the Runtime that it leads to.
pub fn claim_changed(ctx: &Context, claim: &NameClaim) {
    match claim.spec.type_ {
        ClaimType::Hostname => {
            visit_hostname(ctx, &claim.name_any());
            led_to(ctx, claim);
        }
        // The app of a Runtime is recorded, or goes.
        ClaimType::Slug => visit_of_runtime(ctx, &claim.spec.holder.namespace, &claim.spec.holder.name),
        // A namespace has a tenant now.
        ClaimType::Namespace => visit_namespace(ctx, &claim.spec.name),
        ClaimType::Subdomain | ClaimType::Warm | ClaimType::Order => {}
    }
}

/// The watch tells no news of what we wrote ourselves: whoever writes what a hostname leads to has the Runtime visited.
pub fn wrote(ctx: &Context, key: &str) {
    if let Some(claim) = ctx.claims.get(key) {
        visit_hostname(ctx, key);
        led_to(ctx, &claim);
    }
}

fn led_to(ctx: &Context, claim: &NameClaim) {
    let route = claim.spec.domain.as_ref().and_then(|record| record.route.as_ref());
    if let Some(slug) = route.and_then(|route| ctx.claims.by_app(&route.app)) {
        let holder = &slug.spec.holder;
        ctx.triggers.runtimes.visit_ref(ObjectRef::new(&holder.name).within(&holder.namespace));
    }
}

/// Has every CustomDomain visited that is for the hostname of this claim.
fn visit_hostname(ctx: &Context, key: &str) {
    for path in ctx.index.hostnames.in_namespace(key) {
        if let Some((namespace, name)) = path.split_once('/') {
            ctx.triggers.domains.visit_ref(ObjectRef::new(name).within(namespace));
        }
    }
}

/// Has the hostnames of a changed Runtime visited.
pub fn runtime_changed(ctx: &Context, change: &Change<'_, Runtime>) {
    let (Change::Applied(runtime) | Change::Deleted(runtime)) = change else { return };
    visit_of_runtime(ctx, &runtime.namespace().unwrap_or_default(), &runtime.name_any());
}

fn visit_of_runtime(ctx: &Context, namespace: &str, runtime: &str) {
    for name in ctx.index.domains.in_namespace(namespace) {
        let reference = ObjectRef::<CustomDomain>::new(&name).within(namespace);
        let is_for = |domain: &CustomDomain| domain.spec.runtime_ref.name == runtime;
        if ctx.stores.domains.get(&reference).is_some_and(|domain| is_for(&domain)) {
            ctx.triggers.domains.visit_ref(reference);
        }
    }
}

/// Has every CustomDomain of a namespace visited.
pub fn visit_namespace(ctx: &Context, namespace: &str) {
    for name in ctx.index.domains.in_namespace(namespace) {
        ctx.triggers.domains.visit_ref(ObjectRef::new(&name).within(namespace));
    }
}

/// Has a CustomDomain looked at in DNS at once, if there is one of that name.
pub fn look_now(ctx: &Context, namespace: &str, name: &str) {
    let reference = ObjectRef::<CustomDomain>::new(name).within(namespace);
    if let Some(uid) = ctx.stores.domains.get(&reference).and_then(|domain| domain.uid()) {
        ctx.domains.wish(&uid, |wishes| {
            wishes.dns = true;
            wishes.edge = true;
        });
        ctx.triggers.domains.visit_ref(reference);
    }
}
