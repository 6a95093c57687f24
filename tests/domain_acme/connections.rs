//! Connections are used again, by all orders.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::scene::{account, authority_at, believing, issue};

/// Passes connections on, and counts them.
async fn passing(to: u16) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut one, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let to = SocketAddr::from((Ipv4Addr::LOCALHOST, to));
            tokio::spawn(async move {
                let mut other = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut one, &mut other).await;
            });
        }
    });
    (port, count)
}

#[tokio::test]
async fn orders_share_their_connections() {
    let pebble = believing(0, json!({})).await;
    let port = |url: &str| url.rsplit(':').next().unwrap().trim_end_matches("/dir").parse::<u16>().unwrap();
    let (port, count) = passing(port(pebble.directory())).await;
    let authority = authority_at(&format!("https://localhost:{port}/dir"), &pebble, json!({}));
    let account = account(&authority).await;
    let hosts: Vec<String> = (0..20).map(|number| format!("{number}.example.dev")).collect();
    let all = join_all(hosts.iter().map(async |host| issue(&account, &[host], None).await.map(drop))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    let (connections, requests) = (count.load(Ordering::SeqCst), authority.requests());
    println!("{requests} requests over {connections} connections");
    assert!(connections <= 4, "{connections} connections for {requests} requests");
}
