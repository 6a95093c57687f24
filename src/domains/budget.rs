//! Whether an order may begin: limits of our own, below those of the authority, so that it never has to refuse. What
//! it refuses costs its patience, and blocks for as long as a week.
//!
//! Let's Encrypt gives each back bit by bit. Never more than so many within any such time is stricter than that, and
//! what is counted can be listed. It counts new orders for the account, and certificates for names and registered domains:
//! an order that is under way counts as the certificate that it may become, until it ended without one.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const THREE_HOURS: SignedDuration = SignedDuration::from_hours(3);
const SEVEN_DAYS: SignedDuration = SignedDuration::from_hours(7 * 24);
const ONE_HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Orders for one name within three hours, at most, where the account's are limited: as many as the pauses after failures
/// let be placed. So many are remembered of each name, and none may be placed that isn't.
pub const MOST_ORDERS: u32 = 24;

/// Limits on orders. Each is off if it is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// New orders of one account within three hours. Let's Encrypt takes 300.
    pub orders_per_account: u32,
    /// Certificates for names below one registered domain within seven days. Let's Encrypt gives 50, and counts those
    /// that others order too.
    pub certificates_per_domain: u32,
    /// Certificates for the very same name within seven days. Let's Encrypt gives 5, and makes no exceptions.
    pub certificates_per_name: u32,
    /// Failed validations of one name within an hour. Let's Encrypt takes 5.
    pub failures_per_name: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            orders_per_account: 240,
            certificates_per_domain: 40,
            certificates_per_name: 4,
            failures_per_name: 3,
        }
    }
}

/// What an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum Kind {
    /// A name that has no certificate.
    First,
    /// A name that has one, without the authority being told which: free from the limits by account and domain.
    Renewal,
    /// The renewal of a certificate that the authority is told ([`Order::is_renewal`](super::acme::Order::is_renewal)):
    /// free from all limits.
    KnownRenewal,
}

/// When there were orders and failures before, in any order. What is older than a week needn't be kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Past<'p> {
    /// Orders of the account, save renewals of either kind.
    pub account: &'p [Timestamp],
    /// Those of them for the very same name.
    pub orders: &'p [Timestamp],
    /// Certificates for names below the registered domain, save renewals of either kind. One that is ordered and may come
    /// counts.
    pub domain: &'p [Timestamp],
    /// Certificates for the very same name, save renewals that the authority knew as such. One that is ordered and may come
    /// counts.
    pub name: &'p [Timestamp],
    /// Failed validations of the name.
    pub failures: &'p [Timestamp],
}

/// A limit that holds an order back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Budget {
    /// Orders of the account.
    Account,
    /// Certificates for the registered domain.
    Domain,
    /// Certificates for the name.
    Name,
    /// Failed validations of the name.
    Failures,
}

impl Budget {
    /// A short name, for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Domain => "domain",
            Self::Name => "name",
            Self::Failures => "failures",
        }
    }
}

/// Whether an order may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may, now.
    Now,
    /// It may from then on, if nothing else is ordered until then; this limit holds it back longest.
    NotBefore(Timestamp, Budget),
}

impl Limits {
    /// Whether an order may begin now, or else when.
    pub fn verdict(&self, now: Timestamp, kind: Kind, past: &Past<'_>) -> Verdict {
        let account = (Budget::Account, self.orders_per_account, THREE_HOURS, past.account);
        let most_orders = if self.orders_per_account == 0 { 0 } else { MOST_ORDERS };
        let orders = (Budget::Name, most_orders, THREE_HOURS, past.orders);
        let domain = (Budget::Domain, self.certificates_per_domain, SEVEN_DAYS, past.domain);
        let name = (Budget::Name, self.certificates_per_name, SEVEN_DAYS, past.name);
        let failures = (Budget::Failures, self.failures_per_name, ONE_HOUR, past.failures);
        let held = match kind {
            Kind::First => &[account, orders, domain, name, failures][..],
            Kind::Renewal => &[name, failures][..],
            Kind::KnownRenewal => &[][..],
        };
        let ends = held.iter().filter_map(|(budget, most, within, times)| {
            free_at(now, *most, *within, times).map(|at| (at, *budget))
        });
        ends.max_by_key(|(at, _)| *at).map_or(Verdict::Now, |(at, budget)| Verdict::NotBefore(at, budget))
    }
}

/// Drops what counts for no limit any more.
pub fn forget_old(times: &mut Vec<Timestamp>, now: Timestamp) {
    times.retain(|at| at.duration_until(now) < SEVEN_DAYS);
}

/// Drops orders that don't count for the account any more.
pub fn forget_old_orders(times: &mut Vec<Timestamp>, now: Timestamp) {
    times.retain(|at| at.duration_until(now) < THREE_HOURS);
}

/// When there is room for one more; `None` if there is now.
fn free_at(now: Timestamp, most: u32, within: SignedDuration, times: &[Timestamp]) -> Option<Timestamp> {
    let most = usize::try_from(most).ok().filter(|most| *most > 0)?;
    // A time to come is a clock's fault: it counts as now, so that it can't hold anything back for longer.
    let past = times.iter().map(|at| (*at).min(now));
    let mut counted: Vec<Timestamp> = past.filter(|at| at.duration_until(now) < within).collect();
    counted.sort_unstable();
    let last_to_go = counted.len().checked_sub(most)?;
    counted.get(last_to_go)?.saturating_add(within).ok()
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
