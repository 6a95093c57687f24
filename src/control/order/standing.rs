//! Where the funding of an order stands at a time. Pure.

use jiff::{SignedDuration, Timestamp};

use super::account::{Account, OddityKind};
use crate::api::condition::whole_seconds;
use crate::api::order_record::OrderRecord;
use crate::api::runtime_order::FundingPhase;

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

/// Where the funding stands, as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Where it stands.
    pub phase: FundingPhase,
    /// Until when it is paid.
    pub paid_until: Option<Timestamp>,
    /// When it was seen that the money went back for the time that it is now.
    pub refund_time: Option<Timestamp>,
    /// When it was seen that the difference for a dearer Plan went back, which nothing else pays for.
    pub difference_return_time: Option<Timestamp>,
}

impl Recorded {
    /// What is recorded of an order.
    pub fn of(order: &OrderRecord) -> Self {
        Self {
            phase: order.phase,
            paid_until: order.paid_until,
            refund_time: order.refund_time,
            difference_return_time: order.difference_return_time,
        }
    }
}

impl Account {
    /// Where the funding stands at a time.
    pub fn standing(&self, now: Timestamp, order: &OrderRecord, patience: Patience) -> Standing {
        if order.runtime_gone_time.is_some() {
            return at(FundingPhase::Ended);
        }
        match (self.paid_until, self.refunded(now)) {
            (_, Some(_)) => self.given_back(now, order.refund_time.unwrap_or(now), patience),
            (None, None) => at(FundingPhase::Unpaid),
            (Some(until), None) => paid(now, until, self.calm_until.unwrap_or(until), patience),
        }
    }

    /// The money went back: data is kept from then on, and no longer than if it hadn't gone back.
    fn given_back(&self, now: Timestamp, since: Timestamp, patience: Patience) -> Standing {
        let over = self.returned_until.map(|until| paid(now, until, until, patience));
        match over {
            Some(over) if over.phase == FundingPhase::Ended => over,
            _ => unpaid_since(now, FundingPhase::Refunded, since, patience),
        }
    }

    /// The payment that went back of which the time is the present: nothing else pays for it.
    fn refunded(&self, now: Timestamp) -> Option<&str> {
        self.returned.as_deref().filter(|_| self.paid_until.is_none_or(|until| until <= now))
    }

    /// What is to be recorded of it.
    pub fn recorded(&self, now: Timestamp, order: &OrderRecord, patience: Patience) -> Recorded {
        let since = |known: Option<Timestamp>| known.unwrap_or_else(|| whole_seconds(now));
        let is_less = |kind| matches!(kind, OddityKind::DifferenceReturned | OddityKind::PlanReturned);
        let is_reduced = self.oddities.iter().any(|it| is_less(it.kind));
        Recorded {
            phase: self.standing(now, order, patience).phase,
            paid_until: self.paid_until,
            refund_time: self.refunded(now).map(|_| since(order.refund_time)),
            difference_return_time: is_reduced.then(|| since(order.difference_return_time)),
        }
    }
}

/// Where the funding stands by what was last recorded of it: nothing gets worse while nobody can be asked.
pub fn last_known(order: &OrderRecord, patience: Patience) -> Standing {
    let later = |from: Option<Timestamp>, by| from.and_then(|from: Timestamp| from.saturating_add(by).ok());
    let suspend_at = later(order.paid_until, patience.grace);
    let since = match order.phase {
        FundingPhase::Refunded => order.refund_time,
        FundingPhase::PastDue | FundingPhase::Suspended => suspend_at,
        FundingPhase::Unpaid | FundingPhase::Paid | FundingPhase::Ended => None,
    };
    Standing {
        suspend_at: suspend_at.filter(|_| order.phase == FundingPhase::PastDue),
        delete_at: later(since, patience.retention),
        ..at(order.phase)
    }
}

fn at(phase: FundingPhase) -> Standing {
    Standing { phase, suspend_at: None, delete_at: None, next: None }
}

fn paid(now: Timestamp, until: Timestamp, calm_until: Timestamp, patience: Patience) -> Standing {
    let suspend_at = until.saturating_add(patience.grace).unwrap_or(Timestamp::MAX);
    let delete_at = suspend_at.saturating_add(patience.retention).unwrap_or(Timestamp::MAX);
    let calm_until = calm_until.min(suspend_at).max(until);
    if now < calm_until {
        return Standing { next: Some(calm_until), ..at(FundingPhase::Paid) };
    }
    if now < suspend_at {
        return Standing {
            suspend_at: Some(suspend_at),
            delete_at: Some(delete_at),
            next: Some(suspend_at),
            ..at(FundingPhase::PastDue)
        };
    }
    unpaid_since(now, FundingPhase::Suspended, suspend_at, patience)
}

/// What isn't paid keeps its data for a while.
fn unpaid_since(now: Timestamp, phase: FundingPhase, since: Timestamp, patience: Patience) -> Standing {
    let delete_at = since.saturating_add(patience.retention).unwrap_or(Timestamp::MAX);
    if now < delete_at {
        return Standing { delete_at: Some(delete_at), next: Some(delete_at), ..at(phase) };
    }
    at(FundingPhase::Ended)
}
