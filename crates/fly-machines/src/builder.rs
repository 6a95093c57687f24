//! Making a client.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Url};

use crate::client::Client;
use crate::cookies::Jar;
use crate::error::{Error, ErrorClass, Result};
use crate::limit::{Limiter, Limits};
use crate::observe::Observer;
use crate::token::{Token, TokenSource};
use crate::transport::{Deadlines, Transport};

/// The public address of the Machines API.
pub const DEFAULT_BASE_URL: &str = "https://api.machines.dev";

const OPERATION: &str = "client.build";
/// Answers are refused above this size, unless told otherwise: an organisation's full page takes a few MB.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// How a client is made; see [`Client::builder`].
pub struct ClientBuilder {
    token: TokenSource,
    base_url: String,
    user_agent: String,
    limits: Limits,
    deadlines: Deadlines,
    max_body: usize,
    roots: Vec<Vec<u8>>,
    http: Option<reqwest::Client>,
    observer: Option<Arc<dyn Observer>>,
}

impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("token", &self.token)
            .field("base_url", &self.base_url)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl ClientBuilder {
    pub(crate) fn new(token: TokenSource) -> Self {
        Self {
            token,
            base_url: DEFAULT_BASE_URL.to_owned(),
            user_agent: String::new(),
            limits: Limits::fly(),
            deadlines: Deadlines::default(),
            max_body: MAX_BODY,
            roots: Vec::new(),
            http: None,
            observer: None,
        }
    }

    /// Another address: `http://_api.internal:4280` from inside a private network, or a simulator's.
    #[must_use]
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = base_url.into();
        self
    }

    /// The caller's own `name/version`, sent after this crate's.
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// The rates to keep; Fly's by default.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long one request that reads may take; 30 s by default.
    #[must_use]
    pub fn read_deadline(mut self, deadline: Duration) -> Self {
        self.deadlines.read = deadline;
        self
    }

    /// How long one request that changes something may take; 60 s by default.
    #[must_use]
    pub fn write_deadline(mut self, deadline: Duration) -> Self {
        self.deadlines.write = deadline;
        self
    }

    /// The largest answer that is read, in bytes; 16 MiB by default.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Trusts certificates signed by these authorities too, PEM.
    #[must_use]
    pub fn add_root_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// Sees every finished call, for metrics.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Uses this HTTP client instead of making one. Its cookies, redirects, roots and user agent are its own:
    /// redirects should be off, since a token must not follow them.
    #[must_use]
    pub fn http_client(mut self, http: reqwest::Client) -> Self {
        self.http = Some(http);
        self
    }

    /// Makes the client: reads the token and checks the address. Nothing is sent.
    ///
    /// TLS is rustls with ring: ring becomes the process's provider unless there is one already.
    ///
    /// # Errors
    /// `Unauthorized` for a token that can't be read or can't be one, `Invalid` for the rest.
    pub fn build(self) -> Result<Client> {
        let base = base(&self.base_url)?;
        let token = Token::load(self.token)
            .map_err(|cause| Error::local(OPERATION, ErrorClass::Unauthorized, cause))?;
        let http = match self.http {
            Some(http) => http,
            None => http_client(&base, &self.user_agent, &self.roots)?,
        };
        Ok(Client::new(Transport {
            http,
            base: base.as_str().trim_end_matches('/').to_owned(),
            token,
            limiter: Limiter::new(self.limits),
            deadlines: self.deadlines,
            max_body: self.max_body,
            observer: self.observer,
        }))
    }
}

fn invalid(cause: &str) -> Error {
    Error::local(OPERATION, ErrorClass::Invalid, cause)
}

/// The address without `/v1`, which each path begins with.
fn base(text: &str) -> Result<Url> {
    let text = text.trim().trim_end_matches('/').trim_end_matches("/v1");
    let url = Url::parse(text).map_err(|_| invalid("the base URL isn't one"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(invalid("the base URL is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(invalid("the base URL has a user, a password or a query"));
    }
    Ok(url)
}

fn http_client(base: &Url, user_agent: &str, roots: &[Vec<u8>]) -> Result<reqwest::Client> {
    // It fails when there is a provider already, and then that one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let own = concat!("fly-machines/", env!("CARGO_PKG_VERSION"));
    let mut builder = reqwest::Client::builder()
        .user_agent(format!("{own} {user_agent}").trim_end())
        .cookie_provider(Arc::new(Jar::default()))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .pool_idle_timeout(Duration::from_mins(1))
        .pool_max_idle_per_host(32)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .http2_keep_alive_timeout(Duration::from_secs(10))
        .tcp_keepalive(Duration::from_secs(30))
        .tcp_nodelay(true);
    if base.scheme() == "http" {
        // Plain http needs none of the system's roots, and a minimal image may have none.
        builder = builder.tls_certs_only(std::iter::empty());
    } else {
        builder = builder.tls_certs_merge(certificates(roots)?);
    }
    builder.build().map_err(|error| invalid(&format!("the HTTP client can't be made: {error}")))
}

fn certificates(roots: &[Vec<u8>]) -> Result<Vec<Certificate>> {
    let mut all = Vec::new();
    for pem in roots {
        let some = Certificate::from_pem_bundle(pem).map_err(|_| invalid("a root certificate isn't PEM"))?;
        if some.is_empty() {
            return Err(invalid("a root certificate isn't PEM"));
        }
        all.extend(some);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(base_url: &str) -> Result<Client> {
        Client::builder(TokenSource::fixed("fm2_x".to_owned())).base_url(base_url).build()
    }

    #[test]
    fn an_address_may_end_in_v1_or_a_slash() {
        for text in ["http://127.0.0.1:4280", "http://127.0.0.1:4280/", "http://127.0.0.1:4280/v1/"] {
            assert_eq!(base(text).unwrap().as_str(), "http://127.0.0.1:4280/", "{text}");
        }
    }

    #[test]
    fn addresses_that_lead_elsewhere_are_refused() {
        for text in ["", "ftp://x", "api.machines.dev", "https://user:pw@x", "https://x/?a=b"] {
            assert_eq!(build(text).unwrap_err().class(), ErrorClass::Invalid, "{text}");
        }
    }

    #[test]
    fn a_client_for_the_public_address_can_be_made() {
        build(DEFAULT_BASE_URL).unwrap();
    }

    #[test]
    fn a_bad_root_is_refused() {
        let builder = Client::builder(TokenSource::fixed("fm2_x".to_owned())).add_root_pem("not pem");
        assert_eq!(builder.build().unwrap_err().class(), ErrorClass::Invalid);
    }

    #[test]
    fn an_unreadable_token_file_shows_at_the_start() {
        let error = Client::builder(TokenSource::file("/nowhere/token")).build().unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unauthorized);
    }
}
