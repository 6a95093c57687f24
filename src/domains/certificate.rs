//! Certificates as they are kept: a chain and its key, both PEM.

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::engine::hash::short_hash;

/// Largest chain that is read, in bytes.
const LARGEST: usize = 256 * 1024;
/// Longest chain that is taken, in certificates.
const LONGEST: usize = 16;

/// A certificate with its chain and key.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate and its chain, PEM.
    pub chain: String,
    /// Its private key, PEM.
    pub key: SecretString,
    /// Names this very certificate.
    pub fingerprint: String,
    /// From when it is good.
    pub not_before: Timestamp,
    /// Until when it is good.
    pub not_after: Timestamp,
    names: Vec<String>,
}

/// Why a chain and a key aren't a certificate that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The chain is no PEM chain of certificates.
    #[error("`tls.crt` isn't a chain of PEM certificates")]
    Chain,
    /// The key is no PEM key.
    #[error("`tls.key` isn't a PEM private key")]
    Key,
    /// The key belongs to another certificate.
    #[error("`tls.key` doesn't belong to the first certificate of `tls.crt`")]
    Mismatch,
    /// It has expired.
    #[error("the certificate has expired")]
    Expired,
    /// It isn't for this name.
    #[error("the certificate isn't for {0}")]
    Name(String),
}

impl Certificate {
    /// Reads a chain and its key.
    ///
    /// # Errors
    /// If they can't be read, or don't belong together.
    pub fn read(chain: &str, key: SecretString) -> Result<Self, CertificateError> {
        if chain.len() > LARGEST || key.expose_secret().len() > LARGEST {
            return Err(CertificateError::Chain);
        }
        let parsed = CertificateDer::pem_slice_iter(chain.as_bytes()).take(LONGEST + 1);
        let ders: Vec<_> = parsed.collect::<Result<_, _>>().map_err(|_| CertificateError::Chain)?;
        let first = ders.first().filter(|_| ders.len() <= LONGEST).ok_or(CertificateError::Chain)?;
        belongs(&ders, &key)?;
        let (_, leaf) = X509Certificate::from_der(first).map_err(|_| CertificateError::Chain)?;
        let at = |seconds| Timestamp::from_second(seconds).map_err(|_| CertificateError::Chain);
        Ok(Self {
            fingerprint: short_hash(&[chain], 20),
            not_before: at(leaf.validity().not_before.timestamp())?,
            not_after: at(leaf.validity().not_after.timestamp())?,
            names: names(&leaf),
            chain: chain.to_owned(),
            key,
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
        match wanted.iter().find(|name| !self.names.contains(name)) {
            Some(name) => Err(CertificateError::Name(name.clone())),
            None => Ok(()),
        }
    }

    /// When two thirds of its life are over.
    pub fn renewal(&self) -> Timestamp {
        let life = self.not_before.duration_until(self.not_after);
        self.not_before.saturating_add(life.max(SignedDuration::ZERO) * 2 / 3).unwrap_or(self.not_after)
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

fn belongs(chain: &[CertificateDer<'static>], key: &SecretString) -> Result<(), CertificateError> {
    let key =
        PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes()).map_err(|_| CertificateError::Key)?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(|_| CertificateError::Key)?;
    let certified = rustls::sign::CertifiedKey::new(chain.to_vec(), key);
    certified.keys_match().map_err(|_| CertificateError::Mismatch)
}

fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = leaf.subject_alternative_name() else { return Vec::new() };
    let dns = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(dns).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn made(names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 4, 1);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_certificate_tells_its_names_and_when_it_is_to_be_renewed() {
        let (chain, key) = made(&["*.example.dev", "example.dev"]);
        let certificate = Certificate::read(&chain, key.into()).unwrap();
        let wanted = ["*.example.dev".to_owned(), "example.dev".to_owned()];
        certificate.check(at("2026-03-31T00:00:00Z"), &wanted).unwrap();
        assert_eq!(certificate.check(at("2026-04-01T00:00:00Z"), &wanted), Err(CertificateError::Expired));
        let other = ["*.example.com".to_owned()];
        let error = certificate.check(at("2026-02-01T00:00:00Z"), &other).unwrap_err();
        assert_eq!(error, CertificateError::Name("*.example.com".into()));
        assert_eq!(certificate.renewal(), at("2026-03-02T00:00:00Z"));
        assert!(!certificate.is_overdue(at("2026-03-16T23:59:59Z")));
        assert!(certificate.is_overdue(at("2026-03-17T00:00:00Z")));
        assert_eq!(certificate.fingerprint.len(), 20);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let ((chain, _), (_, key)) = (made(&["a.example.dev"]), made(&["a.example.dev"]));
        assert_eq!(Certificate::read(&chain, key.into()).unwrap_err(), CertificateError::Mismatch);
        assert_eq!(Certificate::read(&chain, "no key".into()).unwrap_err(), CertificateError::Key);
        assert_eq!(Certificate::read("no chain", "no key".into()).unwrap_err(), CertificateError::Chain);
        let huge = "-".repeat(LARGEST + 1);
        assert_eq!(Certificate::read(&huge, "".into()).unwrap_err(), CertificateError::Chain);
    }

    #[test]
    fn its_key_is_told_to_nobody() {
        let (chain, key) = made(&["a.example.dev"]);
        let shown = format!("{:?}", Certificate::read(&chain, key.clone().into()).unwrap());
        assert!(!shown.contains(key.lines().nth(1).unwrap()));
    }
}
