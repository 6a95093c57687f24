//! What the status says of money: where it can be paid, until when it is, and the last invoices. Pure.

use jiff::Timestamp;

use super::facts::Facts;
use super::portal;
use super::standing::Standing;
use crate::api::condition::whole_seconds;
use crate::api::runtime_order::{
    CheckoutStatus, FundingPhase, InvoiceState, InvoiceStatus, LONGEST_URL, PaymentMethodStatus,
    SubscriptionStatus,
};
use crate::billing::{self, CheckoutState, Invoice, PaymentMethod};

/// How many invoices are told.
const INVOICES: usize = 6;

/// Where it can be paid now.
pub(super) fn checkout(facts: &Facts, phase: FundingPhase) -> Option<CheckoutStatus> {
    let is_due = matches!(phase, FundingPhase::Unpaid | FundingPhase::PastDue | FundingPhase::Suspended);
    let open = facts
        .open_checkout()
        .filter(|_| is_due || (phase == FundingPhase::Paid && facts.asks_for_dearer()))?;
    let CheckoutState::Open { url, expires_at } = open.state else { return None };
    let url = Some(url).filter(|url| url.len() <= LONGEST_URL)?;
    Some(CheckoutStatus { url, expire_time: expires_at.map(whole_seconds), attempt: open.attempt })
}

/// Until when it is paid, and by what.
pub(super) fn subscription(now: Timestamp, facts: &Facts, standing: &Standing) -> SubscriptionStatus {
    let truth = facts.truth().unwrap_or_default();
    let account = facts.account();
    let recorded = facts.record().and_then(|record| record.paid_until);
    let paid_until = account.as_ref().map_or(recorded, |account| account.paid_until);
    let own = account.and_then(|account| account.subscription);
    let ends_at =
        truth.subscriptions.iter().find(|it| Some(&it.id) == own.as_ref()).and_then(|it| it.ends_at);
    SubscriptionStatus {
        state: standing.phase,
        paid_until: paid_until.map(whole_seconds),
        suspend_time: standing.suspend_at.map(whole_seconds),
        delete_time: standing.delete_at.map(whole_seconds),
        end_time: ends_at.map(whole_seconds),
        invoices: truth.invoices.iter().take(INVOICES).map(invoice).collect(),
        payment_method: truth.payment_method_of(own.as_deref()).and_then(method),
        portal: portal::status(now, facts),
    }
}

fn invoice(invoice: &Invoice) -> InvoiceStatus {
    InvoiceStatus {
        number: invoice.number.clone().filter(|number| !number.is_empty() && number.len() <= 255),
        amount: invoice.total.minor,
        currency: invoice.total.currency.code().to_owned(),
        state: match invoice.state {
            billing::InvoiceState::Draft => InvoiceState::Draft,
            billing::InvoiceState::Open => InvoiceState::Open,
            billing::InvoiceState::Paid => InvoiceState::Paid,
            billing::InvoiceState::Uncollectible => InvoiceState::Uncollectible,
            billing::InvoiceState::Void => InvoiceState::Void,
            billing::InvoiceState::Unrecognized => InvoiceState::Unknown,
        },
        url: invoice.url.clone().filter(|url| !url.is_empty() && url.len() <= LONGEST_URL),
    }
}

fn method(method: &PaymentMethod) -> Option<PaymentMethodStatus> {
    let short = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let brand = Some(short(&method.brand, 64)).filter(|brand| !brand.is_empty())?;
    let last4 = method.last4.as_deref().map(|digits| short(digits, 8)).filter(|digits| !digits.is_empty());
    Some(PaymentMethodStatus { brand, last4 })
}
