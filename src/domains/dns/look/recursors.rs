//! The resolvers that are asked where things are. They are ours, and are believed.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};

use super::LookError;
use super::names::plain;
use crate::domains::dns::question::Recursion;
use crate::domains::dns::wire::Line;

/// Where the system's own resolvers are named.
const SYSTEM: &str = "/etc/resolv.conf";
/// Most resolvers that are asked, one after the other.
const MOST: usize = 3;

/// Resolvers, asked in their order until one answers.
pub(super) struct Recursors {
    named: Vec<SocketAddr>,
    line: Arc<Line>,
}

/// What a resolver says of where a zone begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Here, with these servers.
    Here(Vec<String>),
    /// Not here; this one holds the name, if the resolver says so.
    Within(Option<String>),
    /// There is no such name, as this zone says, if the resolver tells which.
    Nowhere(Option<String>),
    /// It can't be found out: what is there is broken.
    Broken,
}

impl Recursors {
    /// Those named, as address and port, or else those of the system.
    pub(super) fn new(named: &[String], line: Arc<Line>) -> Self {
        Self { named: named.iter().filter_map(|one| one.parse().ok()).collect(), line }
    }

    /// Whether a zone begins at a name.
    ///
    /// # Errors
    /// If no resolver answers.
    pub(super) async fn place(&self, name: &Name) -> Result<Place, LookError> {
        let answer = self.ask(name, RecordType::NS).await?;
        Ok(answer.map_or(Place::Broken, |answer| place(name, &answer)))
    }

    /// Addresses of a server, those of IPv4 first. None if they can't be found out.
    ///
    /// # Errors
    /// If no resolver answers.
    pub(super) async fn addresses(&self, server: &Name) -> Result<Vec<IpAddr>, LookError> {
        let (v4, v6) = tokio::join!(self.ask(server, RecordType::A), self.ask(server, RecordType::AAAA));
        let mut found = Vec::new();
        for answer in [v4?, v6?].into_iter().flatten() {
            found.extend(answer.answers.iter().filter_map(|record| match &record.data {
                RData::A(address) => Some(IpAddr::V4(address.0)),
                RData::AAAA(address) => Some(IpAddr::V6(address.0)),
                _ => None,
            }));
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// The answer, or `None` if there is none to be had.
    async fn ask(&self, name: &Name, kind: RecordType) -> Result<Option<Message>, LookError> {
        let mut outcome = Err(LookError::Resolvers);
        for resolver in self.resolvers().await.into_iter().take(MOST) {
            match self.line.ask(resolver, name, kind, Recursion::Desired).await {
                Ok(answer) => match answer.response_code {
                    ResponseCode::NoError | ResponseCode::NXDomain => return Ok(Some(answer)),
                    ResponseCode::ServFail => outcome = Ok(None),
                    code => tracing::debug!(%resolver, %code, "a DNS resolver refuses"),
                },
                Err(_) if self.is_up(resolver).await => outcome = Ok(None),
                Err(error) => tracing::debug!(%resolver, %error, "a DNS resolver doesn't answer"),
            }
        }
        outcome
    }

    /// A resolver that doesn't answer may be waiting for others; the root it always knows.
    async fn is_up(&self, resolver: SocketAddr) -> bool {
        self.line.ask(resolver, &Name::root(), RecordType::NS, Recursion::Desired).await.is_ok()
    }

    async fn resolvers(&self) -> Vec<SocketAddr> {
        if !self.named.is_empty() {
            return self.named.clone();
        }
        let text = tokio::fs::read_to_string(SYSTEM).await.unwrap_or_default();
        let named =
            text.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok());
        named.map(|address: IpAddr| SocketAddr::new(address, 53)).collect()
    }
}

fn place(name: &Name, answer: &Message) -> Place {
    let own = answer.answers.iter().filter(|record| record.name == *name);
    let mut servers: Vec<String> = own
        .filter_map(|record| match &record.data {
            RData::NS(server) => Some(plain(&server.0)),
            _ => None,
        })
        .collect();
    servers.sort();
    servers.dedup();
    if !servers.is_empty() {
        return Place::Here(servers);
    }
    // Behind an alias it is the other name that is spoken of.
    let is_plain = answer.answers.is_empty();
    let zone = answer.authorities.iter().find(|record| {
        is_plain
            && record.record_type() == RecordType::SOA
            && record.name != *name
            && record.name.zone_of(name)
    });
    let zone = zone.map(|record| plain(&record.name));
    let is_denied = is_plain && answer.response_code == ResponseCode::NXDomain;
    if is_denied { Place::Nowhere(zone) } else { Place::Within(zone) }
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::OpCode;
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::{CNAME, NS, SOA};

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(format!("{text}.")).unwrap()
    }

    fn message(answers: &[(&str, RData)], authority: Option<&str>) -> Message {
        let mut message = Message::response(1, OpCode::Query);
        let record = |(owner, data): &(&str, RData)| Record::from_rdata(name(owner), 60, data.clone());
        message.add_answers(answers.iter().map(record));
        let soa = SOA::new(name("ns1"), name("admin"), 1, 1, 1, 1, 1);
        let begins = |zone: &str| Record::from_rdata(name(zone), 60, RData::SOA(soa.clone()));
        message.add_authorities(authority.map(begins));
        message
    }

    #[test]
    fn a_zone_begins_where_servers_are_named_for_the_very_name() {
        let ns = |server: &str| RData::NS(NS(name(server)));
        let own = [("example.com", ns("b.example.net")), ("example.com", ns("A.example.net"))];
        let here = Place::Here(vec!["a.example.net".into(), "b.example.net".into()]);
        assert_eq!(place(&name("example.com"), &message(&own, None)), here);
        let alias = ("www.example.com", RData::CNAME(CNAME(name("example.org"))));
        let behind = message(&[alias.clone(), ("example.org", ns("a.example.net"))], None);
        assert_eq!(place(&name("www.example.com"), &behind), Place::Within(None));
        let other = message(&[alias], Some("com"));
        assert_eq!(place(&name("www.example.com"), &other), Place::Within(None), "the target's, perhaps");
    }

    #[test]
    fn a_denial_tells_the_zone_that_holds_the_name() {
        let within = |zone: Option<&str>| Place::Within(zone.map(str::to_owned));
        let asked = name("a.b.example.com");
        assert_eq!(place(&asked, &message(&[], Some("Example.com"))), within(Some("example.com")));
        for elsewhere in [None, Some("example.org"), Some("x.a.b.example.com"), Some("a.b.example.com")] {
            assert_eq!(place(&asked, &message(&[], elsewhere)), within(None), "{elsewhere:?}");
        }
        let mut denied = message(&[], Some("com"));
        denied.metadata.response_code = ResponseCode::NXDomain;
        assert_eq!(place(&asked, &denied), Place::Nowhere(Some("com".into())));
        let mut behind =
            message(&[("a.b.example.com", RData::CNAME(CNAME(name("gone.example.org"))))], Some("org"));
        behind.metadata.response_code = ResponseCode::NXDomain;
        assert_eq!(place(&asked, &behind), within(None), "it is the target that isn't there");
    }
}
