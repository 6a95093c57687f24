//! Durations as the API writes them.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A span of time, written as `"15s"` and read from that or from integer nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WireDuration(pub Duration);

impl WireDuration {
    /// A whole number of seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }
}

impl From<Duration> for WireDuration {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl fmt::Display for WireDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        if nanos.is_multiple_of(1_000_000_000) {
            write!(f, "{}s", self.0.as_secs())
        } else if nanos.is_multiple_of(1_000_000) {
            write!(f, "{}ms", self.0.as_millis())
        } else {
            write!(f, "{nanos}ns")
        }
    }
}

impl Serialize for WireDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WireDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Spelling)
    }
}

struct Spelling;

impl Visitor<'_> for Spelling {
    type Value = WireDuration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"15s\", or nanoseconds")
    }

    fn visit_u64<E>(self, nanos: u64) -> Result<WireDuration, E> {
        Ok(WireDuration(Duration::from_nanos(nanos)))
    }

    fn visit_i64<E>(self, nanos: i64) -> Result<WireDuration, E> {
        Ok(WireDuration(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<WireDuration, E> {
        parse(text).map(WireDuration).ok_or_else(|| E::custom("not a duration"))
    }
}

/// Reads `1h2m3.5s`, as the Go programs behind the API write durations.
fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() || rest == "0" {
        return Some(total);
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit_len = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_len);
        let secs = number.parse::<f64>().ok()? * unit_seconds(unit)?;
        total = total.checked_add(Duration::try_from_secs_f64(secs).ok()?)?;
        rest = next;
    }
    Some(total)
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "h" => 3600.0,
        "m" => 60.0,
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Duration> {
        serde_json::from_str::<WireDuration>(json).ok().map(|d| d.0)
    }

    #[test]
    fn every_spelling_is_read() {
        assert_eq!(read("\"15s\""), Some(Duration::from_secs(15)));
        assert_eq!(read("\"1m30s\""), Some(Duration::from_secs(90)));
        assert_eq!(read("\"1.5s\""), Some(Duration::from_millis(1500)));
        assert_eq!(read("\"500ms\""), Some(Duration::from_millis(500)));
        assert_eq!(read("15000000000"), Some(Duration::from_secs(15)));
        assert_eq!(read("\"\""), Some(Duration::ZERO));
        assert_eq!(read("\"soon\""), None);
        assert_eq!(read("\"15\""), None);
    }

    #[test]
    fn written_as_text_with_a_unit() {
        assert_eq!(serde_json::to_string(&WireDuration::from_secs(90)).unwrap(), "\"90s\"");
        assert_eq!(serde_json::to_string(&WireDuration(Duration::from_millis(250))).unwrap(), "\"250ms\"");
    }
}
