//! Leases gate changes; metadata is free of them.

use std::time::Duration;

use fly_machines::ErrorClass;
use fly_machines::types::{AcquireLease, MetadataPatch, StopMachine};

use crate::simulator::{Simulator, app_with_machine};

#[tokio::test]
async fn a_lease_keeps_others_out() {
    let simulator = Simulator::start().await;
    let client = simulator.client();
    let machine = app_with_machine(&client, "one").await.id;
    let leases = client.leases("one");
    assert!(leases.get(&machine).await.unwrap_err().is_not_found());

    let request = AcquireLease::new(Duration::from_mins(1)).description("test");
    let lease = leases.acquire(&machine, &request).await.unwrap();
    let nonce = lease.nonce.unwrap();
    assert!(lease.expires_at.is_some());
    assert_eq!(leases.get(&machine).await.unwrap().description, "test");

    let stop = StopMachine::default();
    let kept_out = client.machines("one").stop(&machine, &stop).await.unwrap_err();
    assert_eq!(kept_out.class(), ErrorClass::LeaseHeld, "{kept_out:?}");
    let second = leases.acquire(&machine, &request).await.unwrap_err();
    assert_eq!(second.class(), ErrorClass::LeaseHeld, "{second:?}");
    assert!(second.request_id().is_some());

    leases.refresh(&machine, &nonce, Duration::from_mins(2)).await.unwrap();
    client.machines("one").with_lease(&nonce).stop(&machine, &stop).await.unwrap();
    leases.release(&machine, &nonce).await.unwrap();
    client.machines("one").stop(&machine, &stop).await.unwrap();
}

#[tokio::test]
async fn metadata_is_set_merged_and_removed_under_a_lease_too() {
    let simulator = Simulator::start().await;
    let client = simulator.client();
    let machine = app_with_machine(&client, "one").await;
    client.leases("one").acquire(&machine.id, &AcquireLease::new(Duration::from_mins(1))).await.unwrap();
    let metadata = client.metadata("one", &machine.id);
    metadata.set("owner", "a").await.unwrap();
    assert_eq!(metadata.get("owner").await.unwrap(), "a");
    let patch = MetadataPatch {
        metadata: [("owner".to_owned(), None), ("launch".to_owned(), Some("l1".to_owned()))].into(),
        ..MetadataPatch::default()
    };
    metadata.patch(&patch).await.unwrap();
    let all = metadata.all().await.unwrap();
    assert_eq!((all.get("launch").map(String::as_str), all.get("owner")), (Some("l1"), None));
    assert!(metadata.get("owner").await.unwrap_err().is_not_found());
    metadata.delete("launch").await.unwrap();
    let after = client.machines("one").get(&machine.id).await.unwrap();
    assert_eq!(after.metadata("launch"), None);
    assert_eq!(after.version(), machine.version(), "metadata makes no new version");
}
