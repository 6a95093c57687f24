//! Payments that are told to a replica which doesn't lead: it writes them down, and the one that leads acts on them. The
//! providers' keys are nowhere on the way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "test code"
)]

#[path = "../runtime_support/mod.rs"]
mod runtime_support;

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use runtime_support::{SOON, Tenant, config, prepare, text};
use serde_json::{Value, json};
use testbed::survey::leaks;
use testbed::{
    Audit, BillingSim, BillingSimOptions, ControlPlane, ControlPlaneOptions, FlySim, FlySimOptions, Identity,
    Operator, OperatorOptions, Payments, RateLimits, apply, eventually, platform, repository,
};

const READY: Duration = Duration::from_secs(60);
/// A Plan that PayApp can take payments for.
const WON: &str =
    "{apiVersion: moorage.dev/v1alpha1, kind: Plan, metadata: {name: sold}, spec: {cpuKind: Shared, cpus: 2,
    memoryMB: 2048, volumeGB: 3, amount: 19900, currency: KRW, interval: Month}}";

fn keys() -> BillingSimOptions {
    BillingSimOptions {
        stripe_key: "sk_test_canaryOfTheKey6a4".to_owned(),
        stripe_secret: "whsec_canaryOfTheSecret2b8".to_owned(),
        payapp_userid: "shop".to_owned(),
        payapp_linkkey: "canaryOfTheLinkkey9c3".to_owned(),
        payapp_linkval: "canaryOfTheLinkval7d5".to_owned(),
        ..BillingSimOptions::default()
    }
}

struct Scene {
    leader: Operator,
    standby: Operator,
    sim: BillingSim,
    fly: FlySim,
    _keys: [Payments; 2],
    cluster: ControlPlane,
}

impl Scene {
    /// Everything is told to the replica that stands by, and to nobody else.
    async fn start() -> Result<Self> {
        let crds = Some(repository().join("crds"));
        let options = ControlPlaneOptions { audit: Audit::Off, crds, ..Default::default() };
        let cluster = ControlPlane::start(&options).await?;
        let fly =
            FlySim::start(FlySimOptions { rate_limits: RateLimits::Off, ..FlySimOptions::default() }).await?;
        let admin = cluster.client(&Identity::Admin).await?;
        platform::install_rights(&admin, &[]).await?;
        platform::install_catalogue(&admin).await?;
        prepare(&admin).await?;
        apply(&admin, WON).await?;
        let sim = BillingSim::start(&keys()).await?;
        let (first, second) = (Payments::new(&keys())?, Payments::new(&keys())?);
        let identity = Identity::service_account(platform::NAMESPACE, platform::SERVICE_ACCOUNT);
        let kubeconfig = cluster.kubeconfig(&identity).await?;
        let told = format!("http://{}", second.address());
        let leader = replica(&kubeconfig, &fly, billing(&first, &sim, &told))?;
        eventually("the first replica to lead", READY, async || {
            ensure!(leads(&leader).await?);
            Ok(())
        })
        .await?;
        let standby = replica(&kubeconfig, &fly, billing(&second, &sim, &told))?;
        leader.wait_ready(READY).await?;
        standby.wait_ready(READY).await?;
        sim.send("settings", &json!({"webhook": second.stripe_webhook()})).await?;
        Ok(Self { leader, standby, sim, fly, _keys: [first, second], cluster })
    }

    async fn tenant(&self, namespace: &str) -> Result<Tenant<'_>> {
        let tenant = Tenant::new(&self.cluster, &self.fly, namespace).await?;
        let member = json!({"kind": "User", "name": "ada", "role": "Owner"});
        let spec = json!({"displayName": "Acme", "subdomain": namespace, "members": [member]});
        tenant.apply("moorage.dev/v1alpha1", "Workspace", "acme", json!({"spec": spec})).await?;
        Ok(tenant)
    }

    async fn taken(&self, operator: &Operator, provider: &str) -> u64 {
        let series = format!(r#"moorage_webhooks_total{{provider="{provider}",outcome="taken"}} "#);
        let metrics = operator.metrics().await.unwrap();
        metrics.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok()).unwrap_or_default()
    }

    async fn nowhere(&self, tenant: &Tenant<'_>) {
        let keys = keys();
        for canary in [keys.stripe_key, keys.stripe_secret, keys.payapp_linkkey, keys.payapp_linkval] {
            for operator in [&self.leader, &self.standby] {
                let places = leaks(&canary, &tenant.client, &self.fly, operator).await.unwrap();
                assert_eq!(places, [""; 0], "{canary}");
            }
        }
    }
}

