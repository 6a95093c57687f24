//! The conditions of a hostname, from the outcome of a visit. Pure.

use jiff::Timestamp;

use super::certificate::CopyFact;
use super::decide::takes_alias;
use super::edge::{Hosted, Problem};
use super::facts::Facts;
use super::records::{delegated, records, routed_by};
use super::verdict::{Ownership, is_anothers, ownership};
use super::{overdue, trouble};
use crate::api::condition::{ConditionStatus, ConditionType, Wanted, whole_seconds};
use crate::api::custom_domain::{RecordPurpose, RecordState, RecordStatus, RecordType, RoutedBy};
use crate::api::reason;
use crate::control::runtime::facts::Refusal;
use crate::domains::dns::LookError;

/// Most that is told of what Fly says, in characters: a condition holds little more.
const LONGEST: usize = 800;

/// What a visit came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It serves.
    Active {
        /// In one word.
        reason: &'static str,
        /// For people.
        message: &'static str,
        /// Why what is to be done isn't done now, if something is.
        held: Option<Refusal>,
    },
    /// It waits for a person: what of, and the portal's word for it.
    Awaiting(Refusal, &'static str),
    /// It can't be done as it stands.
    Stalled(Refusal),
    /// Something is under way, and what.
    Progress(Refusal),
}

/// Every condition.
pub fn conditions(facts: &Facts, outcome: &Outcome) -> Vec<Wanted> {
    let mut all = summary(outcome);
    all.extend([owned(facts), claimed(facts), configured(facts), issued(facts, outcome)]);
    all
}

fn summary(outcome: &Outcome) -> Vec<Wanted> {
    let ready = |status, reason, message: &str| Wanted::new(ConditionType::Ready, status, reason, message);
    let beside =
        |type_, why: &Refusal| Wanted::new(type_, ConditionStatus::True, why.reason, why.message.clone());
    match outcome {
        Outcome::Active { reason, message, held } => {
            let mut all: Vec<_> = held.iter().map(|why| beside(ConditionType::Reconciling, why)).collect();
            all.push(ready(ConditionStatus::True, reason, message));
            all
        }
        Outcome::Awaiting(why, word) => {
            vec![beside(ConditionType::Reconciling, why), ready(ConditionStatus::False, word, &why.message)]
        }
        Outcome::Stalled(why) => {
            vec![beside(ConditionType::Stalled, why), ready(ConditionStatus::False, why.reason, &why.message)]
        }
        Outcome::Progress(why) => vec![
            beside(ConditionType::Reconciling, why),
            ready(ConditionStatus::Unknown, why.reason, &why.message),
        ],
    }
}

fn owned(facts: &Facts) -> Wanted {
    let say = |status, reason, message: String| {
        Wanted::new(ConditionType::OwnershipVerified, status, reason, message)
    };
    let Ok(host) = &facts.host else {
        return say(ConditionStatus::False, reason::HOSTNAME_INVALID, "The hostname can't be used.".into());
    };
    let held = facts.record();
    if let Some(record) = held.filter(|record| record.missing_since.is_some()) {
        let message = if record.route.is_some() {
            "The record that shows whose the hostname is has gone. It serves on until `status.graceEndTime`; set the record again before."
        } else {
            "The record that showed whose the hostname is has gone for too long: it doesn't serve any more. Set the record again."
        };
        return say(ConditionStatus::False, reason::RECORD_GONE, message.into());
    }
    let verified = || {
        let message = "A record in DNS shows whose the hostname is.";
        say(ConditionStatus::True, reason::VERIFIED, message.into())
    };
    match ownership(facts, host) {
        _ if held.is_some() => verified(),
        Ownership::Shown(_) => verified(),
        Ownership::NotLooked => {
            say(ConditionStatus::Unknown, reason::NOT_CHECKED, "DNS wasn't looked at yet.".into())
        }
        Ownership::Unseen(error) => say(ConditionStatus::False, trouble::reason(error), error.to_string()),
        Ownership::Missing | Ownership::NeedsText => {
            let proof = [RecordPurpose::Ownership, RecordPurpose::OwnershipAndRouting];
            let why = missing(facts, |record| proof.contains(&record.purpose));
            why.or_else(|| facts.unseen().map(trouble::refusal)).map_or_else(
                || say(ConditionStatus::Unknown, reason::NOT_CHECKED, "DNS wasn't looked at yet.".into()),
                |why| say(ConditionStatus::False, why.reason, why.message),
            )
        }
    }
}

