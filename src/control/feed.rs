//! Follows what changes at Fly: one list for the whole organisation, so that cost follows change and not the number
//! of Runtimes; and a slow sweep for what that list doesn't show.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use fly_machines::types::{OrgMachine, OrgQuery};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::rotation;
use super::runtime::desired::{metadata, token_secret};
use super::runtime::facts::Known;
use super::runtime::machine_fact::listed_fact;
use super::runtime::survey::knows_machine;
use crate::api::{NameClaimSpec, Runtime};

/// Changes take time to show in the list: each look reaches back this far,
const OVERLAP: SignedDuration = SignedDuration::from_secs(90);
/// and some look this far: a few changes take minutes to show.
const REACH: SignedDuration = SignedDuration::from_mins(5);
/// Time between two looks that reach so far back, while something changed as lately as that: a list of all of that time
/// is long while very many are made.
const REACH_PAUSE: Duration = Duration::from_secs(20);
/// Time between two of them at rest.
const REACH_PAUSE_AT_REST: Duration = Duration::from_mins(5);
/// A list may begin so much earlier than it is asked to.
const EXACTNESS: SignedDuration = SignedDuration::from_secs(1);
/// Most rows of one page.
const PAGE: u32 = 2000;
/// Pause between two Runtimes of the sweep. With the feed it stays below one request a second.
const SWEEP_PAUSE: Duration = Duration::from_secs(3);
/// Pause between two looks at the organisation while nothing is under way.
const IDLE_PAUSE: Duration = Duration::from_secs(5);

/// Longest time that the first list may take before Runtimes are visited without it.
const FIRST_WITHIN: Duration = Duration::from_secs(15);

/// What is followed of the organisation.
#[derive(Debug, Default)]
pub struct Feed {
    /// Machines that the next look may show again, by id.
    seen: HashMap<String, Seen>,
    newest: Option<Newest>,
    /// When a look last reached back as far as changes may take to show.
    reached_back: Option<Instant>,
}

/// The last change that a list showed.
#[derive(Clone, Copy, Debug)]
struct Newest {
    /// When it took place, by Fly's clock.
    changed: Timestamp,
    /// When we first saw it, by ours.
    seen: Instant,
}

/// A Machine as the list showed it last.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    state: String,
    version: String,
    updated: Option<Timestamp>,
}

/// What to make of the rows of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    /// They tell how things stood at the start: what they show needn't be asked for one by one.
    First,
    /// They tell what changed.
    News,
}

/// Reads the whole organisation once, so that a start costs a few pages and not a request for each Machine. Without
/// an answer in time each Machine is asked for instead.
pub async fn begin(ctx: &Context) -> Feed {
    let mut feed = Feed::default();
    match tokio::time::timeout(FIRST_WITHIN, feed.pages(ctx, Rows::First)).await {
        Ok(Ok(_)) => feed,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the organisation's list can't be read; each Machine is asked for by itself");
            Feed::default()
        }
        Err(_) => {
            tracing::warn!("the organisation's list takes long; each Machine is asked for by itself");
            Feed::default()
        }
    }
}

