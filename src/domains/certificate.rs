//! Certificates as they are kept: a chain and its key, both PEM.

mod chain;
mod error;
mod key;
mod renewal;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

pub use self::chain::{LARGEST_CHAIN, LARGEST_KEY, LARGEST_LEAF, LONGEST};
pub use self::error::{CertificateError, Part};
pub use self::key::KeyType;
pub use self::renewal::renewal_time;
use super::error::quoted;
use crate::engine::hash::short_hash;

/// A certificate with its chain and key.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate and its chain, PEM.
    pub chain: String,
    /// Its private key, PEM.
    pub key: SecretString,
    /// What its key is.
    pub key_type: KeyType,
    /// Names this very certificate.
    pub fingerprint: String,
    /// Its serial number, in hexadecimal digits.
    pub serial: String,
    /// The common name of whoever signed it, or what else it is called by.
    pub issuer: String,
    /// From when it is good.
    pub not_before: Timestamp,
    /// Until when it is good.
    pub not_after: Timestamp,
    names: Vec<String>,
}

impl Certificate {
    /// Reads a chain and its key.
    ///
    /// # Errors
    /// If they are too large, can't be read, or don't belong together.
    pub fn read(chain: &str, key: SecretString) -> Result<Self, CertificateError> {
        chain::check_sizes(chain, key.expose_secret())?;
        let ders = chain::certificates(chain)?;
        let first = ders.first().ok_or(CertificateError::Chain)?;
        let (_, leaf) = X509Certificate::from_der(first).map_err(|_| CertificateError::Chain)?;
        let key_type = KeyType::of(&leaf);
        key::belongs(&ders, &key, key_type)?;
        let at = |seconds| Timestamp::from_second(seconds).map_err(|_| CertificateError::Chain);
        Ok(Self {
            fingerprint: short_hash(&[chain], 20),
            serial: serial(&leaf),
            issuer: issuer(&leaf),
            not_before: at(leaf.validity().not_before.timestamp())?,
            not_after: at(leaf.validity().not_after.timestamp())?,
            names: names(&leaf),
            chain: chain.to_owned(),
            key,
            key_type,
        })
    }

    /// Whether it can be used for all of these names now.
    ///
    /// # Errors
    /// Why it can't.
    pub fn check(&self, now: Timestamp, wanted: &[String]) -> Result<(), CertificateError> {
        if self.not_after <= now {
            return Err(CertificateError::Expired);
        }
        if now < self.not_before {
            return Err(CertificateError::NotYetValid);
        }
        match wanted.iter().find(|name| !self.covers(name)) {
            Some(name) => Err(CertificateError::Name(name.clone())),
            None => Ok(()),
        }
    }

    /// Whether each certificate of the chain is signed by the next, and none of those further up has expired.
    ///
    /// # Errors
    /// Which one isn't.
    pub fn check_chain(&self, now: Timestamp) -> Result<(), CertificateError> {
        chain::check(&chain::certificates(&self.chain)?, now)
    }

    /// The names that it is for, in lower case.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether it is for this name. `*.example.com` stands for one label, and is covered only by itself.
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let parent = host.split_once('.').filter(|(label, _)| !label.is_empty() && *label != "*");
        self.names.iter().any(|name| {
            *name == host
                || parent
                    .is_some_and(|(_, parent)| name.strip_prefix("*.").is_some_and(|below| below == parent))
        })
    }

    /// When it is to be renewed if its authority suggests nothing.
    pub fn renewal(&self) -> Timestamp {
        renewal_time(self.not_before, self.not_after, None)
    }

    /// Whether it should have been renewed long ago: half of what a renewal at its time leaves is over.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let left = self.renewal().duration_until(self.not_after);
        self.renewal().saturating_add(left / 2).is_ok_and(|due| due <= now)
    }

    /// The first certificate of the chain, as the authority names it when it is asked about its renewal.
    pub fn leaf(&self) -> Option<CertificateDer<'static>> {
        CertificateDer::from_pem_slice(self.chain.as_bytes()).ok()
    }
}

fn serial(leaf: &X509Certificate<'_>) -> String {
    let bytes = leaf.raw_serial();
    // A first byte of zeros says that the number isn't negative.
    let bytes = bytes.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(bytes);
    bytes.iter().fold(String::new(), |serial, byte| serial + &format!("{byte:02x}"))
}

fn issuer(leaf: &X509Certificate<'_>) -> String {
    let common = leaf.issuer().iter_common_name().next().and_then(|name| name.as_str().ok());
    common.map_or_else(|| quoted(leaf.issuer()), quoted)
}

fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = leaf.subject_alternative_name() else { return Vec::new() };
    let dns = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(dns).collect()
}
