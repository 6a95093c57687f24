//! One question to a real DNS server: by UDP, and by TCP where that isn't enough.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::Failure;

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often UDP is tried.
const TRIES: usize = 2;
/// How many delegations are followed.
const HOPS: usize = 8;
/// The largest answer by UDP.
const LARGEST: usize = 4096;

/// Asks a server, and those that it delegates to: by their glue, at the same port.
///
/// A name that a server refuses, since it is of none of its zones, is one without records.
pub(super) async fn ask(mut server: SocketAddr, name: &Name, kind: RecordType) -> Result<Message, Failure> {
    for _ in 0..HOPS {
        let reply = exchange(server, name, kind).await?;
        if let Some(next) = referral(&reply) {
            server = SocketAddr::new(next, server.port());
            continue;
        }
        return match reply.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain | ResponseCode::Refused => Ok(reply),
            _ => Err(Failure::Server),
        };
    }
    Err(Failure::Server)
}

/// Where an answer sends on to, if it is no answer.
fn referral(reply: &Message) -> Option<IpAddr> {
    let facts = &reply.metadata;
    let final_word = facts.authoritative || facts.recursion_available || !reply.answers.is_empty();
    let delegated = reply.authorities.iter().any(|record| record.record_type() == RecordType::NS);
    if final_word || !delegated {
        return None;
    }
    reply.additionals.iter().find_map(|record| match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    })
}

async fn exchange(server: SocketAddr, name: &Name, kind: RecordType) -> Result<Message, Failure> {
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(name.clone(), kind));
    let bytes = question.to_vec().map_err(|_| Failure::Server)?;
    for _ in 0..TRIES {
        match timeout(PATIENCE, by_udp(server, &question, &bytes)).await {
            Ok(Ok(reply)) if !reply.metadata.truncation => return Ok(reply),
            // Cut short, or nobody listens there: only TCP can help.
            Ok(_) => break,
            Err(_elapsed) => {}
        }
    }
    match timeout(PATIENCE, by_tcp(server, &question, &bytes)).await {
        Ok(Ok(reply)) => Ok(reply),
        _ => Err(Failure::Timeout),
    }
}

async fn by_udp(server: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(bytes).await?;
    let mut answer = vec![0; LARGEST];
    loop {
        let length = socket.recv(&mut answer).await?;
        if let Some(reply) = answer.get(..length).and_then(|answer| reply_to(question, answer)) {
            return Ok(reply);
        }
    }
}

async fn by_tcp(server: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), bytes].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    reply_to(question, &answer).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The message, if it answers this question.
fn reply_to(question: &Message, answer: &[u8]) -> Option<Message> {
    let reply = Message::from_vec(answer).ok()?;
    let ours =
        reply.metadata.id == question.metadata.id && reply.metadata.message_type == MessageType::Response;
    (ours && reply.queries == question.queries).then_some(reply)
}
