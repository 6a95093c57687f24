//! What becomes of a customer's file while everything around it changes.

use anyhow::{Result, bail, ensure};
use fly_machines::types::MachineDeletion;
use http::Method;
use serde_json::{Value, json};
use testbed::{OPENCLAW_LATEST, eventually};

use crate::belongings::{customer_writes, the_customer_s_is_kept};
use crate::customer::{Customer, PATIENCE};
use crate::fly::Fly;
use crate::machine::Host;
use crate::platform::{LARGE, rig};
use crate::serving::answers;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_survives_whatever_becomes_of_its_machine_and_volume() -> Result<()> {
    let customer = Customer::running("travels", OPENCLAW_LATEST).await?;
    let first = Host::of(&customer).await?;
    customer_writes(&first).await?;

    let done = customer.ask("again", "Restart").await?;
    ensure!(done["state"] == "completed", "{done:#}");
    still_there(&customer, |now| now.id == first.id && now.volume == first.volume).await?;

    sleeps_and_wakes(&customer).await?;
    still_there(&customer, |now| now.id == first.id && now.volume == first.volume).await?;

    is_removed_while_it_is_off(&customer, &first).await?;
    still_there(&customer, |now| now.id != first.id && now.volume == first.volume).await?;

    let second = Host::of(&customer).await?;
    let fly = Fly(&rig().await.fly);
    fly.event(json!({"kind": "migrate", "machine": second.id})).await?;
    still_there(&customer, |now| now.id == second.id && now.volume != second.volume).await?;

    let third = Host::of(&customer).await?;
    let full = fly.world(json!({"kind": "host_full", "on": third.volume})).await?;
    customer.patch(json!({"spec": {"planRef": {"name": LARGE}}})).await?;
    still_there(&customer, |now| now.volume != third.volume).await?;
    fly.mend(full).await?;
    let guest = Host::of(&customer).await?.machine().await?.config.and_then(|config| config.guest);
    assert_eq!(guest.map(|guest| guest.memory_mb), Some(Some(4096)), "it has grown");
    customer.leave_from(&[first.volume, third.volume]).await
}

/// The Runtime runs on what is expected, and everything that its customer left is there.
async fn still_there(customer: &Customer, on: impl Fn(&Host) -> bool) -> Result<()> {
    let reached = eventually("the Runtime to run where it should", PATIENCE, async || {
        customer.reach("running").await?;
        let host = Host::of(customer).await?;
        ensure!(on(&host), "it runs on {} with {}", host.id, host.volume);
        Ok(())
    })
    .await;
    if let Err(error) = reached {
        bail!("{error:#}\n{}", Host::of(customer).await?.console().await?);
    }
    answers(customer).await?;
    the_customer_s_is_kept(&Host::of(customer).await?).await
}

/// Behind the operator's back. It is off, since OpenClaw keeps the directory of a gateway that was killed for its
/// former Machine, five minutes long.
async fn is_removed_while_it_is_off(customer: &Customer, host: &Host) -> Result<()> {
    customer.patch(json!({"spec": {"powerState": "Stopped"}})).await?;
    customer.reach("stopped").await?;
    host.fly.machines(&host.app).delete(&host.id, MachineDeletion::Force).await?;
    customer.patch(json!({"spec": {"powerState": "Running"}})).await
}

async fn sleeps_and_wakes(customer: &Customer) -> Result<()> {
    let hurry: Value = json!({"autostopIdleMs": 8000, "autostopPassMs": 1000});
    rig().await.fly.send(Method::POST, "settings", &hurry).await?;
    customer.patch(json!({"spec": {"sleep": {"mode": "Stop"}}})).await?;
    customer.reach("sleeping").await?;
    // The request wakes it; without sleep from now on it stays awake for what is asked next.
    answers(customer).await?;
    customer.patch(json!({"spec": {"sleep": {"mode": "Never"}}})).await.map(drop)
}
