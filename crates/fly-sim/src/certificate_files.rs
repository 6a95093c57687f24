//! Checking a certificate and key that a customer brings.

use std::io;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

use crate::clock::Millis;
use crate::ids::sha256_hex;
use crate::model::certificate::Custom;

/// Why a certificate isn't taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It isn't a PEM chain.
    #[error("Validation failed: Fullchain is not a valid certificate chain")]
    Unreadable,
    /// The key isn't the certificate's.
    #[error("Validation failed: Private key does not match certificate")]
    KeyMismatch,
    /// It is for other names.
    #[error("Validation failed: Hostname not found in certificate SAN or CN")]
    WrongName,
    /// It has ended.
    #[error("Validation failed: Certificate has expired")]
    Expired,
}

/// Checks that a chain and key are good for a hostname now.
pub fn check(hostname: &str, chain: String, key: String, now: Millis) -> Result<Custom, Problem> {
    let leaf = first(&chain).ok_or(Problem::Unreadable)?;
    let (_, read) = X509Certificate::from_der(&leaf).map_err(|_| Problem::Unreadable)?;
    let certified = certified_key(&chain, &key).map_err(|_| Problem::KeyMismatch)?;
    if !names(&read).iter().any(|name| covers(name, hostname)) {
        return Err(Problem::WrongName);
    }
    let expires_at = read.validity().not_after.timestamp().saturating_mul(1_000);
    if expires_at <= now {
        return Err(Problem::Expired);
    }
    let (issuer, fingerprint) = (common_name(read.issuer()), sha256_hex(&leaf));
    let loaded = std::sync::OnceLock::from(std::sync::Arc::new(certified));
    Ok(Custom { chain, key, fingerprint, created_at: now, expires_at, issuer, loaded })
}

/// The first certificate, if all of the chain can be read.
fn first(chain: &str) -> Option<CertificateDer<'static>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
    all.ok()?.into_iter().next()
}

/// Reads a certificate chain and its key, both PEM; they must belong together.
pub fn certified_key(chain: &str, key: &str) -> io::Result<CertifiedKey> {
    let invalid =
        |error: rustls::pki_types::pem::Error| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().map_err(invalid)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(invalid)?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(io::Error::other)?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().map_err(io::Error::other)?;
    Ok(certified)
}

/// The alternative names and the common name, in lower case.
fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let extension = leaf.subject_alternative_name().ok().flatten();
    let alternatives = extension.iter().flat_map(|extension| &extension.value.general_names);
    let dns = alternatives.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    dns.chain([common_name(leaf.subject()).to_ascii_lowercase()]).collect()
}

fn common_name(name: &X509Name<'_>) -> String {
    name.iter_common_name().next().and_then(|name| name.as_str().ok()).unwrap_or_default().to_owned()
}

/// A wildcard stands for one label, and is covered by itself only.
fn covers(name: &str, hostname: &str) -> bool {
    let under = || name.strip_prefix("*.").zip(hostname.split_once('.'));
    name == hostname || under().is_some_and(|(parent, (_, rest))| parent == rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(names: &[&str], year: i32) -> (String, String) {
        let mut params =
            rcgen::CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 2);
        params.distinguished_name.push(rcgen::DnType::CommonName, "An Origin Certificate");
        let key = rcgen::KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn a_good_one_is_taken_with_its_end_its_issuer_and_its_fingerprint() {
        let (chain, key) = pem(&["a.example.com"], 2031);
        let custom = check("a.example.com", chain.clone(), key, 0).unwrap();
        assert_eq!(crate::clock::rfc3339(custom.expires_at), "2031-01-02T00:00:00Z");
        assert_eq!(custom.issuer, "An Origin Certificate");
        assert_eq!(custom.fingerprint, sha256_hex(&first(&chain).unwrap()));
    }

    #[test]
    fn each_fault_has_its_own_answer() {
        let (chain, key) = pem(&["a.example.com"], 2031);
        let (_, other) = pem(&["a.example.com"], 2031);
        let problem = |host: &str, chain: &str, key: &str, now| {
            check(host, chain.to_owned(), key.to_owned(), now).map(|_| ()).unwrap_err()
        };
        assert_eq!(problem("b.example.com", &chain, &key, 0), Problem::WrongName);
        assert_eq!(problem("a.example.com", &chain, &other, 0), Problem::KeyMismatch);
        assert_eq!(problem("a.example.com", &chain, "text", 0), Problem::KeyMismatch);
        assert_eq!(problem("a.example.com", &chain, &key, Millis::MAX), Problem::Expired);
        assert_eq!(problem("a.example.com", "text", &key, 0), Problem::Unreadable);
    }

    #[test]
    fn a_wildcard_covers_one_label_and_a_wildcard_hostname_needs_one() {
        assert!(covers("*.example.com", "a.example.com") && covers("*.example.com", "*.example.com"));
        assert!(!covers("*.example.com", "example.com") && !covers("*.example.com", "a.b.example.com"));
        assert!(!covers("a.example.com", "*.example.com"));
    }
}
