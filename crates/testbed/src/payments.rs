//! An operator's side of the payment providers: keys in files, and its configuration.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::billing_sim::BillingSimOptions;
use crate::janitor;
use crate::ports::free_port;

/// Keys in files and an address for webhooks, for one replica of an operator. The files go when it is dropped.
#[derive(Debug)]
pub struct Payments {
    dir: TempDir,
    userid: String,
    address: String,
}

impl Payments {
    /// With the stand-ins' keys.
    pub fn new(keys: &BillingSimOptions) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("moorage-payments-").tempdir()?;
        janitor::remove(dir.path())?;
        for (name, key) in [
            ("stripe-key", &keys.stripe_key),
            ("stripe-webhook-secret", &keys.stripe_secret),
            ("payapp-linkkey", &keys.payapp_linkkey),
            ("payapp-linkval", &keys.payapp_linkval),
        ] {
            fs::write(dir.path().join(name), key)?;
        }
        let address = format!("127.0.0.1:{}", free_port()?);
        Ok(Self { dir, userid: keys.payapp_userid.clone(), address })
    }

    /// Where the replica takes webhooks: address and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where Stripe's events are to be sent.
    pub fn stripe_webhook(&self) -> String {
        format!("http://{}/webhooks/stripe", self.address)
    }

    /// The file with one of the keys: `stripe-key`, `stripe-webhook-secret`, `payapp-linkkey` or `payapp-linkval`.
    pub fn key(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `billing` of the operator's configuration, with the addresses of the stand-ins.
    pub fn config(&self, stripe_url: &str, payapp_url: &str) -> Value {
        json!({
            "publicURL": format!("http://{}", self.address),
            "returnURL": "https://portal.example/{namespace}/{order}",
            "webhookAddress": self.address,
            "stripe": {
                "apiURL": stripe_url,
                "secretKeyFile": self.key("stripe-key"),
                "webhookSecretFiles": [self.key("stripe-webhook-secret")],
            },
            "payapp": {
                "apiURL": payapp_url,
                "userID": self.userid,
                "shopName": "Acme",
                "linkKeyFile": self.key("payapp-linkkey"),
                "linkValueFile": self.key("payapp-linkval"),
            },
        })
    }
}
