//! Two replicas of an operator, and claims of orders that payments are told of. Nobody holds them: the load is put on the
//! webhooks, and on nothing that follows from them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, ensure};
use jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client};
use moorage::api::{NameClaim, PaymentReceipt};
use serde_json::json;
use testbed::{
    Audit, BillingSimOptions, ControlPlane, ControlPlaneOptions, FlySim, FlySimOptions, Identity, Operator,
    OperatorOptions, Payments, RateLimits, eventually, platform, repository,
};

use crate::requests::{LINKKEY, LINKVAL, ORDERS, STRIPE_SECRET, payapp_order, stripe_order};
use crate::support::{record_order, registered};

const READY: Duration = Duration::from_secs(60);

/// What the load is put on. Dropping it ends it all.
pub struct Scene {
    replicas: [Replica; 2],
    client: Client,
    _fly: FlySim,
    _cluster: ControlPlane,
}

struct Replica {
    operator: Operator,
    payments: Payments,
}

impl Scene {
    pub async fn start() -> Result<Self> {
        let crds = Some(repository().join("crds"));
        let options = ControlPlaneOptions { audit: Audit::Off, crds, ..Default::default() };
        let cluster = ControlPlane::start(&options).await?;
        let fly =
            FlySim::start(FlySimOptions { rate_limits: RateLimits::Off, ..FlySimOptions::default() }).await?;
        let admin = cluster.client(&Identity::Admin).await?;
        platform::install_rights(&admin, &[]).await?;
        let identity = Identity::service_account(platform::NAMESPACE, platform::SERVICE_ACCOUNT);
        let client = cluster.client(&identity).await?;
        record_orders(&client).await?;
        let kubeconfig = cluster.kubeconfig(&identity).await?;
        let first = replica(&kubeconfig, &fly)?;
        let second = replica(&kubeconfig, &fly)?;
        for replica in [&first, &second] {
            replica.operator.wait_ready(READY).await?;
        }
        Ok(Self { replicas: [first, second], client, _fly: fly, _cluster: cluster })
    }

    /// Where the replicas take webhooks.
    pub fn addresses(&self) -> [String; 2] {
        self.replicas.each_ref().map(|replica| replica.payments.address().to_owned())
    }

    pub fn resident_bytes(&self) -> [u64; 2] {
        self.replicas.each_ref().map(|it| it.operator.process().resident_bytes().unwrap_or_default())
    }

    /// Numbers of every payment that a receipt is stored of.
    pub async fn receipts(&self) -> Result<BTreeSet<String>> {
        let all: Api<PaymentReceipt> = Api::all(self.client.clone());
        let mut pages = ListParams::default().limit(500);
        let mut found = BTreeSet::new();
        loop {
            let page = all.list(&pages).await?;
            found.extend(page.items.into_iter().map(|receipt| receipt.spec.provider_id));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => pages = pages.continue_token(&token),
                None => return Ok(found),
            }
        }
    }

    /// Waits until each order is asked to be read again after its last event.
    pub async fn wait_noticed(&self, last: &BTreeMap<String, Timestamp>) -> Result<()> {
        let claims: Api<NameClaim> = Api::all(self.client.clone());
        for (order, at) in last {
            eventually(&format!("{order} to be read again"), Duration::from_secs(30), async || {
                let claim = serde_json::to_value(claims.get(&NameClaim::order_key(order)).await?)?;
                let noticed: Timestamp =
                    serde_json::from_value(claim["spec"]["order"]["noticeTime"].clone())?;
                ensure!(noticed >= *at, "{noticed}, and the last event is of {at}");
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

fn replica(kubeconfig: &std::path::Path, fly: &FlySim) -> Result<Replica> {
    let keys = BillingSimOptions {
        stripe_secret: STRIPE_SECRET.to_owned(),
        payapp_userid: "shop".to_owned(),
        payapp_linkkey: LINKKEY.to_owned(),
        payapp_linkval: LINKVAL.to_owned(),
        ..BillingSimOptions::default()
    };
    let payments = Payments::new(&keys)?;
    // Nobody is called: there are no orders to be read, only what is recorded of them.
    let nowhere = "http://127.0.0.1:9";
    let billing = payments.config(nowhere, nowhere);
    let options = OperatorOptions::new(kubeconfig.to_owned(), "load", fly)
        .with("/namespace", json!(platform::NAMESPACE))
        .with("/billing", billing);
    Ok(Replica { operator: Operator::start(options)?, payments })
}

async fn record_orders(client: &Client) -> Result<()> {
    record_order(client, &payapp_order(), registered()).await?;
    for number in 0..ORDERS {
        record_order(client, &stripe_order(number), json!({"provider": "Stripe"})).await?;
    }
    Ok(())
}
