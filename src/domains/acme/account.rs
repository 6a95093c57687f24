//! An account at an authority: made, taken up again, and given another key.

use std::sync::Arc;

use instant_acme::{
    Account as Signed, AccountBuilder, CertificateIdentifier, Error, ExternalAccountKey, Identifier, Key,
    NewAccount, NewOrder,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};

use super::credentials::Credentials;
use super::error::{AcmeError, Cause};
use super::http::{Http, retried};
use super::judge::Subject;
use super::jws::SigningKey;
use super::order::Order;
use crate::domains::certificate::Certificate;

/// An account. Copies are cheap, and any number of its orders may go on at a time.
#[derive(Clone)]
pub struct Account {
    http: Http,
    profile: Option<Arc<str>>,
    credentials: Arc<Credentials>,
}

/// Tells an account with its key from every other, and from itself as it was taken up at another time.
#[derive(Clone)]
pub struct Mark(Arc<Credentials>);

impl PartialEq for Mark {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Account {
    pub(super) fn new(http: &Http, credentials: Credentials, profile: Option<&str>) -> Self {
        Self { http: http.metered(), profile: profile.map(Arc::from), credentials: Arc::new(credentials) }
    }

    /// Its address, by which CAA records name it.
    pub fn uri(&self) -> &str {
        self.credentials.account_uri()
    }

    /// What its orders are marked with.
    pub fn mark(&self) -> Mark {
        Mark(Arc::clone(&self.credentials))
    }

    /// Begins an order for these names.
    ///
    /// If it is to renew a certificate, the authority is told so, which frees it from limits; but a renewal that the
    /// authority doesn't take as one becomes a plain order. [`Order::is_renewal`] tells which it is.
    ///
    /// # Errors
    /// If the authority refuses or can't be asked; `Unanswered` if there may be an order all the same.
    pub async fn order(&self, names: &[String], renews: Option<&Certificate>) -> Result<Order, AcmeError> {
        let http = self.http.metered();
        let account = self.connect(&http).await?;
        let identifiers: Vec<Identifier> = names.iter().cloned().map(Identifier::Dns).collect();
        let plain = || match &self.profile {
            Some(profile) => NewOrder::new(&identifiers).profile(profile),
            None => NewOrder::new(&identifiers),
        };
        let order = match renewed(&http, renews).await? {
            Some(id) => match place(&http, &account, &plain().replaces(id)).await {
                Err(error) if is_about_the_renewal(&error, &http) => place(&http, &account, &plain()).await?,
                placed => placed?,
            },
            None => place(&http, &account, &plain()).await?,
        };
        Ok(Order::new(http, order, names, self.mark()).await)
    }

    /// Takes up an order that was begun before.
    ///
    /// # Errors
    /// `OrderUnknown` or `AccountUnknown` if the authority doesn't know it; others if it can't be asked.
    pub async fn resume(&self, url: &str) -> Result<Order, AcmeError> {
        let http = self.http.metered();
        let account = self.connect(&http).await?;
        let order = http.call(Subject::Order, retried!(account.order(url.to_owned()))).await?;
        Ok(Order::new(http, order, &[], self.mark()).await)
    }

    /// The account as the library signs for it, with its requests counted by `http`.
    async fn connect(&self, http: &Http) -> Result<Signed, AcmeError> {
        let key = self.credentials.key()?;
        let made = builder(http).from_parts(self.uri().to_owned(), key, http.directory_url().to_owned());
        http.call(Subject::Account, made).await
    }
}

async fn place(
    http: &Http,
    account: &Signed,
    wanted: &NewOrder<'_>,
) -> Result<instant_acme::Order, AcmeError> {
    let placed = http.call(Subject::Account, retried!(account.new_order(wanted))).await;
    placed.map_err(|error| match error.cause {
        Cause::Unavailable if http.may_have_acted() => AcmeError { cause: Cause::Unanswered, ..error },
        _ => error,
    })
}

/// The name under which the authority knows the certificate, where it takes orders that renew one.
async fn renewed(
    http: &Http,
    renews: Option<&Certificate>,
) -> Result<Option<CertificateIdentifier<'static>>, AcmeError> {
    let Some(id) = renews.and_then(identifier) else { return Ok(None) };
    let directory = http.call(Subject::Account, http.directory()).await?;
    Ok(directory.renewal_info.as_ref().map(|_| id))
}

