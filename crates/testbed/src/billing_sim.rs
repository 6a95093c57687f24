//! The stand-ins for Stripe and PayApp, as a child process.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{POLL, Process};
use crate::{janitor, kubeconfig, programs};

const READY_WITHIN: Duration = Duration::from_secs(20);

/// How the stand-ins are started. The keys are made up: whoever calls them has to give the same.
#[derive(Clone, Debug)]
pub struct BillingSimOptions {
    /// The seed of identifiers and chance.
    pub seed: u64,
    /// Stripe's secret key.
    pub stripe_key: String,
    /// What Stripe's events are signed with.
    pub stripe_secret: String,
    /// PayApp's merchant.
    pub payapp_userid: String,
    /// The merchant's linkkey.
    pub payapp_linkkey: String,
    /// The merchant's linkval.
    pub payapp_linkval: String,
}

impl Default for BillingSimOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            stripe_key: "sk_test_sim".to_owned(),
            stripe_secret: "whsec_sim".to_owned(),
            payapp_userid: "simshop".to_owned(),
            payapp_linkkey: "sim-linkkey".to_owned(),
            payapp_linkval: "sim-linkval".to_owned(),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Addresses {
    stripe: String,
    payapp: String,
    control: String,
}

/// Running stand-ins. Dropping them ends them, with all that they know.
pub struct BillingSim {
    process: Process,
    addresses: Addresses,
    http: reqwest::Client,
    _dir: TempDir,
}

impl BillingSim {
    /// Starts them on a free loopback port, without any payment.
    pub async fn start(options: &BillingSimOptions) -> Result<Self> {
        kubeconfig::install_crypto_provider();
        let dir = tempfile::Builder::new().prefix("moorage-billing-").tempdir()?;
        janitor::remove(dir.path())?;
        let ready = dir.path().join("ready.json");
        let mut command = Command::new(programs::program("billing-sim")?);
        command.arg("serve").args(["--seed", &options.seed.to_string()]).arg("--ready-file").arg(&ready);
        command.args(["--payapp-userid", &options.payapp_userid]);
        command.env("BILLING_SIM_STRIPE_KEY", &options.stripe_key);
        command.env("BILLING_SIM_STRIPE_SECRET", &options.stripe_secret);
        command.env("BILLING_SIM_PAYAPP_LINKKEY", &options.payapp_linkkey);
        command.env("BILLING_SIM_PAYAPP_LINKVAL", &options.payapp_linkval);
        let process = Process::spawn("billing-sim", &mut command, &dir.path().join("billing-sim.log"))?;
        let until = Instant::now() + READY_WITHIN;
        let addresses = loop {
            let told = fs::read_to_string(&ready).ok().and_then(|text| serde_json::from_str(&text).ok());
            if let Some(addresses) = told {
                break addresses;
            }
            process.check_running()?;
            if Instant::now() > until {
                bail!("billing-sim was not ready within {READY_WITHIN:?}:\n{}", process.log_tail(15));
            }
            tokio::time::sleep(POLL).await;
        };
        let http = programs::http_client(Duration::from_secs(30))?;
        Ok(Self { process, addresses, http, _dir: dir })
    }

    /// Stripe's address, without a path.
    pub fn stripe_url(&self) -> &str {
        &self.addresses.stripe
    }

    /// PayApp's address, with its path.
    pub fn payapp_url(&self) -> &str {
        &self.addresses.payapp
    }

    /// The process itself, to pause it or read its log.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Reads from the control side, such as `ledger` or `stripe/charge`.
    pub async fn read(&self, path: &str) -> Result<Value> {
        let url = format!("{}/_sim/{path}", self.addresses.control);
        Self::body(path, self.http.get(&url).send().await?).await
    }

    /// Sends to the control side, such as a rule to `faults` or what a customer does to `act`.
    pub async fn send(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}/_sim/{path}", self.addresses.control);
        Self::body(path, self.http.post(&url).json(body).send().await?).await
    }

    /// Takes all rules on calls away.
    pub async fn clear_faults(&self) -> Result<()> {
        let url = format!("{}/_sim/faults", self.addresses.control);
        Self::body("faults", self.http.delete(&url).send().await?).await.map(drop)
    }

    /// Lets time pass: checkouts end, subscriptions renew.
    pub async fn advance(&self, by: Duration) -> Result<()> {
        let body = json!({"advanceMs": u64::try_from(by.as_millis())?});
        self.send("clock", &body).await.map(drop)
    }

    async fn body(path: &str, answer: reqwest::Response) -> Result<Value> {
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("billing-sim answered {status} to {path}: {text}");
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("billing-sim's answer to {path}: {text}"))
    }
}
