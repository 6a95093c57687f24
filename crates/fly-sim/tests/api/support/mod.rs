//! A simulator in this process and a plain HTTP client for it.
#![allow(dead_code, reason = "each test program uses a part")]

pub mod dns;
pub mod schema;
pub mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser as _;
use fly_sim::cli::{Cli, Command};
use fly_sim::serve::Server;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A simulator that runs.
pub struct Fly {
    pub api: SocketAddr,
    pub sim: std::sync::Arc<fly_sim::world::Sim>,
    pub edge: Option<SocketAddr>,
    pub edge_http: Option<SocketAddr>,
    pub token: String,
    end: Option<oneshot::Sender<()>>,
    running: JoinHandle<anyhow::Result<()>>,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn error(&self) -> String {
        let body: Value = serde_json::from_str(&self.text).unwrap_or_default();
        let named = body["error"].as_str().or(body["message"].as_str());
        named.map_or_else(|| self.text.clone(), str::to_owned)
    }

    pub fn id(&self) -> String {
        self.json()["id"].as_str().unwrap_or_else(|| panic!("no id: {self:?}")).to_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

impl Fly {
    /// Without limits, on the real clock, with no delays, in two regions.
    pub async fn start(more: &[&str]) -> Self {
        let mut arguments = vec!["fly-sim", "serve", "--regions", "fra,ams"];
        if !more.contains(&"--rate-limits") {
            arguments.extend(["--rate-limits", "off"]);
        }
        arguments.extend(more);
        let Command::Serve(options) = Cli::try_parse_from(arguments).unwrap().command;
        let server = Server::start(&options).await.unwrap();
        let sim = std::sync::Arc::clone(&server.sim);
        let (end, ended) = oneshot::channel::<()>();
        let (api, edge) = (server.api, server.edge.as_ref().map(fly_sim::edge::Edge::https));
        let edge_http = server.edge.as_ref().map(fly_sim::edge::Edge::http);
        let running = tokio::spawn(server.run_until(async {
            ended.await.ok();
        }));
        Self { api, sim, edge, edge_http, token: "Bearer test-token".to_owned(), end: Some(end), running }
    }

    /// On a clock that stands still.
    pub async fn manual(more: &[&str]) -> Self {
        let mut arguments = vec!["--clock", "manual"];
        arguments.extend(more);
        Self::start(&arguments).await
    }

    pub async fn stop(mut self) {
        self.end.take().unwrap().send(()).unwrap();
        self.running.await.unwrap().unwrap();
    }

    /// The answer, or what became of the connection.
    pub async fn try_call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Reply, String> {
        let stream = TcpStream::connect(self.api).await.map_err(|e| e.to_string())?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        let driven = tokio::spawn(connection);
        let mut request = http::Request::builder().method(method).uri(path).header("host", "sim");
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.header("authorization", &self.token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = sender.send_request(request.body(Full::new(body)).unwrap()).await;
        let response = response.map_err(|e| e.to_string())?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
        driven.abort();
        Ok(Reply { status, headers, text: String::from_utf8_lossy(&text).into_owned() })
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        self.try_call(method, path, &[], body).await.unwrap()
    }

    pub async fn with_nonce(&self, nonce: &str, method: &str, path: &str, body: Value) -> Reply {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        self.try_call(method, path, &[("fly-machine-lease-nonce", nonce)], body).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.call("POST", path, body).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path, Value::Null).await
    }

    /// Moves a manual clock.
    pub async fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap();
        self.post("/_sim/clock", json!({ "advanceMs": ms })).await.expect(200);
    }

    /// Adds a fault and answers its id.
    pub async fn fault(&self, fault: Value) -> u64 {
        self.post("/_sim/faults", fault).await.expect(201).json()["id"].as_u64().unwrap_or(0)
    }

    pub async fn no_faults(&self) {
        self.delete("/_sim/faults").await.expect(204);
    }

    pub async fn settings(&self, change: Value) {
        self.post("/_sim/settings", change).await.expect(200);
    }

    /// An app.
    pub async fn app(&self, name: &str) -> String {
        self.post("/v1/apps", json!({ "name": name, "org_slug": "personal" })).await.expect(201);
        format!("/v1/apps/{name}")
    }

    /// A Machine of a simple kind; answers its path.
    pub async fn machine(&self, app: &str, more: Value) -> String {
        let mut body = json!({ "region": "fra", "config": config() });
        merge(&mut body, more);
        let id = self.post(&format!("{app}/machines"), body).await.expect(200).id();
        format!("{app}/machines/{id}")
    }

    /// An app with a Machine that serves TLS, and its IPv6 and shared IPv4 address.
    pub async fn serving(&self, name: &str) -> (String, String, String) {
        let app = self.app(name).await;
        let ports =
            json!([{ "port": 443, "handlers": ["tls", "http"] }, { "port": 80, "handlers": ["http"] }]);
        let services = json!([{ "internal_port": 3000, "autostart": true, "ports": ports }]);
        let config = json!({ "services": services, "env": { "OPENCLAW_GATEWAY_TOKEN": "t" } });
        self.machine(&app, json!({ "config": config })).await;
        let (six, four) = (self.address(&app, "v6").await, self.address(&app, "shared_v4").await);
        (app, six, four)
    }

    async fn address(&self, app: &str, kind: &str) -> String {
        let made = self.post(&format!("{app}/ip_assignments"), json!({ "type": kind })).await.expect(200);
        made.json()["ip"].as_str().unwrap().to_owned()
    }

    /// Sets records in the fake DNS.
    pub async fn dns(&self, name: &str, mut records: Value) {
        records["name"] = name.into();
        self.post("/_sim/dns", records).await.expect(204);
    }

    /// Has Fly look at a hostname now; answers what it says then.
    pub async fn check(&self, app: &str, hostname: &str) -> Value {
        let path = format!("{app}/certificates/{}/check", hostname.replace('*', "%2A"));
        self.post(&path, Value::Null).await.expect(200).json()
    }

    /// Where a hostname stands now. What a check begins is done after its answer.
    pub async fn status(&self, app: &str, hostname: &str) -> Value {
        let path = format!("{app}/certificates/{}", hostname.replace('*', "%2A"));
        self.get(&path).await.expect(200).json()["status"].clone()
    }

    pub async fn wait(&self, machine: &str, state: &str) -> Reply {
        self.get(&format!("{machine}/wait?state={state}&timeout=5")).await.expect(200)
    }

    pub async fn state_of(&self, machine: &str) -> String {
        self.get(machine).await.expect(200).json()["state"].as_str().unwrap().to_owned()
    }

    pub async fn ledger(&self, query: &str) -> Vec<Value> {
        let reply = self.get(&format!("/_sim/ledger?{query}")).await.expect(200);
        reply.json()["entries"].as_array().unwrap().clone()
    }

    /// The names of all effects on an app, in order.
    pub async fn effects(&self, app: &str) -> Vec<String> {
        let entries = self.ledger(&format!("kind=effect&app={app}")).await;
        entries.iter().map(|entry| entry["effect"].as_str().unwrap().to_owned()).collect()
    }
}

/// A small configuration.
pub fn config() -> Value {
    json!({ "image": "registry-1.docker.io/library/ubuntu:latest" })
}

pub fn merge(into: &mut Value, from: Value) {
    match from {
        Value::Object(fields) => {
            for (name, value) in fields {
                merge(&mut into[name], value);
            }
        }
        other => *into = other,
    }
}
