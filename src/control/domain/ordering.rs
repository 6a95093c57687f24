//! When a certificate is ordered: for the first time, again before its end, and after a failure. Pure.

use jiff::{SignedDuration, Timestamp};

use super::facts::{Advice, Count, Facts, Renewal};
use crate::api::condition::whole_seconds;
use crate::api::domain_record::{CertificateRecord, DomainRecord, MAX_ORDERS, MAX_PLACED, OrderingRecord};
use crate::api::reason;
use crate::control::runtime::facts::Refusal;
use crate::domains::acme::{AcmeError, Cause, next_try};
use crate::domains::budget::{Budget, Kind, MOST_ORDERS, Verdict, forget_old, forget_old_orders};
use crate::domains::certificate::Certificate;

/// Pause about an order if the authority has a limit, and doesn't say until when.
const UNTOLD: SignedDuration = SignedDuration::from_mins(5);
/// The longest such pause: orders don't stand for ever.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

// Or orders that count would be forgotten.
const _: () = assert!(MOST_ORDERS as usize <= MAX_PLACED);

/// Whether a certificate has to be ordered: there is none, or its time has come.
pub fn is_due(now: Timestamp, record: &DomainRecord, standing: Option<&Certificate>) -> bool {
    let Some(certificate) = standing else { return true };
    let recorded = record.certificate.as_ref();
    let same = recorded.filter(|it| it.fingerprint.as_ref() == Some(&certificate.fingerprint));
    let renewal = same.and_then(|it| it.renewal_time).unwrap_or_else(|| certificate.renewal());
    renewal <= now
}

/// When it is renewed: at its own time, or earlier if its authority suggests so. As long as that wasn't heard, what was
/// recorded before stays.
pub fn renewal(
    certificate: &Certificate,
    recorded: Option<&CertificateRecord>,
    heard: Option<&Renewal>,
) -> Timestamp {
    let own = certificate.renewal();
    let same = recorded.filter(|it| it.fingerprint.as_ref() == Some(&certificate.fingerprint));
    let before = same.and_then(|it| it.renewal_time).unwrap_or(own);
    whole_seconds(match heard.map(|renewal| renewal.advice) {
        Some(Advice::At(at)) => at.min(own),
        Some(Advice::Nothing) => own,
        Some(Advice::Unheard) | None => before,
    })
}

/// Why nothing is ordered yet after a failure, and for how long. Another spec is tried at once.
pub fn backing_off(
    now: Timestamp,
    facts: &Facts,
    record: &DomainRecord,
) -> Option<(Refusal, SignedDuration)> {
    let ordering = record.ordering.as_ref()?;
    let next = ordering.next_time.filter(|next| *next > now)?;
    if ordering.generation != Some(facts.generation()) {
        return None;
    }
    let known = reason::ALL.iter().find(|it| Some(it.word) == ordering.reason.as_deref());
    let word = known.map_or(reason::CERTIFICATE_REFUSED, |it| it.word);
    let message = ordering.message.clone().unwrap_or_default();
    Some((Refusal::new(word, message), now.duration_until(next)))
}

/// What the next order is to the authority's limits. One that says when to renew knows a renewal as such.
pub fn kind(facts: &Facts) -> Kind {
    let stored = facts.known.stored.as_ref().and_then(|stored| stored.certificate.as_ref());
    match (stored, facts.known.renewal.as_ref().map(|renewal| renewal.advice)) {
        (None, _) => Kind::First,
        (Some(it), _) if facts.known.plain.as_ref() == Some(&it.fingerprint) => Kind::Renewal,
        (Some(_), Some(Advice::At(_))) => Kind::KnownRenewal,
        (Some(_), Some(Advice::Nothing | Advice::Unheard) | None) => Kind::Renewal,
    }
}

/// Whether the next order may be placed now, or else when.
pub fn room(facts: &Facts) -> Verdict {
    match kind(facts) {
        Kind::First => facts.cluster.rooms.first,
        Kind::Renewal => facts.cluster.rooms.renewal,
        Kind::KnownRenewal => Verdict::Now,
    }
}

/// Why nothing is ordered while a limit is used up.
pub fn used_up(budget: Budget) -> Refusal {
    let what = match budget {
        Budget::Account => "the whole platform",
        Budget::Domain => "this hostname's domain",
        Budget::Name => "this hostname",
        Budget::Failures => {
            let message = "The certificate authority didn't find the proof several times within the hour. It is tried again by itself; have the records checked meanwhile.";
            return Refusal::new(reason::ORDERS_USED_UP, message);
        }
    };
    let message = format!(
        "As many certificates were ordered of late for {what} as Moorage orders at most. It goes on by itself; or set `certificate.source` to Fly."
    );
    Refusal::new(reason::ORDERS_USED_UP, message)
}

