//! Brings many Runtimes down: half of them stopped, half asleep.

use std::time::Duration;

use anyhow::{Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use http::Method;
use kube::Client;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::Cell;
use super::fleet::{CREATORS, all_runtimes, places, runtimes_in};
use crate::fly_sim::FlySim;
use crate::objects::eventually;

const DOWN_WITHIN: Duration = Duration::from_mins(20);

/// Stops or puts to sleep as many as the cell says, and waits until that is seen of every one.
pub(super) async fn bring_down(fly: &FlySim, client: &Client, namespaces: usize, cell: &Cell) -> Result<()> {
    // An idle Machine is stopped by the simulator's proxy at its next pass.
    let hurry = json!({"autostopIdleMs": 2000, "autostopPassMs": 1000});
    fly.send(Method::POST, "settings", &hurry).await?;
    let chosen = places('r', namespaces, cell.runtimes).into_iter().take(cell.off).enumerate();
    stream::iter(chosen)
        .map(Ok)
        .try_for_each_concurrent(CREATORS, |(index, (namespace, name))| async move {
            let spec = spec(index);
            let patch = Patch::Merge(json!({"spec": spec}));
            runtimes_in(client, &namespace).patch(&name, &PatchParams::default(), &patch).await.map(drop)
        })
        .await?;
    for (word, wanted) in [("stopped", cell.off.div_ceil(2)), ("sleeping", cell.off / 2)] {
        eventually(&format!("{wanted} Runtimes {word}"), DOWN_WITHIN, async || {
            let down = count(client, word).await?;
            if down < wanted {
                tokio::time::sleep(Duration::from_secs(2)).await;
                bail!("{down} are");
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}

fn spec(index: usize) -> Value {
    if index.is_multiple_of(2) {
        json!({"powerState": "Stopped"})
    } else {
        json!({"powerState": "Running", "sleep": {"mode": "Stop"}})
    }
}

/// How many are in this state. Their metadata are enough to count them.
async fn count(client: &Client, state: &str) -> Result<usize> {
    let params = ListParams::default().fields(&format!("status.state={state}"));
    Ok(all_runtimes(client).list_metadata(&params).await?.items.len())
}
