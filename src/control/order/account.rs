//! What an order's receipts come to: until when it is paid, and what about them is odd. Pure: money is whole numbers
//! of the currency's smallest unit, and the time comes in.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, ToSpan};

use crate::api::PaymentReceiptSpec;
use crate::api::order_record::OrderRecord;
use crate::api::payment_receipt::ReceiptType;
use crate::api::plan::Interval;
use crate::api::runtime_order::{FundingPhase, PaymentMode};

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

/// What the receipts come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Until when it is paid.
    pub paid_until: Option<Timestamp>,
    /// When the last money went back, if none is left that pays for anything.
    pub refunded_at: Option<Timestamp>,
    /// What a person should look at, by receipt.
    pub oddities: Vec<Oddity>,
}

/// Something odd about a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// Name of the receipt.
    pub receipt: String,
    /// What is odd.
    pub kind: OddityKind,
}

/// What is odd about a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddityKind {
    /// Another amount or currency than the order's: it pays for nothing.
    AmountMismatch,
    /// What it pays for was paid already: it pays for nothing.
    Duplicate,
    /// A part of a payment went back; the rest still pays.
    PartialRefund,
}

/// How long what isn't paid any more is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Time for which it runs on.
    pub grace: SignedDuration,
    /// Time for which its data is kept after that.
    pub retention: SignedDuration,
}

/// Where the funding stands, and what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it stands.
    pub phase: FundingPhase,
    /// When the Runtime is stopped unless it is paid by then.
    pub suspend_at: Option<Timestamp>,
    /// When the Runtime is deleted unless it is paid by then.
    pub delete_at: Option<Timestamp>,
    /// When the phase changes by itself.
    pub next: Option<Timestamp>,
}

/// Folds the receipts of an order. Their order doesn't matter, nor does one that stands twice.
pub fn account(order: &OrderRecord, receipts: &[Receipt]) -> Account {
    let mut ours: Vec<&Receipt> =
        receipts.iter().filter(|it| it.spec.order_uid == order.uid && it.spec.flags.is_empty()).collect();
    ours.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
    let refunds = refunds(&ours);
    let mut folded = Fold::new(order);
    for receipt in ours {
        match receipt.spec.type_ {
            ReceiptType::Payment => folded.payment(receipt, refunds.get(&payment_id(receipt))),
            ReceiptType::Refund | ReceiptType::Notice => {}
        }
    }
    folded.account
}

/// A payment, as its provider knows it.
type PaymentId = (&'static str, String);

fn payment_id(receipt: &Receipt) -> PaymentId {
    (receipt.spec.provider.name(), receipt.spec.provider_id.clone())
}

/// What went back of each payment, and when last. One refund counts once, however often it is recorded.
fn refunds(receipts: &[&Receipt]) -> BTreeMap<PaymentId, (i64, Timestamp)> {
    let mut seen = BTreeSet::new();
    let mut sums: BTreeMap<PaymentId, (i64, Timestamp)> = BTreeMap::new();
    for receipt in receipts.iter().filter(|receipt| receipt.spec.type_ == ReceiptType::Refund) {
        let Some(payment) = &receipt.spec.refunds else { continue };
        if !seen.insert(payment_id(receipt)) {
            continue;
        }
        let sum = sums.entry((receipt.spec.provider.name(), payment.clone())).or_insert((0, receipt.created));
        *sum = (sum.0.saturating_add(receipt.spec.amount), receipt.created);
    }
    sums
}

/// The account while it is being made up.
struct Fold<'o> {
    order: &'o OrderRecord,
    account: Account,
    seen: BTreeSet<PaymentId>,
    /// Where a run of intervals without a gap began, and how many it has: months are counted from its first day.
    run: Option<(Timestamp, i32)>,
}

impl<'o> Fold<'o> {
    fn new(order: &'o OrderRecord) -> Self {
        Self { order, account: Account::default(), seen: BTreeSet::new(), run: None }
    }

