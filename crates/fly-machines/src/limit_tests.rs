//! The limiter, on a clock that only moves when told.

use super::*;

async fn waits(limiter: &Limiter, class: RateClass, id: &str, calls: usize) -> Vec<u128> {
    let start = Instant::now();
    let mut at = Vec::new();
    for _ in 0..calls {
        limiter.acquire(class, "machines.start", id).await.unwrap();
        at.push(start.elapsed().as_millis());
    }
    at
}

#[tokio::test(start_paused = true)]
async fn one_a_second_after_a_burst_of_three() {
    let limiter = Limiter::new(Limits::fly());
    let at = waits(&limiter, RateClass::Action, "m1", 6).await;
    assert_eq!(at, [0, 0, 0, 1000, 2000, 3000]);
}

#[tokio::test(start_paused = true)]
async fn five_reads_a_second_after_a_burst_of_ten() {
    let limiter = Limiter::new(Limits::fly());
    let at = waits(&limiter, RateClass::MachineRead, "m1", 13).await;
    assert_eq!(at[9..], [0, 200, 400, 600]);
}

#[tokio::test(start_paused = true)]
async fn identifiers_and_actions_have_buckets_of_their_own() {
    let limiter = Limiter::new(Limits::fly());
    waits(&limiter, RateClass::Action, "m1", 3).await;
    assert_eq!(waits(&limiter, RateClass::Action, "m2", 1).await, [0]);
    assert_eq!(limiter.acquire(RateClass::Action, "machines.stop", "m1").await, Ok(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn the_organisation_bounds_all_together() {
    let limits = Limits { organisation: Rate::per_second(2, 2), ..Limits::fly() };
    let limiter = Limiter::new(limits);
    assert_eq!(limiter.budget().organisation_remaining, Some(2));
    let start = Instant::now();
    for id in ["a", "b", "c", "d"] {
        limiter.acquire(RateClass::Action, "machines.start", id).await.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    let budget = limiter.budget();
    assert_eq!((budget.organisation_remaining, budget.delayed_total), (Some(0), 2));
    assert_eq!(budget.delay_total, Duration::from_secs(1));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(limiter.budget().organisation_remaining, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_too_long_fails_at_once_and_takes_nothing() {
    let limits = Limits { max_wait: Duration::from_secs(1), ..Limits::fly() };
    let limiter = Limiter::new(limits);
    waits(&limiter, RateClass::Action, "m1", 4).await;
    let first = limiter.reserve(RateClass::Action, "machines.start", "m1", Instant::now());
    assert_eq!(first, Duration::from_secs(1));
    for _ in 0..3 {
        let refused = limiter.acquire(RateClass::Action, "machines.start", "m1").await;
        assert_eq!(refused, Err(Duration::from_secs(2)));
    }
    assert_eq!(limiter.budget().rejected_total, 3);
}

#[tokio::test(start_paused = true)]
async fn a_429_closes_its_bucket_for_the_time_told() {
    let limiter = Limiter::new(Limits::fly());
    limiter.punish(RateClass::Action, "machines.start", "m1", Duration::from_secs(5));
    assert_eq!(waits(&limiter, RateClass::Action, "m1", 2).await, [5000, 6000]);
    assert_eq!(waits(&limiter, RateClass::Action, "m2", 1).await, [0]);
    assert_eq!(limiter.budget().throttled_total, 1);
}

#[tokio::test(start_paused = true)]
async fn app_deletions_share_a_hundred_a_minute() {
    let limiter = Limiter::new(Limits::fly());
    let start = Instant::now();
    for _ in 0..110 {
        limiter.acquire(RateClass::AppDelete, "apps.delete", "").await.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::from_mins(1));
}

#[tokio::test(start_paused = true)]
async fn full_buckets_are_forgotten() {
    let limits = Limits { organisation: Rate::UNLIMITED, ..Limits::fly() };
    let limiter = Limiter::new(limits);
    for id in 0..200_000_u32 {
        if id.is_multiple_of(1000) {
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        limiter.acquire(RateClass::Action, "machines.start", &id.to_string()).await.unwrap();
    }
    let kept = limiter.lock().by_key.len();
    assert!(kept <= 4 * 1024, "{kept} buckets are kept though at most 1000 are in use");
}

#[tokio::test(start_paused = true)]
async fn without_limits_nothing_waits_and_nothing_is_kept() {
    let limiter = Limiter::new(Limits::off());
    assert_eq!(waits(&limiter, RateClass::Action, "m1", 1000).await.last(), Some(&0));
    assert_eq!(limiter.budget().organisation_remaining, None);
    assert_eq!(limiter.budget().active_buckets, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_is_no_longer_waiting() {
    let limiter = Limiter::new(Limits::fly());
    waits(&limiter, RateClass::Action, "m1", 3).await;
    let given_up = tokio::time::timeout(
        Duration::from_millis(10),
        limiter.acquire(RateClass::Action, "machines.start", "m1"),
    );
    assert!(given_up.await.is_err());
    assert_eq!(limiter.budget().waiting, 0);
}
