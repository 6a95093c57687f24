//! Everything that Stripe says of one order.

use std::collections::BTreeSet;

use super::client::Stripe;
use super::objects::{Charge, Session};
use super::translate::{self, Paid};
use crate::billing::error::{Error, ErrorClass};
use crate::billing::provider::{KnownCheckout, KnownOrder};
use crate::billing::truth::{Checkout, Dispute, Payment, ProviderTruth, Purpose};

impl Stripe {
    /// Reads all of an order's checkouts and what they led to.
    pub(super) async fn read_order(&self, order: &KnownOrder) -> Result<ProviderTruth, Error> {
        let mut truth = ProviderTruth::default();
        let mut subscriptions: BTreeSet<String> = order.subscription.iter().cloned().collect();
        for known in &order.checkouts {
            let Some(session) = self.known_session(known).await? else {
                truth.checkouts.push(translate::missing(known));
                continue;
            };
            self.read_once(&session, &mut truth).await?;
            truth.customer = session.customer.as_ref().map(|it| it.id().to_owned()).or(truth.customer);
            subscriptions.extend(session.subscription.as_ref().map(|it| it.id().to_owned()));
            truth.checkouts.push(checkout(known, &session)?);
        }
        for id in subscriptions {
            self.read_subscription(&id, &mut truth).await?;
        }
        truth.payments.sort_by(|one, other| (one.paid_at, &one.id).cmp(&(other.paid_at, &other.id)));
        truth.invoices.sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
        Ok(truth)
    }

    async fn known_session(&self, known: &KnownCheckout) -> Result<Option<Session>, Error> {
        match self.session(&known.opened.id).await {
            Ok(session) => Ok(Some(session)),
            Err(error) if error.class() == ErrorClass::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The one payment of a session that isn't for a subscription.
    async fn read_once(&self, session: &Session, truth: &mut ProviderTruth) -> Result<(), Error> {
        let Some(intent) = &session.payment_intent else { return Ok(()) };
        let charges = self.charges_of_intent(intent.id()).await?;
        for charge in charges.iter().filter(|charge| charge.is_paid()) {
            let paid = Paid { purpose: Purpose::First, period: None };
            truth.payments.push(self.payment(charge, paid).await?);
            truth.payment_method = translate::method_of(charge).or(truth.payment_method.take());
        }
        Ok(())
    }

    async fn read_subscription(&self, id: &str, truth: &mut ProviderTruth) -> Result<(), Error> {
        let subscription = self.subscription(id).await?;
        let invoices = self.invoices(id).await?;
        let customer = subscription.customer.as_ref().map(|it| it.id().to_owned());
        let charges = match &customer {
            Some(customer) => self.charges_of_customer(customer).await?,
            None => Vec::new(),
        };
        let mut latest = None;
        for charge in charges.iter().filter(|charge| charge.is_paid()) {
            let paid = self.payment(charge, translate::paid_by(charge, &invoices)).await?;
            truth.payments.push(Payment { subscription: Some(id.to_owned()), ..paid });
            latest = latest.or_else(|| translate::method_of(charge));
        }
        let chosen = subscription.default_payment_method.as_ref().and_then(|method| method.object());
        let chosen = chosen.and_then(translate::method);
        truth.payment_method = chosen.or(latest).or(truth.payment_method.take());
        truth.customer = customer.or(truth.customer.take());
        truth.subscriptions.push(translate::subscription(&subscription, &invoices));
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

fn checkout(known: &KnownCheckout, session: &Session) -> Result<Checkout, Error> {
    let cause = "a checkout in a state that isn't known";
    let state = translate::checkout_state(session)
        .ok_or_else(|| Error::new("checkout.get", ErrorClass::BadAnswer, cause))?;
    let amount = translate::total(session);
    Ok(Checkout { attempt: known.attempt.number, id: session.id.clone(), state, amount })
}
