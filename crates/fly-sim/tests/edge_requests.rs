//! What the edge does with requests: headers, refusals, load, streams, upgrades.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod edge_support;

use std::time::Duration;

use edge_support::{OneMachine, edge, exchange, machine, mirror, request};
use fly_sim::edge::{PublicPort, Refusal};
use http::StatusCode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

#[tokio::test]
async fn a_machine_sees_the_headers_of_the_proxy() {
    let setup = edge(OneMachine::at(machine(mirror).await)).await;
    let mut asking = request("acme.fly.dev", "/a/b?c=d");
    asking.headers_mut().insert("x-forwarded-for", "198.51.100.9".parse().unwrap());
    asking.headers_mut().insert("fly-client-ip", "198.51.100.9".parse().unwrap());
    let (head, seen) = exchange(setup.tls("acme.fly.dev").await.unwrap(), asking).await;
    let lines: Vec<&str> = seen.lines().collect();
    for line in [
        "GET /a/b?c=d",
        "host: acme.fly.dev",
        "x-forwarded-for: 198.51.100.9, 203.0.113.7, 66.241.124.7",
        "x-forwarded-proto: https",
        "x-forwarded-port: 443",
        "x-forwarded-ssl: on",
        "fly-client-ip: 203.0.113.7",
        "fly-forwarded-port: 443",
        "fly-region: fra",
        "via: 1.1 fly.io",
    ] {
        assert!(lines.contains(&line), "{line:?} isn't among {lines:#?}");
    }
    let id = head.headers["fly-request-id"].to_str().unwrap();
    assert!(id.ends_with("-fra") && id.len() == 30, "{id}");
    assert!(lines.contains(&&*format!("fly-request-id: {id}")));
    assert_eq!(head.headers["via"], "1.1 fly.io");
}

#[tokio::test]
async fn the_plain_port_says_http_or_redirects() {
    let setup = edge(OneMachine::at(machine(mirror).await)).await;
    let plain = TcpStream::connect(setup.edge.http()).await.unwrap();
    let (_, seen) = exchange(plain, request("acme.fly.dev", "/")).await;
    assert!(seen.contains("x-forwarded-proto: http\n") && seen.contains("x-forwarded-port: 80\n"), "{seen}");
    assert_eq!(setup.routes.asked.lock().unwrap()[0].port, PublicPort::Http);

    let mut forced = OneMachine::at(setup.routes.machine);
    forced.refusal = Some(Refusal::RedirectToHttps);
    let setup = edge(forced).await;
    let plain = TcpStream::connect(setup.edge.http()).await.unwrap();
    let (head, _) = exchange(plain, request("acme.fly.dev", "/x?y=z")).await;
    assert_eq!(head.status, StatusCode::MOVED_PERMANENTLY);
    let wanted = format!("https://acme.fly.dev:{}/x?y=z", setup.edge.https().port());
    assert_eq!(head.headers["location"], *wanted);
}

#[tokio::test]
async fn a_machine_that_cannot_answer_is_502_or_503() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let setup = edge(OneMachine::at(nobody)).await;
    assert_eq!(setup.get("acme.fly.dev", "/").await.0.status, StatusCode::BAD_GATEWAY);

    let mut none = OneMachine::at(nobody);
    none.refusal = Some(Refusal::NoCandidate("no machine".to_owned()));
    let setup = edge(none).await;
    let (head, text) = setup.get("acme.fly.dev", "/").await;
    assert_eq!((head.status, &*text), (StatusCode::SERVICE_UNAVAILABLE, "no machine"));

    let closing = machine(async |stream| drop(stream)).await;
    let setup = edge(OneMachine::at(closing)).await;
    assert_eq!(setup.get("acme.fly.dev", "/").await.0.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn a_name_without_a_service_gets_no_answer() {
    let mut none = OneMachine::at("127.0.0.1:1".parse().unwrap());
    none.refusal = Some(Refusal::NoService);
    let setup = edge(none).await;
    let mut stream = TcpStream::connect(setup.edge.http()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: acme.fly.dev\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");
}

#[tokio::test]
async fn load_counts_while_a_request_is_served() {
    let slow = machine(async |mut stream: TcpStream| {
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nab").await.unwrap();
        tokio::time::sleep(Duration::from_millis(400)).await;
        stream.write_all(b"cdef").await.unwrap();
    })
    .await;
    let setup = edge(OneMachine::at(slow)).await;
    let mut stream = setup.tls("acme.fly.dev").await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: acme.fly.dev\r\n\r\n").await.unwrap();
    let mut seen = String::new();
    while !seen.ends_with("ab") {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).await.unwrap();
        seen.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    assert_eq!(setup.routes.load(), 1, "a body is passed on as it comes, and counts until its end");
    let mut rest = [0; 4];
    stream.read_exact(&mut rest).await.unwrap();
    assert_eq!(&rest, b"cdef");
    for _ in 0..100 {
        if setup.routes.load() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the load must go when the request has ended");
}

#[tokio::test]
async fn an_upgraded_connection_carries_bytes_both_ways() {
    let echo = machine(async |mut stream: TcpStream| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        assert!(head.contains("upgrade: websocket") && head.contains("connection: upgrade"), "{head}");
        let answer = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        let mut buffer = [0; 64];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            stream.write_all(&buffer[..length]).await.unwrap();
        }
    })
    .await;
    let setup = edge(OneMachine::at(echo)).await;
    let mut stream = setup.tls("acme.fly.dev").await.unwrap();
    let asking = "GET /ws HTTP/1.1\r\nhost: acme.fly.dev\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n\r\n";
    stream.write_all(asking.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    for word in [&b"ping!"[..], b"again"] {
        stream.write_all(word).await.unwrap();
        let mut back = [0; 5];
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(back, word);
    }
    assert_eq!(setup.routes.load(), 1);
    stream.shutdown().await.unwrap();
    drop(stream);
    for _ in 0..100 {
        if setup.routes.load() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the load must go when the connection has ended");
}

#[tokio::test]
async fn oversized_headers_are_refused() {
    let setup = edge(OneMachine::at(machine(mirror).await)).await;
    let mut asking = request("acme.fly.dev", "/");
    asking.headers_mut().insert("x-big", "a".repeat(400_000).parse().unwrap());
    let (head, _) = exchange(setup.tls("acme.fly.dev").await.unwrap(), asking).await;
    assert_eq!(head.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}
