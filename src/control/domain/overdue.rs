//! Why the certificate in service isn't renewed although its time has come, and how many are near their end. Pure.

use jiff::{SignedDuration, Timestamp};

use super::certificate::{Caa, OrderFact, Shown};
use super::conditions::{at_fly, limited, missing};
use super::facts::Facts;
use super::ordering::used_up;
use super::{ordering, trouble};
use crate::api::custom_domain::{CertificateSource, Challenge, RecordPurpose};
use crate::api::domain_record::{CertificateRecord, DomainRecord};
use crate::api::reason;
use crate::control::runtime::facts::Refusal;
use crate::domains::budget::Verdict;

/// Time after which a renewal that isn't there counts as overdue.
const OVERDUE: SignedDuration = SignedDuration::from_hours(24);
/// Days before their end within which certificates are counted, each with its word.
const WITHIN: [(i64, &str); 4] = [(1, "1d"), (7, "7d"), (14, "14d"), (30, "30d")];

/// Certificates in service that want somebody's eye.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many end within each time.
    pub ending: [(&'static str, usize); 4],
    /// How many should have been renewed a day ago.
    pub overdue: usize,
}

/// Counts the certificates that these records say are in service.
pub fn tally<'r>(now: Timestamp, records: impl Iterator<Item = &'r DomainRecord>) -> Tally {
    let all: Vec<_> = records.filter_map(|record| record.certificate.as_ref()).collect();
    let ends = |certificate: &CertificateRecord, days: i64| {
        now.duration_until(certificate.expire_time) <= SignedDuration::from_hours(24 * days)
    };
    let is_overdue =
        |it: &CertificateRecord| it.renewal_time.is_some_and(|at| at.duration_until(now) > OVERDUE);
    Tally {
        ending: WITHIN.map(|(days, word)| (word, all.iter().filter(|it| ends(it, days)).count())),
        overdue: all.iter().filter(|it| is_overdue(it)).count(),
    }
}

/// Why the certificate in service isn't renewed; `None` as long as nothing is wrong with that.
pub fn why(facts: &Facts) -> Option<Refusal> {
    let record = facts.record()?;
    let certificate = record.certificate.as_ref()?;
    match facts.domain.spec.certificate.source {
        CertificateSource::Acme => failed(record).or_else(|| {
            certificate.renewal_time.filter(|at| *at <= facts.at)?;
            hindered(facts).or_else(|| late(facts))
        }),
        CertificateSource::Fly => fly(facts),
        CertificateSource::Secret => None,
    }
}

/// Why the last order failed.
fn failed(record: &DomainRecord) -> Option<Refusal> {
    let ordering = record.ordering.as_ref().filter(|ordering| ordering.failures > 0)?;
    let word = reason::ALL.iter().find(|it| Some(it.word) == ordering.reason.as_deref())?.word;
    Some(Refusal::new(word, ordering.message.clone().unwrap_or_default()))
}

/// What is certain to be in the way of an order.
fn hindered(facts: &Facts) -> Option<Refusal> {
    let by = |purpose| match facts.challenge() {
        Challenge::Dns01 => purpose == RecordPurpose::Certificate,
        Challenge::Http01 => matches!(purpose, RecordPurpose::Routing | RecordPurpose::OwnershipAndRouting),
    };
    if let Some(OrderFact::Held(until, why)) = &facts.known.order
        && *until > facts.at
    {
        return Some(why.clone());
    }
    let stored = facts.known.stored.as_ref()?;
    missing(facts, |record| by(record.purpose)).or_else(|| match (&stored.order, ordering::room(facts)) {
        (None, _) if forbidden(facts).is_some() => forbidden(facts),
        (None, Verdict::NotBefore(_, budget)) if facts.known.counted.is_none() => Some(used_up(budget)),
        _ => None,
    })
}

