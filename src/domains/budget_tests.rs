use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn all(seconds: &[i64]) -> Vec<Timestamp> {
    seconds.iter().map(|second| at(*second)).collect()
}

const DAY: i64 = 24 * 3600;

#[test]
fn within_the_limits_an_order_begins_now() {
    let limits = Limits::default();
    for kind in [Kind::First, Kind::Renewal, Kind::KnownRenewal] {
        assert_eq!(limits.verdict(at(0), kind, &Past::default()), Verdict::Now);
    }
    let three = all(&[-3, -2, -1]);
    let past = Past { name: &three, ..Past::default() };
    assert_eq!(limits.verdict(at(0), Kind::First, &past), Verdict::Now, "the fourth");
}

#[test]
fn each_limit_says_when_there_is_room_again() {
    let limits = Limits {
        orders_per_account: 2,
        certificates_per_domain: 2,
        certificates_per_name: 2,
        failures_per_name: 2,
    };
    let two = all(&[-100, -300]);
    let none = Past::default();
    for (past, budget, within) in [
        (Past { account: &two, ..none }, Budget::Account, 3 * 3600),
        (Past { domain: &two, ..none }, Budget::Domain, 7 * DAY),
        (Past { name: &two, ..none }, Budget::Name, 7 * DAY),
        (Past { failures: &two, ..none }, Budget::Failures, 3600),
    ] {
        let until = at(within - 300);
        assert_eq!(limits.verdict(at(0), Kind::First, &past), Verdict::NotBefore(until, budget));
        assert_eq!(limits.verdict(until, Kind::First, &past), Verdict::Now, "{}", budget.as_str());
    }
    let both = Past { failures: &two, name: &two, ..none };
    let longest = Verdict::NotBefore(at(7 * DAY - 300), Budget::Name);
    assert_eq!(limits.verdict(at(0), Kind::First, &both), longest);
}

#[test]
fn renewals_are_free_from_what_the_authority_frees_them_from() {
    let limits = Limits { orders_per_account: 1, certificates_per_domain: 1, ..Limits::default() };
    let (one, many) = (all(&[-1]), all(&[-1; 10]));
    let full = Past { account: &one, domain: &one, ..Past::default() };
    assert_ne!(limits.verdict(at(0), Kind::First, &full), Verdict::Now);
    assert_eq!(limits.verdict(at(0), Kind::Renewal, &full), Verdict::Now);
    let fuller = Past { name: &many, failures: &many, ..full };
    assert_ne!(limits.verdict(at(0), Kind::Renewal, &fuller), Verdict::Now);
    assert_eq!(limits.verdict(at(0), Kind::KnownRenewal, &fuller), Verdict::Now);
}

#[test]
fn a_limit_of_nothing_is_off() {
    let off = Limits {
        orders_per_account: 0,
        certificates_per_domain: 0,
        certificates_per_name: 0,
        failures_per_name: 0,
    };
    let many = all(&[-1; 1000]);
    let past = Past { account: &many, orders: &many, domain: &many, name: &many, failures: &many };
    assert_eq!(off.verdict(at(0), Kind::First, &past), Verdict::Now);
    let configured: Limits = serde_json::from_str(r#"{"failuresPerName": 0}"#).unwrap();
    assert_eq!(configured, Limits { failures_per_name: 0, ..Limits::default() });
}

#[test]
fn orders_for_one_name_are_no_more_than_are_remembered() {
    let limits = Limits::default();
    let most = i64::from(MOST_ORDERS);
    let times: Vec<i64> = (1..=most).map(|number| -number).collect();
    let (all, one_less) = (all(&times), all(&times[1..]));
    let verdict =
        |orders: &[Timestamp]| limits.verdict(at(0), Kind::First, &Past { orders, ..Past::default() });
    assert_eq!(verdict(&one_less), Verdict::Now);
    assert_eq!(verdict(&all), Verdict::NotBefore(at(3 * 3600 - most), Budget::Name));
    let mut kept = all;
    forget_old_orders(&mut kept, at(3 * 3600 - most));
    assert_eq!(kept.len(), times.len() - 1, "what doesn't count any more is forgotten");
}

#[test]
fn a_clock_that_was_wrong_holds_nothing_back_for_longer_than_the_limit() {
    let limits = Limits { failures_per_name: 1, ..Limits::default() };
    let ahead = all(&[1000 * DAY]);
    let past = Past { failures: &ahead, ..Past::default() };
    let until = Verdict::NotBefore(at(3600), Budget::Failures);
    assert_eq!(limits.verdict(at(0), Kind::First, &past), until);
}

#[test]
fn what_is_older_than_a_week_is_forgotten() {
    let mut times = all(&[-7 * DAY, -7 * DAY + 1, 0, 5]);
    forget_old(&mut times, at(0));
    assert_eq!(times, all(&[-7 * DAY + 1, 0, 5]));
}

/// Most of these within any time as long as this.
fn most_within(times: &[Timestamp], within: SignedDuration) -> usize {
    let later = |from: &Timestamp| {
        times.iter().filter(|at| **at >= *from && from.duration_until(**at) < within).count()
    };
    times.iter().map(later).max().unwrap_or_default()
}

/// Whether a bucket of this size that fills up again in this time always had one to give.
fn bucket_holds(times: &[Timestamp], size: u32, within: SignedDuration) -> bool {
    let (mut left, mut last) = (f64::from(size), times.first().copied());
    times.iter().all(|at| {
        let since = last.replace(*at).map_or(0.0, |last| last.duration_until(*at).as_secs_f64());
        left = (left + since * f64::from(size) / within.as_secs_f64()).min(f64::from(size)) - 1.0;
        left >= -1e-6
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_limit_is_ever_passed_in_any_window(
        most in 1_u32..6,
        pauses in vec(0_i64..200_000, 1..60),
        patient in any::<bool>(),
    ) {
        let limits = Limits { certificates_per_name: most, failures_per_name: 0, ..Limits::default() };
        let (mut now, mut ordered) = (at(0), Vec::new());
        for pause in pauses {
            now = now.saturating_add(SignedDuration::from_secs(pause)).unwrap();
            let past = Past { name: &ordered, ..Past::default() };
            match limits.verdict(now, Kind::First, &past) {
                Verdict::Now => ordered.push(now),
                Verdict::NotBefore(until, _) => {
                    prop_assert!(until > now, "or it would be asked again and again");
                    let early = until.saturating_sub(SignedDuration::from_secs(1)).unwrap();
                    prop_assert_ne!(limits.verdict(early, Kind::First, &past), Verdict::Now);
                    prop_assert_eq!(limits.verdict(until, Kind::First, &past), Verdict::Now);
                    if patient {
                        now = until;
                        ordered.push(now);
                    }
                }
            }
            let mut kept = ordered.clone();
            forget_old(&mut kept, now);
            let (all, kept) = (Past { name: &ordered, ..Past::default() }, Past { name: &kept, ..Past::default() });
            prop_assert_eq!(limits.verdict(now, Kind::First, &all), limits.verdict(now, Kind::First, &kept));
        }
        prop_assert!(most_within(&ordered, SEVEN_DAYS) <= most as usize);
        prop_assert!(bucket_holds(&ordered, most, SEVEN_DAYS), "nor is Let's Encrypt's way of counting");
    }
}