fn billing(payments: &Payments, sim: &BillingSim, told: &str) -> Value {
    let mut billing = payments.config(sim.stripe_url(), sim.payapp_url());
    billing["publicURL"] = json!(told);
    billing["stripe"]["pollSeconds"] = json!(3600);
    billing
}

fn replica(kubeconfig: &Path, fly: &FlySim, billing: Value) -> Result<Operator> {
    let mut options = OperatorOptions::new(kubeconfig.to_owned(), "replicas", fly)
        .with("/namespace", json!(platform::NAMESPACE))
        .with("/billing", billing);
    for (pointer, value) in config() {
        options = options.with(pointer, value);
    }
    Operator::start(options.with("/leaderElection", json!("Lease")).with("/logging/level", json!("trace")))
}

async fn leads(operator: &Operator) -> Result<bool> {
    Ok(operator.metrics().await?.lines().any(|line| line == "moorage_leader 1"))
}

async fn order(tenant: &Tenant<'_>, name: &str, plan: &str, provider: &str) -> Result<()> {
    let spec = json!({"planRef": {"name": plan}, "runtime": {"name": name, "slug": tenant.slug(name)},
        "payment": {"provider": provider, "mode": "Subscription"}});
    tenant.apply("moorage.dev/v1alpha1", "RuntimeOrder", name, json!({"spec": spec})).await
}

/// Waits until an order is as it should be.
async fn wait(tenant: &Tenant<'_>, name: &str, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
    let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await?;
    eventually(&format!("order {name}: {what}"), SOON, async || {
        let order = serde_json::to_value(orders.get(name).await?)?;
        ensure!(is(&order), "{}", order["status"]);
        Ok(order)
    })
    .await
}

async fn page(tenant: &Tenant<'_>, name: &str) -> Result<String> {
    let open = wait(tenant, name, "a page", |order| order["status"]["checkout"]["url"].is_string()).await?;
    Ok(text(&open, "/status/checkout/url").to_owned())
}

/// A customer presses the button of the page.
async fn pay(page: &str) {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = client.post(format!("{page}/pay")).send().await.unwrap();
    assert!(answer.status().is_redirection(), "{}", answer.status());
}

#[tokio::test]
async fn a_replica_that_stands_by_takes_what_the_one_that_leads_acts_on() {
    let scene = Scene::start().await.unwrap();
    let tenant = scene.tenant("replicas").await.unwrap();
    for (name, plan, provider) in [("app", "sold", "PayApp"), ("card", "openclaw-basic", "Stripe")] {
        order(&tenant, name, plan, provider).await.unwrap();
        pay(&page(&tenant, name).await.unwrap()).await;
        wait(&tenant, name, "running", |order| order["status"]["state"] == "running").await.unwrap();
        let provider = provider.to_lowercase();
        assert!(scene.taken(&scene.standby, &provider).await >= 1, "{provider}: nobody was told");
        assert_eq!(scene.taken(&scene.leader, &provider).await, 0, "{provider}: the leader was told");
    }
    assert!(leads(&scene.leader).await.unwrap() && !leads(&scene.standby).await.unwrap());

    // Who refuses a key repeats it.
    let words = json!({"error": {"type": "invalid_request_error", "code": "api_key_expired",
        "message": format!("Expired API Key provided: {}", keys().stripe_key)}});
    let rule = json!({"match": {"method": "POST", "route": "/v1/checkout/sessions"},
        "action": {"kind": "status", "status": 401, "body": words}});
    scene.sim.send("faults", &rule).await.unwrap();
    order(&tenant, "late", "openclaw-basic", "Stripe").await.unwrap();
    let refused = |order: &Value| {
        let conditions = order["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|it| it["message"].as_str().is_some_and(|words| words.contains("Stripe")))
            && order["status"]["checkout"].is_null()
            && text(order, "/status/state") == "pending_payment"
    };
    wait(&tenant, "late", "the key to be refused", refused).await.unwrap();
    scene.nowhere(&tenant).await;
}