/// Follows the organisation until `shutdown`.
pub async fn follow(ctx: Arc<Context>, mut feed: Feed, shutdown: CancellationToken) {
    loop {
        let pause = feed.look(&ctx).await;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

impl Feed {
    /// Asks for what changed, wakes those that it concerns, and says when to look again.
    async fn look(&mut self, ctx: &Context) -> Duration {
        match self.pages(ctx, Rows::News).await {
            Ok(0) => IDLE_PAUSE,
            Ok(_) => Duration::from_secs(u64::from(ctx.config.timing.feed_seconds)),
            Err(error) => {
                tracing::debug!(%error, "the organisation's list can't be read");
                error.retry_after().unwrap_or(IDLE_PAUSE * 2)
            }
        }
    }

    async fn pages(&mut self, ctx: &Context, rows: Rows) -> fly_machines::Result<usize> {
        let mut query = OrgQuery {
            updated_after: self.since(),
            include_deleted: rows == Rows::News,
            limit: Some(PAGE),
            ..OrgQuery::default()
        };
        let reaches_back = query.updated_after.is_none_or(|since| Some(since) == self.farthest());
        let (mut changed, mut newest, mut unread) = (0, self.newest, Vec::new());
        loop {
            let page = ctx.fly.org(&ctx.config.fly.organization).machines(&query).await?;
            for machine in &page.machines {
                newest = newer(newest, machine.updated_at);
                if self.note(machine) {
                    changed += 1;
                    match rows {
                        Rows::First => remember(ctx, machine),
                        Rows::News => wake(ctx, machine),
                    }
                }
            }
            unread.extend(page.error_regions);
            if page.next_cursor.is_empty() || page.machines.is_empty() {
                break;
            }
            query.cursor = Some(page.next_cursor);
        }
        if reaches_back && unread.is_empty() {
            self.reached_back = Some(Instant::now());
        }
        self.reached(newest, &unread);
        self.forget();
        Ok(changed)
    }

    /// Notes how far the list went. What changed meanwhile in a region that Fly couldn't read is older than what it
    /// showed of others: the next list begins where this one did. At the start the Machines that no list showed are
    /// asked for one by one.
    fn reached(&mut self, newest: Option<Newest>, unread: &[String]) {
        if unread.is_empty() || self.newest.is_none() {
            self.newest = newest;
        } else {
            tracing::info!(regions = ?unread, "Fly can't list the Machines of some regions");
        }
    }

    /// Where the next list begins: after it, or with it. Once the newest change has been known for as long as changes
    /// usually take to show, at rest the list is empty, however many changed at the end. Now and then it goes farther back
    /// all the same, for what came late.
    fn since(&self) -> Option<Timestamp> {
        let newest = self.newest?;
        let known = newest.seen.elapsed();
        let pause = if known > REACH.unsigned_abs() { REACH_PAUSE_AT_REST } else { REACH_PAUSE };
        if self.reached_back.is_some_and(|last| last.elapsed() >= pause) {
            return self.farthest();
        }
        let settled = known > OVERLAP.unsigned_abs();
        if settled { Some(newest.changed) } else { newest.changed.checked_sub(OVERLAP).ok() }
    }

    /// Where the farthest list begins.
    fn farthest(&self) -> Option<Timestamp> {
        self.newest.and_then(|newest| newest.changed.checked_sub(REACH).ok())
    }

    /// Forgets what can't be listed any more. Nobody says whether a list shows what changed at the very time that it is
    /// asked from, nor how exactly it takes that time.
    fn forget(&mut self) {
        let shown = self.farthest().and_then(|since| since.checked_sub(EXACTNESS).ok());
        self.seen.retain(|_, seen| seen.updated >= shown);
        self.seen.shrink_to(self.seen.len() * 2);
    }

    /// Whether the row tells something new. What is older than the overlap can't come again.
    fn note(&mut self, machine: &OrgMachine) -> bool {
        let now = Seen {
            state: machine.state.as_str().to_owned(),
            version: machine.instance_id.clone(),
            updated: machine.updated_at,
        };
        if self.seen.get(&machine.id) == Some(&now) {
            return false;
        }
        self.seen.insert(machine.id.clone(), now);
        true
    }
}

fn newer(newest: Option<Newest>, changed: Option<Timestamp>) -> Option<Newest> {
    match changed {
        Some(changed) if newest.is_none_or(|newest| newest.changed < changed) => {
            Some(Newest { changed, seen: Instant::now() })
        }
        _ => newest,
    }
}

/// Keeps what the list shows of a Runtime's recorded Machine, if that tells how it stands.
fn remember(ctx: &Context, machine: &OrgMachine) {
    let Some(claim) = ctx.claims.by_app(&machine.app_name) else { return };
    if is_strange(ctx, &claim.spec, machine) {
        ctx.memory.survey(&claim.spec.holder.uid);
    }
    let recorded = claim.spec.runtime.as_ref().filter(|it| it.machine_id.as_ref() == Some(&machine.id));
    let mark = machine.config.as_ref().and_then(|config| config.metadata.get(metadata::IDENTITY));
    let ours = recorded.is_some_and(|identity| mark == Some(&identity.identity));
    if let (true, Some(fact)) = (ours, listed_fact(ctx.clock.now(), machine)) {
        ctx.memory.note_listed(&claim.spec.holder.uid, fact);
    }
}

/// Whether a Machine appears, or goes, in a Runtime's app that isn't the Runtime's. Its own is new for a moment too: a
/// look at the app tells.
fn is_strange(ctx: &Context, claim: &NameClaimSpec, machine: &OrgMachine) -> bool {
    let Some(identity) = claim.runtime.as_ref().filter(|it| it.machine_id.is_some()) else { return false };
    if machine.state.is_gone() {
        return ctx.memory.knows_stranger(&claim.holder.uid, &machine.id);
    }
    !knows_machine(identity, &machine.id)
}

/// Has the Runtime of the Machine's app looked at, unless it has seen the same already.
fn wake(ctx: &Context, machine: &OrgMachine) {
    let Some(claim) = ctx.claims.by_app(&machine.app_name) else { return };
    let holder = &claim.spec.holder;
    let strange = is_strange(ctx, &claim.spec, machine);
    if strange {
        ctx.memory.survey(&holder.uid);
    }
    let left_behind = is_left_behind(&claim.spec, &machine.id);
    let mut news = true;
    ctx.memory.change(&holder.uid, |entry| {
        if left_behind {
            // It may serve again: it isn't waited for any longer.
            entry.known.moving.left_next = None;
        }
        if let Known::Present(known) = &entry.known.machine {
            news = known.id != machine.id
                || known.state != machine.state.as_str()
                || known.version != machine.instance_id;
        }
        if news {
            entry.known.machine = Known::Unknown;
        }
    });
    if news || strange {
        let reference = kube::runtime::reflector::ObjectRef::new(&holder.name).within(&holder.namespace);
        ctx.triggers.runtimes.visit_ref(reference);
    }
}

/// Whether a move left this Machine behind, on a host that didn't answer.
fn is_left_behind(claim: &NameClaimSpec, machine: &str) -> bool {
    let displaced = claim.runtime.iter().flat_map(|identity| &identity.displaced);
    displaced.into_iter().any(|left| left.machine_id.as_deref() == Some(machine))
}

/// Goes round the Runtimes at rest, one after the other, until `shutdown`: health checks, and whatever the
/// organisation's list doesn't show.
pub async fn sweep(ctx: Arc<Context>, shutdown: CancellationToken) {
    let mut round: Vec<Arc<Runtime>> = Vec::new();
    let mut tokens = Tokens::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(SWEEP_PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
        if round.is_empty() {
            round = ctx.stores.runtimes.state();
            let there: HashSet<String> = round.iter().filter_map(|runtime| runtime.uid()).collect();
            tokens.retain(|uid, _| there.contains(uid));
        }
        if let Some(runtime) = round.pop() {
            look_again(&ctx, &runtime);
            if token_has_changed(&ctx, &mut tokens, &runtime).await {
                rotation::compare(&ctx, &runtime);
            }
        }
    }
}

/// The version of each Secret with a gateway's token, by the UID of its Runtime.
type Tokens = HashMap<String, String>;

/// Whether the Secret with its token was deleted, or is another than the last time.
async fn token_has_changed(ctx: &Context, tokens: &mut Tokens, runtime: &Runtime) -> bool {
    let shown = runtime.status.as_ref().and_then(|status| status.gateway.as_ref());
    let (Some(gateway), Some(namespace), Some(uid)) = (shown, runtime.namespace(), runtime.uid()) else {
        return false;
    };
    let secrets: Api<Secret> = Api::namespaced(ctx.kube.clone(), &namespace);
    let name = token_secret(&runtime.name_any());
    if gateway.token_secret_ref.name != name {
        return false;
    }
    match secrets.get_metadata_opt(&name).await {
        Ok(None) => true,
        Ok(Some(secret)) => {
            let version = secret.resource_version().unwrap_or_default();
            is_news(tokens, uid, version)
        }
        Err(_) => false,
    }
}

/// Nobody knows what happened to one that is seen for the first time.
fn is_news(tokens: &mut Tokens, uid: String, version: String) -> bool {
    let before = tokens.insert(uid, version.clone());
    before != Some(version)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_news_when_it_is_first_seen_and_when_it_is_another() {
        let mut tokens = Tokens::new();
        let news = ["1", "1", "2"].map(|version| is_news(&mut tokens, "uid".into(), version.into()));
        assert_eq!(news, [true, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_list_stays_where_it_is_while_a_region_cannot_be_read() {
        let mut feed = Feed::default();
        let at = |seconds| newer(None, Some(second(seconds)));
        feed.reached(at(100), &["fra".into()]);
        assert_eq!(feed.newest.unwrap().changed, second(100), "the first list is no news");
        feed.reached(at(500), &["fra".into()]);
        assert_eq!(feed.newest.unwrap().changed, second(100), "what changed in fra is listed later");
        feed.reached(at(900), &[]);
        assert_eq!(feed.newest.unwrap().changed, second(900));
    }

    fn row(id: &str, second: i64) -> OrgMachine {
        OrgMachine { id: id.into(), updated_at: Some(self::second(second)), ..OrgMachine::default() }
    }

    fn take(feed: &mut Feed, rows: &[OrgMachine]) -> usize {
        let news = rows.iter().filter(|row| feed.note(row)).count();
        for row in rows {
            feed.newest = newer(feed.newest, row.updated_at);
        }
        feed.forget();
        news
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn changes_that_show_late_are_caught_and_at_rest_nothing_is_listed_again() {
        let mut feed = Feed::default();
        assert_eq!(feed.since(), None);
        assert_eq!(take(&mut feed, &[row("old", 100), row("new", 1_000)]), 2);
        feed.reached_back = Some(Instant::now());
        assert_eq!(feed.since(), Some(second(910)));
        assert_eq!(feed.seen.len(), 1);
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(feed.since(), Some(second(700)), "one reaches far back");
        assert_eq!(take(&mut feed, &[row("late", 750), row("new", 1_000)]), 1);
        feed.reached_back = Some(Instant::now());
        assert_eq!(feed.since(), Some(second(910)));
        tokio::time::advance(Duration::from_secs(31)).await;
        feed.reached_back = Some(Instant::now());
        assert_eq!(feed.since(), Some(second(1_000)));
        assert_eq!(take(&mut feed, &[]), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_begins_with_the_newest_change_tells_nothing_new_at_rest() {
        let mut feed = Feed::default();
        let newest = [row("a", 1_000), row("b", 1_000), row("c", 999)];
        assert_eq!(take(&mut feed, &newest), 3);
        tokio::time::advance(Duration::from_mins(2)).await;
        for _ in 0..3 {
            assert_eq!(take(&mut feed, &newest), 0);
            tokio::time::advance(Duration::from_secs(5)).await;
        }
        let changed = OrgMachine { state: fly_machines::types::MachineState::Stopped, ..row("a", 1_000) };
        assert_eq!(take(&mut feed, &[changed]), 1, "what changes within that time is seen all the same");
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_shows_minutes_late_is_seen_at_rest_too_and_what_was_seen_is_no_news() {
        let mut feed = Feed::default();
        take(&mut feed, &[row("early", 900), row("new", 1_000)]);
        let mut far = 0;
        // Half an hour at rest, one look each five seconds.
        feed.reached_back = Some(Instant::now());
        for _ in 0..360 {
            tokio::time::advance(IDLE_PAUSE).await;
            if feed.since() == Some(second(700)) {
                far += 1;
                feed.reached_back = Some(Instant::now());
                assert_eq!(take(&mut feed, &[row("early", 900), row("new", 1_000)]), 0);
            } else {
                assert!(feed.since() >= Some(second(910)));
            }
        }
        assert!((10..30).contains(&far), "{far}");
        assert_eq!(take(&mut feed, &[row("late", 800)]), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_after_a_rest_reaches_back_again() {
        let mut feed = Feed::default();
        take(&mut feed, &[row("one", 1_000)]);
        tokio::time::advance(Duration::from_mins(10)).await;
        assert_eq!(take(&mut feed, &[row("two", 1_600)]), 1);
        feed.reached_back = Some(Instant::now());
        assert_eq!(feed.since(), Some(second(1_510)));
        assert_eq!(take(&mut feed, &[row("two", 1_600)]), 0);
    }
}
