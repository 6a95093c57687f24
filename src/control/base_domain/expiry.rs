//! Tells of a wildcard certificate that should have been renewed: nobody else does, until it has expired.

use jiff::{SignedDuration, Timestamp};

use super::BaseDomain;
use crate::control::context::Context;

/// Shortest time between two warnings.
const PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// Watches the end of the certificate's time.
#[derive(Debug, Default)]
pub struct Expiry {
    warned: Option<Timestamp>,
}

impl Expiry {
    /// Shows when it ends, and warns if that is near.
    pub fn attend(&mut self, ctx: &Context, base: &BaseDomain) {
        let Some(certificate) = base.certificate() else { return };
        ctx.metrics.certificate_expiry(certificate.not_after);
        let now = ctx.clock.now();
        if certificate.is_overdue(now) && self.is_due(now) {
            tracing::warn!(
                expires = %certificate.not_after,
                "the base domain's certificate should have been renewed; see what keeps it: without a renewal hostnames \
                 stop working then"
            );
        }
    }

    fn is_due(&mut self, now: Timestamp) -> bool {
        if self.warned.is_some_and(|warned| warned.duration_until(now) < PAUSE) {
            return false;
        }
        self.warned = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_warns_once_an_hour() {
        let mut expiry = Expiry::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(
            [0, 10, 3_599, 3_600, 3_610].map(|second| expiry.is_due(at(second))),
            [true, false, false, true, false]
        );
    }
}
