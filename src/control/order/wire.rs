//! What concerns orders of what changes around them.

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use crate::api::condition::{ConditionType, is_true};
use crate::api::order_record::OrderRecord;
use crate::api::{NameClaim, PaymentReceipt, Runtime, RuntimeOrder};
use crate::control::context::Context;
use crate::engine::watch::Change;

/// Has a changed order visited, keeps the index of them, and forgets one that has gone.
pub fn order_changed(ctx: &Context, change: &Change<'_, RuntimeOrder>) {
    let index = &ctx.index.orders;
    match change {
        Change::Applied(order) => {
            index.add(&order.namespace().unwrap_or_default(), &order.name_any());
            ctx.triggers.orders.visit(order);
        }
        Change::Deleted(order) => {
            let namespace = order.namespace().unwrap_or_default();
            index.remove(&namespace, &order.name_any());
            if let Some(uid) = order.uid() {
                ctx.orders.forget(&uid);
            }
            // A Workspace may wait for just this.
            crate::control::workspace::wire::visit_namespace(ctx, &namespace);
        }
        Change::ListBegins => {}
        Change::ListEnds => index.retain(|namespace, name| {
            ctx.stores.orders.get(&ObjectRef::new(name).within(namespace)).is_some()
        }),
    }
}

/// Has the order visited that a receipt is for.
pub fn receipt_changed(ctx: &Context, change: &Change<'_, PaymentReceipt>) {
    ctx.receipts.changed(change);
    let (Change::Applied(receipt) | Change::Deleted(receipt)) = change else { return };
    if let Some(claim) = ctx.claims.get(&NameClaim::order_key(&receipt.spec.order_uid)) {
        visit_holder(ctx, &claim);
    }
}

/// Has the orders for a Runtime visited.
pub fn runtime_changed(ctx: &Context, change: &Change<'_, Runtime>) {
    let (Change::Applied(runtime) | Change::Deleted(runtime)) = change else { return };
    for claim in ctx.claims.orders_for(&runtime.namespace().unwrap_or_default(), &runtime.name_any()) {
        visit_holder(ctx, &claim);
    }
}

/// Has the Runtime visited that an order funds, and the orders that would fund it too.
pub fn claim_changed(ctx: &Context, claim: &NameClaim) {
    let Some(order) = &claim.spec.order else { return };
    visit_holder(ctx, claim);
    funding_changed(ctx, claim, order);
}

/// The watch tells no news of what we wrote ourselves: whoever writes where the funding of an order stands has the
/// Runtime visited, and the orders that would fund it too.
pub fn wrote(ctx: &Context, key: &str) {
    let Some(claim) = ctx.claims.get(key) else { return };
    if let Some(order) = &claim.spec.order {
        funding_changed(ctx, &claim, order);
    }
}

fn funding_changed(ctx: &Context, claim: &NameClaim, order: &OrderRecord) {
    let Some(funds) = &order.funds else { return };
    let namespace = &claim.spec.holder.namespace;
    ctx.triggers.runtimes.visit_ref(ObjectRef::new(&funds.name).within(namespace));
    let others = ctx.claims.orders_for(namespace, &funds.name);
    for other in others.iter().filter(|other| other.name_any() != claim.name_any()) {
        visit_holder(ctx, other);
    }
}

/// Has the orders visited that ask for a slug which is taken now: nobody is to pay for it any more.
pub fn slug_taken(ctx: &Context, slug: &str) {
    ctx.triggers.orders.visit_all(&ctx.stores.orders, |order| {
        order.spec.runtime.as_ref().is_some_and(|runtime| runtime.slug.as_deref() == Some(slug))
    });
}

/// Has every order of a namespace visited.
pub fn visit_namespace(ctx: &Context, namespace: &str) {
    for name in ctx.index.orders.in_namespace(namespace) {
        ctx.triggers.orders.visit_ref(ObjectRef::new(&name).within(namespace));
    }
}

/// Has every order visited that isn't at rest: it may have waited for just this.
pub fn visit_unsettled(ctx: &Context) {
    ctx.triggers.orders.visit_all(&ctx.stores.orders, |order| {
        !order.status.as_ref().is_some_and(|status| is_true(&status.conditions, ConditionType::Ready))
    });
}

fn visit_holder(ctx: &Context, claim: &NameClaim) {
    let holder = &claim.spec.holder;
    ctx.triggers.orders.visit_ref(ObjectRef::new(&holder.name).within(&holder.namespace));
}
