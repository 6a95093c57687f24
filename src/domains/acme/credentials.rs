//! What an account is known by: its address at the authority, and its key.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use instant_acme::{AccountCredentials, Key};
use rustls::pki_types::PrivatePkcs8KeyDer;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::error::AcmeError;
use super::jws::SigningKey;

/// The credentials of an account. They are secret, and are stored as text.
#[derive(Clone)]
pub struct Credentials {
    id: String,
    /// PKCS #8, in base64url.
    key: SecretString,
    directory: String,
}

/// As the library writes them, so that its own are read.
#[derive(Deserialize, Serialize)]
struct Stored<'s> {
    id: Cow<'s, str>,
    key_pkcs8: Cow<'s, str>,
    directory: Cow<'s, str>,
}

impl Credentials {
    pub(super) fn made(made: &AccountCredentials) -> Result<Self, AcmeError> {
        let stored = serde_json::to_string(made)
            .map_err(|_| AcmeError::unavailable("The account can't be kept; it is tried again."));
        Self::parse(&stored?.into())
    }

    /// Reads what was stored.
    ///
    /// # Errors
    /// `AccountUnknown` if it isn't the credentials of an account: another has to be made.
    pub fn parse(stored: &SecretString) -> Result<Self, AcmeError> {
        let stored: Stored<'_> =
            serde_json::from_str(stored.expose_secret()).map_err(|_| AcmeError::account_unknown())?;
        let (id, directory) = (stored.id.into_owned(), stored.directory.into_owned());
        let credentials = Self { id, key: stored.key_pkcs8.into_owned().into(), directory };
        credentials.signing_key().map(|_| credentials)
    }

    /// What to store.
    pub fn to_secret(&self) -> SecretString {
        let stored = Stored {
            id: Cow::Borrowed(&self.id),
            key_pkcs8: Cow::Borrowed(self.key.expose_secret()),
            directory: Cow::Borrowed(&self.directory),
        };
        serde_json::to_string(&stored).unwrap_or_default().into()
    }

    /// The account's address, by which CAA records name it.
    pub fn account_uri(&self) -> &str {
        &self.id
    }

    /// The directory of the authority that knows the account.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// Those of an account with a new key, which nobody has registered.
    pub(super) fn at(account: &str, directory: &str) -> Result<Self, AcmeError> {
        let (id, directory) = (account.to_owned(), directory.to_owned());
        Self { id, key: SecretString::default(), directory }.with_new_key()
    }

    /// The same account with a key that the authority doesn't know yet.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn with_new_key(&self) -> Result<Self, AcmeError> {
        let (_, key) = Key::generate_pkcs8()
            .map_err(|_| AcmeError::unavailable("No key can be made for the account; it is tried again."))?;
        let key = BASE64_URL_SAFE_NO_PAD.encode(key.secret_pkcs8_der()).into();
        Ok(Self { key, ..self.clone() })
    }

    pub(super) fn key(&self) -> Result<PrivatePkcs8KeyDer<'static>, AcmeError> {
        let der = BASE64_URL_SAFE_NO_PAD.decode(self.key.expose_secret());
        der.map(PrivatePkcs8KeyDer::from).map_err(|_| AcmeError::account_unknown())
    }

    pub(super) fn signing_key(&self) -> Result<SigningKey, AcmeError> {
        SigningKey::new(&self.key()?).ok_or_else(AcmeError::account_unknown)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("account_uri", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cause;
    use super::*;

    /// As the library wrote them before there was a type of our own.
    const OLD: &str = r#"{"id":"https://ca.example/1","key_pkcs8":"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJVWC_QzOTCS5vtsJp2IG-UDc8cdDfeoKtxSZxaznM-mhRANCAAQenCPoGgPFTdPJ7VLLKt56RxPlYT1wNXnHc54PEyBg3LxKaH0-sJkX0mL8LyPEdsfL_Oz4TxHkWLJGrXVtNhfH","directory":"https://ca.example/dir"}"#;

    #[test]
    fn what_was_stored_is_read_and_another_key_is_another_secret() {
        let credentials = Credentials::parse(&OLD.into()).unwrap();
        assert_eq!(credentials.account_uri(), "https://ca.example/1");
        assert_eq!(credentials.directory(), "https://ca.example/dir");
        assert_eq!(credentials.to_secret().expose_secret(), OLD);
        let next = credentials.with_new_key().unwrap();
        assert_eq!(next.account_uri(), credentials.account_uri());
        assert_ne!(next.to_secret().expose_secret(), OLD);
        Credentials::parse(&next.to_secret()).unwrap();
        assert!(!format!("{credentials:?}").contains("MIGH"));
    }

    #[test]
    fn what_is_no_account_is_an_unknown_one() {
        for broken in ["", "{}", &OLD.replace("MIGH", "MIGA"), &OLD.replace("MIGH", "=")] {
            let error = Credentials::parse(&broken.into()).unwrap_err();
            assert_eq!(error.cause, Cause::AccountUnknown, "{broken}");
        }
    }
}
