//! A name server for tests, in this process: UDP and TCP on one port.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

/// How it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Well,
    /// UDP answers are cut short.
    CutShort,
    /// No answer at all.
    Silent,
    /// SERVFAIL.
    Failing,
    /// It sends on to `127.0.0.1`, which at the same port is itself; by TCP only it knows better.
    Delegating,
}

#[derive(Default)]
struct Zone {
    mood: Mood,
    records: Vec<(Name, RData)>,
    asked: Vec<(String, RecordType)>,
}

/// A running server.
pub struct NameServer {
    pub address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

impl NameServer {
    pub async fn start() -> Self {
        // The port must be free for both.
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (tcp, udp);
            }
        };
        let address = tcp.local_addr().unwrap();
        let zone = Arc::<Mutex<Zone>>::default();
        tokio::spawn(serve_udp(udp, zone.clone()));
        tokio::spawn(serve_tcp(tcp, zone.clone()));
        Self { address, zone }
    }

    pub fn add(&self, name: &str, data: RData) {
        self.zone.lock().unwrap().records.push((absolute(name), data));
    }

    pub fn remove(&self, name: &str) {
        self.zone.lock().unwrap().records.retain(|(owner, _)| *owner != absolute(name));
    }

    pub fn set_mood(&self, mood: Mood) {
        self.zone.lock().unwrap().mood = mood;
    }

    /// How often a name was asked for.
    pub fn asked(&self, name: &str) -> usize {
        self.zone.lock().unwrap().asked.iter().filter(|(asked, _)| asked == name).count()
    }
}

pub fn absolute(name: &str) -> Name {
    Name::from_ascii(format!("{name}.")).unwrap()
}

async fn serve_udp(socket: UdpSocket, zone: Arc<Mutex<Zone>>) {
    let mut buffer = [0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        if let Some(answer) = answer(&zone, &buffer[..length], true) {
            socket.send_to(&answer, from).await.unwrap();
        }
    }
}

async fn serve_tcp(listener: TcpListener, zone: Arc<Mutex<Zone>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let zone = zone.clone();
        tokio::spawn(async move {
            let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut question).await.unwrap();
            let Some(answer) = answer(&zone, &question, false) else {
                return std::future::pending().await;
            };
            stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        });
    }
}

fn answer(zone: &Mutex<Zone>, question: &[u8], udp: bool) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).unwrap();
    let query = question.queries[0].clone();
    let mut zone = zone.lock().unwrap();
    zone.asked.push((query.name.to_ascii().trim_end_matches('.').to_owned(), query.query_type));
    let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
    reply.add_query(query.clone());
    reply.metadata.authoritative = true;
    match zone.mood {
        Mood::Silent => return None,
        Mood::Failing => reply.metadata.response_code = ResponseCode::ServFail,
        Mood::CutShort if udp => reply.metadata.truncation = true,
        Mood::Delegating => {
            // Only the first question is sent on.
            zone.mood = Mood::Well;
            reply.metadata.authoritative = false;
            let server = hickory_proto::rr::rdata::NS(absolute("ns.example.com"));
            reply.add_authority(Record::from_rdata(absolute("example.com"), 60, RData::NS(server)));
            let glue = RData::A(Ipv4Addr::LOCALHOST.into());
            reply.add_additional(Record::from_rdata(absolute("ns.example.com"), 60, glue));
        }
        Mood::Well | Mood::CutShort => {
            let known = zone.records.iter().any(|(name, _)| *name == query.name);
            reply.metadata.response_code = if known { ResponseCode::NoError } else { ResponseCode::Refused };
            for (name, data) in zone.records.iter().filter(|(name, _)| *name == query.name) {
                let kind = data.record_type();
                if kind == query.query_type || kind == RecordType::CNAME {
                    reply.add_answer(Record::from_rdata(name.clone(), 60, data.clone()));
                }
            }
        }
    }
    Some(reply.to_vec().unwrap())
}
