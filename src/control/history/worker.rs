//! Writes the journal down and keeps the history bounded, in the background.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::book::Row;
use super::draft::End;
use super::journal::outcome;
use super::looks::{self, Sight};
use super::requests::{self, Progress, Subject};
use super::status;
use super::tidy::{Chore, Fate, Limits, chores};
use super::write::{remove, set_status, write};
use crate::api::{FIELD_MANAGER, Runtime, RuntimeTask};
use crate::control::context::Context;

/// Writes under way at once.
const CONCURRENCY: usize = 4;
/// Most drafts of one pass.
const BATCH: usize = 256;
/// Most chores of one pass.
const CHORES: usize = 64;
/// Pause between two passes while something is under way.
const PAUSE: Duration = Duration::from_millis(500);
/// Pause between two passes at rest.
const IDLE_PAUSE: Duration = Duration::from_secs(10);
/// The shortest time between two times of putting things in order: it looks at every task.
const TIDY_AT_MOST: SignedDuration = SignedDuration::from_secs(3);
/// The longest time without putting things in order: tasks age though nothing changes.
const TIDY_PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// Works until `shutdown`.
pub async fn run(ctx: Arc<Context>, shutdown: CancellationToken) {
    let mut tidied = Tidied::default();
    loop {
        let journal = &ctx.history.journal;
        let is_done = journal.is_empty() && tidied.left == Left::Nothing;
        let idle = if is_done { IDLE_PAUSE } else { PAUSE };
        tokio::select! {
            () = tokio::time::sleep(idle) => {}
            () = journal.due.notified(), if idle == IDLE_PAUSE => {}
            () = shutdown.cancelled() => return,
        }
        if ctx.leadership.is_current() {
            write_down(&ctx).await;
            tidied.tidy(&ctx).await;
        }
    }
}

/// Writes what is due, until nothing is.
async fn write_down(ctx: &Context) {
    let journal = &ctx.history.journal;
    loop {
        let due = journal.due(ctx.clock.now(), BATCH);
        if due.is_empty() {
            return;
        }
        futures::stream::iter(due)
            .for_each_concurrent(CONCURRENCY, |(uid, draft, next)| async move {
                let how = write(&ctx.kube, &draft, next).await;
                journal.wrote(&uid, &draft, next, how);
            })
            .await;
    }
}

/// Whether one pass put everything in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Left {
    /// It did.
    #[default]
    Nothing,
    /// There was more to do than fits one pass.
    More,
}

/// When things were last put in order.
#[derive(Debug, Default)]
struct Tidied {
    version: u64,
    at: Option<Timestamp>,
    left: Left,
}

impl Tidied {
    async fn tidy(&mut self, ctx: &Context) {
        let (now, version) = (ctx.clock.now(), ctx.history.book.version());
        let same = version == self.version && self.left == Left::Nothing;
        let pause = if same { TIDY_PAUSE } else { TIDY_AT_MOST };
        if self.at.is_some_and(|at| at.duration_until(now) < pause) {
            return;
        }
        (self.version, self.at) = (version, Some(now));
        let config = &ctx.config.task_history;
        let limits = Limits {
            per_runtime: usize::from(config.per_runtime),
            ttl: SignedDuration::from_secs(i64::from(config.ttl_seconds)),
        };
        let requests = ctx.history.book.open().into_iter().flat_map(|(namespace, open)| {
            let mut found = requests::chores(now, &open, |runtime| subject(ctx, &namespace, runtime));
            found.extend(looks::chores(now, &open, |domain| sight(ctx, &namespace, domain)));
            found.into_iter().map(move |chore| (namespace.clone(), chore)).collect::<Vec<_>>()
        });
        // One namespace after the other: a copy of every row would be the largest thing in memory.
        let all = ctx.history.book.namespaces().into_iter().flat_map(|namespace| {
            let rows = ctx.history.book.rows(&namespace);
            let found = chores(now, limits, &rows, |name, row| fate(ctx, now, &namespace, name, row));
            found.into_iter().map(move |chore| (namespace.clone(), chore)).collect::<Vec<_>>()
        });
        let few: Vec<_> = requests.chain(all).take(CHORES).collect();
        self.left = if few.len() == CHORES { Left::More } else { Left::Nothing };
        futures::stream::iter(few)
            .for_each_concurrent(CONCURRENCY, |(namespace, chore)| do_chore(ctx, namespace, chore))
            .await;
    }
}

