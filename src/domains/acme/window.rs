//! When an authority would like a certificate to be renewed (RFC 9773).

use std::time::Duration;

use instant_acme::Error;
use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use serde::Deserialize;

use super::account::identifier;
use super::error::AcmeError;
use super::http::Http;
use super::judge::Subject;
use crate::domains::certificate::Certificate;

/// When an authority that doesn't say so is asked again.
const USUAL_PAUSE: Duration = Duration::from_hours(6);

/// When the authority would like a certificate to be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Window {
    /// From then on.
    pub start: Timestamp,
    /// Until then.
    pub end: Timestamp,
}

impl Window {
    /// A moment within it, each as likely as another, to the second. One that was drawn before stays, as long as it
    /// is within.
    pub fn moment(self, drawn: Option<Timestamp>, chance: &mut impl Rng) -> Timestamp {
        if let Some(drawn) = drawn.filter(|drawn| (self.start..=self.end).contains(drawn)) {
            return drawn;
        }
        let width = self.start.duration_until(self.end).as_secs().max(0);
        let after = SignedDuration::from_secs(chance.random_range(0..=width));
        let at = self.start.saturating_add(after).unwrap_or(self.end);
        Timestamp::from_second(at.as_second()).unwrap_or(at)
    }
}

/// What an authority suggests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// When to renew.
    pub window: Window,
    /// After which time to ask again: it may change its mind, as when it has to revoke.
    pub ask_again: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RenewalInfo {
    suggested_window: Window,
}

/// What the authority suggests for a certificate; `None` if it doesn't suggest renewals, or can't name the
/// certificate.
pub(super) async fn suggestion(
    http: &Http,
    certificate: &Certificate,
) -> Result<Option<Suggestion>, AcmeError> {
    let Some(id) = identifier(certificate) else { return Ok(None) };
    let http = http.metered();
    let asked = http.call(Subject::Account, async {
        let Some(url) = http.directory().await?.renewal_info.clone() else { return Ok(None) };
        let info: RenewalInfo = http.get(&format!("{}/{id}", url.trim_end_matches('/'))).await?;
        if info.suggested_window.end < info.suggested_window.start {
            return Err(Error::Str("a window that ends after it begins"));
        }
        Ok(Some(info.suggested_window))
    });
    match (asked.await, http.head()) {
        (Ok(window), head) => {
            let ask_again = head.and_then(|head| head.retry_after).unwrap_or(USUAL_PAUSE);
            Ok(window.map(|window| Suggestion { window, ask_again }))
        }
        // It isn't a certificate of this authority's, or not any more.
        (Err(_), Some(head)) if head.status == 404 => Ok(None),
        (Err(error), _) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_moment_is_drawn_evenly_and_the_same_chance_draws_the_same() {
        let window = Window { start: at(1000), end: at(1009) };
        let mut chance = StdRng::seed_from_u64(7);
        let mut counts = [0_u32; 10];
        for _ in 0..10_000 {
            let second = window.moment(None, &mut chance).as_second() - 1000;
            counts[usize::try_from(second).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
        let draw = |seed| window.moment(None, &mut StdRng::seed_from_u64(seed));
        assert_eq!(draw(1), draw(1));
    }

    #[test]
    fn what_was_drawn_stays_until_the_window_moves() {
        let mut chance = StdRng::seed_from_u64(7);
        let window = Window { start: at(1000), end: at(2000) };
        assert_eq!(window.moment(Some(at(1500)), &mut chance), at(1500));
        let moved = Window { start: at(100), end: at(200) };
        let drawn = moved.moment(Some(at(1500)), &mut chance);
        assert!((at(100)..=at(200)).contains(&drawn), "{drawn}");
        let point = Window { start: at(5), end: at(5) };
        assert_eq!(point.moment(None, &mut chance), at(5));
        let reversed = Window { start: at(9), end: at(5) };
        assert_eq!(reversed.moment(None, &mut chance), at(9));
    }
}
