//! A chain of certificates: its sizes, and whether each is signed by the next.

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::error::X509Error;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::CertificateError;
use super::error::Part;

/// Largest first certificate that is taken, in bytes of PEM: about a hundred long names with a large key. The limits
/// are cert-manager's, so that what one takes the other does.
pub const LARGEST_LEAF: usize = 36_500;
/// Largest key that is taken, in bytes of PEM: RSA with 16384 bits.
pub const LARGEST_KEY: usize = 13_000;
/// Largest chain that is taken, in bytes of PEM.
pub const LARGEST_CHAIN: usize = 330_000;
/// Longest chain that is taken, in certificates.
pub const LONGEST: usize = 16;
/// What a certificate ends with.
const END: &str = "-----END CERTIFICATE-----";

/// The certificates of a chain, the first one first.
pub(super) fn certificates(chain: &str) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let parsed = CertificateDer::pem_slice_iter(chain.as_bytes()).take(LONGEST + 1);
    let ders: Vec<_> = parsed.collect::<Result<_, _>>().map_err(|_| CertificateError::Chain)?;
    if ders.is_empty() || ders.len() > LONGEST { Err(CertificateError::Chain) } else { Ok(ders) }
}

/// Whether everything is as small as it has to be.
pub(super) fn check_sizes(chain: &str, key: &str) -> Result<(), CertificateError> {
    let leaf = chain.find(END).map_or(0, |at| at + END.len());
    for (part, size, most) in [
        (Part::Chain, chain.len(), LARGEST_CHAIN),
        (Part::Leaf, leaf, LARGEST_LEAF),
        (Part::Key, key.len(), LARGEST_KEY),
    ] {
        if size > most {
            return Err(CertificateError::TooLarge { part, most });
        }
    }
    Ok(())
}

/// Whether each certificate is signed by the next, and all but the first are valid now.
pub(super) fn check(ders: &[CertificateDer<'static>], now: Timestamp) -> Result<(), CertificateError> {
    let parse = |der| X509Certificate::from_der(der).map(|(_, one)| one).map_err(|_| CertificateError::Chain);
    let all: Vec<_> = ders.iter().map(|der| parse(der)).collect::<Result<_, _>>()?;
    for (index, pair) in all.windows(2).enumerate() {
        let [one, next] = pair else { continue };
        if !is_signed_by(one, next) {
            return Err(CertificateError::Order(index + 1));
        }
        let validity = next.validity();
        if !(validity.not_before.timestamp()..validity.not_after.timestamp()).contains(&now.as_second()) {
            return Err(CertificateError::Intermediate(index + 2));
        }
    }
    Ok(())
}

/// A signature that can't be checked here, as of P-521, is believed: a private authority may use what it likes.
fn is_signed_by(one: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    let signature = one.verify_signature(Some(issuer.public_key()));
    one.issuer().as_raw() == issuer.subject().as_raw()
        && issuer.is_ca()
        && matches!(signature, Ok(()) | Err(X509Error::SignatureUnsupportedAlgorithm))
}
