//! Apps at Fly that carry our mark and that no claim names: counted and told, never touched. The platform lists and
//! removes them by `moorage orphans`.
//!
//! Such an app belongs to no object of a tenant's. So it is told of as an event of the operator's lease, with names, and
//! as a condition of the Blueprint that the configuration names: the platform's own object that every installation has
//! and that no tenant writes. Tenants may read it, so the condition counts and names none.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fly_machines::types::App;
use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::reflector::ObjectRef;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::history::announce::{News, Tone};
use crate::api::condition::{Condition, ConditionStatus, ConditionType, Wanted, find};
use crate::api::reason;
use crate::rights;

/// Pause between two looks at all apps of the organisation.
const PAUSE: Duration = Duration::from_mins(10);
/// Most that are named in the log.
const NAMED: usize = 10;

/// How many there are, as they were last counted in this process's life.
#[derive(Debug, Default)]
pub struct Board(Mutex<Option<usize>>);

impl Board {
    /// Notes a count, and tells whether it is another one.
    fn note(&self, count: usize) -> Change {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(count);
        if before == Some(count) { Change::None } else { Change::Some }
    }

    /// What is known, for the object that tells of them.
    pub fn counted(&self) -> Strays {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).map_or(Strays::Uncounted, Strays::Counted)
    }
}

/// Whether something is another than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    None,
    Some,
}

/// What an object's status has to say of such apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strays {
    /// Nothing: another object tells of them.
    Elsewhere,
    /// They weren't counted yet: what stands is kept.
    Uncounted,
    /// So many stand.
    Counted(usize),
}

/// The condition that tells of them, given those that stand; present only while there are any.
pub fn condition(strays: Strays, old: &[Condition]) -> Option<Wanted> {
    let message = match strays {
        Strays::Elsewhere | Strays::Counted(0) => return None,
        Strays::Uncounted => find(old, ConditionType::OrphanApps)?.message.to_string(),
        Strays::Counted(count) => format!(
            "Apps at Fly ({count}) carry our mark, and no claim names them. They cost, and are left alone; `moorage orphans` shows them, and removes one that it is told to."
        ),
    };
    Some(Wanted::new(ConditionType::OrphanApps, ConditionStatus::True, reason::ORPHAN_APPS, message))
}

/// Whether an app is ours by its prefix and its network, and nobody claims it.
pub fn is_stray(app: &App, prefix: &str, is_claimed: impl Fn(&str) -> bool) -> bool {
    app.name.starts_with(prefix) && app.network.starts_with("m-") && !is_claimed(&app.name)
}

/// Counts until `shutdown`.
pub async fn count(ctx: Arc<Context>, shutdown: CancellationToken) {
    let mut told = Vec::new();
    loop {
        if ctx.leadership.is_current()
            && let Some(names) = look(&ctx).await
        {
            if let Some(news) = news(&names, &told) {
                ctx.history.announcer.say(&lease(&ctx), news);
            }
            if ctx.strays.note(names.len()) == Change::Some {
                ctx.triggers.blueprints.visit_ref(ObjectRef::new(&ctx.config.defaults.blueprint));
            }
            told = names;
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

async fn look(ctx: &Context) -> Option<Vec<String>> {
    let apps = match ctx.fly.apps().list(&ctx.config.fly.organization).await {
        Ok(apps) => apps,
        Err(error) => {
            tracing::debug!(%error, "the organisation's apps can't be listed; they are later");
            return None;
        }
    };
    let claimed = |name: &str| ctx.claims.by_app(name).is_some();
    let stray = |app: &App| is_stray(app, &ctx.config.fly.app_prefix, claimed);
    let mut names: Vec<String> = apps.into_iter().filter(stray).map(|app| app.name).collect();
    names.sort();
    ctx.metrics.orphan_apps(names.len());
    if !names.is_empty() {
        tracing::warn!(
            apps = names.len(),
            some = some(&names),
            "apps carry our mark and no claim names them; see `moorage orphans`"
        );
    }
    Some(names)
}

fn some(names: &[String]) -> String {
    names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// What is told of them: once, until they are others.
fn news(names: &[String], told: &[String]) -> Option<News> {
    let more = if names.len() > NAMED { " …" } else { "" };
    (!names.is_empty() && names != told).then(|| News {
        tone: Tone::Warning,
        reason: reason::ORPHAN_APPS.into(),
        note: format!(
            "Apps at Fly carry our mark and no claim names them: {}{more} ({} in all). They cost, and are left alone; `moorage orphans` shows them, and removes one that it is told to.",
            some(names),
            names.len()
        ),
    })
}

/// The operator's own object, whether replicas elect by it or not.
fn lease(ctx: &Context) -> Lease {
    let mut lease = Lease::default();
    lease.metadata.name = Some(rights::NAME.to_owned());
    lease.metadata.namespace = Some(ctx.config.namespace.clone());
    lease
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::api::condition::merge;

    #[test]
    fn a_stray_has_our_prefix_and_network_and_no_claim() {
        let app =
            |name: &str, network: &str| App { name: name.into(), network: network.into(), ..App::default() };
        let free = |_: &str| false;
        assert!(is_stray(&app("m-ops-abc", "m-abc"), "m-", free));
        assert!(!is_stray(&app("ops-abc", "m-abc"), "m-", free));
        assert!(!is_stray(&app("m-ops-abc", "default"), "m-", free));
        assert!(!is_stray(&app("m-ops-abc", "m-abc"), "m-", |_| true));
    }

    #[test]
    fn the_condition_counts_names_none_and_stays_until_they_are_counted_again() {
        let stands = condition(Strays::Counted(3), &[]).unwrap();
        assert!(stands.message.contains("(3)") && !stands.message.contains("m-"), "{stands:?}");
        let at = Timestamp::from_second(5).unwrap();
        let old = merge(&[], vec![stands.clone()], 1, at);
        assert_eq!(condition(Strays::Uncounted, &old), Some(stands));
        for gone in [Strays::Counted(0), Strays::Elsewhere] {
            assert_eq!(condition(gone, &old), None);
        }
        assert_eq!(condition(Strays::Uncounted, &[]), None);
    }

    #[test]
    fn another_count_is_news_once() {
        let board = Board::default();
        assert_eq!(board.counted(), Strays::Uncounted);
        assert_eq!(
            [0, 0, 2, 2, 0].map(|count| board.note(count) == Change::Some),
            [true, false, true, false, true]
        );
        assert_eq!(board.counted(), Strays::Counted(0));
    }

    #[test]
    fn they_are_told_once_until_they_are_others() {
        let names = |count: usize| (0..count).map(|at| format!("app-{at:02}")).collect::<Vec<_>>();
        let note = |count| news(&names(count), &names(1)).map(|news| news.note);
        assert!(note(0).is_none() && note(1).is_none());
        assert!(note(2).unwrap().contains("app-00, app-01 (2 in all)"));
        assert!(note(300).unwrap().contains("app-09 … (300 in all)"), "it stays short");
    }
}