/// The record with one order more, which is counted before it is placed: as an order, and as the certificate that it may
/// become.
pub fn counted(now: Timestamp, before: Option<&OrderingRecord>, kind: Kind) -> OrderingRecord {
    let mut ordering = before.cloned().unwrap_or_default();
    match kind {
        Kind::First => {
            forget_old_orders(&mut ordering.order_times, now);
            add(now, &mut ordering.order_times, MAX_PLACED);
            note(now, &mut ordering.first_times);
        }
        Kind::Renewal => note(now, &mut ordering.renewal_times),
        Kind::KnownRenewal => {}
    }
    ordering
}

/// The record after an order that was counted and isn't there. Its count is taken back: an authority that is away for a
/// while uses nothing up. One that may be there, with the answer lost, stays counted as an order; as a certificate it
/// doesn't, since an order that we don't know is never finished.
pub fn unplaced(
    now: Timestamp,
    before: Option<&OrderingRecord>,
    count: Option<Count>,
    error: &AcmeError,
    generation: i64,
    id: &str,
) -> OrderingRecord {
    let mut ordering = without_certificate(before, count);
    if let Some(count) = count.filter(|count| count.kind == Kind::First && error.cause != Cause::Unanswered) {
        take(count.at, &mut ordering.order_times);
    }
    failed(now, Some(&ordering), error, generation, id)
}

/// The record after an order that was counted and ended without a certificate, as the authority's limit on certificates
/// has it. As an order it stays counted.
pub fn without_certificate(before: Option<&OrderingRecord>, count: Option<Count>) -> OrderingRecord {
    let mut ordering = before.cloned().unwrap_or_default();
    match count.map(|count| (count.kind, count.at)) {
        Some((Kind::First, at)) => take(at, &mut ordering.first_times),
        Some((Kind::Renewal, at)) => take(at, &mut ordering.renewal_times),
        Some((Kind::KnownRenewal, _)) | None => {}
    }
    ordering
}

fn take(counted: Timestamp, times: &mut Vec<Timestamp>) {
    if let Some(place) = times.iter().rposition(|at| *at == counted) {
        times.remove(place);
    }
}

fn note(now: Timestamp, times: &mut Vec<Timestamp>) {
    forget_old(times, now);
    add(now, times, MAX_ORDERS);
}

fn add(now: Timestamp, times: &mut Vec<Timestamp>, most: usize) {
    times.push(whole_seconds(now));
    let beyond = times.len().saturating_sub(most);
    times.drain(..beyond);
}

/// The record after a failure; `id` spreads those that failed together.
pub fn failed(
    now: Timestamp,
    before: Option<&OrderingRecord>,
    error: &AcmeError,
    generation: i64,
    id: &str,
) -> OrderingRecord {
    let mut ordering = before.cloned().unwrap_or_default();
    // What passes by itself and what is refused have a pace each.
    let same = ordering.generation == Some(generation)
        && ordering.reason.as_deref().is_none_or(|before| before == error.error.reason);
    ordering.failures = if same { ordering.failures.saturating_add(1).min(1000) } else { 1 };
    if error.cause.is_failed_validation() {
        note(now, &mut ordering.failure_times);
    }
    let failures = ordering.failures.unsigned_abs();
    ordering.next_time = Some(whole_seconds(next_try(now, id, failures, error)));
    ordering.generation = Some(generation);
    ordering.reason = Some(error.error.reason.to_owned());
    ordering.message = Some(error.error.message.chars().take(1024).collect());
    ordering
}

/// How long the authority wants to be left alone about an order that stands. The order isn't given up for that: the next
/// would take another certificate, and have the authority asked for more.
pub fn pause_asked(error: &AcmeError) -> Option<SignedDuration> {
    let asked = error.error.retry_after.and_then(|pause| SignedDuration::try_from(pause).ok());
    let asked = asked.or_else(|| (error.cause == Cause::RateLimited).then_some(UNTOLD))?;
    Some(asked.clamp(SignedDuration::from_secs(1), LONGEST))
}

