//! The gate before the server of the platform's zone, for updates by TCP.

use std::future::pending;
use std::io;
use std::net::SocketAddr;

use hickory_proto::op::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::books::{Books, Loss};

/// Starts one. Its address.
pub async fn updates(books: Books, server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass(stream, books.clone(), server));
        }
    });
    own
}

async fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut octets = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut octets).await?;
    Ok(octets)
}

async fn write(stream: &mut TcpStream, octets: &[u8]) -> io::Result<()> {
    let length = u16::try_from(octets.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), octets].concat()).await
}

async fn pass(mut stream: TcpStream, books: Books, server: SocketAddr) -> io::Result<()> {
    let asked = read(&mut stream).await?;
    let effect = effect(&books, &asked);
    let loss = effect.as_ref().and_then(|(mark, kind)| books.asked(mark, kind));
    if loss == Some(Loss::Request) {
        return Ok(());
    }
    let mut there = TcpStream::connect(server).await?;
    write(&mut there, &asked).await?;
    let answer = read(&mut there).await?;
    if let Some((mark, kind)) = effect {
        books.done(&mark, &kind, loss);
    }
    match loss {
        None => write(&mut stream, &answer).await,
        Some(Loss::Held) => {
            // Until whoever asked has gone.
            tokio::select! {
                _ = stream.read_u8() => Ok(()),
                () = pending() => Ok(()),
            }
        }
        Some(_) => Ok(()),
    }
}

/// Whose names an update changes, and what it does to which type first.
fn effect(books: &Books, octets: &[u8]) -> Option<(String, String)> {
    let message = Message::from_vec(octets).ok()?;
    let first = message.authorities.first()?;
    let mark = books.about(&first.name.to_ascii())?;
    Some((mark, format!("dns {:?} {}", first.dns_class, first.record_type())))
}
