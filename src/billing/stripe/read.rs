//! Everything that Stripe says of one order.

use std::collections::BTreeMap;

use super::client::Stripe;
use super::objects::{Charge, PaymentStatus, Session, SubscriptionStatus};
use super::translate::{self, Paid};
use crate::billing::error::{Error, ErrorClass};
use crate::billing::provider::{KnownCheckout, KnownOrder};
use crate::billing::truth::{Checkout, Dispute, Payment, ProviderTruth, Purpose};

impl Stripe {
    /// Reads all of an order's checkouts and what they led to.
    pub(super) async fn read_order(&self, order: &KnownOrder) -> Result<ProviderTruth, Error> {
        let mut truth = ProviderTruth::default();
        // By their ids, with the attempts that led to them.
        let mut subscriptions: BTreeMap<String, Option<u32>> = BTreeMap::new();
        subscriptions.extend(order.subscription.iter().map(|id| (id.clone(), None)));
        for known in &order.checkouts {
            // One that was opened never goes: it not being there proves a wrong key, and nothing about what was paid.
            let session = self.session(&known.opened.id).await?;
            self.read_once(known, &session, &mut truth).await?;
            truth.customer = session.customer.as_ref().map(|it| it.id().to_owned()).or(truth.customer);
            let subscription = session.subscription.as_ref().map(|it| it.id().to_owned());
            subscriptions.extend(subscription.map(|id| (id, Some(known.attempt.number))));
            truth.checkouts.push(checkout(known, &session)?);
        }
        for (id, attempt) in subscriptions {
            self.read_subscription(&id, attempt, &mut truth).await?;
        }
        truth.payments.sort_by(|one, other| (one.paid_at, &one.id).cmp(&(other.paid_at, &other.id)));
        truth.invoices.sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
        Ok(truth)
    }

    /// The one payment of a session that isn't for a subscription.
    async fn read_once(
        &self,
        known: &KnownCheckout,
        session: &Session,
        truth: &mut ProviderTruth,
    ) -> Result<(), Error> {
        let Some(intent) = &session.payment_intent else { return Ok(()) };
        let charges = self.charges_of_intent(intent.id()).await?;
        if session.payment_status == PaymentStatus::Paid && !charges.iter().any(Charge::is_paid) {
            return Err(incomplete("charges.list", "the checkout is paid, and its charge isn't listed"));
        }
        for charge in charges.iter().filter(|charge| charge.is_paid()) {
            let at = self.came_at(charge).await?;
            let paid = self.payment(charge, Paid { at, ..Paid::plain(Purpose::First) }).await?;
            truth.payments.push(Payment { attempt: Some(known.attempt.number), ..paid });
            truth.payment_method = translate::method_of(charge).or(truth.payment_method.take());
        }
        Ok(())
    }

    async fn read_subscription(
        &self,
        id: &str,
        attempt: Option<u32>,
        truth: &mut ProviderTruth,
    ) -> Result<(), Error> {
        let subscription = self.subscription(id).await?;
        let customer = subscription.customer.as_ref().map(|it| it.id().to_owned());
        let charges = match &customer {
            Some(customer) => self.charges_of_customer(customer).await?,
            None => Vec::new(),
        };
        // Read after the charges: what is charged for is seen to be paid.
        let invoices = self.invoices(id).await?;
        if invoices.is_empty() && was_billed(subscription.status) {
            return Err(incomplete("invoices.list", "the subscription was billed, and no invoice is listed"));
        }
        let mut latest = None;
        for charge in charges.iter().filter(|charge| charge.is_paid()) {
            let paid = self.payment(charge, translate::paid_by(charge, &invoices)).await?;
            truth.payments.push(Payment { subscription: Some(id.to_owned()), attempt, ..paid });
            latest = latest.or_else(|| translate::method_of(charge));
        }
        truth.subscriptions.push(translate::subscription(&subscription, &invoices, latest));
        truth.invoices.extend(invoices.iter().filter_map(translate::invoice));
        Ok(())
    }

    async fn payment(&self, charge: &Charge, paid: Paid) -> Result<Payment, Error> {
        let dispute = if charge.disputed { self.worst_dispute(charge).await? } else { None };
        let cause = "a charge with no proper amount or time";
        translate::payment(charge, paid, dispute)
            .ok_or_else(|| Error::new("charges.list", ErrorClass::BadAnswer, cause))
    }

    async fn worst_dispute(&self, charge: &Charge) -> Result<Option<Dispute>, Error> {
        let disputes = self.disputes(&charge.id).await?;
        Ok(disputes.iter().filter_map(translate::dispute).max_by_key(|dispute| match dispute {
            Dispute::Won => 0,
            Dispute::Open => 1,
            Dispute::Lost => 2,
        }))
    }
}

/// Lists may lag behind what they are of: that something isn't in one proves nothing.
fn incomplete(operation: &'static str, cause: &str) -> Error {
    Error::new(operation, ErrorClass::Unavailable, cause)
}

/// Each subscription has an invoice from its first moment on, save one that is tried for free.
fn was_billed(status: SubscriptionStatus) -> bool {
    use SubscriptionStatus::{Active, PastDue, Unpaid};
    matches!(status, Active | PastDue | Unpaid)
}

fn checkout(known: &KnownCheckout, session: &Session) -> Result<Checkout, Error> {
    let cause = "a checkout in a state that isn't known";
    let state = translate::checkout_state(session)
        .ok_or_else(|| Error::new("checkout.get", ErrorClass::BadAnswer, cause))?;
    let amount = translate::total(session);
    Ok(Checkout { attempt: known.attempt.number, id: session.id.clone(), state, amount })
}
