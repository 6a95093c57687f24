//! Why a chain and a key aren't a certificate that can be used.

use super::KeyType;

/// Why a chain and a key aren't a certificate that can be used, with what to do about it.
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
    /// Something is larger than is taken.
    #[error("{part} has more than {most} bytes, which is the most that is taken")]
    TooLarge {
        /// What is too large.
        part: Part,
        /// The most that is taken, in bytes.
        most: usize,
    },
    /// The key is of a type that isn't taken.
    #[error("its key is {0}; take RSA with 2048 to 4096 bits, P-256 or P-384")]
    KeyType(KeyType),
    /// A certificate of the chain isn't signed by the one after it.
    #[error(
        "certificate {0} of `tls.crt` isn't signed by the one after it; begin with the certificate itself, and let each be followed by the one that signed it"
    )]
    Order(usize),
    /// A certificate further up in the chain has expired, or isn't valid yet.
    #[error("certificate {0} of `tls.crt`, an intermediate one, isn't valid now; fetch the chain anew")]
    Intermediate(usize),
    /// It isn't valid yet.
    #[error("the certificate isn't valid yet")]
    NotYetValid,
    /// It has expired.
    #[error("the certificate has expired")]
    Expired,
    /// It isn't for this name.
    #[error("the certificate isn't for {0}")]
    Name(String),
}

/// A part of what a certificate is kept as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The whole chain.
    Chain,
    /// The first certificate of the chain.
    Leaf,
    /// The key.
    Key,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Chain => "`tls.crt`",
            Self::Leaf => "the first certificate of `tls.crt`",
            Self::Key => "`tls.key`",
        })
    }
}
