//! The gates that speak HTTP.

use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use testbed::Pebble;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::acme;
use crate::books::{Books, Loss};

/// Largest body that is passed on.
const LARGEST: usize = 16 << 20;

/// One gate: where requests go, and which of them are effects of whom.
#[derive(Clone)]
pub struct Gate {
    pub books: Books,
    to: To,
}

#[derive(Clone)]
enum To {
    Kube(Client),
    Fly(reqwest::Client, String),
    Acme(reqwest::Client, String),
}

/// A gate before the API server that `client` talks to, and as whom it does. Its address.
pub async fn kube(books: Books, client: Client) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(accept(listener, None, Gate { books, to: To::Kube(client) }));
    url
}

/// A gate before Fly. Its address.
pub async fn fly(books: Books, url: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    let to = To::Fly(reqwest::Client::builder().build().unwrap(), url.to_owned());
    tokio::spawn(accept(listener, None, Gate { books, to }));
    own
}

/// A gate before an authority: its directory, and a file with the authority of the gate's own certificate.
pub async fn authority(books: Books, pebble: &Pebble, dir: &Path) -> (String, PathBuf) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let trusted = std::fs::read(pebble.ca_file()).unwrap();
    let client = reqwest::Client::builder()
        .http1_only()
        .add_root_certificate(reqwest::Certificate::from_pem(&trusted).unwrap())
        .build()
        .unwrap();
    let file = dir.join("gate-ca.pem");
    let acceptor = acceptor(&file);
    let to = To::Acme(client, pebble.directory().trim_end_matches("/dir").to_owned());
    tokio::spawn(accept(listener, Some(acceptor), Gate { books, to }));
    (format!("https://localhost:{port}/dir"), file)
}

/// Shows a certificate whose authority is written to `file`.
fn acceptor(file: &Path) -> TlsAcceptor {
    let ca_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(file, params.self_signed(&ca_key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, ca_key);
    let key = KeyPair::generate().unwrap();
    let shown = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(shown.pem().as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, gate: Gate) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, tls.clone(), gate.clone()));
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, gate: Gate) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve(stream, gate).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve(stream, gate).await;
            }
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, gate: Gate) {
    let service = service_fn(move |request| pass(gate.clone(), request));
    // Who loses a reply sees the connection end.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// What an authority answers that is down for maintenance (RFC 8555, section 6.7).
fn away() -> io::Result<Response<Body>> {
    let problem =
        json!({"type": "urn:ietf:params:acme:error:serverInternal", "detail": "down for maintenance"});
    Response::builder()
        .status(StatusCode::SERVICE_UNAVAILABLE)
        .header(header::CONTENT_TYPE, "application/problem+json")
        .header(header::RETRY_AFTER, "1")
        .body(Body::from(problem.to_string()))
        .map_err(io::Error::other)
}

fn lost() -> io::Error {
    io::Error::other("lost")
}

async fn pass(gate: Gate, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(Body::new(body), LARGEST).await.map_err(io::Error::other)?;
    let Some((mark, kind)) = gate.effect(&head, &body) else { return gate.forward(head, body, None).await };
    if gate.books.refuses(&mark, &kind) {
        return away();
    }
    let loss = gate.books.asked(&mark, &kind);
    if loss == Some(Loss::Request) {
        return Err(lost());
    }
    let answer = gate.forward(head, body, Some(&mark)).await?;
    // What is refused has changed nothing.
    if !answer.status().is_success() {
        return Ok(answer);
    }
    gate.books.done(&mark, &kind, loss);
    match loss {
        None => Ok(answer),
        Some(Loss::Held) => pending().await,
        Some(_) => Err(lost()),
    }
}

impl Gate {
    /// Whose effect a request is, and of which kind.
    fn effect(&self, head: &Parts, body: &Bytes) -> Option<(String, String)> {
        let path = head.uri.path();
        match &self.to {
            To::Kube(_) => kube_effect(&self.books, &head.method, path, body),
            To::Fly(..) => {
                let (_, rest) = path.split_once("/certificates").filter(|_| head.method != Method::GET)?;
                let mark = self.books.about(&format!("{path} {}", String::from_utf8_lossy(body)))?;
                let action = rest.rsplit('/').next().filter(|word| !word.contains('.')).unwrap_or_default();
                Some((mark, format!("fly {} certificates {action}", head.method)))
            }
            To::Acme(..) => acme::effect(&self.books, path, body),
        }
    }

    async fn forward(&self, mut head: Parts, body: Bytes, mark: Option<&str>) -> io::Result<Response<Body>> {
        match &self.to {
            To::Kube(client) => {
                head.headers.remove(header::AUTHORIZATION);
                head.headers.remove(header::HOST);
                let request = Request::from_parts(head, kube::client::Body::from(body));
                Ok(client.send(request).await.map_err(io::Error::other)?.map(Body::new))
            }
            To::Fly(client, url) => {
                head.headers.remove(header::HOST);
                let answer = sent(client, url, head, body).await?;
                Ok(answer.map(Body::from))
            }
            To::Acme(client, url) => {
                let of = mark.map(str::to_owned).or_else(|| self.books.about(head.uri.path()));
                let answer = sent(client, url, head, body).await?;
                if let Some(mark) = of {
                    acme::learn(&self.books, &mark, answer.headers(), answer.body());
                }
                Ok(answer.map(Body::from))
            }
        }
    }
}

/// What the operator writes about a hostname that isn't a mere view of it.
fn kube_effect(books: &Books, method: &Method, path: &str, body: &Bytes) -> Option<(String, String)> {
    let is_view = path.ends_with("/status") || path.contains("/leases") || path.contains("/events");
    if *method == Method::GET || is_view {
        return None;
    }
    let text = String::from_utf8_lossy(body);
    let mark = books.about(&format!("{path} {text}"))?;
    let last = path.rsplit('/').next().unwrap_or_default();
    if last.starts_with("moorage-domain-") {
        // It is named by a hash.
        books.word(last, &mark);
    }
    let of = ["nameclaims", "secrets", "customdomains"].into_iter().find(|of| path.contains(of))?;
    Some((mark, format!("kube {method} {of}")))
}

async fn sent(client: &reqwest::Client, url: &str, head: Parts, body: Bytes) -> io::Result<Response<Bytes>> {
    let target = format!("{url}{}", head.uri);
    let mut headers = head.headers;
    headers.remove(header::CONTENT_LENGTH);
    let answer = client.request(head.method, target).headers(headers).body(body).send().await;
    let answer = answer.map_err(io::Error::other)?;
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        let of_the_hop = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION];
        if !of_the_hop.contains(name) {
            response = response.header(name, value);
        }
    }
    let body = answer.bytes().await.map_err(io::Error::other)?;
    response.body(body).map_err(io::Error::other)
}
