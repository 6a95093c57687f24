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
    certificate: Result<Arc<Certificate>, String>,
    next_turn: Timestamp,
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
        let standing = Standing { certificate: Err(why), next_turn: Timestamp::MIN };
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
            certificate: match &self.standing().certificate {
                Ok(certificate) => Offer::Ready(certificate.fingerprint.clone()),
                Err(why) => Offer::Missing(why.clone()),
            },
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
    fn take(&self, certificate: Result<Certificate, String>) -> News {
        let mut standing = self.standing();
        let same = match (&standing.certificate, &certificate) {
            (Ok(old), Ok(new)) => old.fingerprint == new.fingerprint,
            (Err(old), Err(new)) => old == new,
            _ => false,
        };
        if same {
            return News::Same;
        }
        standing.certificate = certificate.map(Arc::new);
        News::Changed
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
