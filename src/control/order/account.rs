//! What an order's payments come to: until when it is paid, and what about them is odd. Pure: money is whole numbers
//! of the currency's smallest unit, and the time comes in.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, ToSpan};

use crate::api::order_record::{OrderRecord, Price};
use crate::api::plan::Interval;
use crate::api::runtime_order::PaymentMode;
use crate::billing::{Money, Payment, PaymentState, ProviderTruth, Purpose, Subscription, SubscriptionState};

/// How long after the end of a period the provider may take to collect the next, with the subscription in force:
/// Stripe lets an invoice rest for an hour.
const COLLECTING: SignedDuration = SignedDuration::from_hours(6);

/// What the payments come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Until when it is paid.
    pub paid_until: Option<Timestamp>,
    /// Until when nobody worries: later than what is paid while the provider is collecting the next interval.
    pub calm_until: Option<Timestamp>,
    /// The last payment that went back, whole.
    pub returned: Option<String>,
    /// The subscription that is the order's own: the first that a payment came for.
    pub subscription: Option<String>,
    /// What a person should look at, by payment.
    pub oddities: Vec<Oddity>,
}

/// Something odd about a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// The provider's id of the payment.
    pub payment: String,
    /// What is odd.
    pub kind: OddityKind,
}

/// What is odd about a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddityKind {
    /// Another amount or currency than the order's: it pays for nothing.
    AmountMismatch,
    /// What it pays for was paid already: it pays for nothing.
    Duplicate,
    /// A part of a payment went back; the rest still pays.
    PartialRefund,
    /// The customer's bank asks for it back; it pays until that is settled.
    Disputed,
}

/// Folds what is true of an order. The order in which it came to be known doesn't matter.
pub fn account(order: &OrderRecord, truth: &ProviderTruth) -> Account {
    let mut payments: Vec<&Payment> = truth.payments.iter().collect();
    payments.sort_by(|a, b| (a.paid_at, &a.id).cmp(&(b.paid_at, &b.id)));
    let own = own_subscription(order, &payments);
    let mut fold =
        Fold { order, truth, account: Account { subscription: own, ..Account::default() }, run: None };
    for payment in payments {
        fold.payment(payment);
    }
    fold.invoiced();
    fold.account
}

/// The one that is recorded, or else the first that a payment came for.
fn own_subscription(order: &OrderRecord, payments: &[&Payment]) -> Option<String> {
    let first = || payments.iter().find_map(|payment| payment.subscription.clone());
    order.subscription_id.clone().or_else(first)
}

/// The account while it is being made up.
struct Fold<'o> {
    order: &'o OrderRecord,
    truth: &'o ProviderTruth,
    account: Account,
    /// Where a run of intervals without a gap began, and how many it has: months are counted from its first day.
    run: Option<(Timestamp, i32)>,
}

impl Fold<'_> {
    fn payment(&mut self, payment: &Payment) {
        // The difference after a change of price pays for no time of its own.
        if payment.purpose == Purpose::Change {
            return;
        }
        if !self.is_right(payment) {
            return self.odd(payment, OddityKind::AmountMismatch);
        }
        match payment.state() {
            PaymentState::Refunded | PaymentState::Lost => {
                self.account.returned = Some(payment.id.clone());
                return;
            }
            PaymentState::PartlyRefunded => self.odd(payment, OddityKind::PartialRefund),
            PaymentState::Disputed => self.odd(payment, OddityKind::Disputed),
            PaymentState::Paid => {}
        }
        self.pay(payment);
    }

    /// The order's price; or what its own subscription, at that price, was charged: a credit may have made it less.
    fn is_right(&self, payment: &Payment) -> bool {
        let of_own = payment.subscription.is_some() && payment.subscription == self.account.subscription;
        let invoiced =
            of_own && payment.period.is_some() && self.own().is_some_and(|own| self.has_our_price(own));
        let former = self.order.former.as_ref().filter(|former| payment.paid_at <= former.end_time);
        let was_price = former.is_some_and(|former| is_price(&former.price, payment.amount));
        invoiced || was_price || is_price(&self.order.price, payment.amount)
    }

    fn pay(&mut self, payment: &Payment) {
        let paid = self.account.paid_until;
        let once = self.order.mode == PaymentMode::OneTime && paid.is_some();
        let other = payment.subscription.is_some() && payment.subscription != self.account.subscription;
        let until = match &payment.period {
            _ if once || other => None,
            Some(period) if paid.is_some_and(|paid| period.end <= paid) => None,
            Some(period) => {
                self.run = None;
                Some(period.end)
            }
            None => Some(self.next_interval(payment.paid_at)),
        };
        match until {
            Some(until) => self.account.paid_until = Some(until),
            None => self.odd(payment, OddityKind::Duplicate),
        }
    }

    /// The end of one interval more: from the end of what is paid for, or from now if that has passed.
    fn next_interval(&mut self, paid_at: Timestamp) -> Timestamp {
        let (start, count) = match (self.run, self.account.paid_until) {
            (Some(run), Some(paid)) if paid_at <= paid => run,
            (None, Some(paid)) if paid_at <= paid => (paid, 0),
            _ => (paid_at, 0),
        };
        self.run = Some((start, count.saturating_add(1)));
        after(start, self.order.price.interval, count.saturating_add(1))
    }

    /// What the provider says that the subscription's invoices have paid, where nothing was to be charged for one.
    fn invoiced(&mut self) {
        let Some(own) = self.own().filter(|own| self.has_our_price(own)) else { return };
        let Some(until) = own.paid_until.filter(|_| own.state != SubscriptionState::Incomplete) else {
            return;
        };
        let ends_then = |payment: &&Payment| payment.period.is_some_and(|period| period.end == until);
        let went_back =
            |payment: &Payment| matches!(payment.state(), PaymentState::Refunded | PaymentState::Lost);
        let collects = own.state == SubscriptionState::Active && own.period_end > Some(until);
        if !self.truth.payments.iter().filter(ends_then).any(went_back) {
            self.account.paid_until = self.account.paid_until.max(Some(until));
        }
        if collects && self.account.paid_until == Some(until) {
            self.account.calm_until = until.saturating_add(COLLECTING).ok();
        }
    }

    fn own(&self) -> Option<&Subscription> {
        let id = self.account.subscription.as_ref()?;
        self.truth.subscriptions.iter().find(|subscription| subscription.id == *id)
    }

    fn has_our_price(&self, subscription: &Subscription) -> bool {
        subscription.price.is_some_and(|price| is_price(&self.order.price, price))
    }

    fn odd(&mut self, payment: &Payment, kind: OddityKind) {
        self.account.oddities.push(Oddity { payment: payment.id.clone(), kind });
    }
}

fn is_price(price: &Price, amount: Money) -> bool {
    amount.minor == price.amount && amount.currency.code() == price.currency
}

/// The same day so many intervals later, or the last of its month.
fn after(start: Timestamp, interval: Interval, count: i32) -> Timestamp {
    let span: Span = match interval {
        Interval::Month => count.months(),
        Interval::Year => count.years(),
    };
    start.to_zoned(TimeZone::UTC).checked_add(span).map_or(Timestamp::MAX, |end| end.timestamp())
}
