//! What a certificate is requested with.

use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use secrecy::{ExposeSecret, SecretString};

use crate::domains::DomainError;

/// A new key, PEM, for a certificate.
///
/// # Errors
/// If the system gives no randomness.
pub fn new_key() -> Result<SecretString, DomainError> {
    let key = KeyPair::generate().map_err(|_| unusable())?;
    Ok(SecretString::from(key.serialize_pem()))
}

/// The request for a certificate with these names and this key, DER.
///
/// # Errors
/// If the key isn't one.
pub fn certificate_request(names: &[String], key: &SecretString) -> Result<Vec<u8>, DomainError> {
    let key = KeyPair::from_pem(key.expose_secret()).map_err(|_| unusable())?;
    let mut params = CertificateParams::new(names.to_vec()).map_err(|_| unusable())?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key).map_err(|_| unusable())?;
    Ok(request.der().to_vec())
}

fn unusable() -> DomainError {
    DomainError::certificate_refused(
        "The key that was made for the certificate can't be used; the order is given up.",
    )
}
