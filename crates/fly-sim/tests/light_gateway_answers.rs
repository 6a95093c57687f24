//! The light gateway answers as an OpenClaw gateway does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

use std::{collections::BTreeMap, net::IpAddr};

use bytes::Bytes;
use fly_sim::light_gateway::{LightGateway, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

const PROXY: [u8; 4] = [172, 19, 0, 1];
const TOKEN: &str = "canary-token";

fn gateway(version: &str, config: &Value) -> LightGateway {
    let env = BTreeMap::from([("OPENCLAW_GATEWAY_TOKEN".to_owned(), TOKEN.to_owned())]);
    let files = BTreeMap::from([("/opt/moorage/settings.json".to_owned(), config.to_string().into_bytes())]);
    LightGateway::new(version.parse().unwrap(), &env, &files)
}

fn trusting() -> Value {
    json!({"gateway": {"trustedProxies": ["172.19.0.0/16"]}})
}

struct Ask {
    request: http::request::Builder,
    body: &'static str,
}

fn get(path: &str) -> Ask {
    Ask { request: http::Request::builder().uri(path).header("host", "acme.fly.dev"), body: "" }
}

impl Ask {
    fn forwarded(self) -> Self {
        self.with("x-forwarded-for", "203.0.113.7, 66.241.124.7")
    }

    fn with(self, name: &str, value: &str) -> Self {
        Self { request: self.request.header(name, value), ..self }
    }

    fn post(self, body: &'static str) -> Self {
        Self { request: self.request.method("POST"), body }
    }

    async fn of(self, gateway: &LightGateway) -> (u16, String) {
        let stream = gateway.connect(IpAddr::from(PROXY));
        let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(driver);
        let request = self.request.body(Full::new(Bytes::from_static(self.body.as_bytes()))).unwrap();
        let reply = sender.send_request(request).await.unwrap();
        let status = reply.status().as_u16();
        let bytes = reply.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn probes_answer_with_their_json() {
    let gateway = gateway("2026.9.6", &trusting());
    for (path, body) in [
        ("/health", json!({"ok": true, "status": "live"})),
        ("/healthz", json!({"ok": true, "status": "live"})),
        ("/startup", json!({"ok": true, "status": "started"})),
        ("/startupz", json!({"ok": true, "status": "started"})),
        ("/ready", json!({"ready": true})),
        ("/readyz", json!({"ready": true})),
    ] {
        let (status, text) = get(path).forwarded().of(&gateway).await;
        assert_eq!((status, serde_json::from_str::<Value>(&text).unwrap()), (200, body), "{path}");
        assert_eq!(get(path).forwarded().post("").of(&gateway).await.0, 405, "{path}");
    }
}

/// The matrix of the gateway's own attribution check, for a peer that isn't loopback.
#[tokio::test]
async fn attribution_follows_the_matrix() {
    let unset = gateway("2026.9.6", &json!({"gateway": {}}));
    let listed = gateway("2026.9.6", &trusting());
    let ask = |path: &'static str, forwarded: &str| {
        if forwarded == "forwarded" { get(path).forwarded() } else { get(path) }
    };
    for (gateway, forwarded, health, startup, page) in [
        (&unset, "direct", 200, 200, 401),
        (&unset, "forwarded", 200, 403, 401),
        (&listed, "forwarded", 200, 200, 200),
        (&listed, "direct", 200, 403, 403),
    ] {
        assert_eq!(ask("/healthz", forwarded).of(gateway).await.0, health, "/healthz {forwarded}");
        assert_eq!(ask("/startupz", forwarded).of(gateway).await.0, startup, "/startupz {forwarded}");
        assert_eq!(ask("/readyz", forwarded).of(gateway).await.0, startup, "/readyz {forwarded}");
        assert_eq!(ask("/", forwarded).of(gateway).await.0, page, "/ {forwarded}");
    }
    let (_, text) = get("/readyz").forwarded().of(&unset).await;
    assert!(text.contains("proxy_attribution_required"), "{text}");
}

#[tokio::test]
async fn older_versions_neither_attribute_nor_know_startupz() {
    let gateway = gateway("2026.7.1-2", &json!({"gateway": {}}));
    assert_eq!(get("/readyz").forwarded().of(&gateway).await.0, 200);
    let (status, text) = get("/startupz").forwarded().of(&gateway).await;
    assert!(status == 200 && text.contains("<html"), "{status} {text}");
}

#[tokio::test]
async fn the_admin_rpc_needs_its_plugin_and_the_token() {
    let call = |authorization: &str| {
        get("/api/v1/admin/rpc")
            .forwarded()
            .with("authorization", authorization)
            .post(r#"{"id":"7","method":"device.pair.list","params":{}}"#)
    };
    let without = gateway("2026.9.6", &trusting());
    assert_eq!(call(&format!("Bearer {TOKEN}")).of(&without).await.0, 404);

    let mut config = trusting();
    config["plugins"] = json!({"entries": {"admin-http-rpc": {"enabled": true}}});
    let with = gateway("2026.9.6", &config);
    assert_eq!(call("Bearer wrong").of(&with).await.0, 401);
    assert_eq!(call(TOKEN).of(&with).await.0, 401);
    let (status, text) = call(&format!("Bearer {TOKEN}")).of(&with).await;
    let wanted = json!({"id": "7", "ok": true, "payload": {"pending": [], "paired": []}});
    assert_eq!((status, serde_json::from_str::<Value>(&text).unwrap()), (200, wanted));

    for (method, status) in [("health", 200), ("status", 200), ("no.such", 400)] {
        let mut ask = call(&format!("Bearer {TOKEN}"));
        ask.body = Box::leak(json!({"method": method}).to_string().into_boxed_str());
        assert_eq!(ask.of(&with).await.0, status, "{method}");
    }
}

#[tokio::test]
async fn models_are_listed_where_chat_completions_are_on() {
    let off = gateway("2026.9.6", &trusting());
    let ask = || get("/v1/models").forwarded().with("authorization", &format!("Bearer {TOKEN}"));
    assert_eq!(ask().of(&off).await.0, 404);
    let mut config = trusting();
    config["gateway"]["http"] = json!({"endpoints": {"chatCompletions": {"enabled": true}}});
    let on = gateway("2026.9.6", &config);
    assert!(ask().of(&on).await.1.contains("openclaw/main"));
    assert_eq!(get("/v1/models").forwarded().of(&on).await.0, 401);
}

#[tokio::test]
async fn an_upgrade_is_refused_plainly_and_everything_else_is_the_page() {
    let gateway = gateway("2026.9.6", &trusting());
    let upgrade = get("/").forwarded().with("connection", "upgrade").with("upgrade", "websocket");
    assert_eq!(upgrade.of(&gateway).await.0, 501);
    assert_eq!(get("/api/health").forwarded().of(&gateway).await.0, 404);
    let (status, page) = get("/any/where").forwarded().of(&gateway).await;
    assert!(status == 200 && page.contains("Light gateway"), "{page}");
}

#[test]
fn the_token_is_never_shown_and_versions_are_read_from_tags() {
    let shown = format!("{:?}", gateway("2026.9.6", &trusting()));
    assert!(!shown.contains(TOKEN), "{shown}");
    let version = |reference: &str| Version::of_image(reference).map(|version| version.to_string());
    assert_eq!(version("ghcr.io/openclaw/openclaw:2026.9.6-slim").as_deref(), Some("2026.9.6"));
    assert_eq!(version("ghcr.io/openclaw/openclaw:2026.7.1-2@sha256:00").as_deref(), Some("2026.7.1"));
    assert_eq!(version("ghcr.io/openclaw/openclaw:main"), None);
}
