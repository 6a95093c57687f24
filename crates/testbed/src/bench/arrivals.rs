//! When objects come to be as they should, by a watch on those that are. The API server sends one event for each.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::{TryStreamExt, pin_mut};
use kube::api::{DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::{Api, ResourceExt};

/// No run may take longer than this without one more that comes.
const STALLED: Duration = Duration::from_mins(2);

/// What is waited for.
pub(super) struct Wanted<'w> {
    /// By which fields it is told from others.
    pub(super) fields: &'w str,
    /// How many are to come.
    pub(super) count: usize,
}

/// When each came that is wanted, by namespace and name, counted from when `work` begins.
pub(super) async fn arrivals(
    api: &Api<DynamicObject>,
    wanted: &Wanted<'_>,
    work: impl Future<Output = Result<()>> + Send + 'static,
    check: impl Fn() -> Result<()>,
) -> Result<BTreeMap<(String, String), Duration>> {
    let listed = api.list(&ListParams::default().limit(1)).await?;
    let mut version = listed.metadata.resource_version.unwrap_or_default();
    let began = Instant::now();
    let work = tokio::spawn(work);
    let mut seen = BTreeMap::new();
    let params = WatchParams::default().fields(wanted.fields);
    while seen.len() < wanted.count {
        let events = api.watch(&params, &version).await?;
        pin_mut!(events);
        while seen.len() < wanted.count {
            let Ok(next) = tokio::time::timeout(Duration::from_secs(5), events.try_next()).await else {
                check()?;
                stalled(began, &seen, wanted)?;
                continue;
            };
            match next? {
                Some(WatchEvent::Added(object)) => {
                    version = object.resource_version().unwrap_or_default();
                    let key = (object.namespace().unwrap_or_default(), object.name_any());
                    seen.entry(key).or_insert_with(|| began.elapsed());
                }
                Some(WatchEvent::Error(status)) => bail!("the watch failed: {status:?}"),
                Some(_) => {}
                None => break,
            }
        }
    }
    work.await??;
    Ok(seen)
}

fn stalled(began: Instant, seen: &BTreeMap<(String, String), Duration>, wanted: &Wanted<'_>) -> Result<()> {
    let last = seen.values().max().copied().unwrap_or_default();
    if began.elapsed() > last + STALLED {
        let Wanted { fields, count } = wanted;
        bail!("{} of {count} have {fields}, and none has come for {STALLED:?}", seen.len());
    }
    Ok(())
}
