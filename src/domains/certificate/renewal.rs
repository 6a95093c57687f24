//! When a certificate is to be renewed.

use jiff::{SignedDuration, Timestamp};

/// A shorter life than this is renewed at its half.
const SHORT: SignedDuration = SignedDuration::from_hours(10 * 24);

/// When a certificate with this life is to be renewed, to the second.
///
/// That is the moment that was drawn from what the authority suggests, but never later than two thirds of its life:
/// an authority that is wrong must not let it expire. A life below ten days is renewed at its half, as Let's Encrypt
/// advises, since a third of it would leave too little for repairs.
pub fn renewal_time(not_before: Timestamp, not_after: Timestamp, suggested: Option<Timestamp>) -> Timestamp {
    let life = not_before.duration_until(not_after).max(SignedDuration::ZERO);
    let used = if life < SHORT { life / 2 } else { life * 2 / 3 };
    let own = not_before.saturating_add(used).unwrap_or(not_after);
    whole_seconds(suggested.map_or(own, |suggested| suggested.min(own)))
}

fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_long_life_is_renewed_at_two_thirds_and_a_short_one_at_its_half() {
        let from = at("2026-01-01T00:00:00Z");
        for (until, renewal) in [
            ("2026-04-01T00:00:00Z", "2026-03-02T00:00:00Z"),
            ("2026-01-11T00:00:00Z", "2026-01-07T16:00:00Z"),
            ("2026-01-10T23:59:58Z", "2026-01-05T23:59:59Z"),
            ("2026-01-07T16:00:00Z", "2026-01-04T08:00:00Z"),
        ] {
            assert_eq!(renewal_time(from, at(until), None), at(renewal), "{until}");
        }
        assert_eq!(
            renewal_time(from, at("2025-01-01T00:00:00Z"), None),
            from,
            "a life that ends before it begins"
        );
    }

    #[test]
    fn the_authority_may_want_it_earlier_but_not_later() {
        let (from, until) = (at("2026-01-01T00:00:00Z"), at("2026-04-01T00:00:00Z"));
        let earlier = at("2026-02-01T12:00:00.75Z");
        assert_eq!(renewal_time(from, until, Some(earlier)), at("2026-02-01T12:00:00Z"), "truncated");
        let later = at("2026-03-20T00:00:00Z");
        assert_eq!(renewal_time(from, until, Some(later)), at("2026-03-02T00:00:00Z"));
    }

    proptest! {
        #[test]
        fn it_is_within_the_life_and_to_the_second(from in 0_i64..4_000_000_000, life in 1_i64..400_000_000) {
            let (from, until) =
                (Timestamp::from_second(from).unwrap(), Timestamp::from_second(from + life).unwrap());
            let renewal = renewal_time(from, until, None);
            prop_assert!(from <= renewal && renewal < until);
            prop_assert_eq!(renewal.subsec_nanosecond(), 0);
            let left = renewal.duration_until(until).as_secs();
            prop_assert!(left >= life / 3, "at least a third is left");
        }
    }
}
