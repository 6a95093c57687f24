//! Charges, disputes, refunds, invoices, and the customer's own page.

use serde::de::{DeserializeOwned, IgnoredAny};

use super::client::Stripe;
use super::objects::{Charge, Dispute, Identified, Invoice, List, Portal};
use super::sessions::expand;
use crate::billing::error::{Error, ErrorClass};
use crate::billing::form::Form;
use crate::billing::provider::{Extent, NewPortal, NewRefund};

/// How many things a page of a list has, and how many pages are read of one list.
const PAGE: usize = 100;
const PAGES: usize = 10;

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
        self.all("charges.list", "charges", Form::default().with(filter, id)).await
    }

    /// When the money of a charge came, if that may be long after it was made. A restricted key that may not read the balance
    /// isn't told.
    pub(super) async fn came_at(&self, charge: &Charge) -> Result<Option<i64>, Error> {
        if !charge.is_slow() {
            return Ok(None);
        }
        let query = expand(Form::default(), &["balance_transaction"]);
        let read: Result<Charge, Error> = self.get("charge.get", &["charges", &charge.id], &query).await;
        match read {
            Ok(charge) => {
                let transaction = charge.balance_transaction.as_ref().and_then(|it| it.object());
                Ok(transaction.map(|transaction| transaction.created))
            }
            Err(error) if error.class() == ErrorClass::Credentials => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn disputes(&self, charge: &str) -> Result<Vec<Dispute>, Error> {
        self.all("disputes.list", "disputes", Form::default().with("charge", charge)).await
    }

    /// The invoices of a subscription, the newest first.
    pub(super) async fn invoices(&self, subscription: &str) -> Result<Vec<Invoice>, Error> {
        let query = expand(Form::default().with("subscription", subscription), &["data.payments"]);
        self.all("invoices.list", "invoices", query).await
    }

    /// Every page of a list: what isn't on the first may be the refund that counts.
    async fn all<T: DeserializeOwned + Identified>(
        &self,
        operation: &'static str,
        path: &str,
        query: Form,
    ) -> Result<Vec<T>, Error> {
        let query = query.with("limit", PAGE.to_string());
        let mut found: Vec<T> = Vec::new();
        for _ in 0..PAGES {
            let page = query.clone().with_some("starting_after", found.last().map(Identified::id));
            let page: List<T> = self.get(operation, &[path], &page).await?;
            let is_last = !page.has_more || page.data.is_empty();
            found.extend(page.data);
            if is_last {
                return Ok(found);
            }
        }
        let cause = format!("it has more than {} {path}, which are all that is read", PAGE * PAGES);
        Err(Error::new(operation, ErrorClass::TooMany, cause))
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
