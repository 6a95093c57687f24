//! Where the demo's order is paid: a stand-in for Stripe, with a page for each checkout.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::billing_sim::{BillingSim, BillingSimOptions};
use crate::payments::Payments;
use crate::programs;

/// The shop, while it is open.
pub(super) struct Shop {
    sim: BillingSim,
    payments: Payments,
    http: reqwest::Client,
}

impl Shop {
    pub(super) async fn open() -> Result<Self> {
        let keys = BillingSimOptions::default();
        let (sim, payments) = (BillingSim::start(&keys).await?, Payments::new(&keys)?);
        sim.send("settings", &json!({"webhook": payments.stripe_webhook()})).await?;
        let http = programs::http_client(Duration::from_secs(10))?;
        Ok(Self { sim, payments, http })
    }

    /// Where Stripe stands in.
    pub(super) fn url(&self) -> &str {
        self.sim.stripe_url()
    }

    /// `billing` of the operator. After paying the browser is shown the checkout as it is then.
    pub(super) fn config(&self) -> Value {
        let mut billing = self.payments.config(self.sim.stripe_url(), self.sim.payapp_url());
        billing["returnURL"] = json!(format!("{}/checkout/{{CHECKOUT_SESSION_ID}}", self.url()));
        billing
    }

    /// Presses the button of a checkout's page, as a customer would.
    pub(super) async fn pay(&self, page: &str) -> Result<()> {
        let shown = self.http.get(page).send().await?.text().await?;
        ensure!(shown.contains("Pay by card"), "the page at {page} has no button to pay with: {shown}");
        let answer = self.http.post(format!("{page}/pay")).send().await?;
        ensure!(answer.status().is_success(), "{page} answered {}", answer.status());
        Ok(())
    }
}
