//! Months as PayApp counts them: by the calendar in Seoul, which is nine hours ahead all year.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan, Zoned};

use crate::billing::truth::Period;

/// From this day on a monthly payment is due on the last day of each month.
pub(super) const LAST_DAYS: i8 = 29;

/// A time as the clocks in Seoul show it.
pub(super) fn seoul(at: Timestamp) -> Zoned {
    at.to_zoned(TimeZone::fixed(Offset::constant(9)))
}

/// The time that `2026-11-21 14:08:27` is in Seoul.
pub(super) fn from_seoul(text: &str) -> Option<Timestamp> {
    let civil: DateTime = text.trim().replacen(' ', "T", 1).parse().ok()?;
    civil.to_zoned(TimeZone::fixed(Offset::constant(9))).ok().map(|zoned| zoned.timestamp())
}

/// The month that a payment of this time is for: until the same day of the next, or until its last day.
pub fn month_from(start: Timestamp) -> Period {
    let begins = seoul(start);
    let next = begins.checked_add(1.month()).ok();
    let next =
        next.and_then(|next| if begins.day() >= LAST_DAYS { next.last_of_month().ok() } else { Some(next) });
    Period { start, end: next.map_or(start, |next| next.timestamp()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_begins_in_seoul() {
        // Half past midnight on the 1st in Seoul is still the day before elsewhere.
        let period = month_from(at("2026-01-31T15:30:00Z"));
        assert_eq!(period.end, at("2026-02-28T15:30:00Z"), "the 1st of March, half past midnight in Seoul");
        assert_eq!(from_seoul("2026-02-01 00:30:00"), Some(period.start));
        assert_eq!(from_seoul("yesterday"), None);
    }

    #[test]
    fn the_last_days_of_a_month_are_followed_by_the_last_of_the_next() {
        assert_eq!(month_from(at("2026-01-31T01:00:00Z")).end, at("2026-02-28T01:00:00Z"));
        assert_eq!(month_from(at("2026-02-28T01:00:00Z")).end, at("2026-03-28T01:00:00Z"));
        assert_eq!(month_from(at("2026-04-29T01:00:00Z")).end, at("2026-05-31T01:00:00Z"));
        assert_eq!(month_from(at("2028-01-30T01:00:00Z")).end, at("2028-02-29T01:00:00Z"));
    }
}
