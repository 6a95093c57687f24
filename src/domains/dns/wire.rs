//! Sends one DNS message and takes the answer.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;

use super::question::{Question, Recursion, Reply};

/// Longest time that one question by UDP may take.
const UDP_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time that one question by TCP may take.
const TCP_TIMEOUT: Duration = Duration::from_secs(3);
/// Largest datagram that is taken.
const DATAGRAM: usize = 4096;
/// Most datagrams that are read for one question: who sends more of them than this guesses at ids.
const MOST_DATAGRAMS: usize = 32;
/// Most questions under way at once.
const MOST_AT_ONCE: usize = 256;

/// Where questions leave from, a bounded number at a time.
pub struct Line(Semaphore);

impl Default for Line {
    fn default() -> Self {
        Self(Semaphore::new(MOST_AT_ONCE))
    }
}

impl Line {
    /// Asks one server, by UDP and, if the answer doesn't fit or doesn't come, by TCP.
    pub async fn ask(
        &self,
        server: SocketAddr,
        name: &Name,
        kind: RecordType,
        recursion: Recursion,
    ) -> io::Result<Message> {
        let _slot = self.0.acquire().await.map_err(io::Error::other)?;
        let question = Question::new(name, kind, recursion)?;
        if let Reply::Answer(answer) = exchange(server, &question).await? {
            return Ok(*answer);
        }
        match exchange(server, &question.plain()?).await? {
            Reply::Answer(answer) => Ok(*answer),
            Reply::Plain => Err(io::Error::other("a server that reads no question")),
        }
    }
}

async fn exchange(server: SocketAddr, question: &Question) -> io::Result<Reply> {
    match by_udp(server, question).await {
        Ok(Reply::Answer(answer)) if answer.truncation => {}
        Ok(reply) => return Ok(reply),
        Err(_) => {}
    }
    let octets = by_tcp(server, question.octets(), TCP_TIMEOUT).await?;
    question.read(&octets).ok_or_else(|| io::Error::other("an answer to another question"))
}

/// Sends by TCP, which no answer is too long for.
pub async fn by_tcp(server: SocketAddr, message: &[u8], limit: Duration) -> io::Result<Vec<u8>> {
    limited(limit, async {
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

/// From a port that the system picks at random.
async fn by_udp(server: SocketAddr, question: &Question) -> io::Result<Reply> {
    limited(UDP_TIMEOUT, async {
        let any: SocketAddr =
            if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(server).await?;
        socket.send(question.octets()).await?;
        let mut octets = vec![0; DATAGRAM];
        for _ in 0..MOST_DATAGRAMS {
            let length = socket.recv(&mut octets).await?;
            if let Some(reply) = question.read(&octets[..length]) {
                return Ok(reply);
            }
        }
        Err(io::Error::other("many answers to other questions"))
    })
    .await
}

async fn limited<T>(limit: Duration, exchange: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
