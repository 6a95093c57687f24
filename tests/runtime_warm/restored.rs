//! The cluster is lost and its claims are restored: warm apps are found again, and nothing is made. An old backup that
//! calls an app kept which was given since gives it to nobody.

use std::time::Duration;

use kube::Api;
use kube::api::PostParams;
use moorage::api::NameClaim;
use serde_json::json;
use testbed::{
    Audit, ControlPlane, ControlPlaneOptions, FlySim, FlySimOptions, Identity, Operator, OperatorOptions,
    RateLimits, platform, repository,
};

use crate::pool::{asked, claims, declare, make_plan, resize, wait, wait_counted};
use crate::support::{Fly, Tenant, config, prepare};

async fn cluster() -> ControlPlane {
    let options = ControlPlaneOptions {
        audit: Audit::Off,
        crds: Some(repository().join("crds")),
        ..ControlPlaneOptions::default()
    };
    let cluster = ControlPlane::start(&options).await.unwrap();
    let client = cluster.client(&Identity::Admin).await.unwrap();
    platform::install_rights(&client, &[]).await.unwrap();
    platform::install_catalogue(&client).await.unwrap();
    prepare(&client).await.unwrap();
    cluster
}

async fn operator(cluster: &ControlPlane, fly: &FlySim) -> Operator {
    let identity = Identity::service_account(platform::NAMESPACE, platform::SERVICE_ACCOUNT);
    let kubeconfig = cluster.kubeconfig(&identity).await.unwrap();
    let mut options = OperatorOptions::new(kubeconfig, "restored", fly);
    options = options.with("/namespace", json!(platform::NAMESPACE));
    for (pointer, value) in config() {
        options = options.with(pointer, value);
    }
    let operator = Operator::start(options).unwrap();
    operator.wait_ready(Duration::from_mins(1)).await.unwrap();
    operator
}

#[tokio::test]
async fn they_are_found_again_and_what_was_given_since_is_left_alone() {
    let fly = FlySimOptions { rate_limits: RateLimits::Off, ..FlySimOptions::default() };
    let fly = FlySim::start(fly).await.unwrap();
    let first = cluster().await;
    let before = operator(&first, &fly).await;
    let tenant = Tenant::new(&first, &fly, "before").await.unwrap();
    make_plan(&tenant.client, 2).await;
    let standing = wait(&tenant.client, tenant.fly, 2).await;
    wait_counted(&before, "ready", 2).await;
    let backup = claims(&tenant.client).await.unwrap();
    // After the backup one is given away.
    declare(&tenant, "ops", json!({})).await;
    tenant.wait_ready("ops", "running").await.unwrap();
    let given = tenant.app("ops").await.unwrap();
    assert!(standing.contains(&given));
    drop(tenant);
    before.kill().unwrap();
    drop((before, first));

    let second = cluster().await;
    let client = second.client(&Identity::Admin).await.unwrap();
    make_plan(&client, 2).await;
    let all: Api<NameClaim> = Api::all(client.clone());
    for claim in backup {
        let restored = NameClaim::new(claim.metadata.name.as_deref().unwrap(), claim.spec);
        all.create(&PostParams::default(), &restored).await.unwrap();
    }
    let seen = Fly(&fly);
    let head = seen.head().await.unwrap();
    let after = operator(&second, &fly).await;
    wait_counted(&after, "ready", 1).await;
    for app in &standing {
        let creates: Vec<String> = asked(seen, app, head).await;
        assert!(!creates.iter().any(|call| call.ends_with("/machines") || call.ends_with("/volumes")));
    }
    // Nobody is given what bears another's mark, however many there are wanted, and nobody removes it.
    resize(&client, 0).await;
    wait_counted(&after, "ready", 0).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(asked(seen, &given, head).await, Vec::<String>::new());
    let machine = seen.standing(&given).await.unwrap()["machines"][0]["state"].clone();
    assert_eq!(machine, "started");
}
