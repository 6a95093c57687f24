//! Money and times in words.

use jiff::Timestamp;

use crate::billing::Money;

/// An amount as people read it, such as `29.00 USD`.
pub fn money(minor: i64, currency: &str) -> String {
    Money::of(minor, currency).map_or_else(|_| format!("{minor} {currency}"), |money| money.to_string())
}

/// A time to the second.
pub fn time(at: Timestamp) -> String {
    at.strftime("%FT%TZ").to_string()
}

/// A time to the second, or a dash.
pub fn time_or_dash(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), time)
}
