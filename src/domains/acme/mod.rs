//! Certificates by ACME (RFC 8555), proved by DNS.
//!
//! Each call here is one step of an order that is known by its URL; what has to survive between them is the caller's
//! to keep.

mod http;
mod order;

pub use self::http::Http;
pub use order::{Order, Sight, certificate_request, new_key};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use instant_acme::{
    Account, AccountCredentials, CertificateIdentifier, Error, ExternalAccountKey, Identifier, NewAccount,
    NewOrder,
};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::DomainError;
use super::certificate::Certificate;
use super::error::quoted;
use super::secret::Secrets;
use crate::engine::config::base_domain::Acme as Settings;

/// A certificate authority.
pub struct Authority {
    settings: Settings,
    secrets: Secrets,
    http: Http,
}

/// Why a step of an order failed.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// The authority doesn't know the account (any more).
    #[error("the certificate authority doesn't know our account")]
    AccountUnknown,
    /// The authority doesn't know the order (any more).
    #[error("the certificate authority doesn't know our order")]
    OrderUnknown,
    /// Anything else.
    #[error(transparent)]
    Other(#[from] DomainError),
}

/// When the authority would like a certificate to be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From then on.
    pub start: Timestamp,
    /// Until then.
    pub end: Timestamp,
}

impl Authority {
    /// The authority that is configured.
    ///
    /// # Errors
    /// If its own authority can't be read.
    pub fn new(settings: Settings, secrets: Secrets) -> Result<Self, DomainError> {
        let http = Http::new(settings.ca_file.as_deref())?;
        Ok(Self { settings, secrets, http })
    }

    /// Its directory, which tells accounts of different authorities apart.
    pub fn directory(&self) -> &str {
        &self.settings.directory_url
    }

    /// Makes an account, and gives its credentials, which are secret.
    ///
    /// # Errors
    /// If the authority refuses or can't be asked.
    pub async fn register(&self) -> Result<String, AcmeError> {
        let contact: Vec<String> = self.settings.contact.iter().map(|to| format!("mailto:{to}")).collect();
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        let account =
            NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let binding = self.binding().await?;
        let builder = Account::builder_with_http(Box::new(self.http.clone()));
        let made = builder.create(&account, self.settings.directory_url.clone(), binding.as_ref()).await;
        let (_, credentials) = made.map_err(|error| self.judge(&error))?;
        serde_json::to_string(&credentials)
            .map_err(|_| DomainError::authority_unavailable("The account can't be kept.").into())
    }

    async fn binding(&self) -> Result<Option<ExternalAccountKey>, DomainError> {
        let Some(external) = &self.settings.external_account else { return Ok(None) };
        let key = self.secrets.read(&external.key).await?;
        let key = BASE64_URL_SAFE_NO_PAD
            .decode(key.expose_secret().trim_end_matches('='))
            .map_err(|_| DomainError::secret("The key of the external account isn't base64url."))?;
        Ok(Some(ExternalAccountKey::new(external.key_id.clone(), &key)))
    }

    /// The account with these credentials.
    ///
    /// # Errors
    /// If the authority can't be asked for its directory.
    pub async fn account(&self, credentials: &str) -> Result<Account, AcmeError> {
        let credentials: AccountCredentials =
            serde_json::from_str(credentials).map_err(|_| AcmeError::AccountUnknown)?;
        let builder = Account::builder_with_http(Box::new(self.http.clone()));
        builder.from_credentials(credentials).await.map_err(|error| self.judge(&error))
    }

    /// Begins an order, and gives its URL.
    ///
    /// # Errors
    /// If the authority refuses or can't be asked.
    pub async fn order(
        &self,
        account: &Account,
        names: &[String],
        replaces: Option<&Certificate>,
    ) -> Result<String, AcmeError> {
        let identifiers: Vec<Identifier> = names.iter().cloned().map(Identifier::Dns).collect();
        let plain = || {
            let order = NewOrder::new(&identifiers);
            match &self.settings.profile {
                Some(profile) => order.profile(profile),
                None => order,
            }
        };
        let leaf = replaces.and_then(Certificate::leaf);
        if let Some(id) = leaf.as_ref().and_then(|leaf| CertificateIdentifier::try_from(leaf).ok())
            && let Ok(order) = account.new_order(&plain().replaces(id)).await
        {
            return Ok(order.url().to_owned());
        }
        // An authority that knows nothing of replacements takes a plain order.
        let order = account.new_order(&plain()).await.map_err(|error| self.judge(&error))?;
        Ok(order.url().to_owned())
    }

    /// When the authority would like the certificate to be renewed; `None` if it doesn't say.
    pub async fn window(&self, account: &Account, certificate: &Certificate) -> Option<Window> {
        let leaf = certificate.leaf()?;
        let id = CertificateIdentifier::try_from(&leaf).ok()?;
        let (info, _) = account.renewal_info(&id).await.ok()?;
        let at = |time: i64| Timestamp::from_second(time).ok();
        let (start, end) = (info.suggested_window.start, info.suggested_window.end);
        Some(Window { start: at(start.unix_timestamp())?, end: at(end.unix_timestamp())? })
    }

    /// The order with this URL.
    pub fn at<'a>(&'a self, account: &'a Account, url: &'a str) -> Order<'a> {
        Order::new(self, account, url)
    }

    fn judge(&self, error: &Error) -> AcmeError {
        let pause = self.http.asked_pause();
        tracing::debug!(%error, "the certificate authority refused or failed");
        let Error::Api(problem) = error else {
            let message = "The certificate authority doesn't answer; it is tried again.";
            return DomainError::authority_unavailable(message).retry_after(pause).into();
        };
        let kind = problem.r#type.as_deref().unwrap_or_default();
        let kind = kind.rsplit(':').next().unwrap_or_default();
        let status = problem.status.unwrap_or_default();
        match (kind, status) {
            ("accountDoesNotExist", _) => AcmeError::AccountUnknown,
            (_, 404) => AcmeError::OrderUnknown,
            ("badNonce" | "serverInternal", _) | (_, 500..) => DomainError::authority_unavailable(format!(
                "The certificate authority couldn't do it ({kind}); it is tried again."
            ))
            .retry_after(pause)
            .into(),
            _ => DomainError::certificate_refused(format!(
                "The certificate authority refuses ({kind}): {}. It is tried again, ever more slowly.",
                quoted(problem.detail.as_deref().unwrap_or("without a word"))
            ))
            .retry_after(pause)
            .into(),
        }
    }
}
