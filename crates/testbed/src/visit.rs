//! A visit of a hostname at the simulator's edge, as `openssl s_client` makes one: any certificate is looked at, and
//! whether a browser would take it is another question.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::fly_sim::FlySim;

const PATIENCE: Duration = Duration::from_secs(10);

/// What a visitor was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The chain, PEM, the hostname's own certificate first.
    pub chain: String,
    /// That certificate's serial number, in hexadecimal.
    pub serial: String,
    /// SHA-256 of that certificate, in hexadecimal, as the simulator's ledger tells it of uploads.
    pub fingerprint: String,
    /// The DNS names on it.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// From when it holds.
    pub not_before: Timestamp,
    /// Until when it holds.
    pub not_after: Timestamp,
    /// The status of `GET /`; `None` if the connection was closed without an answer.
    pub status: Option<u16>,
}

impl Visit {
    /// Whether a browser that trusts these roots, PEM, would take it for this hostname at this time.
    ///
    /// # Errors
    /// Why it wouldn't.
    pub fn check(&self, hostname: &str, roots: &str, now: Timestamp) -> Result<()> {
        let mut trusted = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
            trusted.add(root?)?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(trusted.into(), provider()).build()?;
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(self.chain.as_bytes()).collect::<Result<_, _>>()?;
        let (leaf, above) = chain.split_first().context("an empty chain")?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now.as_second().try_into()?));
        verifier.verify_server_cert(leaf, above, &server_name(hostname)?, &[], now)?;
        Ok(())
    }
}

impl FlySim {
    /// Visits a hostname at the edge.
    ///
    /// # Errors
    /// The edge has no certificate for it, and refuses the handshake.
    pub async fn visit(&self, hostname: &str) -> Result<Visit> {
        tokio::time::timeout(PATIENCE, visit(self.edge(), hostname))
            .await
            .map_err(|_| anyhow!("no answer within {PATIENCE:?}"))
            .flatten()
            .with_context(|| format!("visit {hostname} at the edge"))
    }
}

async fn visit(edge: &str, hostname: &str) -> Result<Visit> {
    let stream = TcpStream::connect(edge).await?;
    let mut stream = TlsConnector::from(Arc::new(config()?)).connect(server_name(hostname)?, stream).await?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
    let status = status_of(&mut stream, hostname).await?;
    read(&chain, status)
}

/// Sends a request and reads the first line of the answer.
async fn status_of<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, hostname: &str) -> Result<Option<u16>> {
    let request = format!("GET / HTTP/1.1\r\nhost: {hostname}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // Whoever closes a connection in haste doesn't say goodbye as TLS wants it.
    let _ = stream.take(1 << 20).read_to_end(&mut answer).await;
    let first =
        String::from_utf8_lossy(answer.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    Ok(first.split(' ').nth(1).and_then(|status| status.parse().ok()))
}

fn read(chain: &[CertificateDer<'_>], status: Option<u16>) -> Result<Visit> {
    let first = chain.first().context("no certificate was shown")?;
    let (_, leaf) = X509Certificate::from_der(first)?;
    let alternatives = leaf.subject_alternative_name()?.map(|extension| &extension.value.general_names);
    let dns = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    };
    Ok(Visit {
        chain: chain.iter().map(|one| pem(one)).collect(),
        serial: hex(leaf.raw_serial()),
        fingerprint: hex(&Sha256::digest(first)),
        names: alternatives.into_iter().flatten().filter_map(dns).collect(),
        issuer: leaf.issuer().to_string(),
        not_before: Timestamp::from_second(leaf.validity().not_before.timestamp())?,
        not_after: Timestamp::from_second(leaf.validity().not_after.timestamp())?,
        status,
    })
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn server_name(hostname: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(hostname.to_owned()).with_context(|| format!("{hostname} is no hostname"))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn config() -> Result<ClientConfig> {
    let provider = provider();
    let anything = Arc::new(Anything(provider.signature_verification_algorithms));
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(anything)
        .with_no_client_auth())
}

/// Takes any certificate whose key the server has.
#[derive(Debug)]
struct Anything(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
