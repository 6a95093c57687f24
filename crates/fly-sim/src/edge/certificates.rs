//! TLS configurations, one for each certificate.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{Authority, CertificateChoice, Leaf};

/// Fly's shared domain, for which one wildcard certificate stands.
const SHARED_DOMAIN: &str = "fly.dev";
/// So many configurations are kept; above it all are made anew as they are asked for.
const KEPT: usize = 4_096;

/// Made configurations, so that sessions can be resumed and keys are made once.
#[derive(Debug)]
pub(super) struct Certificates {
    authority: Authority,
    made: Mutex<HashMap<Identity, Arc<ServerConfig>>>,
    none: Arc<ServerConfig>,
}

/// Which certificate a configuration is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Identity {
    Own(String),
    Issued(Leaf),
    /// Where it lies in memory. The configuration holds it, so nothing else can lie there.
    Custom(usize),
}

impl Certificates {
    pub(super) fn new(authority: Authority) -> io::Result<Self> {
        let none = server_config(Answer(None))?;
        Ok(Self { authority, made: Mutex::default(), none })
    }

    /// The configuration for a hostname with this certificate.
    pub(super) fn config(&self, hostname: &str, choice: CertificateChoice) -> io::Result<Arc<ServerConfig>> {
        match choice {
            CertificateChoice::Own => {
                let name = shared_name(hostname);
                self.once(Identity::Own(name.clone()), || self.authority.make(&name))
            }
            CertificateChoice::Issued(leaf) => {
                self.once(Identity::Issued(leaf.clone()), || self.authority.issue(&leaf))
            }
            CertificateChoice::Custom(key) => {
                self.once(Identity::Custom(Arc::as_ptr(&key).addr()), || Ok(key.clone()))
            }
            CertificateChoice::Unknown => Ok(self.none.clone()),
        }
    }

    fn once(
        &self,
        identity: Identity,
        sign: impl FnOnce() -> io::Result<Arc<CertifiedKey>>,
    ) -> io::Result<Arc<ServerConfig>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = made.get(&identity) {
            return Ok(config.clone());
        }
        let config = server_config(Answer(Some(sign()?)))?;
        if made.len() >= KEPT {
            made.clear();
        }
        made.insert(identity, config.clone());
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
    use super::*;

    #[test]
    fn apps_share_the_wildcard_and_others_have_their_own() {
        assert_eq!(shared_name("acme.fly.dev"), "*.fly.dev");
        assert_eq!(shared_name("a.acme.fly.dev"), "a.acme.fly.dev");
        assert_eq!(shared_name("ai.example.com"), "ai.example.com");
    }

    #[test]
    fn a_configuration_is_made_once_for_each_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let certificates = Certificates::new(Authority::in_folder(folder.path()).unwrap()).unwrap();
        let issued = |not_before| {
            let (app, name) = ("a".to_owned(), "ai.example.com".to_owned());
            CertificateChoice::Issued(Leaf { app, name, not_before, not_after: 90_000 })
        };
        let custom = CertificateChoice::Custom(certificates.authority.make("ai.example.com").unwrap());
        let config =
            |choice: &CertificateChoice| certificates.config("ai.example.com", choice.clone()).unwrap();
        assert!(Arc::ptr_eq(&config(&issued(1_000)), &config(&issued(1_000))));
        assert!(!Arc::ptr_eq(&config(&issued(1_000)), &config(&issued(2_000))), "a renewal is another");
        assert!(Arc::ptr_eq(&config(&custom), &config(&custom)));
        assert_eq!(certificates.made.lock().unwrap().len(), 3);
    }
}
