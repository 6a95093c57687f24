//! A connection that costs the sender next to nothing, so that the machine is the replicas'.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for an answer: beyond it the request is lost.
const PATIENCE: Duration = Duration::from_secs(15);

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// A connection that is made when it is needed and kept while it can be.
pub struct Connection {
    address: String,
    stream: Option<TcpStream>,
}

impl Connection {
    pub fn new(address: &str) -> Self {
        Self { address: address.to_owned(), stream: None }
    }

    /// Sends a request once and reads the answer.
    pub async fn send(&mut self, request: &[u8]) -> Result<Answer> {
        let answer = timeout(PATIENCE, self.exchange(request)).await.context("no answer in time").flatten();
        if answer.is_err() {
            self.stream = None;
        }
        answer
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(&self.address).await.context("connect")?,
        };
        stream.set_nodelay(true)?;
        stream.write_all(request).await.context("send")?;
        let (answer, keeps) = read(&mut stream).await?;
        self.stream = keeps.then_some(stream);
        Ok(answer)
    }
}

/// The answer, and whether the connection can be used again.
async fn read(stream: &mut TcpStream) -> Result<(Answer, bool)> {
    let mut bytes = Vec::with_capacity(512);
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.context("read")? == 0 || bytes.len() > 1 << 16 {
            bail!("the connection ended before the answer");
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let status = head.get(9..12).and_then(|text| text.parse().ok()).context("no status")?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let length: usize = length.unwrap_or_default();
    while bytes.len() < end + 4 + length {
        if stream.read_buf(&mut bytes).await.context("read")? == 0 {
            bail!("the connection ended within the answer");
        }
    }
    let body = String::from_utf8_lossy(&bytes[end + 4..end + 4 + length]).into_owned();
    // Whoever answers before it has read everything closes.
    let keeps = !head.contains("connection: close") && status != 413;
    Ok((Answer { status, body }, keeps))
}
