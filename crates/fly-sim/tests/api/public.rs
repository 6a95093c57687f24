//! What the public edge is told, over its plain port: routes, autostart, and load.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::{Fly, config};

fn served(force_https: bool) -> Value {
    json!([{ "internal_port": 3000, "autostart": true, "autostop": "stop",
        "ports": [{ "port": 80, "handlers": ["http"], "force_https": force_https }] }])
}

async fn serving() -> (Fly, std::net::SocketAddr, String, String) {
    let fly = Fly::start(&["--edge-listen", "127.0.0.1:0"]).await;
    let edge = fly.edge_http.unwrap();
    let app = fly.app("a").await;
    let config = json!({ "services": served(false), "env": { "OPENCLAW_GATEWAY_TOKEN": "t" } });
    let machine = fly.machine(&app, json!({ "config": config })).await;
    fly.wait(&machine, "started").await;
    (fly, edge, app, machine)
}

async fn ask(edge: std::net::SocketAddr, host: &str) -> Result<u16, String> {
    let stream = TcpStream::connect(edge).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let driven = tokio::spawn(connection);
    let request = http::Request::get("/healthz").header("host", host).body(Full::new(Bytes::new())).unwrap();
    let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
    let status = response.status().as_u16();
    response.into_body().collect().await.map_err(|e| e.to_string())?;
    driven.abort();
    Ok(status)
}

#[tokio::test]
async fn an_app_is_reached_once_it_has_an_address() {
    let (fly, edge, app, _) = serving().await;
    ask(edge, "a.fly.dev").await.unwrap_err();
    fly.post(&format!("{app}/ip_assignments"), json!({ "type": "shared_v4" })).await.expect(200);
    assert_eq!(ask(edge, "a.fly.dev").await, Ok(200));
    ask(edge, "other.fly.dev").await.unwrap_err();
}

#[tokio::test]
async fn a_request_wakes_a_stopped_machine_where_it_may() {
    let (fly, edge, app, machine) = serving().await;
    fly.post(&format!("{app}/ip_assignments"), json!({ "type": "v6" })).await.expect(200);
    fly.post(&format!("{machine}/stop"), Value::Null).await.expect(200);
    fly.wait(&machine, "stopped").await;
    assert_eq!(ask(edge, "a.fly.dev").await, Ok(200));
    assert_eq!(fly.state_of(&machine).await, "started");
    let mut asleep = config();
    asleep["services"] = served(false);
    asleep["services"][0]["autostart"] = json!(false);
    fly.post(&machine, json!({ "config": asleep, "skip_launch": true })).await.expect(200);
    fly.wait(&machine, "stopped").await;
    assert_eq!(ask(edge, "a.fly.dev").await, Ok(503));
    assert_eq!(fly.state_of(&machine).await, "stopped");
}

#[tokio::test]
async fn plain_requests_are_sent_to_https_and_cordoned_machines_left_out() {
    let (fly, edge, app, machine) = serving().await;
    fly.post(&format!("{app}/ip_assignments"), json!({ "type": "v6" })).await.expect(200);
    fly.post(&format!("{machine}/cordon"), Value::Null).await.expect(200);
    ask(edge, "a.fly.dev").await.unwrap_err();
    fly.post(&format!("{machine}/uncordon"), Value::Null).await.expect(200);
    let mut secure = config();
    secure["services"] = served(true);
    fly.post(&machine, json!({ "config": secure })).await.expect(200);
    fly.wait(&machine, "started").await;
    let status = ask(edge, "a.fly.dev").await.unwrap();
    assert!((300..400).contains(&status), "{status}");
}
