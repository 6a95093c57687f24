//! A Runtime's hostname under the platform's base domain: what is wanted, what is known, what the status says. Pure.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::decide::is_deleted;
use super::desired;
use super::facts::{Facts, Trouble, TroubleClass};
use super::survey::Standing;
use super::trouble::{Failure, Pace};
use crate::api::condition::{ConditionStatus, ConditionType, Wanted};
use crate::api::name_claim::{HostnameRecord, RuntimeIdentity};
use crate::api::reason;
use crate::control::domain::edge::{Hosted, ImportStanding};

/// What the base domain offers to one Runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Its hostname; `None` if that would be longer than DNS allows.
    pub host: Option<String>,
    /// Who keeps its records.
    pub records: Records,
    /// The wildcard certificate.
    pub certificate: Offer,
}

/// Who keeps the records of hostnames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    /// We do.
    Kept,
    /// Nobody: a wildcard record stands already.
    Wildcard,
}

/// The wildcard certificate, as far as there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// The one with this fingerprint.
    Ready(String),
    /// There is none, and this is why. What an app was given before is as good as it was.
    Missing(String),
    /// There is none, and this is why: what apps were given has expired.
    Expired(String),
}

/// What was done about the hostname in this process's life, and what failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deeds {
    /// What stands now, under which name.
    pub standing: Option<HostnameRecord>,
    /// Fingerprint of the certificate by which Fly said that it serves that name.
    pub served: Option<String>,
    /// Names whose records were removed.
    pub unrecorded: BTreeSet<String>,
    /// Names that were taken from the app, with their certificate.
    pub detached: BTreeSet<String>,
    /// When a renewed certificate may be imported: not all apps at once.
    pub turn: Option<Timestamp>,
    /// What went wrong last, until something succeeds.
    pub trouble: Option<Trouble>,
}

impl HostnameRecord {
    /// A name for which nothing was done yet.
    pub fn intended(name: &str) -> Self {
        Self { name: name.to_owned(), addresses: Vec::new(), certificate: None }
    }
}

impl Deeds {
    /// What stands under the record's name, as recorded or as done since.
    pub fn over(&self, record: &HostnameRecord) -> HostnameRecord {
        let done = self.standing.as_ref().filter(|standing| standing.name == record.name);
        HostnameRecord {
            name: record.name.clone(),
            addresses: done
                .filter(|done| !done.addresses.is_empty())
                .map_or_else(|| record.addresses.clone(), |done| done.addresses.clone()),
            certificate: done
                .and_then(|done| done.certificate.clone())
                .or_else(|| record.certificate.clone()),
        }
    }

    /// Notes what stands now under a name.
    pub fn note(&mut self, name: &str, change: impl FnOnce(&mut HostnameRecord)) {
        let standing = self.standing.take().filter(|standing| standing.name == name);
        self.served = self.served.take().filter(|_| standing.is_some());
        let mut standing = standing.unwrap_or_else(|| HostnameRecord::intended(name));
        change(&mut standing);
        self.standing = Some(standing);
        self.unrecorded.remove(name);
        self.detached.remove(name);
        self.trouble = None;
    }

    /// Takes what Fly says of a name with this certificate. A certificate that Fly doesn't list is taken for served.
    ///
    /// # Errors
    /// If Fly doesn't show the certificate yet.
    pub fn take(&mut self, fingerprint: &str, hosted: &Hosted, records: Records) -> Result<(), Failure> {
        if hosted.custom.is_none_or(|custom| custom.standing == ImportStanding::Active) {
            self.served = Some(fingerprint.to_owned());
            self.trouble = None;
            return Ok(());
        }
        self.served = None;
        Err(unproved(hosted, records))
    }
}

/// Fly shows a certificate that was imported once DNS shows whose the name is: by an address that is the app's alone, or
/// by a text.
fn unproved(hosted: &Hosted, records: Records) -> Failure {
    let (class, message) = match (records, &hosted.ownership) {
        (Records::Wildcard, Some((name, value))) => (
            TroubleClass::Human,
            format!(
                "Fly doesn't show the certificate before DNS shows that the hostname may lead to this app, and a wildcard record doesn't. Set the text `{name}` to `{value}` at the DNS provider, or have Moorage keep the records."
            ),
        ),
        _ => (
            TroubleClass::Transient,
            "Fly hasn't seen the hostname's records yet, and doesn't show its certificate before; it is asked again."
                .to_owned(),
        ),
    };
    Failure { class, reason: reason::AWAITING_DNS, message, retry_after: None, pace: Pace::Backoff }
}

/// The hostname that it is given with its next start, if there is one to be had.
pub fn wanted(facts: &Facts) -> Option<&str> {
    facts.cluster.base.as_ref()?.host.as_deref()
}

