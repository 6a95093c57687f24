//! What concerns Workspaces of what changes around them.

use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::pace::Noted;
use crate::api::{Runtime, RuntimeTask, Workspace};
use crate::control::context::Context;
use crate::control::domain::wire as domain_wire;
use crate::engine::watch::Change;

/// Keeps the index of Workspaces, and forgets one that has gone.
pub fn workspace_changed(ctx: &Context, change: &Change<'_, Workspace>) {
    let index = &ctx.index.workspaces;
    match change {
        Change::Applied(workspace) => index.add(&namespace_of(*workspace), &workspace.name_any()),
        Change::Deleted(workspace) => {
            index.remove(&namespace_of(*workspace), &workspace.name_any());
            if let Some(uid) = workspace.uid() {
                ctx.workspaces.forget(&uid);
            }
            visit_namespace(ctx, &namespace_of(*workspace));
        }
        Change::ListBegins => {}
        Change::ListEnds => index.retain(|namespace, name| {
            ctx.stores.workspaces.get(&ObjectRef::new(name).within(namespace)).is_some()
        }),
    }
}

/// Keeps the index of Runtimes, and has the dashboard of a namespace tell what happened in it.
pub fn runtime_changed(ctx: &Context, change: &Change<'_, Runtime>) {
    let index = &ctx.index.runtimes;
    match change {
        Change::Applied(runtime) => {
            let namespace = namespace_of(*runtime);
            index.add(&namespace, &runtime.name_any());
            news(ctx, &namespace);
        }
        Change::Deleted(runtime) => {
            let namespace = namespace_of(*runtime);
            index.remove(&namespace, &runtime.name_any());
            news(ctx, &namespace);
            if index.count(&namespace) == 0 {
                // A Workspace may wait for just this.
                visit_namespace(ctx, &namespace);
            }
        }
        Change::ListBegins => {}
        Change::ListEnds => {
            index.retain(|namespace, name| {
                ctx.stores.runtimes.get(&ObjectRef::new(name).within(namespace)).is_some()
            });
            news_everywhere(ctx);
        }
    }
}

/// Keeps the book of tasks, and has dashboards show the newest.
pub fn task_changed(ctx: &Context, change: &Change<'_, RuntimeTask>) {
    ctx.history.book.changed(change);
    if matches!(change, Change::ListEnds) {
        news_everywhere(ctx);
    }
    if let Change::Applied(task) | Change::Deleted(task) = change {
        let namespace = namespace_of(*task);
        news(ctx, &namespace);
        if task.spec.operation_id.is_none() {
            let runtime = ObjectRef::new(&task.spec.runtime_ref.name).within(&namespace);
            ctx.triggers.runtimes.visit_ref(runtime);
            ctx.history.journal.due.notify_one();
            if let Some(domain) = task.spec.domain_ref.as_ref().filter(|_| is_open(task)) {
                domain_wire::look_now(ctx, &namespace, &domain.name);
            }
        }
    }
}

/// Whether nothing came of a request yet.
fn is_open(task: &RuntimeTask) -> bool {
    task.status.as_ref().is_none_or(|status| status.finish_time.is_none())
}

fn news_everywhere(ctx: &Context) {
    for workspace in ctx.stores.workspaces.state() {
        news(ctx, &namespace_of(&*workspace));
    }
}

/// Something happened in the namespace that its dashboard should tell. Cheap: while a dashboard is due anyway,
/// nothing is asked for.
pub fn news(ctx: &Context, namespace: &str) {
    if ctx.news.note(namespace) == Noted::First {
        visit_namespace(ctx, namespace);
    }
}

/// Has every Workspace of the namespace visited.
pub fn visit_namespace(ctx: &Context, namespace: &str) {
    for name in ctx.index.workspaces.in_namespace(namespace) {
        ctx.triggers.workspaces.visit_ref(ObjectRef::new(&name).within(namespace));
    }
}

/// Has every Workspace visited that isn't at rest: it may have waited for just this.
pub fn visit_unsettled(ctx: &Context) {
    use crate::api::condition::{ConditionType, is_true};
    ctx.triggers.workspaces.visit_all(&ctx.stores.workspaces, |workspace| {
        !workspace.status.as_ref().is_some_and(|status| is_true(&status.conditions, ConditionType::Ready))
    });
}

/// The Workspaces of a namespace.
pub fn workspaces(ctx: &Context, namespace: &str) -> Vec<Arc<Workspace>> {
    let names = ctx.index.workspaces.in_namespace(namespace);
    names
        .iter()
        .filter_map(|name| ctx.stores.workspaces.get(&ObjectRef::new(name).within(namespace)))
        .collect()
}

fn namespace_of(object: &impl ResourceExt) -> String {
    object.namespace().unwrap_or_default()
}
