//! TLS configurations by hostname.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{Authority, CertificateChoice};

/// Fly's shared domain, for which one wildcard certificate stands.
const SHARED_DOMAIN: &str = "fly.dev";

/// Made configurations, so that sessions can be resumed and keys are made once.
#[derive(Debug)]
pub(super) struct Certificates {
    authority: Authority,
    own: Mutex<HashMap<String, Arc<ServerConfig>>>,
    none: Arc<ServerConfig>,
}

impl Certificates {
    pub(super) fn new(authority: Authority) -> io::Result<Self> {
        let none = server_config(Answer(None))?;
        Ok(Self { authority, own: Mutex::default(), none })
    }

    /// The configuration for a hostname with this certificate.
    pub(super) fn config(&self, hostname: &str, choice: CertificateChoice) -> io::Result<Arc<ServerConfig>> {
        match choice {
            CertificateChoice::Own => self.own(hostname),
            CertificateChoice::Custom(key) => server_config(Answer(Some(key))),
            CertificateChoice::Unknown => Ok(self.none.clone()),
        }
    }

    fn own(&self, hostname: &str) -> io::Result<Arc<ServerConfig>> {
        let name = shared_name(hostname);
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = own.get(&name) {
            return Ok(config.clone());
        }
        let config = server_config(Answer(Some(self.authority.issue(vec![name.clone()])?)))?;
        own.insert(name, config.clone());
        Ok(config)
    }
}

/// The name on the certificate: the wildcard for apps' default hostnames.
fn shared_name(hostname: &str) -> String {
    match hostname.split_once('.') {
        Some((_app, SHARED_DOMAIN)) => format!("*.{SHARED_DOMAIN}"),
        _ => hostname.to_owned(),
    }
}

/// Reads a certificate chain and its key, both PEM, for [`CertificateChoice::Custom`].
pub fn certified_key(chain: &str, key: &str) -> io::Result<CertifiedKey> {
    let invalid =
        |error: rustls::pki_types::pem::Error| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().map_err(invalid)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(invalid)?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(io::Error::other)?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().map_err(io::Error::other)?;
    Ok(certified)
}

/// Without a certificate the handshake ends with an alert.
#[derive(Debug)]
struct Answer(Option<Arc<CertifiedKey>>);

impl ResolvesServerCert for Answer {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }
}

fn server_config(answer: Answer) -> io::Result<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(answer));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::shared_name;

    #[test]
    fn apps_share_the_wildcard_and_others_have_their_own() {
        assert_eq!(shared_name("acme.fly.dev"), "*.fly.dev");
        assert_eq!(shared_name("a.acme.fly.dev"), "a.acme.fly.dev");
        assert_eq!(shared_name("ai.example.com"), "ai.example.com");
    }
}