    fn payment(&mut self, receipt: &Receipt, refund: Option<&(i64, Timestamp)>) {
        if !self.seen.insert(payment_id(receipt)) {
            return;
        }
        let price = &self.order.price;
        if receipt.spec.amount != price.amount || receipt.spec.currency != price.currency {
            return self.odd(receipt, OddityKind::AmountMismatch);
        }
        match refund {
            Some((amount, at)) if *amount >= receipt.spec.amount => {
                self.account.refunded_at = self.account.refunded_at.max(Some(*at));
                return;
            }
            Some(_) => self.odd(receipt, OddityKind::PartialRefund),
            None => {}
        }
        self.pay(receipt);
    }

    fn pay(&mut self, receipt: &Receipt) {
        let paid = self.account.paid_until;
        let once = self.order.mode == PaymentMode::OneTime && paid.is_some();
        let until = match &receipt.spec.period {
            Some(period) if paid.is_some_and(|paid| period.end <= paid) => None,
            Some(period) => Some(period.end),
            None => Some(self.next_interval(receipt.created)),
        };
        match until.filter(|_| !once) {
            Some(until) => self.account.paid_until = Some(until),
            None => self.odd(receipt, OddityKind::Duplicate),
        }
    }

    /// The end of one interval more: from the end of what is paid for, or from now if that has passed.
    fn next_interval(&mut self, created: Timestamp) -> Timestamp {
        let (start, count) = match (self.run, self.account.paid_until) {
            (Some(run), Some(paid)) if created <= paid => run,
            (None, Some(paid)) if created <= paid => (paid, 0),
            _ => (created, 0),
        };
        self.run = Some((start, count.saturating_add(1)));
        after(start, self.order.price.interval, count.saturating_add(1))
    }

    fn odd(&mut self, receipt: &Receipt, kind: OddityKind) {
        self.account.oddities.push(Oddity { receipt: receipt.name.clone(), kind });
    }
}

/// The same day so many intervals later, or the last of its month.
fn after(start: Timestamp, interval: Interval, count: i32) -> Timestamp {
    let span: Span = match interval {
        Interval::Month => count.months(),
        Interval::Year => count.years(),
    };
    start.to_zoned(TimeZone::UTC).checked_add(span).map_or(Timestamp::MAX, |end| end.timestamp())
}

impl Account {
    /// Where the funding stands at a time.
    pub fn standing(&self, now: Timestamp, order: &OrderRecord, patience: Patience) -> Standing {
        let at = |phase| Standing { phase, suspend_at: None, delete_at: None, next: None };
        if order.runtime_gone_time.is_some() {
            return at(FundingPhase::Ended);
        }
        match (self.paid_until, self.refunded_at) {
            (None, None) => at(FundingPhase::Unpaid),
            (None, Some(refunded)) => unpaid_since(now, FundingPhase::Refunded, refunded, patience),
            (Some(until), _) => paid(now, until, patience),
        }
    }
}

fn paid(now: Timestamp, until: Timestamp, patience: Patience) -> Standing {
    let suspend_at = until.saturating_add(patience.grace).unwrap_or(Timestamp::MAX);
    let delete_at = suspend_at.saturating_add(patience.retention).unwrap_or(Timestamp::MAX);
    if now < until {
        let phase = FundingPhase::Paid;
        return Standing { phase, suspend_at: None, delete_at: None, next: Some(until) };
    }
    if now < suspend_at {
        let phase = FundingPhase::PastDue;
        return Standing {
            phase,
            suspend_at: Some(suspend_at),
            delete_at: Some(delete_at),
            next: Some(suspend_at),
        };
    }
    unpaid_since(now, FundingPhase::Suspended, suspend_at, patience)
}

/// What isn't paid keeps its data for a while.
fn unpaid_since(now: Timestamp, phase: FundingPhase, since: Timestamp, patience: Patience) -> Standing {
    let delete_at = since.saturating_add(patience.retention).unwrap_or(Timestamp::MAX);
    if now < delete_at {
        return Standing { phase, suspend_at: None, delete_at: Some(delete_at), next: Some(delete_at) };
    }
    Standing { phase: FundingPhase::Ended, suspend_at: None, delete_at: None, next: None }
}
