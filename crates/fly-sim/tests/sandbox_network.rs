//! The network of a sandboxed Machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod sandbox_support;

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use fly_sim::sandbox::{Sandbox, SandboxError};
use sandbox_support::{Fixture, ROLE, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What runs inside: tells each client its address and echoes one line. No test
/// by itself; outside a Machine it has nothing to do.
#[test]
fn act_as_server() {
    let Ok(address) = std::env::var(ROLE) else { return };
    let listener = TcpListener::bind(address).unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let peer = stream.peer_addr().unwrap().ip();
        let mut line = [0; 5];
        stream.read_exact(&mut line).unwrap();
        write!(stream, "{peer} ").unwrap();
        stream.write_all(&line).unwrap();
    }
}

async fn serving(fixture: &Fixture, address: &str) -> Sandbox {
    let machine = Sandbox::spawn(fixture.guest(address, "act_as_server")).await.unwrap();
    eventually("the guest listens", async || {
        let processes = machine.processes().await.unwrap();
        processes.iter().any(|process| process.listen_sockets.iter().any(|socket| socket.address == address))
    })
    .await;
    machine
}

#[tokio::test]
async fn a_connection_comes_from_the_proxy_and_carries_bytes_both_ways() {
    let fixture = Fixture::new();
    let machine = serving(&fixture, "0.0.0.0:3000").await;
    for _ in 0..20 {
        let mut stream = machine.connect(3000).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "172.19.0.1 hello");
    }
    machine.kill();
    machine.wait().await;
}

#[tokio::test]
async fn no_port_opens_on_the_host() {
    let fixture = Fixture::new();
    // A port that this host certainly doesn't use: it was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let machine = serving(&fixture, &format!("0.0.0.0:{port}")).await;
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(machine.connect(port).await.is_ok());
    machine.kill();
}

#[tokio::test]
async fn a_server_on_loopback_only_is_not_reached() {
    let fixture = Fixture::new();
    let machine = serving(&fixture, "127.0.0.1:3000").await;
    let error = machine.connect(3000).await.unwrap_err();
    let SandboxError::Connect { port: 3000, cause } = error else { panic!("{error}") };
    assert_eq!(cause.kind(), std::io::ErrorKind::ConnectionRefused);
    machine.kill();
}

/// What runs inside: tries to leave.
#[test]
fn act_as_runaway() {
    let Ok(host) = std::env::var(ROLE) else { return };
    assert!(TcpStream::connect(&host).is_err(), "the host's loopback is reachable");
    let outside = TcpStream::connect("192.0.2.1:80").unwrap_err();
    assert_eq!(outside.kind(), std::io::ErrorKind::NetworkUnreachable);
}

#[tokio::test]
async fn a_machine_reaches_neither_the_host_nor_the_outside() {
    let fixture = Fixture::new();
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = host.local_addr().unwrap().to_string();
    fixture.run_well(fixture.guest(&address, "act_as_runaway")).await;
    assert!(fixture.console().contains("1 passed"), "the guest must have run: {}", fixture.console());
}