fn claimed(facts: &Facts) -> Wanted {
    let say =
        |status, reason, message: &str| Wanted::new(ConditionType::HostnameClaimed, status, reason, message);
    if facts.record().is_some() {
        return say(ConditionStatus::True, reason::CLAIMED, "The hostname is held for this CustomDomain.");
    }
    let claim = facts.cluster.claim.as_ref().filter(|claim| claim.spec.tombstone.is_none());
    match claim {
        Some(_) if is_anothers(facts) => say(
            ConditionStatus::False,
            reason::HOSTNAME_TAKEN,
            "Another customer has shown that the hostname is theirs, and holds it for as long as their record stands. If it is yours, remove theirs from DNS and set the TXT record in `status.records`.",
        ),
        Some(_) => say(
            ConditionStatus::False,
            reason::NAME_TAKEN,
            "Another CustomDomain of this tenant holds the hostname.",
        ),
        None => say(
            ConditionStatus::False,
            reason::RECORD_MISSING,
            "It is held for this CustomDomain once a record shows whose it is.",
        ),
    }
}

fn configured(facts: &Facts) -> Wanted {
    let say =
        |status, reason, message: String| Wanted::new(ConditionType::DnsConfigured, status, reason, message);
    let sight = facts.known.sight.as_ref();
    if let Some(error) = facts.unseen().or_else(|| delegation_unseen(facts)) {
        return say(ConditionStatus::False, trouble::reason(error), error.to_string());
    }
    let settled = sight.is_none() && facts.record().is_some_and(|record| record.service_time.is_some());
    let leads = [RecordPurpose::Routing, RecordPurpose::OwnershipAndRouting, RecordPurpose::Certificate];
    match missing(facts, |record| leads.contains(&record.purpose)) {
        _ if settled => say(ConditionStatus::True, reason::CONFIGURED, "The hostname leads here.".into()),
        Some(why) => say(ConditionStatus::False, why.reason, why.message + astray(facts)),
        None => match routed_by(facts) {
            Some(by) => say(ConditionStatus::True, reason::CONFIGURED, led(by).into()),
            None => say(ConditionStatus::Unknown, reason::NOT_CHECKED, "DNS wasn't looked at yet.".into()),
        },
    }
}

/// What comes of a name that leads elsewhere.
fn astray(facts: &Facts) -> &'static str {
    match facts.record().filter(|record| record.astray_since.is_some()) {
        Some(record) if record.route.is_none() => {
            " It led elsewhere for too long: it is out of service, and comes back once it leads here. Behind a proxy that is found when a RuntimeTask VerifyDomain asks for it."
        }
        Some(record) if record.service_time.is_some() => " It serves on until `status.graceEndTime`.",
        Some(_) | None => "",
    }
}

/// Why it couldn't be seen where texts for the certificate authority are looked for, if they are.
fn delegation_unseen(facts: &Facts) -> Option<&LookError> {
    let host = facts.host.as_ref().ok()?;
    delegated(facts, host)?;
    facts.seen()?.delegated.as_ref().err()
}

fn led(by: RoutedBy) -> &'static str {
    match by {
        RoutedBy::Cname => "The hostname leads here by its CNAME.",
        RoutedBy::Address => "The hostname leads here by its addresses.",
        RoutedBy::Proxied => "The hostname leads here through a proxy, as Fly's own check found.",
    }
}

