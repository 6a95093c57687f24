//! Two replicas of an operator, and orders that payments are told of. Those at Stripe stand, and wait for a Workspace: the
//! replica that leads visits each that an event is about, and nothing is asked of Stripe. Those at PayApp are known by their
//! claims, so that the load is put on the webhooks and not on the Runtimes that would follow from a payment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use moorage::api::{NameClaim, PaymentReceipt, RuntimeOrder};
use serde_json::json;
use testbed::{
    Audit, BillingSimOptions, ControlPlane, ControlPlaneOptions, FlySim, FlySimOptions, Identity, Operator,
    OperatorOptions, Payments, RateLimits, apply, eventually, platform, repository,
};

use crate::requests::{LINKKEY, LINKVAL, Orders, STRIPE_SECRET};
use crate::support::{record_order, record_order_of, registered};

/// Namespace of the orders.
const NAMESPACE: &str = "load";
/// Orders that are made at once.
const AT_ONCE: usize = 16;

const READY: Duration = Duration::from_secs(60);

/// What the load is put on. Dropping it ends it all.
pub struct Scene {
    replicas: [Replica; 2],
    client: Client,
    orders: Orders,
    _fly: FlySim,
    _cluster: ControlPlane,
}

struct Replica {
    operator: Operator,
    payments: Payments,
}

impl Scene {
    /// With so many orders at Stripe, and a quarter of that at PayApp.
    pub async fn start(orders: usize) -> Result<Self> {
        let crds = Some(repository().join("crds"));
        let options = ControlPlaneOptions { audit: Audit::Off, crds, ..Default::default() };
        let cluster = ControlPlane::start(&options).await?;
        let fly =
            FlySim::start(FlySimOptions { rate_limits: RateLimits::Off, ..FlySimOptions::default() }).await?;
        let admin = cluster.client(&Identity::Admin).await?;
        platform::install_rights(&admin, &[]).await?;
        let identity = Identity::service_account(platform::NAMESPACE, platform::SERVICE_ACCOUNT);
        let client = cluster.client(&identity).await?;
        let orders = record_orders(&admin, &client, orders).await?;
        let kubeconfig = cluster.kubeconfig(&identity).await?;
        let first = replica(&kubeconfig, &fly)?;
        let second = replica(&kubeconfig, &fly)?;
        for replica in [&first, &second] {
            replica.operator.wait_ready(READY).await?;
        }
        Ok(Self { replicas: [first, second], client, orders, _fly: fly, _cluster: cluster })
    }

    pub fn orders(&self) -> &Orders {
        &self.orders
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

    /// Waits until each order is asked to be read again after its last event, which takes longer the more there are.
    pub async fn wait_noticed(&self, last: &BTreeMap<String, Timestamp>) -> Result<()> {
        let claims: Api<NameClaim> = Api::all(self.client.clone());
        let within = Duration::from_secs(30 + last.len() as u64 / 50);
        for (order, at) in last {
            eventually(&format!("{order} to be read again"), within, async || {
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

async fn record_orders(admin: &Client, operator: &Client, count: usize) -> Result<Orders> {
    let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    apply(admin, &space.to_string()).await?;
    let placed: Vec<Result<String>> = stream::iter(0..count)
        .map(|number| placed(admin, operator, number))
        .buffered(AT_ONCE)
        .collect()
        .await;
    let payapp = (0..count.div_ceil(4)).map(|number| format!("00000000-0000-4000-8000-{number:012}"));
    let payapp: Vec<String> = payapp.collect();
    let recorded = payapp.iter().map(|uid| record_order(operator, uid, registered()));
    let recorded: Vec<Result<()>> = stream::iter(recorded).buffered(AT_ONCE).collect().await;
    recorded.into_iter().collect::<Result<()>>()?;
    Ok(Orders { stripe: placed.into_iter().collect::<Result<_>>()?, payapp })
}

/// An order at Stripe with its claim; its UID.
async fn placed(admin: &Client, operator: &Client, number: usize) -> Result<String> {
    let (name, orders) =
        (format!("order-{number}"), Api::<RuntimeOrder>::namespaced(admin.clone(), NAMESPACE));
    let order = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "RuntimeOrder", "metadata": {"name": name},
        "spec": {"planRef": {"name": "pro"}, "runtime": {"name": name}, "payment": {"provider": "Stripe"}}});
    let made = orders.create(&PostParams::default(), &serde_json::from_value(order)?).await?;
    let uid = made.uid().context("no UID")?;
    let funds = json!({"name": name});
    record_order_of(operator, &uid, (NAMESPACE, &name), json!({"provider": "Stripe", "funds": funds}))
        .await?;
    Ok(uid)
}
