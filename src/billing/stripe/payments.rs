//! Charges, disputes, refunds, invoices, and the customer's own page.

use serde::de::IgnoredAny;

use super::client::Stripe;
use super::objects::{Charge, Dispute, Invoice, List, Portal};
use super::sessions::expand;
use crate::billing::error::{Error, ErrorClass};
use crate::billing::form::Form;
use crate::billing::provider::{Extent, NewPortal, NewRefund};

/// How many charges of one customer are read, and how many invoices of one subscription.
const CHARGES: usize = 100;
const INVOICES: usize = 100;

impl Stripe {
    /// What was charged for a payment intent, the newest first; failed ones are among them.
    pub(super) async fn charges_of_intent(&self, intent: &str) -> Result<Vec<Charge>, Error> {
        self.charges("payment_intent", intent).await
    }

    /// What was charged to a customer, the newest first; failed ones are among them.
    pub(super) async fn charges_of_customer(&self, customer: &str) -> Result<Vec<Charge>, Error> {
        self.charges("customer", customer).await
    }

    async fn charges(&self, filter: &str, id: &str) -> Result<Vec<Charge>, Error> {
        let query = Form::default().with(filter, id).with("limit", CHARGES.to_string());
        Ok(self.get::<List<Charge>>("charges.list", &["charges"], &query).await?.data)
    }

    pub(super) async fn disputes(&self, charge: &str) -> Result<Vec<Dispute>, Error> {
        let query = Form::default().with("charge", charge).with("limit", "10");
        Ok(self.get::<List<Dispute>>("disputes.list", &["disputes"], &query).await?.data)
    }

    /// The last invoices of a subscription, the newest first.
    pub(super) async fn invoices(&self, subscription: &str) -> Result<Vec<Invoice>, Error> {
        let query = Form::default().with("subscription", subscription).with("limit", INVOICES.to_string());
        let query = expand(query, &["data.payments"]);
        Ok(self.get::<List<Invoice>>("invoices.list", &["invoices"], &query).await?.data)
    }

    pub(super) async fn create_refund(&self, refund: &NewRefund) -> Result<(), Error> {
        let form = Form::default().with("payment_intent", &refund.payment);
        let form = form.with("metadata[reason]", &refund.reason);
        let form = match refund.extent {
            // All that is left, whatever was paid back by hand meanwhile.
            Extent::Full => form,
            Extent::Part => form.with("amount", refund.amount.minor.to_string()),
        };
        let key = Some(refund.idempotency_key.as_str());
        let sent: Result<IgnoredAny, Error> = self.post("refund.create", &["refunds"], &form, key).await;
        match sent {
            Err(error) if error.class() == ErrorClass::WrongState && refund.extent == Extent::Full => Ok(()),
            other => other.map(drop),
        }
    }

    pub(super) async fn create_portal(&self, portal: &NewPortal) -> Result<String, Error> {
        let form = Form::default().with("customer", &portal.customer).with("return_url", &portal.return_url);
        let path = ["billing_portal", "sessions"];
        Ok(self.post::<Portal>("portal.create", &path, &form, None).await?.url)
    }
}
