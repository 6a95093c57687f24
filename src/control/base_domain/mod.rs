//! The platform's base domain: its hostnames, the provider of their records, and the wildcard certificate that is
//! imported to every app.

mod acme;
mod expiry;
mod keep;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

pub use keep::{keep, load};

use super::runtime::hostname::{Base, Offer, Records};
use crate::domains::certificate::Certificate;
use crate::domains::dns::{self, Means, Provider};
use crate::engine::config::base_domain::BaseDomain as Settings;

/// Time between two apps that are given a renewed certificate: what Fly is asked for stays far below its limits.
const PACE: SignedDuration = SignedDuration::from_millis(200);

/// The base domain as it stands.
pub struct BaseDomain {
    settings: Settings,
    provider: Option<Arc<dyn Provider>>,
    standing: Mutex<Standing>,
}

struct Standing {
    certificate: Result<Arc<Certificate>, Lack>,
    /// What keeps us from ordering one.
    hindrance: Option<String>,
    next_turn: Timestamp,
}

/// Why there is no certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// There is none that could be given to apps.
    Missing(String),
    /// The one that apps were given has expired.
    Expired(String),
}

/// Whether something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It did.
    Changed,
    /// It didn't.
    Same,
}

impl BaseDomain {
    /// As configured, without a certificate yet.
    ///
    /// # Errors
    /// If the provider's HTTP client can't be made.
    pub fn new(settings: Settings, means: &Means) -> Result<Self, reqwest::Error> {
        let provider = dns::provider(&settings, means)?;
        let why = format!("The certificate for {} isn't there yet.", settings.wildcard());
        let standing =
            Standing { certificate: Err(Lack::Missing(why)), hindrance: None, next_turn: Timestamp::MIN };
        Ok(Self { settings, provider, standing: Mutex::new(standing) })
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Who keeps the records, if anybody does.
    pub fn provider(&self) -> Option<&dyn Provider> {
        self.provider.as_deref()
    }

    /// The wildcard certificate, if there is one.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.standing().certificate.as_ref().ok().cloned()
    }

    /// What it offers to the Runtime with this slug.
    pub fn offer(&self, slug: &str) -> Base {
        Base {
            host: self.settings.hostname(slug),
            records: if self.provider.is_some() { Records::Kept } else { Records::Wildcard },
            certificate: self.standing().offer(),
        }
    }

    /// The next app's turn to be given a renewed certificate.
    pub fn turn(&self, now: Timestamp) -> Timestamp {
        let mut standing = self.standing();
        let turn = standing.next_turn.max(now);
        standing.next_turn = turn.saturating_add(PACE).unwrap_or(turn);
        turn
    }

    /// From now on this is the certificate, or there is none for this reason.
    fn take(&self, certificate: Result<Certificate, Lack>) -> News {
        self.change(|standing| standing.certificate = certificate.map(Arc::new))
    }

    /// From now on this keeps us from ordering one, or nothing does.
    fn hinder(&self, hindrance: Option<String>) -> News {
        self.change(|standing| standing.hindrance = hindrance)
    }

    /// Changes what stands, and tells whether that changes what is offered.
    fn change(&self, change: impl FnOnce(&mut Standing)) -> News {
        let mut standing = self.standing();
        let before = standing.offer();
        change(&mut standing);
        if standing.offer() == before { News::Same } else { News::Changed }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    /// What is offered to every Runtime.
    fn offer(&self) -> Offer {
        let told = |why: &str| match &self.hindrance {
            Some(hindrance) => format!("{why} {hindrance}"),
            None => why.to_owned(),
        };
        match &self.certificate {
            Ok(certificate) => Offer::Ready(certificate.fingerprint.clone()),
            Err(Lack::Missing(why)) => Offer::Missing(told(why)),
            Err(Lack::Expired(why)) => Offer::Expired(told(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(hindrance: Option<&str>, lack: Lack) -> Standing {
        Standing {
            certificate: Err(lack),
            hindrance: hindrance.map(str::to_owned),
            next_turn: Timestamp::MIN,
        }
    }

    /// The Secret is read, and an order tried, again and again, in turn.
    #[test]
    fn what_the_secret_lacks_and_what_keeps_it_from_being_ordered_are_told_together() {
        let expired = || Lack::Expired("It has expired.".into());
        assert_eq!(standing(None, expired()).offer(), Offer::Expired("It has expired.".into()));
        assert_eq!(
            standing(Some("The authority is away."), expired()).offer(),
            Offer::Expired("It has expired. The authority is away.".into())
        );
        let missing = standing(Some("The authority is away."), Lack::Missing("There is none.".into()));
        assert_eq!(missing.offer(), Offer::Missing("There is none. The authority is away.".into()));
    }
}
