//! What is true of an order's payments: what its provider says, and what stands in receipts. Pure.
//!
//! Stripe is asked, and its order isn't judged by its receipts; PayApp can't be asked, and its notices are stored as
//! receipts. What the platform approves by hand counts beside either: it is how a payment that nobody was told of is
//! made good.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::api::PaymentReceiptSpec;
use crate::api::order_record::{AttemptRecord, AttemptState, OrderRecord};
use crate::api::payment_receipt::{self as receipt, Provider, ReceiptType};
use crate::api::plan;
use crate::api::runtime_order::PaymentMode;
use crate::billing::{
    self, Attempt, Billing, Interval, KnownCheckout, KnownOrder, Money, OpenCheckout, Payment, Period,
    ProviderTruth, ReceiptEvent, Refunded,
};

/// A receipt, as it was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Name of the object.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
    /// What it says.
    pub spec: PaymentReceiptSpec,
}

impl Receipt {
    /// When the money moved, as far as is known.
    fn at(&self) -> Timestamp {
        self.spec.pay_time.unwrap_or(self.created)
    }
}

/// All that is true, given what was read from the provider; `None` if it has to be read first.
pub fn truth(
    order: &OrderRecord,
    receipts: &[Receipt],
    read: Option<&ProviderTruth>,
) -> Option<ProviderTruth> {
    let approved = told(order, receipts, Provider::Manual);
    Some(match order.provider {
        // Of one payment that both tell of, PayApp knows more: what it tells comes first.
        Provider::PayApp => {
            let told = told(order, receipts, Provider::PayApp);
            billing::fold(&known(order, told.into_iter().chain(approved).collect()))
        }
        Provider::Stripe if is_asked(order) => beside(order, read?.clone(), &by_receipts(approved)),
        Provider::Stripe | Provider::Manual => by_receipts(approved),
    })
}

fn by_receipts(receipts: Vec<billing::Receipt>) -> ProviderTruth {
    billing::fold(&KnownOrder { receipts, ..KnownOrder::default() })
}

/// What the platform approved counts beside what the provider says, and under the provider's id it is that very payment.
fn beside(order: &OrderRecord, mut truth: ProviderTruth, approved: &ProviderTruth) -> ProviderTruth {
    for payment in &approved.payments {
        match truth.payments.iter_mut().find(|told| told.id == payment.id) {
            Some(told) => vouched(order, told, payment),
            None => truth.payments.push(payment.clone()),
        }
    }
    truth
}

/// A payment of another amount counts once a person approves it at the order's price.
fn vouched(order: &OrderRecord, told: &mut Payment, approved: &Payment) {
    if Money::of(order.price.amount, &order.price.currency).is_ok_and(|price| price == approved.amount) {
        told.amount = approved.amount;
    }
    told.period = told.period.or(approved.period);
    if told.refunded == Refunded::Nothing || approved.refunded == Refunded::All {
        told.refunded = approved.refunded;
    }
}

/// Whether there is anything that the provider could be asked about.
pub fn is_asked(order: &OrderRecord) -> bool {
    let opened =
        order.attempts.iter().any(|attempt| attempt.checkout_id.is_some() && is_told(order, attempt));
    order.provider == Provider::Stripe && (opened || order.subscription_id.is_some())
}

/// What an order knows about itself at its provider.
pub fn known(order: &OrderRecord, receipts: Vec<billing::Receipt>) -> KnownOrder {
    let ended = order.endings.iter().filter_map(|it| Some((it.subscription_id.clone(), it.done_time?)));
    let attempts = order.attempts.iter().filter(|attempt| is_told(order, attempt));
    KnownOrder {
        checkouts: attempts.filter_map(|attempt| checkout(order, attempt)).collect(),
        subscription: order.subscription_id.clone(),
        ended: ended.collect(),
        receipts,
    }
}

