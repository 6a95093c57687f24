//! Amounts of money: whole numbers of the currency's smallest unit, never a fraction.

use std::fmt;
use std::str::FromStr;

/// Currencies that have no smaller unit, in which one won is 1.
const WHOLE: [&str; 15] =
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];
/// Currencies with a thousandth.
const THOUSANDTHS: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];

/// An ISO 4217 code, such as `EUR`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

/// The Korean won, the one currency of PayApp.
pub const KRW: Currency = Currency(*b"KRW");

/// What isn't an amount of money, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not three letters.
    #[error("a currency is three letters, such as EUR")]
    Currency,
    /// Not a number with a currency.
    #[error("an amount is a number and a currency, such as `19.90 EUR` or `19900 KRW`")]
    Amount,
    /// More digits than the currency has.
    #[error("{0} has {1} digits after the point")]
    Digits(Currency, u32),
    /// Beyond what can be counted.
    #[error("the amount is too large")]
    Large,
}

impl Currency {
    /// Reads a code of three letters, in either case.
    ///
    /// # Errors
    /// For anything else.
    pub fn new(code: &str) -> Result<Self, MoneyError> {
        let bytes: [u8; 3] = code.as_bytes().try_into().map_err(|_| MoneyError::Currency)?;
        if !bytes.iter().all(u8::is_ascii_alphabetic) {
            return Err(MoneyError::Currency);
        }
        Ok(Self(bytes.map(|byte| byte.to_ascii_uppercase())))
    }

    /// The code in capitals.
    pub fn code(&self) -> &str {
        // Always: only ASCII letters get in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// How many digits come after the point, as payment providers count: ISK and UGX have two there, though nobody
    /// has such coins.
    pub fn digits(&self) -> u32 {
        match self.code() {
            code if WHOLE.contains(&code) => 0,
            code if THOUSANDTHS.contains(&code) => 3,
            _ => 2,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in one currency. People read and write it as `19.90 EUR` or `19900 KRW`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// In the currency's smallest unit: cents, or won.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// So many of the smallest unit.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in this currency.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// So many of the smallest unit of the currency with this code.
    ///
    /// # Errors
    /// If that isn't a code.
    pub fn of(minor: i64, code: &str) -> Result<Self, MoneyError> {
        Ok(Self::new(minor, Currency::new(code)?))
    }

    /// The sum; `None` for two currencies, or beyond what can be counted.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let same = self.currency == other.currency;
        same.then(|| self.minor.checked_add(other.minor)).flatten().map(|minor| Self { minor, ..self })
    }

    /// The difference; `None` for two currencies, or beyond what can be counted.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        let same = self.currency == other.currency;
        same.then(|| self.minor.checked_sub(other.minor)).flatten().map(|minor| Self { minor, ..self })
    }

    /// Whether it is nothing at all.
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digits, sign) = (self.currency.digits(), if self.minor < 0 { "-" } else { "" });
        let unit = 10_u64.pow(digits);
        let (whole, rest) = (self.minor.unsigned_abs() / unit, self.minor.unsigned_abs() % unit);
        match digits {
            0 => write!(f, "{sign}{whole} {}", self.currency),
            _ => write!(f, "{sign}{whole}.{rest:0width$} {}", self.currency, width = digits as usize),
        }
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (number, code) = text.trim().rsplit_once(' ').ok_or(MoneyError::Amount)?;
        let currency = Currency::new(code)?;
        let (sign, number) = number.trim().strip_prefix('-').map_or((1, number.trim()), |rest| (-1, rest));
        let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
        let digits = currency.digits();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || (number.contains('.') && !is_number(rest)) {
            return Err(MoneyError::Amount);
        }
        if rest.len() > digits as usize {
            return Err(MoneyError::Digits(currency, digits));
        }
        let padded = format!("{whole}{rest:0<width$}", width = digits as usize);
        let minor: i64 = padded.parse().map_err(|_| MoneyError::Large)?;
        Ok(Self::new(sign * minor, currency))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(minor: i64, code: &str) -> Money {
        Money::of(minor, code).unwrap()
    }

    #[test]
    fn people_read_and_write_it_as_the_currency_is_counted() {
        for (minor, code, text) in [
            (1990, "EUR", "19.90 EUR"),
            (5, "usd", "0.05 USD"),
            (19_900, "KRW", "19900 KRW"),
            (1_234, "KWD", "1.234 KWD"),
            (-250, "EUR", "-2.50 EUR"),
            (0, "JPY", "0 JPY"),
        ] {
            assert_eq!(money(minor, code).to_string(), text);
            assert_eq!(text.parse(), Ok(money(minor, code)));
        }
        assert_eq!("20 EUR".parse(), Ok(money(2000, "EUR")));
        assert_eq!("20.5 EUR".parse(), Ok(money(2050, "EUR")));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in
            ["19,90 EUR", "19.905 EUR", "19.9 KRW", "1e3 EUR", "19.90", ". EUR", "1. EUR", "+1 EUR", "1 EURO"]
        {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
        assert_eq!("99999999999999999999 EUR".parse::<Money>(), Err(MoneyError::Large));
    }

    #[test]
    fn currencies_are_never_mixed_and_nothing_wraps_around() {
        assert_eq!(money(1, "EUR").plus(money(1, "USD")), None);
        assert_eq!(money(i64::MAX, "EUR").plus(money(1, "EUR")), None);
        assert_eq!(money(i64::MIN, "EUR").minus(money(1, "EUR")), None);
        assert_eq!(money(3, "EUR").minus(money(1, "EUR")), Some(money(2, "EUR")));
    }

    proptest! {
        #[test]
        fn every_amount_reads_back(minor in i64::MIN + 1.., code in "[A-Z]{3}") {
            let it = money(minor, &code);
            prop_assert_eq!(it.to_string().parse(), Ok(it));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = text.parse::<Money>();
        }
    }
}
