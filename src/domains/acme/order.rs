//! One order, known by its URL.

use instant_acme::{Account, AuthorizationStatus, ChallengeType, OrderStatus};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use secrecy::{ExposeSecret, SecretString};

use super::{AcmeError, Authority};
use crate::domains::DomainError;
use crate::domains::dns::Text;
use crate::domains::error::quoted;

/// Where an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// These texts have to show in DNS, and the challenges to be answered. None are left once all are answered.
    Pending(Vec<Text>),
    /// It waits for the certificate request.
    Ready,
    /// The authority is at it.
    Processing,
    /// The certificate is made.
    Valid,
    /// It failed, for this reason.
    Invalid(String),
}

/// An order of an account.
pub struct Order<'a> {
    authority: &'a Authority,
    account: &'a Account,
    url: &'a str,
}

impl<'a> Order<'a> {
    pub(super) fn new(authority: &'a Authority, account: &'a Account, url: &'a str) -> Self {
        Self { authority, account, url }
    }

    async fn read(&self) -> Result<instant_acme::Order, AcmeError> {
        self.account.order(self.url.to_owned()).await.map_err(|error| self.authority.judge(&error))
    }

    /// Where it stands.
    ///
    /// # Errors
    /// If the authority can't be asked, or knows nothing of it.
    pub async fn look(&self) -> Result<Sight, AcmeError> {
        let mut order = self.read().await?;
        match order.state().status {
            OrderStatus::Pending => self.proofs(order).await,
            OrderStatus::Ready => Ok(Sight::Ready),
            OrderStatus::Processing => Ok(Sight::Processing),
            OrderStatus::Valid => Ok(Sight::Valid),
            OrderStatus::Invalid => Ok(Sight::Invalid(why(&mut order).await)),
        }
    }

    /// The texts for challenges that aren't answered yet.
    async fn proofs(&self, mut order: instant_acme::Order) -> Result<Sight, AcmeError> {
        let mut texts = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|error| self.authority.judge(&error))?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            let challenge = authorization.challenge(ChallengeType::Dns01).ok_or_else(no_dns)?;
            if challenge.status == instant_acme::ChallengeStatus::Pending {
                let name = format!("_acme-challenge.{}", bare(&challenge.identifier().to_string()));
                texts.push(Text { name, value: challenge.key_authorization().dns_value() });
            }
        }
        Ok(Sight::Pending(texts))
    }

    /// Tells the authority that the texts show.
    ///
    /// # Errors
    /// If it refuses or can't be asked.
    pub async fn answer(&self) -> Result<(), AcmeError> {
        let mut order = self.read().await?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|error| self.authority.judge(&error))?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            let mut challenge = authorization.challenge(ChallengeType::Dns01).ok_or_else(no_dns)?;
            if challenge.status == instant_acme::ChallengeStatus::Pending {
                challenge.set_ready().await.map_err(|error| self.authority.judge(&error))?;
            }
        }
        Ok(())
    }

    /// Sends the certificate request.
    ///
    /// # Errors
    /// If the authority refuses or can't be asked.
    pub async fn finalize(&self, request: &[u8]) -> Result<(), AcmeError> {
        let mut order = self.read().await?;
        order.finalize_csr(request).await.map_err(|error| self.authority.judge(&error))
    }

    /// The chain, PEM.
    ///
    /// # Errors
    /// If the authority can't be asked, or has none yet.
    pub async fn collect(&self) -> Result<String, AcmeError> {
        let mut order = self.read().await?;
        let chain = order.certificate().await.map_err(|error| self.authority.judge(&error))?;
        chain.ok_or_else(|| DomainError::authority_unavailable("The certificate isn't made yet.").into())
    }
}

/// The first cause that the authority names.
async fn why(order: &mut instant_acme::Order) -> String {
    if let Some(problem) = &order.state().error {
        return quoted(problem.detail.as_deref().unwrap_or("without a word"));
    }
    let mut authorizations = order.authorizations();
    while let Some(Ok(authorization)) = authorizations.next().await {
        let problem = authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(detail) = problem.and_then(|problem| problem.detail.as_deref()) {
            return quoted(detail);
        }
    }
    "without a word".to_owned()
}

/// The name that is proved: a wildcard's is the one below the star.
fn bare(name: &str) -> &str {
    name.strip_prefix("*.").unwrap_or(name)
}

fn no_dns() -> AcmeError {
    DomainError::certificate_refused(
        "The certificate authority doesn't take a proof by DNS (dns-01). Name another.",
    )
    .into()
}

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
