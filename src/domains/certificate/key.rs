//! A certificate's key: what it is, and whether it is the certificate's.

use std::fmt;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString};
use x509_parser::der_parser::{Oid, oid};
use x509_parser::prelude::X509Certificate;
use x509_parser::public_key::PublicKey;

use super::CertificateError;

/// Fewest bits of an RSA key that is taken.
const FEWEST_BITS: usize = 2048;
const P256: Oid<'static> = oid!(1.2.840.10045.3.1.7);
const P384: Oid<'static> = oid!(1.3.132.0.34);

/// What a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// RSA with this many bits.
    Rsa(usize),
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// Another.
    Other,
}

impl KeyType {
    pub(super) fn of(leaf: &X509Certificate<'_>) -> Self {
        let info = leaf.public_key();
        match info.parsed() {
            Ok(PublicKey::RSA(key)) => Self::Rsa(key.key_size()),
            Ok(PublicKey::EC(_)) => {
                match info.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok()) {
                    Some(curve) if curve == P256 => Self::P256,
                    Some(curve) if curve == P384 => Self::P384,
                    _ => Self::Other,
                }
            }
            _ => Self::Other,
        }
    }

    /// Whether Fly and certificate authorities take it.
    ///
    /// # Errors
    /// If they don't.
    pub fn check(self) -> Result<(), CertificateError> {
        match self {
            Self::Rsa(bits) if bits < FEWEST_BITS => Err(CertificateError::KeyType(self)),
            Self::Rsa(_) | Self::P256 | Self::P384 => Ok(()),
            Self::Other => Err(CertificateError::KeyType(self)),
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA with {bits} bits"),
            Self::P256 => f.write_str("ECDSA on P-256"),
            Self::P384 => f.write_str("ECDSA on P-384"),
            Self::Other => f.write_str("of a type that isn't taken"),
        }
    }
}

/// Whether the key is the first certificate's.
pub(super) fn belongs(
    chain: &[CertificateDer<'static>],
    key: &SecretString,
    kind: KeyType,
) -> Result<(), CertificateError> {
    let key =
        PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes()).map_err(|_| CertificateError::Key)?;
    // What the certificate's own key can't be used as is told apart from text that is no key.
    let unusable = |_| kind.check().err().unwrap_or(CertificateError::Key);
    let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(unusable)?;
    let certified = rustls::sign::CertifiedKey::new(chain.to_vec(), key);
    certified.keys_match().map_err(|_| CertificateError::Mismatch)
}
