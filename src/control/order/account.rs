//! What an order's payments come to: until when it is paid, and what about them is odd. Pure: money is whole numbers
//! of the currency's smallest unit, and the time comes in.

use std::cmp::Ordering;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::api::order_record::{OrderRecord, Price};
use crate::api::payment_receipt::Provider;
use crate::api::plan::Interval;
use crate::api::runtime_order::PaymentMode;
use crate::billing::{
    Money, Payment, PaymentState, ProviderTruth, Purpose, Subscription, SubscriptionState, payapp,
};

/// How long after the end of a period the provider may take to collect the next, with the subscription in force:
/// Stripe lets an invoice rest for an hour.
const COLLECTING: SignedDuration = SignedDuration::from_hours(6);
/// How long before the end of what is paid the next period may begin. One that begins earlier is paid twice.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// What the payments come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Until when it is paid.
    pub paid_until: Option<Timestamp>,
    /// Until when nobody worries: later than what is paid while the provider is collecting the next interval.
    pub calm_until: Option<Timestamp>,
    /// The last payment that went back, whole, if it was for a time that nothing else pays for.
    pub returned: Option<String>,
    /// Until when that one had paid.
    pub returned_until: Option<Timestamp>,
    /// The subscription that is the order's own: the last that paid for anything.
    pub subscription: Option<String>,
    /// The payment by which the dearer Plan that is asked for was registered.
    pub dearer: Option<String>,
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
    /// All of it went back, and the time that it was for is paid by others or over.
    Returned,
    /// The difference for a dearer Plan went back: the earlier one is paid for, until the whole price of the dearer is.
    DifferenceReturned,
    /// The first payment for a dearer Plan went back, and the earlier one is still paid for: it runs on.
    PlanReturned,
    /// It came when the Runtime was gone: it pays for nothing.
    TooLate,
}

/// Folds what is true of an order. The order in which it came to be known doesn't matter.
pub fn account(order: &OrderRecord, truth: &ProviderTruth) -> Account {
    let mut payments: Vec<&Payment> = truth.payments.iter().collect();
    payments.sort_by(|a, b| (a.paid_at, &a.id).cmp(&(b.paid_at, &b.id)));
    let mut fold = Fold {
        order,
        truth,
        account: Account::default(),
        run: None,
        level: None,
        returned: Vec::new(),
        reduced: Vec::new(),
    };
    for payment in &payments {
        fold.payment(payment);
    }
    let first = || payments.iter().find_map(|payment| payment.subscription.clone());
    let own = fold.account.subscription.take();
    fold.account.subscription = own.or_else(|| order.subscription_id.clone()).or_else(first);
    fold.invoiced();
    fold.went_back();
    fold.told_of_differences(match order.provider {
        Provider::PayApp => OddityKind::PlanReturned,
        Provider::Stripe | Provider::Manual => OddityKind::DifferenceReturned,
    });
    fold.account
}

/// The account while it is being made up.
struct Fold<'o> {
    order: &'o OrderRecord,
    truth: &'o ProviderTruth,
    account: Account,
    /// Where a run of intervals without a gap began, and how many it has: months are counted from its first day.
    run: Option<(Timestamp, i32)>,
    /// The highest price that was paid by PayApp, where each dearer Plan is another registration.
    level: Option<i64>,
    /// What went back whole, with the end of the time that it had paid for.
    returned: Vec<(Timestamp, String)>,
    /// Differences, or first payments for a dearer Plan, that went back, since its whole price was last paid.
    reduced: Vec<String>,
}

/// A time that a payment pays for.
struct Covered {
    until: Timestamp,
    run: Option<(Timestamp, i32)>,
}

