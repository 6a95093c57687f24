//! Sends one DNS message and takes the answer.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// Longest time that one exchange may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest datagram that is taken.
const DATAGRAM: usize = 4096;

/// Whether the server is to ask others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recursion {
    /// It is to answer from what it holds.
    None,
    /// It is to find out.
    Desired,
}

/// Sends by TCP, which no answer is too long for.
pub async fn by_tcp(server: SocketAddr, message: &[u8]) -> io::Result<Vec<u8>> {
    limited(async {
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(message.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes(), message].concat();
        stream.write_all(&framed).await?;
        let length = stream.read_u16().await?;
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    })
    .await
}

async fn by_udp(server: SocketAddr, message: &[u8]) -> io::Result<Vec<u8>> {
    limited(async {
        let any: SocketAddr =
            if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(server).await?;
        socket.send(message).await?;
        let mut answer = vec![0; DATAGRAM];
        loop {
            let length = socket.recv(&mut answer).await?;
            // A datagram that answers another question is somebody else's.
            if length >= 2 && answer[..2] == message[..2] {
                answer.truncate(length);
                return Ok(answer);
            }
        }
    })
    .await
}

async fn limited<T>(exchange: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(TIMEOUT, exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Asks one server, by UDP and, if the answer doesn't fit or doesn't come, by TCP.
pub async fn ask(
    server: SocketAddr,
    name: &Name,
    kind: RecordType,
    recursion: Recursion,
) -> io::Result<Message> {
    let mut question = Message::query();
    question.metadata.recursion_desired = recursion == Recursion::Desired;
    question.add_query(Query::query(name.clone(), kind));
    let bytes = question.to_vec().map_err(io::Error::other)?;
    if let Ok(answer) = by_udp(server, &bytes).await.and_then(|answer| parsed(&question, &answer))
        && !answer.truncation
    {
        return Ok(answer);
    }
    parsed(&question, &by_tcp(server, &bytes).await?)
}

fn parsed(question: &Message, answer: &[u8]) -> io::Result<Message> {
    let answer = Message::from_vec(answer).map_err(io::Error::other)?;
    if answer.id == question.id { Ok(answer) } else { Err(io::Error::other("an answer to another question")) }
}
