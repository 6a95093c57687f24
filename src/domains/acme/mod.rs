//! Certificates by ACME (RFC 8555), proved by DNS or by HTTP.
//!
//! An [`Authority`] knows [`Account`]s, an account has [`Order`]s. An order is kept between its steps, each of which
//! costs what the protocol needs and no more: begun → [`challenges`](Order::challenges) → the proofs are put where
//! they belong → [`answer`](Order::answer) → [`poll`](Order::poll) → [`finalize`](Order::finalize) → poll →
//! [`download`](Order::download). What has to survive a crash is the caller's to keep: the account's [`Credentials`],
//! and of an order its address and the key that the certificate is for.

mod account;
mod authorizations;
mod canned;
mod challenge;
mod credentials;
mod directory;
mod error;
pub(super) mod fuzz;
mod http;
mod judge;
mod jws;
mod nonces;
mod order;
mod request;
mod retry_after;
mod said;
mod setback;
mod window;
mod wire;

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use instant_acme::ExternalAccountKey;
use secrecy::ExposeSecret;

pub use self::account::{Account, Mark};
#[cfg(test)]
pub use self::canned::canned_account;
pub use self::challenge::{Challenge, Method, Proof};
pub use self::credentials::Credentials;
pub use self::directory::Metadata;
pub use self::error::{AcmeError, Cause, Fault};
pub use self::order::{Order, Stage};
pub use self::request::{certificate_request, new_key};
pub use self::setback::next_try;
pub use self::window::{Suggestion, Window};

use self::http::Http;
use self::judge::Subject;
use super::DomainError;
use super::certificate::Certificate;
use super::secret::Secrets;
use crate::engine::config::base_domain::Acme as Settings;

/// A certificate authority. Copies are cheap; all share its connections, its directory and its nonces.
#[derive(Clone)]
pub struct Authority {
    settings: Arc<Settings>,
    secrets: Secrets,
    http: Http,
}

impl Authority {
    /// The authority that is configured.
    ///
    /// # Errors
    /// If its own authority can't be read.
    pub fn new(settings: Settings, secrets: Secrets) -> Result<Self, DomainError> {
        let http = Http::new(&settings.directory_url, settings.ca_file.as_deref())?;
        Ok(Self { settings: Arc::new(settings), secrets, http })
    }

    /// Its directory, which tells accounts of different authorities apart.
    pub fn directory(&self) -> &str {
        &self.settings.directory_url
    }

    /// What it says about itself, as of the last hour.
    ///
    /// # Errors
    /// If it can't be asked.
    pub async fn metadata(&self) -> Result<Metadata, AcmeError> {
        let http = self.http.metered();
        let directory = http.call(Subject::Account, http.directory()).await?;
        Ok(directory.meta.clone())
    }

    /// Requests that it was sent so far.
    pub fn requests(&self) -> u64 {
        self.http.all_requests()
    }

    /// Makes an account, with what is configured of contacts and external accounts.
    ///
    /// # Errors
    /// If the authority refuses or can't be asked.
    pub async fn register(&self) -> Result<Credentials, AcmeError> {
        let binding = self.binding().await?;
        account::register(&self.http, self.settings.contact.as_deref(), binding.as_ref()).await
    }

    async fn binding(&self) -> Result<Option<ExternalAccountKey>, DomainError> {
        let Some(external) = &self.settings.external_account else { return Ok(None) };
        let key = self.secrets.read(&external.key).await?;
        let key = BASE64_URL_SAFE_NO_PAD
            .decode(key.expose_secret().trim_end_matches('='))
            .map_err(|_| DomainError::secret("The key of the external account isn't base64url."))?;
        Ok(Some(ExternalAccountKey::new(external.key_id.clone(), &key)))
    }

    /// The account with these credentials. Nothing is asked for it.
    pub fn account(&self, credentials: Credentials) -> Account {
        Account::new(&self.http, credentials, self.settings.profile.as_deref())
    }

    /// Has the authority take another key for an account.
    ///
    /// So that no crash loses the account: make `next` by [`Credentials::with_new_key`] and store it beside `current`;
    /// then change the key; then store `next` as the only one. Whoever finds both stored changes the key again, which
    /// does nothing if it was done. Orders under way go on under the new key, but the proofs that they ask for are
    /// others from then on.
    ///
    /// # Errors
    /// If the authority refuses or can't be asked.
    pub async fn change_key(&self, current: &Credentials, next: &Credentials) -> Result<(), AcmeError> {
        account::change_key(&self.http, current, next).await
    }

    /// When the authority would like a certificate to be renewed; `None` if it doesn't say.
    ///
    /// # Errors
    /// If it refuses or can't be asked.
    pub async fn suggestion(&self, certificate: &Certificate) -> Result<Option<Suggestion>, AcmeError> {
        window::suggestion(&self.http, certificate).await
    }
}