/// The name under which an authority knows a certificate (RFC 9773).
pub(super) fn identifier(certificate: &Certificate) -> Option<CertificateIdentifier<'static>> {
    let leaf = certificate.leaf()?;
    CertificateIdentifier::try_from(&leaf).ok().map(CertificateIdentifier::into_owned)
}

/// Whether the same order may be taken if it renews nothing. Authorities differ in what they say of a certificate that
/// they don't know, or that is another account's; what is told for other reasons is told again.
fn is_about_the_renewal(error: &AcmeError, http: &Http) -> bool {
    match error.cause {
        Cause::AlreadyReplaced | Cause::Refused => true,
        // An answer of its own, unlike none; also one that doesn't say that it renews.
        Cause::Unavailable | Cause::Unanswered => {
            http.head().is_some_and(|head| head.status == 500 || head.status < 300)
        }
        _ => false,
    }
}

/// Makes an account.
pub(super) async fn register(
    http: &Http,
    contact: Option<&str>,
    binding: Option<&ExternalAccountKey>,
) -> Result<Credentials, AcmeError> {
    let contact: Vec<String> = contact.iter().map(|to| format!("mailto:{to}")).collect();
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let wanted = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let http = http.metered();
    let made = http.call(
        Subject::Account,
        retried!(builder(&http).create(&wanted, http.directory_url().to_owned(), binding)),
    );
    Credentials::made(&made.await?.1)
}

/// Has the authority take the key of `next` for the account of `current`. It may be repeated after a crash.
///
/// The library can change a key too, but tells the new one only when it is done: after a crash in between, nobody
/// would have it.
pub(super) async fn change_key(
    http: &Http,
    current: &Credentials,
    next: &Credentials,
) -> Result<(), AcmeError> {
    let http = http.metered();
    match holder(&http, next).await {
        Ok(holder) if holder == current.account_uri() => return Ok(()),
        Ok(_) => return Err(AcmeError::refused("The new key is another account's; make another one.")),
        Err(error) if error.cause == Cause::AccountUnknown => {}
        Err(error) => return Err(error),
    }
    let directory = http.call(Subject::Account, http.directory()).await?;
    let Some(url) = directory.key_change.clone() else {
        return Err(AcmeError::refused("The certificate authority doesn't let accounts change their key."));
    };
    let (old, new) = (current.signing_key()?, next.signing_key()?);
    let payload = json!({"account": current.account_uri(), "oldKey": old.jwk()});
    let inner = new.sign(json!({"jwk": new.jwk(), "url": url}), &payload);
    let inner =
        inner.ok_or_else(|| AcmeError::unavailable("Nothing can be signed now; it is tried again."))?;
    let change = KeyChange { account: current.account_uri(), url: &url, old: &old, inner: &inner };
    http.call(Subject::Account, retried!(change.send(&http))).await
}

/// A change of an account's key (RFC 8555, section 7.3.5).
struct KeyChange<'a> {
    account: &'a str,
    url: &'a str,
    old: &'a SigningKey,
    inner: &'a Value,
}

impl KeyChange<'_> {
    async fn send(&self, http: &Http) -> Result<(), Error> {
        let headers = json!({"kid": self.account, "nonce": http.nonce().await?, "url": self.url});
        let signed = self.old.sign(headers, self.inner).ok_or(Error::Crypto)?;
        http.post(self.url, signed.to_string().into_bytes()).await.map(drop)
    }
}

/// The address of the account that has this key.
async fn holder(http: &Http, credentials: &Credentials) -> Result<String, AcmeError> {
    let der = credentials.key()?;
    let found = http.call(Subject::Account, retried!(find(http, &der))).await?;
    Ok(found.id().to_owned())
}

async fn find(http: &Http, der: &PrivatePkcs8KeyDer<'static>) -> Result<Signed, Error> {
    let key = (Key::from_pkcs8_der(der.clone_key())?, PrivateKeyDer::Pkcs8(der.clone_key()));
    Ok(builder(http).from_key(key, http.directory_url().to_owned()).await?.0)
}

fn builder(http: &Http) -> AccountBuilder {
    Signed::builder_with_http(Box::new(http.clone()))
}
