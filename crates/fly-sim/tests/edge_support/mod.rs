//! Routes, a client and a Machine for tests of the edge.
#![allow(dead_code, reason = "each test program uses a part")]

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use fly_sim::edge::{Authority, CertificateChoice, Connection, Edge, EdgeOptions, Refusal, Request, Routes};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub const APP_ADDRESS: &str = "66.241.124.7";

/// Routes to one server, with what they were asked.
pub struct OneMachine {
    pub machine: SocketAddr,
    pub refusal: Option<Refusal>,
    pub custom: Option<Arc<rustls::sign::CertifiedKey>>,
    pub asked: Mutex<Vec<Request>>,
    pub load: Arc<AtomicUsize>,
}

pub struct Load(Arc<AtomicUsize>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl OneMachine {
    pub fn at(machine: SocketAddr) -> Self {
        Self { machine, refusal: None, custom: None, asked: Mutex::default(), load: Arc::default() }
    }

    pub fn load(&self) -> usize {
        self.load.load(Ordering::SeqCst)
    }
}

impl Routes for OneMachine {
    async fn certificate(&self, hostname: &str) -> CertificateChoice {
        match hostname {
            "acme.fly.dev" | "beta.fly.dev" => CertificateChoice::Own,
            "ai.example.com" => {
                self.custom.clone().map_or(CertificateChoice::Unknown, CertificateChoice::Custom)
            }
            _ => CertificateChoice::Unknown,
        }
    }

    async fn connect(&self, request: Request) -> Result<Connection, Refusal> {
        self.asked.lock().unwrap().push(request);
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let stream = TcpStream::connect(self.machine)
            .await
            .map_err(|error| Refusal::Unreachable(error.to_string()))?;
        self.load.fetch_add(1, Ordering::SeqCst);
        Ok(Connection {
            stream: Box::new(stream),
            app_address: APP_ADDRESS.parse::<IpAddr>().unwrap(),
            region: "fra".to_owned(),
            guard: Box::new(Load(self.load.clone())),
        })
    }
}

pub struct Setup {
    pub edge: Edge,
    pub routes: Arc<OneMachine>,
    pub state: tempfile::TempDir,
}

pub async fn edge(routes: OneMachine) -> Setup {
    let state = tempfile::tempdir().unwrap();
    let authority = Authority::in_folder(state.path()).unwrap();
    let routes = Arc::new(routes);
    let edge = Edge::start(EdgeOptions::default(), authority, routes.clone()).await.unwrap();
    Setup { edge, routes, state }
}

/// A server for one test; it takes any number of connections.
pub async fn machine<F, Fut>(handle: F) -> SocketAddr
where
    F: Fn(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(handle(stream));
        }
    });
    address
}

/// Answers each request with its own head: request line and headers, one a line.
pub async fn mirror(stream: TcpStream) {
    let service = hyper::service::service_fn(|request: hyper::Request<hyper::body::Incoming>| async move {
        let mut text = format!("{} {}\n", request.method(), request.uri());
        for (name, value) in request.headers() {
            text += &*format!("{name}: {}\n", value.to_str().unwrap());
        }
        Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::from(text))))
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl Setup {
    pub async fn tls(&self, hostname: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(self.edge.ca_path()).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(hostname.to_owned()).unwrap();
        let stream = TcpStream::connect(self.edge.https()).await?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    pub async fn get(&self, hostname: &str, path: &str) -> (http::response::Parts, String) {
        let stream = self.tls(hostname).await.unwrap();
        exchange(stream, request(hostname, path)).await
    }
}

pub fn request(hostname: &str, path: &str) -> hyper::Request<Full<Bytes>> {
    hyper::Request::builder().uri(path).header("host", hostname).body(Full::default()).unwrap()
}

pub async fn exchange<S>(stream: S, request: hyper::Request<Full<Bytes>>) -> (http::response::Parts, String)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(driver);
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (head, String::from_utf8(bytes.to_vec()).unwrap())
}