fn issued(facts: &Facts, outcome: &Outcome) -> Wanted {
    let say = |status, reason, message: String| {
        Wanted::new(ConditionType::CertificateIssued, status, reason, message)
    };
    let stands = facts.record().and_then(|record| record.certificate.as_ref());
    match (stands.filter(|it| it.expire_time > facts.at), outcome) {
        (Some(_), Outcome::Stalled(why)) if is_about_certificates(why) => say(
            ConditionStatus::True,
            why.reason,
            format!("The one in service is good until `status.certificate.expireTime`. {}", why.message),
        ),
        (Some(_), _) => match overdue::why(facts) {
            Some(why) => say(
                ConditionStatus::True,
                why.reason,
                format!(
                    "The one in service is good until `status.certificate.expireTime`, but isn't renewed. {}",
                    why.message
                ),
            ),
            None => match &facts.known.copy {
                Some(CopyFact::Failed(_, why)) => say(
                    ConditionStatus::True,
                    why.reason,
                    format!(
                        "A certificate is in service, but isn't copied into this namespace. {}",
                        why.message
                    ),
                ),
                _ => say(ConditionStatus::True, reason::ISSUED, "A certificate is in service.".into()),
            },
        },
        (None, Outcome::Stalled(why) | Outcome::Progress(why)) => {
            say(ConditionStatus::False, why.reason, why.message.clone())
        }
        (None, Outcome::Awaiting(..) | Outcome::Active { .. }) => say(
            ConditionStatus::False,
            reason::PENDING_CERT,
            "It is issued once the hostname's records are as they should be.".into(),
        ),
    }
}

fn is_about_certificates(why: &Refusal) -> bool {
    [
        reason::CERTIFICATE_INVALID,
        reason::CERTIFICATE_EXPIRED,
        reason::SECRET_NOT_FOUND,
        reason::CERTIFICATE_REFUSED,
        reason::CAA_FORBIDS,
        reason::ACME_NOT_CONFIGURED,
    ]
    .contains(&why.reason)
}

/// The first record of a kind that isn't as it should be, and what to do about it.
pub fn missing(facts: &Facts, wanted: impl Fn(&RecordStatus) -> bool) -> Option<Refusal> {
    let host = facts.host.as_ref().ok()?;
    let all = records(facts, host);
    let wrong = all.iter().filter(|record| wanted(record));
    let first = wrong.clone().find(|record| record.state == RecordState::Wrong);
    let record = first.or_else(|| wrong.clone().find(|record| record.state == RecordState::Missing))?;
    Some(told(facts, record))
}

fn told(facts: &Facts, record: &RecordStatus) -> Refusal {
    let kind = kind(record.type_);
    let set = format!("Set {kind} {} to {}", record.name, record.value);
    if record.state == RecordState::Missing {
        return Refusal::new(reason::RECORD_MISSING, format!("{kind} {} isn't set. {set}.", record.name));
    }
    // Texts stand beside each other, and another may show that another name is its owner's.
    let instead = if record.type_ == RecordType::Txt { "" } else { ", and remove what was found" };
    let proxy = if record.type_ == RecordType::Cname && takes_alias(facts) {
        " If a proxy of yours answers for it, leave that and set the TXT record in `status.records`."
    } else {
        ""
    };
    Refusal::new(
        reason::RECORD_WRONG,
        format!(
            "{kind} {} isn't as it should be: {} was found. {set}{instead}.{proxy}",
            record.name,
            record.found.join(", ")
        ),
    )
}

fn kind(type_: RecordType) -> &'static str {
    match type_ {
        RecordType::Cname => "CNAME",
        RecordType::Txt => "TXT",
        RecordType::A => "A",
        RecordType::Aaaa => "AAAA",
    }
}

/// That Fly's certificate authority takes no order for the hostname yet, if it doesn't.
pub fn limited(now: Timestamp, hosted: &Hosted) -> Option<String> {
    let until = whole_seconds(hosted.limited_until.filter(|until| *until > now)?);
    Some(format!(
        "Fly's certificate authority takes no order for this hostname before {until}. It goes on by itself then."
    ))
}

/// What Fly says is in the way of a certificate, each with its remedy, as far as a message holds it.
pub fn at_fly(hosted: &Hosted) -> Option<String> {
    let one = |problem: &Problem| {
        let code = if problem.code.is_empty() { String::new() } else { format!(" ({})", problem.code) };
        format!("Fly says{code}: {}. {}.", problem.message, problem.remedy)
    };
    let all: Vec<String> = hosted.problems.iter().map(one).collect();
    let length = |told: usize| all.iter().take(told).map(|it| it.chars().count() + 1).sum::<usize>();
    let told = (1..=all.len()).take_while(|told| *told == 1 || length(*told) <= LONGEST).last()?;
    let left = all.len() - told;
    let more = if left == 0 { String::new() } else { format!(" There is more of that: {left}.") };
    Some(all.into_iter().take(told).collect::<Vec<_>>().join(" ") + &more)
}