/// The hostname that leads to it, with a certificate that browsers take.
pub fn in_service<'f>(facts: &'f Facts, identity: &'f RuntimeIdentity) -> Option<&'f str> {
    let base = facts.cluster.base.as_ref()?;
    let record = identity.hostname.as_ref()?;
    let led = base.records == Records::Wildcard || !record.addresses.is_empty();
    let stands = facts.known.survey.found().is_none_or(|found| found.certificate == Standing::AsMade);
    let good = match base.certificate {
        // What has gone from the app is imported again at once.
        Offer::Ready(_) => true,
        Offer::Missing(_) => stands,
        Offer::Expired(_) => false,
    };
    (led && good && record.certificate.is_some()).then_some(record.name.as_str())
}

/// Where it serves: at its hostname once that is in service and its gateway lets browsers in under it, else at its app's
/// name, which always leads to it.
pub fn url(facts: &Facts, identity: &RuntimeIdentity) -> String {
    let host = in_service(facts, identity).filter(|host| lets_in(facts, host));
    host.map_or_else(|| desired::url(identity), |host| format!("https://{host}"))
}

/// A gateway lets browsers in only under the names that it was started with.
fn lets_in(facts: &Facts, host: &str) -> bool {
    facts.known.machine.present().is_none_or(|machine| machine.hostname.as_deref() == Some(host))
}

/// When to come back for the hostname's sake, if it waits for something.
pub fn again(now: Timestamp, facts: &Facts) -> Option<SignedDuration> {
    let deeds = &facts.known.hostname;
    let next = deeds.trouble.as_ref().map(|trouble| trouble.next).max(deeds.turn)?;
    // What is due already either was done or isn't needed any more.
    (next > now).then(|| now.duration_until(next))
}

/// Names that lead to it and that nobody here can take back: there is no base domain any more.
pub fn left_behind<'f>(facts: &Facts, identity: &'f RuntimeIdentity) -> Option<&'f str> {
    let record = identity.hostname.as_ref().filter(|record| !record.addresses.is_empty())?;
    facts.cluster.base.is_none().then_some(record.name.as_str())
}

/// How the hostname stands; nothing if there never was a base domain.
pub fn condition(facts: &Facts) -> Option<Wanted> {
    if is_deleted(&facts.runtime) {
        return None;
    }
    let identity = facts.own_claim()?.runtime.as_ref()?;
    let say = |status, reason, message: String| {
        Some(Wanted::new(ConditionType::HostnameReady, status, reason, message))
    };
    if let Some(name) = left_behind(facts, identity) {
        let message = format!(
            "The configuration has no base domain any more, and records of `{name}` still lead here; Moorage can't remove them. Configure the base domain again, or remove them at the DNS provider."
        );
        return say(ConditionStatus::False, reason::BASE_DOMAIN_REMOVED, message);
    }
    let base = facts.cluster.base.as_ref()?;
    let at_fly = format!("It serves at {} meanwhile.", desired::url(identity));
    let Some(host) = &base.host else {
        let message = format!("The slug is too long for a hostname under the base domain. {at_fly}");
        return say(ConditionStatus::False, reason::HOSTNAME_TOO_LONG, message);
    };
    match (in_service(facts, identity), &facts.known.hostname.trouble, &base.certificate) {
        (_, _, Offer::Expired(why)) => {
            say(ConditionStatus::False, reason::CERTIFICATE_EXPIRED, format!("{why} {at_fly}"))
        }
        (Some(name), None, _) if name == host => Some(serving(facts, host)),
        (Some(name), Some(trouble), _) if name == host => {
            say(ConditionStatus::True, trouble.reason, trouble.message.clone())
        }
        (_, Some(trouble), _) => {
            say(ConditionStatus::False, trouble.reason, format!("{} {at_fly}", trouble.message))
        }
        (_, None, Offer::Missing(why)) => {
            say(ConditionStatus::False, reason::CERTIFICATE_MISSING, format!("{why} {at_fly}"))
        }
        (_, None, Offer::Ready(_)) => {
            say(ConditionStatus::Unknown, reason::HOSTNAME_PENDING, "The hostname is being set up.".into())
        }
    }
}

fn serving(facts: &Facts, host: &str) -> Wanted {
    let (reason, message) = if lets_in(facts, host) {
        (reason::HOSTNAME_IN_SERVICE, "The hostname leads to it, with a certificate.")
    } else {
        (
            reason::RESTART_NEEDED,
            "The hostname leads to it. Its gateway lets browsers in under that name, and `status.url` names it, from its next restart on.",
        )
    };
    Wanted::new(ConditionType::HostnameReady, ConditionStatus::True, reason, message)
}