/// Whether its provider may still tell something of an attempt. A session of Stripe's that has expired stays so.
fn is_told(order: &OrderRecord, attempt: &AttemptRecord) -> bool {
    order.provider != Provider::Stripe || attempt.state != AttemptState::Expired
}

/// A payment that a receipt is stored of, and that the provider doesn't tell of any more: that proves a wrong key or a
/// list that lags behind, and nothing about what was paid.
pub fn absent<'r>(order: &OrderRecord, receipts: &'r [Receipt], read: &ProviderTruth) -> Option<&'r str> {
    let is_asked_about = |spec: &PaymentReceiptSpec| {
        let of_own = spec.subscription_id.is_some() && spec.subscription_id == order.subscription_id;
        let marked = |attempt: &AttemptRecord| spec.attempt.as_ref() == Some(&attempt.mark());
        of_own || order.attempts.iter().any(|it| it.checkout_id.is_some() && is_told(order, it) && marked(it))
    };
    let ours = |spec: &PaymentReceiptSpec| {
        spec.order_uid == order.uid
            && (spec.provider, spec.type_) == (Provider::Stripe, ReceiptType::Payment)
            && is_asked_about(spec)
    };
    let mut stored = receipts.iter().map(|receipt| &receipt.spec).filter(|spec| ours(spec));
    let told = |id: &str| read.payments.iter().any(|payment| payment.id == id);
    stored.find(|spec| !told(&spec.provider_id)).map(|spec| spec.provider_id.as_str())
}

fn checkout(order: &OrderRecord, attempt: &AttemptRecord) -> Option<KnownCheckout> {
    Some(KnownCheckout {
        attempt: identity(attempt),
        created_at: attempt.create_time,
        opened: opened(attempt)?,
        price: Money::of(attempt.amount, &attempt.currency).ok()?,
        billing: billing_of(order),
    })
}

/// What identifies an attempt at its provider.
pub fn identity(attempt: &AttemptRecord) -> Attempt {
    Attempt { number: attempt.number, nonce: attempt.nonce.clone() }
}

/// The checkout of an attempt, once its provider has it.
pub fn opened(attempt: &AttemptRecord) -> Option<OpenCheckout> {
    Some(OpenCheckout {
        id: attempt.checkout_id.clone().or_else(|| attempt.subscription_id.clone())?,
        url: attempt.url.clone(),
        expires_at: attempt.expire_time,
        subscription: attempt.subscription_id.clone(),
    })
}

/// Once or again and again.
pub fn billing_of(order: &OrderRecord) -> Billing {
    match order.mode {
        PaymentMode::OneTime => Billing::Once,
        PaymentMode::Subscription => Billing::Every(interval(order.price.interval)),
    }
}

/// How often, in the words of providers.
pub fn interval(interval: plan::Interval) -> Interval {
    match interval {
        plan::Interval::Month => Interval::Month,
        plan::Interval::Year => Interval::Year,
    }
}

/// The order's receipts of one provider, as they are put together. One with a flag pays for nothing, but what went back
/// did so.
fn told(order: &OrderRecord, receipts: &[Receipt], provider: Provider) -> Vec<billing::Receipt> {
    let ours = |receipt: &&Receipt| {
        let spec = &receipt.spec;
        let counts = spec.flags.is_empty() || spec.type_ == ReceiptType::Refund;
        spec.order_uid == order.uid && spec.provider == provider && counts
    };
    let mut ours: Vec<&Receipt> = receipts.iter().filter(ours).collect();
    ours.sort_by(|a, b| (a.at(), &a.name).cmp(&(b.at(), &b.name)));
    match provider {
        Provider::Manual => approved(order, &ours),
        Provider::PayApp | Provider::Stripe => {
            ours.iter().filter_map(|receipt| event(order, receipt, receipt.spec.told()?)).collect()
        }
    }
}

