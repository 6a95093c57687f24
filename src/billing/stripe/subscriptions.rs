//! Subscriptions: read, changed, ended.

use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use super::client::Stripe;
use super::objects::{Subscription, SubscriptionStatus};
use super::sessions::{PLAN, expand, word};
use crate::billing::error::{Error, ErrorClass};
use crate::billing::form::Form;
use crate::billing::provider::{ChangeSubscription, EndSubscription, Ending};

impl Stripe {
    /// A subscription with what it is paid by.
    pub(super) async fn subscription(&self, id: &str) -> Result<Subscription, Error> {
        let query = expand(Form::default(), &["default_payment_method"]);
        self.get("subscription.get", &["subscriptions", id], &query).await
    }

    /// A subscription ends; good if it has.
    pub(super) async fn end(&self, ending: &EndSubscription) -> Result<(), Error> {
        const OPERATION: &str = "subscription.end";
        let path = ["subscriptions", ending.id.as_str()];
        let sent: Result<IgnoredAny, Error> = match ending.when {
            Ending::AtPeriodEnd => {
                let form = Form::default().with("cancel_at_period_end", "true");
                self.post(OPERATION, &path, &form, Some(&ending.idempotency_key)).await
            }
            Ending::Now => self.delete(OPERATION, &path).await,
        };
        let Err(error) = sent else { return Ok(()) };
        if !matches!(error.class(), ErrorClass::Refused | ErrorClass::NotFound) {
            return Err(error);
        }
        // One that has ended takes no change.
        match self.subscription(&ending.id).await?.status {
            SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired => Ok(()),
            _ => Err(error),
        }
    }

    /// Another price from now on, the difference paid at once; if that fails nothing has changed.
    pub(super) async fn change(&self, change: &ChangeSubscription) -> Result<(), Error> {
        const OPERATION: &str = "subscription.change";
        let product = self.product(change).await?;
        let current = self.subscription(&change.id).await?;
        let item = current.items.data.first().map(|item| item.id.as_str());
        let item = item
            .ok_or_else(|| Error::new(OPERATION, ErrorClass::WrongState, "the subscription has no price"))?;
        let form = change_form(change, item, &product);
        let path = ["subscriptions", change.id.as_str()];
        self.post::<IgnoredAny>(OPERATION, &path, &form, Some(&change.idempotency_key)).await.map(drop)
    }

    /// The product of a Plan, made if there is none. Its id follows from what is bought, so that there is one.
    async fn product(&self, change: &ChangeSubscription) -> Result<String, Error> {
        let id = product_id(change);
        let form = Form::default()
            .with("id", &id)
            .with("name", &change.title)
            .with(format!("metadata[{PLAN}]"), &change.plan);
        let made: Result<IgnoredAny, Error> = self.post("product.create", &["products"], &form, None).await;
        match made {
            Err(error) if error.code() != Some("resource_already_exists") => Err(error),
            _ => Ok(id),
        }
    }
}

fn product_id(change: &ChangeSubscription) -> String {
    let digest = Sha256::digest(format!("{}\n{}", change.plan, change.title));
    format!("moorage_{digest:x}")[..40].to_owned()
}

fn change_form(change: &ChangeSubscription, item: &str, product: &str) -> Form {
    let price = |field: &str| format!("items[0][price_data]{field}");
    Form::default()
        .with("items[0][id]", item)
        .with("items[0][quantity]", "1")
        .with(price("[currency]"), change.price.currency.code().to_ascii_lowercase())
        .with(price("[unit_amount]"), change.price.minor.to_string())
        .with(price("[product]"), product)
        .with(price("[recurring][interval]"), word(change.interval))
        .with(format!("metadata[{PLAN}]"), &change.plan)
        .with("proration_behavior", "always_invoice")
        .with("payment_behavior", "error_if_incomplete")
}
