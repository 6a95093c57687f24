//! Months as PayApp counts them: by the calendar in Seoul, which is nine hours ahead all year.

use jiff::civil::{Date, DateTime};
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
    Period { start, end: months_after(start, 1) }
}

/// So many months later: on the same day, or on the last of its month.
pub fn months_after(start: Timestamp, months: i32) -> Timestamp {
    let begins = seoul(start);
    let later = begins.checked_add(months.months()).ok();
    let later =
        later.and_then(|at| if begins.day() >= LAST_DAYS { at.last_of_month().ok() } else { Some(at) });
    later.map_or(start, |at| at.timestamp())
}

/// How many days on which a registration is due have come since it was made: payments of one such day are for one month.
pub fn cycle(made: Timestamp, at: Timestamp) -> i32 {
    let (made, at) = (seoul(made).date(), seoul(at).date());
    let is_due = |date: Date| {
        date.day() >= if made.day() >= LAST_DAYS { date.last_of_month().day() } else { made.day() }
    };
    let months = |date: Date| i32::from(date.year()) * 12 + i32::from(date.month());
    months(at) - months(made) + i32::from(is_due(at)) - i32::from(is_due(made))
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
    fn days_are_counted_on_which_a_registration_is_due() {
        let made = at("2026-01-03T01:00:00Z");
        for (paid, count) in [
            ("2026-01-03T02:00:00Z", 0),
            ("2026-02-02T02:00:00Z", 0),
            ("2026-02-02T15:00:00Z", 1),
            ("2026-02-28T02:00:00Z", 1),
            ("2027-01-03T02:00:00Z", 12),
        ] {
            assert_eq!(cycle(made, at(paid)), count, "{paid}");
        }
        let last = at("2026-01-30T01:00:00Z");
        for (paid, count) in [
            ("2026-01-30T02:00:00Z", 0),
            ("2026-01-31T02:00:00Z", 1),
            ("2026-02-27T02:00:00Z", 1),
            ("2026-02-28T02:00:00Z", 2),
            ("2026-03-31T02:00:00Z", 3),
        ] {
            assert_eq!(cycle(last, at(paid)), count, "{paid}");
        }
    }

    #[test]
    fn the_last_days_of_a_month_are_followed_by_the_last_of_the_next() {
        assert_eq!(month_from(at("2026-01-31T01:00:00Z")).end, at("2026-02-28T01:00:00Z"));
        assert_eq!(month_from(at("2026-02-28T01:00:00Z")).end, at("2026-03-28T01:00:00Z"));
        assert_eq!(month_from(at("2026-04-29T01:00:00Z")).end, at("2026-05-31T01:00:00Z"));
        assert_eq!(month_from(at("2028-01-30T01:00:00Z")).end, at("2028-02-29T01:00:00Z"));
    }
}