/// The record after a certificate was issued.
pub fn succeeded(before: Option<&OrderingRecord>) -> OrderingRecord {
    let before = before.cloned().unwrap_or_default();
    OrderingRecord {
        order_times: before.order_times,
        first_times: before.first_times,
        renewal_times: before.renewal_times,
        failure_times: before.failure_times,
        ..OrderingRecord::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::DomainError;
    use crate::domains::acme::{Cause, Fault};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn refused(cause: Cause) -> AcmeError {
        AcmeError { cause, error: DomainError::certificate_refused("No.") }
    }

    #[test]
    fn failures_are_an_hour_apart_and_then_ever_more_up_to_thirty_two() {
        let (mut record, mut pauses) = (None, Vec::new());
        for _ in 0..8 {
            let next = failed(at(0), record.as_ref(), &refused(Cause::Refused), 1, "uid");
            pauses.push(at(0).duration_until(next.next_time.unwrap()).as_hours());
            record = Some(next);
        }
        for (pause, least) in pauses.iter().zip([1, 2, 4, 8, 16, 32, 32, 32]) {
            assert!((least..=least * 5 / 4).contains(pause), "{pauses:?}");
        }
        let other = failed(at(0), record.as_ref(), &refused(Cause::Refused), 2, "uid");
        assert_eq!(other.failures, 1, "another spec has a count of its own");
        let passing =
            AcmeError { cause: Cause::Unavailable, error: DomainError::authority_unavailable("Later.") };
        let passed = failed(at(0), record.as_ref(), &passing, 1, "uid");
        assert!(passed.next_time.unwrap() < at(10), "what passes by itself is tried again soon");
        assert_eq!(succeeded(record.as_ref()).failures, 0);
    }

    #[test]
    fn an_order_that_stands_is_waited_for_while_its_authority_has_a_limit() {
        let limited = |asked: Option<u64>| AcmeError {
            cause: Cause::RateLimited,
            error: DomainError::certificate_limited("Later.")
                .retry_after(asked.map(std::time::Duration::from_secs)),
        };
        for (asked, pause) in [(None, 300), (Some(0), 1), (Some(7200), 7200), (Some(604_800), 86_400)] {
            assert_eq!(pause_asked(&limited(asked)), Some(SignedDuration::from_secs(pause)));
        }
        let away = |asked: Option<u64>| AcmeError { cause: Cause::Unavailable, ..limited(asked) };
        assert_eq!(pause_asked(&away(Some(60))), Some(SignedDuration::from_secs(60)));
        assert_eq!(pause_asked(&away(None)), None, "it is tried again, ever more slowly");
    }

    #[test]
    fn what_an_authority_counts_is_kept_whatever_becomes_of_the_rest() {
        let record = counted(at(0), None, Kind::First);
        let record = counted(at(1), Some(&record), Kind::Renewal);
        let record = counted(at(2), Some(&record), Kind::KnownRenewal);
        let record = failed(at(3), Some(&record), &refused(Cause::ProofFailed(Fault::Dns)), 1, "uid");
        let record = failed(at(4), Some(&record), &refused(Cause::Refused), 1, "uid");
        let kept = succeeded(Some(&record));
        assert_eq!(kept.first_times, [at(0)]);
        assert_eq!(kept.renewal_times, [at(1)]);
        assert_eq!(kept.failure_times, [at(3)]);
    }

    #[test]
    fn an_order_that_was_not_placed_is_not_counted_and_one_that_may_be_there_counts_as_an_order() {
        let fails = |cause, before: Option<&OrderingRecord>, second| {
            let error = AcmeError { cause, error: DomainError::authority_unavailable("Later.") };
            let count = Count { kind: Kind::First, at: at(second) };
            let record = counted(count.at, before, count.kind);
            unplaced(at(second), Some(&record), Some(count), &error, 1, "uid")
        };
        let mut record = None;
        for second in 0..20 {
            record = Some(fails(Cause::Unavailable, record.as_ref(), second));
        }
        let record = record.unwrap();
        assert!(record.first_times.is_empty() && record.order_times.is_empty(), "{record:?}");
        assert_eq!(record.failures, 20);
        let pause = at(19).duration_until(record.next_time.unwrap()).as_secs();
        assert!((600..=750).contains(&pause), "ever more slowly: {pause}");

        let mut record = Some(counted(at(0), None, Kind::First));
        for second in 1..20 {
            record = Some(fails(Cause::Unanswered, record.as_ref(), second));
        }
        let record = record.unwrap();
        assert_eq!(record.first_times, [at(0)], "none that isn't known becomes a certificate");
        assert_eq!(record.order_times.len(), 20, "each may have been placed");
    }

    #[test]
    fn an_order_that_ended_without_a_certificate_counts_as_an_order_alone() {
        let count = |kind, second| Some(Count { kind, at: at(second) });
        let record = counted(at(0), None, Kind::First);
        let record = counted(at(1), Some(&record), Kind::First);
        let record = counted(at(2), Some(&record), Kind::Renewal);
        let ended = without_certificate(Some(&record), count(Kind::First, 1));
        assert_eq!((&ended.first_times[..], &ended.renewal_times[..]), (&[at(0)][..], &[at(2)][..]));
        assert_eq!(ended.order_times, [at(0), at(1)], "the authority was asked for it");
        let ended = without_certificate(Some(&ended), count(Kind::Renewal, 2));
        assert!(ended.renewal_times.is_empty());
        let again = without_certificate(Some(&ended), count(Kind::First, 1));
        assert_eq!(again, ended, "it may be repeated");
        assert_eq!(without_certificate(Some(&ended), count(Kind::KnownRenewal, 0)), ended);
    }

    #[test]
    fn orders_count_for_a_week_and_no_more_are_kept_than_fit() {
        let mut record = None;
        for hour in 0..40 {
            record = Some(counted(at(hour * 3600), record.as_ref(), Kind::First));
        }
        let record = record.unwrap();
        assert_eq!(record.first_times.len(), MAX_ORDERS);
        assert_eq!(record.first_times.last(), Some(&at(39 * 3600)));
        let later = counted(at(9 * 24 * 3600), Some(&record), Kind::First);
        assert_eq!(later.first_times, [at(9 * 24 * 3600)]);
        assert_eq!(record.order_times.len(), 3, "orders count for three hours");
    }
}
