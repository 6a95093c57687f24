//! One look at all that DNS says of a hostname.

use std::net::SocketAddr;

use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, RecordType};

use super::{LONGEST_CHAIN, bare, challenge_name, climb, ownership_name, resolver};

/// The zones that Fly itself answers for: nobody else need be asked.
const OWN_ZONES: [&str; 2] = [".fly.dev", ".flydns.net"];

/// What DNS says of a hostname, as far as certificates are concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// IPv4 addresses, CNAMEs followed.
    pub a: Vec<String>,
    /// IPv6 addresses, CNAMEs followed.
    pub aaaa: Vec<String>,
    /// The chain of CNAMEs.
    pub cname: Vec<String>,
    /// Where the challenge's CNAMEs lead.
    pub challenge: Vec<String>,
    /// Texts of the ownership record.
    pub ownership: Vec<String>,
    /// The CAA records that count, each as `flags tag "value"`.
    pub caa: Vec<String>,
    /// The first name server of the zone.
    pub soa: Option<String>,
    /// Why not all could be seen.
    pub failure: Option<Failure>,
}

/// Why DNS gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody answered in time.
    Timeout,
    /// The answer was that there is none, or made no sense.
    Server,
}

/// Asks a real server.
pub async fn look(server: SocketAddr, hostname: &str) -> Seen {
    let (challenge, ownership) = (challenge_name(hostname), ownership_name(hostname));
    let (four, six, challenge, ownership, caa, soa) = tokio::join!(
        follow(server, hostname, RecordType::A),
        follow(server, hostname, RecordType::AAAA),
        follow(server, &challenge, RecordType::CNAME),
        follow(server, &ownership, RecordType::TXT),
        caa(server, bare(hostname)),
        soa(server, bare(hostname)),
    );
    // Proofs that can't be seen aren't there; without addresses or CAA nothing is known.
    let failure = four.as_ref().err().or(six.as_ref().err()).or(caa.as_ref().err()).copied();
    let (four, six) = (four.unwrap_or_default(), six.unwrap_or_default());
    Seen {
        a: four.data,
        aaaa: six.data,
        cname: if four.cnames.is_empty() { six.cnames } else { four.cnames },
        challenge: challenge.unwrap_or_default().cnames,
        ownership: ownership.unwrap_or_default().data,
        caa: caa.unwrap_or_default(),
        soa,
        failure,
    }
}

/// The records at the end of a chain.
#[derive(Debug, Default)]
struct Found {
    cnames: Vec<String>,
    data: Vec<String>,
}

async fn follow(server: SocketAddr, name: &str, kind: RecordType) -> Result<Found, Failure> {
    let mut found = Found::default();
    let mut at = absolute(name)?;
    loop {
        let reply = resolver::ask(server, &at, kind).await?;
        let asked = at.clone();
        while let Some(target) = cname_of(&reply, &at) {
            at = target.clone();
            found.cnames.push(spelled(&at));
            if found.cnames.len() > LONGEST_CHAIN {
                return Err(Failure::Server);
            }
        }
        let here = reply.answers.iter().filter(|record| record.name == at && record.record_type() == kind);
        found.data = here.map(|record| value(&record.data)).collect();
        if at == asked || !found.data.is_empty() || is_own(&at) {
            return Ok(found);
        }
    }
}

/// RFC 8659: the nearest name that has any counts.
async fn caa(server: SocketAddr, name: &str) -> Result<Vec<String>, Failure> {
    for name in climb(name) {
        let found = follow(server, name, RecordType::CAA).await?;
        if !found.data.is_empty() {
            return Ok(found.data);
        }
    }
    Ok(Vec::new())
}

async fn soa(server: SocketAddr, name: &str) -> Option<String> {
    let reply = resolver::ask(server, &absolute(name).ok()?, RecordType::SOA).await.ok()?;
    reply.answers.iter().chain(&reply.authorities).find_map(|record| match &record.data {
        RData::SOA(soa) => Some(spelled(&soa.mname)),
        _ => None,
    })
}

fn absolute(name: &str) -> Result<Name, Failure> {
    Name::from_ascii(format!("{name}.")).map_err(|_| Failure::Server)
}

fn cname_of<'a>(reply: &'a Message, name: &Name) -> Option<&'a Name> {
    reply.answers.iter().find_map(|record| match &record.data {
        RData::CNAME(target) if record.name == *name => Some(&target.0),
        _ => None,
    })
}

fn value(data: &RData) -> String {
    match data {
        RData::TXT(text) => String::from_utf8_lossy(&text.txt_data.concat()).into_owned(),
        other => other.to_string(),
    }
}

fn spelled(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

fn is_own(name: &Name) -> bool {
    let name = spelled(name);
    OWN_ZONES.iter().any(|zone| name.ends_with(zone))
}
