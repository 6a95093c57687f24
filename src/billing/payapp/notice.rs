//! PayApp's notices: whether one is PayApp's, and what it says.
//!
//! A notice is the only proof of a payment, and carries the merchant's keys in its body: the body is never shown.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

use super::period::from_seoul;
use crate::billing::money::{KRW, Money};

/// What a notice that was taken is answered with, HTTP 200 and plain text, exactly so.
pub const TAKEN: &str = "SUCCESS";
/// What any other is answered with: it tells nothing.
pub const NOT_TAKEN: &str = "FAIL";
/// The largest notice that is looked at, in bytes, and the most fields.
pub const MAX_NOTICE: usize = 64 * 1024;
const MAX_FIELDS: usize = 100;
/// The longest id that is taken out of a notice.
const MAX_ID: usize = 128;

/// A merchant at PayApp.
#[derive(Clone)]
pub struct Merchant {
    /// Its name there.
    pub userid: String,
    /// What it signs in with.
    pub linkkey: SecretString,
    /// What PayApp shows beside it in notices.
    pub linkval: SecretString,
}

impl fmt::Debug for Merchant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merchant").field("userid", &self.userid).finish_non_exhaustive()
    }
}

/// Why a notice isn't taken. None of it is told to whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is larger than [`MAX_NOTICE`].
    #[error("the notice is too large")]
    TooLarge,
    /// A field is missing, comes twice or can't be read.
    #[error("the notice has a field that is missing, comes twice or can't be read")]
    Malformed,
    /// `userid`, `linkkey` or `linkval` aren't the merchant's.
    #[error("the notice doesn't carry the merchant's keys")]
    Forged,
}

/// A notice that carries the merchant's keys. It is still to be compared with the order that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// UID of the order (`var1`).
    pub order: String,
    /// The attempt's mark (`var2`).
    pub attempt: String,
    /// Number of the request to pay (`mul_no`). Of a month that failed, where no request is named: the registration's with
    /// the day, so that each month is another.
    pub payment: String,
    /// Number of the registration (`rebill_no`), if it is for one.
    pub subscription: Option<String>,
    /// What has happened.
    pub state: NoticeState,
    /// The amount, if it names one in plain digits.
    pub amount: Option<Money>,
    /// When it was paid, if it says so.
    pub paid_at: Option<Timestamp>,
}

/// What a notice tells (`pay_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeState {
    /// 1: the request is being made. Nothing is paid; without `SUCCESS` there will be no page to pay at.
    Requested,
    /// 4: paid. No other state says so.
    Paid,
    /// 10: the customer was given an account to pay to.
    AwaitingDeposit,
    /// 8, 16, 31, 32: the request was withdrawn.
    RequestCancelled,
    /// 9, 64: the payment went back.
    Refunded,
    /// 70, 71: a part of it went back.
    PartlyRefunded,
    /// 99: a later payment of a registration failed.
    RenewalFailed,
    /// A number that isn't known.
    Unrecognized(u32),
}

impl From<u32> for NoticeState {
    fn from(number: u32) -> Self {
        match number {
            1 => Self::Requested,
            4 => Self::Paid,
            10 => Self::AwaitingDeposit,
            8 | 16 | 31 | 32 => Self::RequestCancelled,
            9 | 64 => Self::Refunded,
            70 | 71 => Self::PartlyRefunded,
            99 => Self::RenewalFailed,
            other => Self::Unrecognized(other),
        }
    }
}

impl Merchant {
    /// Checks a notice as it came, and says what it tells.
    ///
    /// # Errors
    /// If it isn't PayApp's, or can't be read.
    pub fn check(&self, body: &[u8]) -> Result<Notice, Rejection> {
        if body.len() > MAX_NOTICE {
            return Err(Rejection::TooLarge);
        }
        let fields = fields(body)?;
        let given = |name: &str| fields.get(name).map_or("", String::as_str);
        let (linkkey, linkval) = (self.linkkey.expose_secret(), self.linkval.expose_secret());
        let is_set = [&self.userid, linkkey, linkval].iter().all(|text| !text.is_empty());
        // All three are compared, whatever the first says.
        let same = [(&self.userid[..], "userid"), (linkkey, "linkkey"), (linkval, "linkval")]
            .map(|(expected, name)| is_same(expected, given(name)));
        if !is_set || same.contains(&false) {
            return Err(Rejection::Forged);
        }
        notice(&fields).ok_or(Rejection::Malformed)
    }
}

/// No field comes twice: two readings of one notice would be two notices.
fn fields(body: &[u8]) -> Result<BTreeMap<String, String>, Rejection> {
    let mut fields = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        if fields.len() >= MAX_FIELDS || fields.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(Rejection::Malformed);
        }
    }
    Ok(fields)
}

/// Compares in a time that depends on neither text: the tags of both are compared, in constant time.
fn is_same(expected: &str, given: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, expected.as_bytes());
    hmac::verify(&key, given.as_bytes(), hmac::sign(&key, expected.as_bytes()).as_ref()).is_ok()
}

fn notice(fields: &BTreeMap<String, String>) -> Option<Notice> {
    let text = |name: &str| fields.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let id =
        |name: &str| text(name).filter(|text| text.len() <= MAX_ID && text.is_ascii()).map(str::to_owned);
    let number = |name: &str| id(name).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let state = NoticeState::from(number("pay_state")?.parse::<u32>().ok()?);
    let subscription = match text("rebill_no") {
        None | Some("0") => None,
        Some(_) => Some(number("rebill_no")?),
    };
    let payment = match text("mul_no") {
        None if state == NoticeState::RenewalFailed => {
            let day = text("pay_date").or_else(|| text("reqdate")).map(day);
            failed_month(subscription.as_deref()?, day.as_deref())
        }
        _ => number("mul_no")?,
    };
    Some(Notice {
        order: id("var1")?,
        attempt: id("var2")?,
        payment,
        subscription,
        state,
        amount: number("price").and_then(|text| text.parse().ok()).map(|won| Money::new(won, KRW)),
        paid_at: text("pay_date").and_then(from_seoul),
    })
}

/// The digits of a date; a time that follows isn't of interest.
fn day(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).take("yyyymmdd".len()).collect()
}

fn failed_month(registration: &str, day: Option<&str>) -> String {
    match day.filter(|day| !day.is_empty()) {
        Some(day) => format!("{registration}-{day}"),
        None => registration.to_owned(),
    }
}

#[cfg(test)]
#[path = "notice_tests.rs"]
mod tests;