impl Fold<'_> {
    fn payment(&mut self, payment: &Payment) {
        // The difference after a change of price pays for no time of its own.
        if payment.purpose == Purpose::Change {
            return self.difference(payment);
        }
        let is_back = matches!(payment.state(), PaymentState::Refunded | PaymentState::Lost);
        if !is_back && self.order.runtime_gone_time.is_some_and(|gone| payment.paid_at > gone) {
            return self.odd(payment, OddityKind::TooLate);
        }
        let covered = if self.is_right(payment) {
            self.covered(payment)
        } else if is_back {
            None
        } else {
            return self.odd(payment, OddityKind::AmountMismatch);
        };
        match (covered, payment.state()) {
            (Some(_), PaymentState::Refunded | PaymentState::Lost) if self.is_early(payment) => {
                self.undone(payment);
            }
            (Some(covered), PaymentState::Refunded | PaymentState::Lost) => {
                self.own(payment);
                self.returned.push((covered.until, payment.id.clone()));
            }
            (None, PaymentState::Refunded | PaymentState::Lost) => {}
            (covered, state) => {
                self.told(payment, state);
                self.pay(payment, covered.as_ref());
            }
        }
    }

    fn pay(&mut self, payment: &Payment, covered: Option<&Covered>) {
        let Some(&Covered { until, run }) = covered else {
            return self.odd(payment, OddityKind::Duplicate);
        };
        self.account.paid_until = Some(until);
        self.run = run;
        self.own(payment);
        let price = self.price(payment);
        self.level = self.level.max(price);
        if price.is_some_and(|price| self.order.change.as_ref().is_some_and(|it| it.price.amount == price)) {
            self.account.dearer = Some(payment.id.clone());
        }
        if !self.is_former(payment) {
            self.told_of_differences(OddityKind::Returned);
        }
    }

    /// The price of the Plan that it is for, at PayApp.
    fn price(&self, payment: &Payment) -> Option<i64> {
        let is_price = self.is_asked(payment) || is_price(&self.order.price, payment.amount);
        (self.order.provider == Provider::PayApp && is_price).then_some(payment.amount.minor)
    }

    /// How its price stands to the highest that was paid until then.
    fn step(&self, payment: &Payment) -> Option<Ordering> {
        Some(self.price(payment)?.cmp(&self.level?))
    }

    /// Whether it is the first for a dearer Plan than was paid for until then.
    fn is_dearer(&self, payment: &Payment) -> bool {
        self.step(payment) == Some(Ordering::Greater)
    }

    /// Whether it is so while the earlier one is paid for.
    fn is_early(&self, payment: &Payment) -> bool {
        self.is_dearer(payment) && self.account.paid_until.is_some_and(|paid| payment.paid_at < paid)
    }

    /// It leaves what was paid for before, and that registration is the order's own.
    fn undone(&mut self, payment: &Payment) {
        if is_price(&self.order.price, payment.amount) && self.order.former.is_some() {
            self.reduced.push(payment.id.clone());
        } else {
            self.odd(payment, OddityKind::Returned);
        }
    }

    fn told(&mut self, payment: &Payment, state: PaymentState) {
        match state {
            PaymentState::PartlyRefunded => self.odd(payment, OddityKind::PartialRefund),
            PaymentState::Disputed => self.odd(payment, OddityKind::Disputed),
            PaymentState::Paid | PaymentState::Refunded | PaymentState::Lost => {}
        }
    }

    /// One that nobody asked for pays for nothing, and without one that went back the dearer Plan isn't paid.
    fn difference(&mut self, payment: &Payment) {
        let asked = self.order.former.is_some() || self.order.change.is_some();
        match payment.state() {
            PaymentState::Refunded | PaymentState::Lost if asked => {
                self.reduced.push(payment.id.clone());
            }
            PaymentState::Paid if !asked => self.odd(payment, OddityKind::AmountMismatch),
            state => self.told(payment, state),
        }
    }

    fn told_of_differences(&mut self, kind: OddityKind) {
        let told = std::mem::take(&mut self.reduced).into_iter();
        self.account.oddities.extend(told.map(|payment| Oddity { payment, kind }));
    }

    fn own(&mut self, payment: &Payment) {
        if payment.subscription.is_some() {
            self.account.subscription.clone_from(&payment.subscription);
        }
    }

    /// The order's price, charged; or asked for by a subscription at that price, and a credit paid some of it.
    fn is_right(&self, payment: &Payment) -> bool {
        let of = payment.subscription.as_ref().and_then(|id| self.subscription(id));
        let is_ours = of.is_some_and(|it| self.has_our_price(it)) && !self.is_asked_otherwise(payment);
        let invoiced = payment.invoiced.filter(|_| is_ours && payment.period.is_some());
        invoiced.is_some_and(|sum| is_price(&self.order.price, sum))
            || self.is_asked(payment)
            || self.is_former(payment)
            || is_price(&self.order.price, payment.amount)
    }

    /// Whether the page at which it was paid asked for another sum than its attempt was recorded with.
    fn is_asked_otherwise(&self, payment: &Payment) -> bool {
        let number = payment.attempt.filter(|_| payment.purpose == Purpose::First);
        let page = self.truth.checkouts.iter().find(|page| Some(page.attempt) == number);
        let attempt = self.order.attempts.iter().find(|attempt| Some(attempt.number) == number);
        let (Some(asked), Some(attempt)) = (page.and_then(|page| page.amount), attempt) else { return false };
        (asked.minor, asked.currency.code()) != (attempt.amount, attempt.currency.as_str())
    }

    /// What the page at PayApp asked for that led to it: a price that was bought then, or that of the dearer Plan that is
    /// to be bought. Of a page for another one, which was withdrawn, nothing counts.
    fn is_asked(&self, payment: &Payment) -> bool {
        let (order, amount) = (self.order, payment.amount);
        let mut attempts = order.attempts.iter().filter(|it| Some(it.number) == payment.attempt);
        let is_its =
            attempts.any(|it| (it.amount, it.currency.as_str()) == (amount.minor, amount.currency.code()));
        let is_bought = amount.minor <= order.price.amount
            || order.change.as_ref().is_some_and(|change| is_price(&change.price, amount));
        order.provider == Provider::PayApp && is_its && is_bought
    }

    /// A price before the Plan was changed, paid before it was: the last, or at Stripe the first one too; at PayApp by the
    /// registration before. Prices between them aren't recorded, so what was invoiced for a period that was over by then is
    /// left as it is.
    fn is_former(&self, payment: &Payment) -> bool {
        if self.is_asked(payment) {
            return payment.amount.minor < self.order.price.amount;
        }
        let changed = self.order.former.as_ref().filter(|former| payment.paid_at <= former.end_time);
        let Some(former) = changed else { return false };
        let mut attempts = self.order.attempts.iter().filter(|_| self.order.provider == Provider::Stripe);
        let first = attempts.find(|attempt| Some(attempt.number) == payment.attempt);
        let is_first = |sum: Money| {
            first.is_some_and(|it| (it.amount, it.currency.as_str()) == (sum.minor, sum.currency.code()))
        };
        let is_over =
            payment.invoiced.and(payment.period).is_some_and(|period| period.end <= former.end_time);
        let mut sums = [Some(payment.amount), payment.invoiced].into_iter().flatten();
        is_over || sums.any(|sum| is_price(&former.price, sum) || is_first(sum))
    }

    /// The time that it pays for; none if that was paid already.
    fn covered(&self, payment: &Payment) -> Option<Covered> {
        let paid = self.account.paid_until;
        if self.step(payment) == Some(Ordering::Less) {
            return None;
        }
        match &payment.period {
            // What is left of the earlier Plan's time isn't carried over.
            Some(period) if self.is_dearer(payment) => Some(Covered { until: period.end, run: None }),
            Some(period) => {
                let latest = period.start.saturating_add(OVERLAP).unwrap_or(Timestamp::MAX);
                let again = paid.is_some_and(|paid| period.end <= paid || latest < paid);
                (!again).then_some(Covered { until: period.end, run: None })
            }
            None if self.order.mode == PaymentMode::OneTime
                && paid.is_some_and(|paid| payment.paid_at < paid) =>
            {
                None
            }
            None => Some(self.next_interval(payment.paid_at)),
        }
    }

    /// One interval more: from the end of what is paid for, or from now if that has passed.
    fn next_interval(&self, paid_at: Timestamp) -> Covered {
        let (start, count) = match (self.run, self.account.paid_until) {
            (Some(run), Some(paid)) if paid_at <= paid => run,
            (None, Some(paid)) if paid_at <= paid => (paid, 0),
            _ => (paid_at, 0),
        };
        let run = (start, count.saturating_add(1));
        Covered { until: self.after(start, run.1), run: Some(run) }
    }

    /// The same day so many intervals later, or the last of its month. PayApp's days are Seoul's.
    fn after(&self, start: Timestamp, count: i32) -> Timestamp {
        let months = match self.order.price.interval {
            Interval::Month => count,
            Interval::Year => count.saturating_mul(12),
        };
        match self.order.provider {
            Provider::PayApp => payapp::months_after(start, months),
            Provider::Stripe | Provider::Manual => {
                let later = start.to_zoned(TimeZone::UTC).checked_add(months.months());
                later.map_or(Timestamp::MAX, |end| end.timestamp())
            }
        }
    }

    /// What the provider says that the subscription's invoices have paid, where nothing was to be charged for one.
    fn invoiced(&mut self) {
        let own = self.account.subscription.as_deref().and_then(|id| self.subscription(id));
        let Some(own) = own.filter(|own| self.has_our_price(own)) else { return };
        let Some(until) = own.paid_until.filter(|_| own.state != SubscriptionState::Incomplete) else {
            return;
        };
        let collects = own.state == SubscriptionState::Active && own.period_end > Some(until);
        if !self.returned.iter().any(|(back, _)| *back == until) {
            self.account.paid_until = self.account.paid_until.max(Some(until));
        }
        if collects && self.account.paid_until == Some(until) {
            self.account.calm_until = until.saturating_add(COLLECTING).ok();
        }
    }

    /// What went back counts if nothing else pays for as long.
    fn went_back(&mut self) {
        self.returned.sort();
        for (until, payment) in std::mem::take(&mut self.returned) {
            if self.account.paid_until.is_none_or(|paid| paid < until) {
                (self.account.returned, self.account.returned_until) = (Some(payment), Some(until));
            } else {
                self.account.oddities.push(Oddity { payment, kind: OddityKind::Returned });
            }
        }
    }

    fn subscription(&self, id: &str) -> Option<&Subscription> {
        self.truth.subscriptions.iter().find(|subscription| subscription.id == id)
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