/// What is known of the Runtime that a request names.
fn subject(ctx: &Context, namespace: &str, runtime: &str) -> Subject {
    let found = ctx.stores.runtimes.get(&ObjectRef::new(runtime).within(namespace));
    match found {
        None => Subject::Missing,
        Some(runtime) if runtime.metadata.deletion_timestamp.is_some() => Subject::Going,
        Some(runtime) => Subject::There(runtime.creation_timestamp().map_or(Timestamp::MIN, |time| time.0)),
    }
}

/// What is known of the CustomDomain that a request names.
fn sight(ctx: &Context, namespace: &str, domain: &str) -> Sight {
    let found = ctx.stores.domains.get(&ObjectRef::new(domain).within(namespace));
    match found.and_then(|domain| domain.uid()) {
        None => Sight::Missing,
        Some(uid) => ctx.domains.looked(&uid).map_or(Sight::Unseen, Sight::Seen),
    }
}

/// What became of the operation of an unfinished task.
fn fate(ctx: &Context, now: Timestamp, namespace: &str, name: &str, row: &Row) -> Fate {
    if ctx.history.journal.writes(namespace, name) {
        return Fate::GoesOn;
    }
    let runtime = ctx.stores.runtimes.get(&ObjectRef::new(&row.runtime).within(namespace));
    match runtime {
        None => Fate::Gone,
        Some(runtime) => fate_of(now, &runtime, row),
    }
}

fn fate_of(now: Timestamp, runtime: &Runtime, row: &Row) -> Fate {
    let status = runtime.status.clone().unwrap_or_default();
    match &status.operation {
        Some(operation) if operation.id == row.operation => Fate::GoesOn,
        _ => Fate::Ended(End { at: now, ..outcome(now, &status) }),
    }
}

async fn do_chore(ctx: &Context, namespace: String, chore: Chore) {
    let api: Api<RuntimeTask> = Api::namespaced(ctx.kube.clone(), &namespace);
    let done = match &chore {
        Chore::Remove(name, uid) => remove(&api, name, uid).await,
        Chore::Finish(name, end) => finish(&api, name, end).await,
        Chore::Tell(name, progress) => tell(ctx, &api, name, progress).await,
    };
    if let Err(error) = done {
        tracing::debug!(namespace, ?chore, %error, "a task can't be put in order; it is tried again");
    }
}

/// Says how far a request is, unless it has ended meanwhile.
async fn tell(ctx: &Context, api: &Api<RuntimeTask>, name: &str, progress: &Progress) -> kube::Result<()> {
    let Some(task) = api.get_opt(name).await? else { return Ok(()) };
    let standing = task.status.clone().unwrap_or_default();
    if standing.finish_time.is_some() {
        return Ok(());
    }
    let exactly = json!({"uid": task.metadata.uid, "resourceVersion": task.metadata.resource_version});
    let status = status::progress(ctx.clock.now(), progress, standing);
    let patch = Patch::Merge(json!({"metadata": exactly, "status": status}));
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    api.patch_status(name, &params, &patch).await.map(drop)
}

/// Ends a task, keeping its log and its beginning.
async fn finish(api: &Api<RuntimeTask>, name: &str, end: &End) -> kube::Result<()> {
    let Some(task) = api.get_opt(name).await? else { return Ok(()) };
    let standing = task.status.clone().unwrap_or_default();
    let began = standing.start_time.or(task.creation_timestamp().map(|time| time.0));
    set_status(api, name, &status::ended(began, end, standing.log)).await
}