fn event(order: &OrderRecord, receipt: &Receipt, told: receipt::ReceiptEvent) -> Option<billing::Receipt> {
    let (spec, marked) = (&receipt.spec, receipt.spec.attempt.as_ref());
    let attempt = order.attempts.iter().find(|attempt| marked == Some(&attempt.mark()));
    let event = match told {
        receipt::ReceiptEvent::Paid => ReceiptEvent::Paid,
        receipt::ReceiptEvent::Refunded => ReceiptEvent::Refunded,
        receipt::ReceiptEvent::PartlyRefunded => ReceiptEvent::PartlyRefunded,
        receipt::ReceiptEvent::AwaitingDeposit => ReceiptEvent::AwaitingDeposit,
        receipt::ReceiptEvent::RequestCancelled => ReceiptEvent::RequestCancelled,
        receipt::ReceiptEvent::RenewalFailed => ReceiptEvent::RenewalFailed,
    };
    Some(billing::Receipt {
        payment: spec.refunds.clone().unwrap_or_else(|| spec.provider_id.clone()),
        subscription: spec.subscription_id.clone(),
        attempt: attempt.map(|attempt| attempt.number),
        event,
        amount: Money::of(spec.amount, &spec.currency).ok()?,
        at: receipt.at(),
        period: spec.period.as_ref().map(|period| Period { start: period.start, end: period.end }),
    })
}

/// What a person of the platform approved: one payment counts once, one refund too, and several refunds may add up to
/// all of a payment.
fn approved(order: &OrderRecord, receipts: &[&Receipt]) -> Vec<billing::Receipt> {
    let mut paid: BTreeMap<&str, &Receipt> = BTreeMap::new();
    for receipt in receipts.iter().filter(|receipt| receipt.spec.type_ == ReceiptType::Payment) {
        paid.entry(&receipt.spec.provider_id).or_insert(receipt);
    }
    let payments =
        paid.values().filter_map(|payment| by_hand(order, payment, ReceiptEvent::Paid, payment.spec.amount));
    payments.chain(given_back(order, receipts, &paid)).collect()
}

fn given_back(
    order: &OrderRecord,
    receipts: &[&Receipt],
    paid: &BTreeMap<&str, &Receipt>,
) -> Vec<billing::Receipt> {
    let mut seen = BTreeSet::new();
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for receipt in receipts.iter().filter(|receipt| receipt.spec.type_ == ReceiptType::Refund) {
        let Some(payment) = receipt.spec.refunds.as_deref() else { continue };
        if seen.insert(receipt.spec.provider_id.as_str()) {
            let sum = sums.entry(payment).or_default();
            *sum = sum.saturating_add(receipt.spec.amount);
        }
    }
    let back = |(id, sum): (&str, i64)| {
        let payment = paid.get(id)?;
        let is_all = sum >= payment.spec.amount;
        let event = if is_all { ReceiptEvent::Refunded } else { ReceiptEvent::PartlyRefunded };
        by_hand(order, payment, event, sum)
    };
    sums.into_iter().filter_map(back).collect()
}

fn by_hand(
    order: &OrderRecord,
    payment: &Receipt,
    event: ReceiptEvent,
    amount: i64,
) -> Option<billing::Receipt> {
    let spec = &payment.spec;
    // By the provider's own number it is what was paid at the page of an attempt.
    let attempt = order.attempts.iter().find(|attempt| {
        let of = spec.subscription_id.is_some() && attempt.subscription_id == spec.subscription_id;
        of || attempt.checkout_id.as_ref() == Some(&spec.provider_id)
    });
    Some(billing::Receipt {
        payment: spec.provider_id.clone(),
        subscription: attempt.and_then(|attempt| attempt.subscription_id.clone()),
        attempt: attempt.map(|attempt| attempt.number),
        event,
        amount: Money::of(amount, &spec.currency).ok()?,
        at: payment.at(),
        period: spec.period.as_ref().map(|period| Period { start: period.start, end: period.end }),
    })
}
