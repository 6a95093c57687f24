//! Follows what changes at Fly: one list for the whole organisation, so that cost follows change and not the number
//! of Runtimes; and a slow sweep for what that list doesn't show.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fly_machines::types::{OrgMachine, OrgQuery};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::runtime::facts::Known;
use crate::api::Runtime;

/// Changes take time to show in the list: each look reaches back this far.
const OVERLAP: SignedDuration = SignedDuration::from_secs(90);
/// Most rows of one page.
const PAGE: u32 = 2000;
/// Pause between two Runtimes of the sweep. With the feed it stays below one request a second.
const SWEEP_PAUSE: Duration = Duration::from_secs(3);
/// Pause between two looks at the organisation while nothing is under way.
const IDLE_PAUSE: Duration = Duration::from_secs(5);

/// Follows the organisation until `shutdown`.
pub async fn follow(ctx: Arc<Context>, shutdown: CancellationToken) {
    let mut feed = Feed { seen: HashMap::new(), since: None };
    loop {
        let pause = feed.look(&ctx).await;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// What was seen of each Machine.
struct Feed {
    seen: HashMap<String, Seen>,
    since: Option<Timestamp>,
}

/// A Machine as the list showed it last.
#[derive(PartialEq, Eq)]
struct Seen {
    state: String,
    version: String,
    updated: Option<Timestamp>,
    gone: bool,
}

impl Feed {
    /// Asks for what changed, wakes those that it concerns, and says when to look again.
    async fn look(&mut self, ctx: &Context) -> Duration {
        let query = OrgQuery {
            updated_after: self.since,
            include_deleted: true,
            limit: Some(PAGE),
            ..OrgQuery::default()
        };
        match self.pages(ctx, query).await {
            Ok(0) => IDLE_PAUSE,
            Ok(_) => Duration::from_secs(u64::from(ctx.config.timing.feed_seconds)),
            Err(error) => {
                tracing::debug!(%error, "the organisation's list can't be read");
                error.retry_after().unwrap_or(IDLE_PAUSE * 2)
            }
        }
    }

    async fn pages(&mut self, ctx: &Context, mut query: OrgQuery) -> fly_machines::Result<usize> {
        let mut changed = 0;
        let mut newest = self.since;
        loop {
            let page = ctx.fly.org(&ctx.config.fly.organization).machines(&query).await?;
            for machine in &page.machines {
                newest = newest.max(machine.updated_at.and_then(|at| at.checked_sub(OVERLAP).ok()));
                if self.note(machine) {
                    changed += 1;
                    wake(ctx, machine);
                }
            }
            if page.next_cursor.is_empty() || page.machines.is_empty() {
                break;
            }
            query.cursor = Some(page.next_cursor);
        }
        self.since = newest.or(self.since);
        // What is gone is told of once, and is forgotten when it can't be listed any more.
        self.seen.retain(|_, seen| !seen.gone || seen.updated >= self.since);
        Ok(changed)
    }

    /// Whether the row tells something new. What is older than the overlap can't come again.
    fn note(&mut self, machine: &OrgMachine) -> bool {
        let now = Seen {
            state: machine.state.as_str().to_owned(),
            version: machine.instance_id.clone(),
            updated: machine.updated_at,
            gone: machine.state.is_gone(),
        };
        if self.seen.get(&machine.id) == Some(&now) {
            return false;
        }
        self.seen.insert(machine.id.clone(), now);
        true
    }
}

/// Has the Runtime of the Machine's app looked at, unless it has seen the same already.
fn wake(ctx: &Context, machine: &OrgMachine) {
    let Some(claim) = ctx.claims.by_app(&machine.app_name) else { return };
    let holder = &claim.spec.holder;
    let mut news = true;
    ctx.memory.change(&holder.uid, |entry| {
        if let Known::Present(known) = &entry.known.machine {
            news = known.id != machine.id
                || known.state != machine.state.as_str()
                || known.version != machine.instance_id;
        }
        if news {
            entry.known.machine = Known::Unknown;
        }
    });
    if news {
        let reference = kube::runtime::reflector::ObjectRef::new(&holder.name).within(&holder.namespace);
        ctx.triggers.runtimes.visit_ref(reference);
    }
}

/// Goes round the Runtimes at rest, one after the other, until `shutdown`: health checks, and whatever the
/// organisation's list doesn't show.
pub async fn sweep(ctx: Arc<Context>, shutdown: CancellationToken) {
    let mut round: Vec<Arc<Runtime>> = Vec::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(SWEEP_PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
        if round.is_empty() {
            round = ctx.stores.runtimes.state();
        }
        if let Some(runtime) = round.pop() {
            look_again(&ctx, &runtime);
        }
    }
}

fn look_again(ctx: &Context, runtime: &Runtime) {
    let Some(uid) = runtime.uid() else { return };
    let mut known = false;
    ctx.memory.change(&uid, |entry| {
        known = matches!(entry.known.machine, Known::Present(_));
        if known {
            entry.known.machine = Known::Unknown;
        }
    });
    if known {
        ctx.triggers.runtimes.visit(runtime);
    }
}
