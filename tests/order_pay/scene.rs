//! An operator with accounts at the providers' stand-ins, and what customers do there.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testbed::{BillingSim, BillingSimOptions, Payments, Rig, apply, eventually};
use tokio::sync::OnceCell;

use crate::shop::{get, order, record, wait};
use crate::support::{SOON, Tenant, merge, start, text};

/// A Plan that PayApp can take payments for.
const WON: &str = r"
apiVersion: moorage.dev/v1alpha1
kind: Plan
metadata: {name: sold}
spec:
  {displayName: Sold, cpuKind: Shared, cpus: 2, memoryMB: 2048, volumeGB: 3, amount: 19900, currency: KRW,
   interval: Month}
";

pub struct Scene {
    pub rig: Rig,
    pub sim: BillingSim,
    pub payments: Payments,
}

impl Scene {
    /// `more` goes into `billing` of the operator's configuration.
    pub async fn start(more: Value) -> Result<Self> {
        let keys = BillingSimOptions::default();
        let sim = BillingSim::start(&keys).await?;
        let payments = Payments::new(&keys)?;
        let mut billing = payments.config(sim.stripe_url(), sim.payapp_url());
        merge(&mut billing, more);
        let rig = start(vec![("/billing", billing)]).await?;
        apply(&rig.client().await?, WON).await?;
        Ok(Self { rig, sim, payments })
    }

    /// One for all tests that disturb nobody else.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Scene> = OnceCell::const_new();
        SHARED.get_or_init(|| async { Self::start(json!({})).await.expect("a scene") }).await
    }

    /// A tenant with a Workspace.
    pub async fn tenant(&self, namespace: &str) -> Tenant<'_> {
        let tenant = Tenant::new(&self.rig.cluster, &self.rig.fly, namespace).await.unwrap();
        let member = json!({"kind": "User", "name": format!("ada-{namespace}"), "role": "Owner"});
        let spec = json!({"displayName": "Acme", "subdomain": namespace, "members": [member]});
        tenant.apply("moorage.dev/v1alpha1", "Workspace", "acme", json!({"spec": spec})).await.unwrap();
        tenant
    }

    /// What a customer, a bank or the platform does at the provider.
    pub async fn act(&self, what: Value) {
        self.sim.send("act", &what).await.unwrap();
    }

    /// The customer pays at the order's page.
    pub async fn pay(&self, tenant: &Tenant<'_>, name: &str) {
        let session = self.session(tenant, name).await;
        self.act(json!({"do": "visit", "session": session, "how": "pay"})).await;
    }

    /// The session of the order's last attempt, once its page can be seen.
    pub async fn session(&self, tenant: &Tenant<'_>, name: &str) -> String {
        eventually(&format!("a page for {name}"), SOON, async || {
            let order = get(tenant, name).await?;
            ensure!(!text(&order, "/status/checkout/url").is_empty(), "{}", order["status"]);
            let record = record(tenant, name).await?;
            let attempts = record["spec"]["order"]["attempts"].as_array().cloned().unwrap_or_default();
            let id = attempts.last().and_then(|attempt| attempt["checkoutID"].as_str()).unwrap_or_default();
            ensure!(!id.is_empty(), "{record}");
            Ok(id.to_owned())
        })
        .await
        .unwrap()
    }

    /// Details of the effects of this name that concern an order, all of them, by its UID.
    pub async fn effects(&self, name: &str) -> Vec<Value> {
        let ledger = self.sim.read("ledger?kind=effect").await.unwrap();
        let all = ledger["entries"].as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|entry| entry["effect"] == name).collect()
    }

    /// How often something of this id had the effect of this name.
    pub async fn counted(&self, name: &str, id: &str) -> usize {
        self.effects(name).await.iter().filter(|entry| entry["id"] == id).count()
    }

    /// How many checkouts were ever made for the order of this UID.
    pub async fn sessions_of(&self, uid: &str) -> usize {
        let made = self.effects("session.create").await;
        made.iter().filter(|entry| entry["detail"]["order"] == uid).count()
    }

    /// A rule on the provider's calls.
    pub async fn rule(&self, route: &str, action: Value) -> u64 {
        let matching = json!({"method": "POST", "route": route, "ordinal": 1});
        let rule = self.sim.send("faults", &json!({"match": matching, "action": action})).await.unwrap();
        rule["id"].as_u64().unwrap()
    }
}

/// Places an order at Stripe that makes the Runtime of the same name.
pub async fn place(tenant: &Tenant<'_>, name: &str, mode: &str) {
    let more = json!({"runtime": {"name": name, "slug": tenant.slug(name)},
        "payment": {"provider": "Stripe", "mode": mode}});
    order(tenant, name, more).await.unwrap();
}

/// Places an order, and has it paid.
pub async fn bought(scene: &Scene, tenant: &Tenant<'_>, name: &str, mode: &str) -> Value {
    place(tenant, name, mode).await;
    scene.pay(tenant, name).await;
    wait(tenant, name, "running").await.unwrap()
}

/// The receipts of an order, by name.
pub async fn receipts(tenant: &Tenant<'_>, uid: &str) -> Vec<Value> {
    let all: kube::Api<moorage::api::PaymentReceipt> = kube::Api::all(tenant.client.clone());
    let all = all.list(&kube::api::ListParams::default()).await.unwrap();
    let ours = all.items.into_iter().filter(|receipt| receipt.spec.order_uid == uid);
    ours.map(|receipt| serde_json::to_value(receipt).unwrap()).collect()
}

/// Applies something of the platform's.
pub async fn platform(scene: &Scene, manifest: &Value) {
    apply(&scene.rig.client().await.unwrap(), &manifest.to_string()).await.unwrap();
}
