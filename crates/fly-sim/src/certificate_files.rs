//! Checking a certificate and key that a customer brings.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;

use crate::clock::Millis;
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
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
    let certificates = certificates.map_err(|_| Problem::Unreadable)?;
    let leaf = certificates.first().cloned().ok_or(Problem::Unreadable)?;
    let private = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| Problem::KeyMismatch)?;
    let signer =
        rustls::crypto::ring::sign::any_supported_type(&private).map_err(|_| Problem::KeyMismatch)?;
    CertifiedKey::new(certificates, signer).keys_match().map_err(|_| Problem::KeyMismatch)?;
    names(&leaf, hostname)?;
    let expires_at = validity::not_after(&leaf).ok_or(Problem::Unreadable)?;
    if expires_at <= now {
        return Err(Problem::Expired);
    }
    Ok(Custom { chain, key, created_at: now, expires_at, issuer: "custom".to_owned() })
}

fn names(leaf: &CertificateDer<'_>, hostname: &str) -> Result<(), Problem> {
    let parsed = ParsedCertificate::try_from(leaf).map_err(|_| Problem::Unreadable)?;
    let asked = hostname.replacen('*', "wildcard-probe", 1);
    let asked = ServerName::try_from(asked).map_err(|_| Problem::WrongName)?;
    rustls::client::verify_server_name(&parsed, &asked).map_err(|_| Problem::WrongName)
}

/// Reads the end of a certificate's validity, the only field of its DER that nothing else here can read.
mod validity {
    use crate::clock::{Millis, parse_rfc3339};

    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    const UTC_TIME: u8 = 0x17;

    pub(super) fn not_after(certificate: &[u8]) -> Option<Millis> {
        let (_, certificate, _) = element(certificate)?;
        let (_, mut fields, _) = element(certificate)?;
        if fields.first() == Some(&VERSION) {
            fields = element(fields)?.2;
        }
        // Serial number, signature algorithm, issuer.
        for _ in 0..3 {
            fields = element(fields)?.2;
        }
        let (tag, validity, _) = element(fields)?;
        let (_, _, rest) = element(validity).filter(|_| tag == SEQUENCE)?;
        let (tag, time, _) = element(rest)?;
        parse_rfc3339(&spelled(tag, std::str::from_utf8(time).ok()?)?)
    }

    /// Tag, content, and what follows.
    fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
        let (&tag, rest) = der.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        };
        let (content, rest) = rest.split_at_checked(length)?;
        Some((tag, content, rest))
    }

    /// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ` in the spelling of RFC 3339.
    fn spelled(tag: u8, time: &str) -> Option<String> {
        let century = if time.as_bytes().first()? < &b'5' { "20" } else { "19" };
        let full = if tag == UTC_TIME { format!("{century}{time}") } else { time.to_owned() };
        let part = |range: std::ops::Range<usize>| full.get(range);
        let (date, time) =
            ((part(0..4)?, part(4..6)?, part(6..8)?), (part(8..10)?, part(10..12)?, part(12..14)?));
        Some(format!("{}-{}-{}T{}:{}:{}Z", date.0, date.1, date.2, time.0, time.1, time.2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(names: &[&str], year: i32) -> (String, String) {
        let mut params =
            rcgen::CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 2);
        let key = rcgen::KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn a_good_one_is_taken_with_its_end() {
        let (chain, key) = pem(&["a.example.com"], 2031);
        let custom = check("a.example.com", chain, key, 0).unwrap();
        assert_eq!(crate::clock::rfc3339(custom.expires_at), "2031-01-02T00:00:00Z");
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
        assert_eq!(problem("a.example.com", &chain, &key, Millis::MAX), Problem::Expired);
        assert_eq!(problem("a.example.com", "text", &key, 0), Problem::Unreadable);
    }
}
