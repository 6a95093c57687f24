//! A name server that does whatever a test wants.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// By what a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Udp,
    Tcp,
}

/// What is done for a question, one thing after the other.
#[derive(Clone, Debug)]
pub enum Act {
    /// Sends octets: one datagram, or by TCP with their length before them.
    Send(Vec<u8>),
    /// Sends octets by TCP as they are.
    Raw(Vec<u8>),
    /// Does nothing for a time.
    Wait(Duration),
}

/// One question.
pub struct Asked {
    pub message: Message,
    pub by: By,
    /// How many came before it.
    pub before: usize,
}

type Script = Arc<dyn Fn(&Asked) -> Vec<Act> + Send + Sync>;

/// A running server; it ends with its test.
pub struct Stranger {
    asked: Arc<AtomicUsize>,
}

impl Stranger {
    pub async fn start(
        address: SocketAddr,
        script: impl Fn(&Asked) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        let (script, asked): (Script, _) = (Arc::new(script), Arc::new(AtomicUsize::new(0)));
        let udp = Arc::new(UdpSocket::bind(address).await.unwrap());
        tokio::spawn(datagrams(udp, Arc::clone(&script), Arc::clone(&asked)));
        let tcp = TcpListener::bind(address).await.unwrap();
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = tcp.accept().await {
                tokio::spawn(connection(stream, Arc::clone(&script), Arc::clone(&count)));
            }
        });
        Self { asked }
    }

    /// How many questions came.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn datagrams(udp: Arc<UdpSocket>, script: Script, count: Arc<AtomicUsize>) {
    let mut octets = vec![0; 4096];
    while let Ok((length, peer)) = udp.recv_from(&mut octets).await {
        let Ok(message) = Message::from_vec(&octets[..length]) else { continue };
        let asked = Asked { message, by: By::Udp, before: count.fetch_add(1, Ordering::SeqCst) };
        let (acts, udp) = (script(&asked), Arc::clone(&udp));
        tokio::spawn(async move {
            for act in acts {
                match act {
                    Act::Send(octets) | Act::Raw(octets) => drop(udp.send_to(&octets, peer).await),
                    Act::Wait(time) => tokio::time::sleep(time).await,
                }
            }
        });
    }
}

async fn connection(mut stream: TcpStream, script: Script, count: Arc<AtomicUsize>) -> std::io::Result<()> {
    let mut octets = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut octets).await?;
    let Ok(message) = Message::from_vec(&octets) else { return Ok(()) };
    let asked = Asked { message, by: By::Tcp, before: count.fetch_add(1, Ordering::SeqCst) };
    for act in script(&asked) {
        match act {
            Act::Send(octets) => {
                stream.write_u16(u16::try_from(octets.len()).unwrap()).await?;
                stream.write_all(&octets).await?;
            }
            Act::Raw(octets) => stream.write_all(&octets).await?,
            Act::Wait(time) => tokio::time::sleep(time).await,
        }
    }
    Ok(())
}

impl Asked {
    pub fn query(&self) -> &Query {
        &self.message.queries[0]
    }

    pub fn kind(&self) -> RecordType {
        self.query().query_type()
    }

    /// Whether it is for this name.
    pub fn is_for(&self, text: &str) -> bool {
        *self.query().name() == name(text)
    }

    /// An answer of the server's own with these records.
    pub fn answer(&self, answers: Vec<Record>) -> Message {
        let mut message = self.message.clone().into_response();
        message.metadata.authoritative = true;
        message.additionals.clear();
        message.add_answers(answers);
        message
    }

    /// What an honest server says of a zone, which resolvers have to find before a test can begin; `None` for
    /// anything else.
    pub fn honest(&self, zone: &str, server: &str) -> Option<Vec<Act>> {
        let is_apex = self.is_for(zone);
        match self.kind() {
            RecordType::NS if is_apex => Some(send(&self.answer(vec![ns(zone, server)]))),
            RecordType::SOA if is_apex => Some(send(&self.answer(vec![soa(zone)]))),
            // Resolvers make sure of zones by such questions.
            RecordType::NS => Some(send(&self.nothing(zone))),
            _ if self.query().name().to_ascii().starts_with("_.") => Some(send(&self.nothing(zone))),
            _ => None,
        }
    }

    /// That there is no such record.
    pub fn nothing(&self, zone: &str) -> Message {
        let mut message = self.answer(Vec::new());
        message.add_authority(soa(zone));
        message
    }
}

pub fn send(message: &Message) -> Vec<Act> {
    vec![Act::Send(message.to_vec().unwrap())]
}

pub fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap()
}

fn record(owner: &str, data: RData) -> Record {
    Record::from_rdata(name(owner), 60, data)
}

pub fn a(owner: &str, address: &str) -> Record {
    record(owner, RData::A(A(address.parse().unwrap())))
}

pub fn aaaa(owner: &str, address: &str) -> Record {
    record(owner, RData::AAAA(AAAA(address.parse().unwrap())))
}

pub fn cname(owner: &str, target: &str) -> Record {
    record(owner, RData::CNAME(CNAME(name(target))))
}

pub fn txt(owner: &str, text: &str) -> Record {
    record(owner, RData::TXT(TXT::new(vec![text.into()])))
}

pub fn ns(owner: &str, server: &str) -> Record {
    record(owner, RData::NS(NS(name(server))))
}

pub fn soa(owner: &str) -> Record {
    record(owner, RData::SOA(SOA::new(name("root.servers.test"), name("admin.test"), 1, 1, 1, 1, 1)))
}
