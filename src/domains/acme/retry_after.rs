//! What pause an answer asks for.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, HeaderName, RETRY_AFTER};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// Longest pause that is believed: no limit of an authority is counted over more than a week.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// The pause in `Retry-After`, be it seconds or a date.
///
/// A date is counted from the answer's own `Date`, so that clocks that differ don't matter.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, &RETRY_AFTER)?;
    let pause = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => LONGEST,
        Err(_) => {
            let wait = date(text(headers, &DATE)?)?.duration_until(date(value)?);
            Duration::try_from(wait).unwrap_or_default()
        }
    };
    Some(pause.min(LONGEST))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(retry_after: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        super::retry_after(&headers).map(|pause| pause.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_read_and_nonsense_is_no_pause() {
        let now = Some("Fri, 31 Dec 1999 23:59:00 GMT");
        for (value, date, pause) in [
            ("120", None, Some(120)),
            (" 7 ", None, Some(7)),
            ("Sat, 01 Jan 2000 00:00:00 GMT", now, Some(60)),
            ("Fri, 31 Dec 1999 23:58:00 GMT", now, Some(0)),
            ("Sat, 01 Jan 2000 00:00:00 GMT", None, None),
            ("Sat, 01 Jan 2000 00:00:00 GMT", Some("yesterday"), None),
            ("soon", now, None),
            ("-1", now, None),
            ("", now, None),
            ("1.5", now, None),
            ("99999999999", None, Some(604_800)),
            ("99999999999999999999999999", None, Some(604_800)),
            ("Sat, 01 Jan 2050 00:00:00 GMT", now, Some(604_800)),
        ] {
            assert_eq!(asked(value, date), pause, "{value}");
        }
        assert_eq!(super::retry_after(&HeaderMap::new()), None);
    }
}