fn forbidden(facts: &Facts) -> Option<Refusal> {
    match &facts.known.caa.as_ref()?.verdict {
        Caa::Forbids(why) => Some(why.clone()),
        Caa::Allows | Caa::Unseen(..) => None,
    }
}

/// What an order waits for that should be there by now. Servers miss a question now and then, and zones take their time.
fn late(facts: &Facts) -> Option<Refusal> {
    let since = facts.known.due_since?;
    if since.duration_until(facts.at) < facts.cluster.settings.deadline {
        return None;
    }
    let says = |message: &str| Some(Refusal::new(reason::DEADLINE_EXCEEDED, message));
    if let Some(trouble) = &facts.known.trouble {
        return Some(Refusal::new(trouble.reason, trouble.message.clone()));
    }
    if let Some(error) = facts.unseen() {
        return Some(trouble::refusal(error));
    }
    match (&facts.known.shown, &facts.known.order, &facts.known.caa) {
        (Shown::Unseen(_, why), Some(OrderFact::Proofs(_)), _) => Some(Refusal::new(
            why.reason,
            format!("The text for the certificate authority can't be looked for. {}", why.message),
        )),
        (_, Some(OrderFact::Proofs(_)), _) => says(
            "The text for the certificate authority doesn't show at every name server of the platform's zone. It is tried further by itself; the platform looks after that zone.",
        ),
        (_, Some(_), _) => says(
            "The certificate authority is at it for longer than it should. It is asked further by itself.",
        ),
        (_, None, Some(caa)) => match &caa.verdict {
            Caa::Unseen(why, _) => {
                Some(Refusal::new(why.reason, format!("CAA records can't be looked at. {}", why.message)))
            }
            Caa::Allows | Caa::Forbids(_) => None,
        },
        (_, None, None) => None,
    }
}

/// What Fly says is in the way of its own renewal, once that should have been.
fn fly(facts: &Facts) -> Option<Refusal> {
    let hosted = facts.edge()?.hostname.as_ref()?;
    let should = hosted.fly_renewal.is_some_and(|at| at <= facts.at);
    let told = at_fly(hosted).filter(|_| should);
    match (limited(facts.at, hosted), told) {
        (Some(limited), Some(told)) => {
            Some(Refusal::new(reason::ORDERS_USED_UP, format!("{limited} {told}")))
        }
        (Some(limited), None) => Some(Refusal::new(reason::ORDERS_USED_UP, limited)),
        (None, Some(told)) => Some(Refusal::new(reason::DEADLINE_EXCEEDED, told)),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::domain_record::OwnershipMethod;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(day * 86_400).unwrap()
    }

    fn record(until: i64, renewal: Option<i64>) -> DomainRecord {
        DomainRecord {
            tenant_id: "tenant-a".into(),
            method: OwnershipMethod::Cname,
            label: "0123456789ab".into(),
            verify_time: at(0),
            missing_since: None,
            astray_since: None,
            contest: None,
            route: None,
            certificate: Some(CertificateRecord {
                source: CertificateSource::Acme,
                fingerprint: None,
                expire_time: at(until),
                renewal_time: renewal.map(at),
                serial: None,
                issuer: None,
            }),
            service_time: None,
            ordering: None,
        }
    }

    #[test]
    fn certificates_count_within_each_time_before_their_end_and_a_day_after_they_were_due() {
        let none = DomainRecord { certificate: None, ..record(0, None) };
        let all = [record(90, Some(60)), record(70, Some(40)), record(62, Some(61)), none, record(59, None)];
        let now = Timestamp::from_second(61 * 86_400 + 1).unwrap();
        let counted = tally(now, all.iter());
        assert_eq!(counted.ending, [("1d", 2), ("7d", 2), ("14d", 3), ("30d", 4)]);
        assert_eq!(counted.overdue, 2, "one since day 40, one since a day and a second");
        let counted = tally(at(61), all.iter());
        assert_eq!(counted.overdue, 1);
    }
}
