//! What happens by itself as time passes: checkouts expire, subscriptions renew.

use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use super::objects::text;
use crate::state::State;

/// What is due at a time.
enum Due {
    Expiry(String),
    Period(String),
    Retry(String),
}

impl State {
    /// Does everything that was due by now, in its order.
    pub fn catch_up(&mut self) {
        self.payapp_catch_up();
        let now = self.now();
        // Each step moves what was due into the future; a bound keeps a jump of centuries from taking for ever.
        for _ in 0..10_000 {
            let Some((_, due)) = self.next_due().filter(|(at, _)| *at <= now) else { return };
            match due {
                Due::Expiry(id) => self.expire_session(&id),
                Due::Period(id) => self.renew(&id),
                Due::Retry(id) => self.retry(&id),
            }
        }
    }

    fn next_due(&self) -> Option<(i64, Due)> {
        let open = |session: &&Value| session["status"] == "open";
        let expiries = self.all("checkout.session").into_iter().filter(open).filter_map(|session| {
            Some((session["expires_at"].as_i64()?, Due::Expiry(text(session, "id").to_owned())))
        });
        let subscriptions = self.all("subscription").into_iter().flat_map(|subscription| {
            let id = text(subscription, "id").to_owned();
            let renews = matches!(text(subscription, "status"), "active" | "past_due" | "unpaid");
            let end = subscription["items"]["data"][0]["current_period_end"].as_i64().filter(|_| renews);
            let retry = subscription["_retry_at"].as_i64().filter(|_| renews);
            [end.map(|at| (at, Due::Period(id.clone()))), retry.map(|at| (at, Due::Retry(id)))]
        });
        expiries.chain(subscriptions.flatten()).min_by_key(|(at, _)| *at)
    }
}

/// The end of the period that begins at `start`, for what began at `anchor`: the same day of the month.
pub fn period_end(anchor: i64, interval: &str, start: i64) -> i64 {
    let months_each = if interval == "year" { 12 } else { 1 };
    let (Ok(anchored), Ok(_)) = (Timestamp::from_second(anchor), Timestamp::from_second(start)) else {
        return i64::MAX;
    };
    let day = anchored.to_zoned(jiff::tz::TimeZone::UTC);
    let ends = (1..12_000).filter_map(|count: i64| {
        day.checked_add((count * months_each).months()).ok().map(|end| end.timestamp().as_second())
    });
    ends.into_iter().find(|end| *end > start).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn a_subscription_of_the_31st_comes_back_to_it() {
        let anchor = at("2026-01-31T10:00:00Z");
        let february = period_end(anchor, "month", anchor);
        assert_eq!(february, at("2026-02-28T10:00:00Z"));
        assert_eq!(period_end(anchor, "month", february), at("2026-03-31T10:00:00Z"));
        assert_eq!(period_end(anchor, "year", anchor), at("2027-01-31T10:00:00Z"));
    }
}
