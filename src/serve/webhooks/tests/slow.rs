//! Whoever is slow holds up nobody else.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Senders who say that a body comes, and send none. More than large bodies are taken of at once.
const SLOW: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_dont_come_hold_up_nobody_else() {
    let (bench, stop) = (Bench::new().await, CancellationToken::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(listen::serve(listener, bench.router.clone(), stop.clone()));
    let mut slow = Vec::new();
    for number in 0..SLOW {
        // Large ones wait for each other, and small ones for nobody.
        let length = if number % 2 == 0 { 500 } else { 60_000 };
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head(length).as_bytes()).await.unwrap();
        slow.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{}userid=nobody", head(13)).as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    drop((slow, stream));
    stop.cancel();
    serving.await.unwrap();
}

fn head(length: usize) -> String {
    format!(
        "POST {PAYAPP_PATH} HTTP/1.1\r\nhost: hooks.example\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {length}\r\n\r\n"
    )
}
