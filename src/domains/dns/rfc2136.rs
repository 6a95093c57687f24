//! Dynamic updates (RFC 2136), signed with TSIG.
//!
//! A host's mark is a text under `_moorage.{host}`. Conditions in the update itself hold that records change only
//! where that mark stands, or where nothing stands at all, so that two writers can't meet in between.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::rdata::{A, AAAA, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, TSigner};
use secrecy::ExposeSecret;

use super::{ADDRESS_TTL, Change, Host, Provider, TEXT_TTL, Text, wire};
use crate::domains::DomainError;
use crate::domains::secret::Secrets;
use crate::engine::clock::Clock;
use crate::engine::config::base_domain::{Rfc2136, TsigAlgorithm as Algorithm};

/// Longest time that one update may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Seconds by which the server's clock may differ from ours.
const FUDGE: u16 = 300;

/// A server that takes updates of one zone.
pub struct Updates {
    settings: Rfc2136,
    zone: String,
    secrets: Secrets,
    clock: Arc<dyn Clock>,
}

impl Updates {
    /// For the zone that is configured, or else the domain's own.
    pub fn new(settings: Rfc2136, domain: &str, secrets: Secrets, clock: Arc<dyn Clock>) -> Self {
        let zone = settings.zone.clone().unwrap_or_else(|| domain.to_owned());
        Self { settings, zone, secrets, clock }
    }

    async fn set(&self, host: &Host, addresses: &[IpAddr]) -> Result<(), DomainError> {
        let (name, mark) = (dns_name(&host.name)?, mark(host)?);
        let ours = [mark.clone()].map(with_ttl_zero);
        let mut changes = vec![all_of(&name, RecordType::A), all_of(&name, RecordType::AAAA)];
        changes.extend(addresses.iter().map(|address| address_record(&name, *address)));
        match self.update(ours.to_vec(), changes.clone()).await? {
            Outcome::Done => return Ok(()),
            Outcome::ConditionFailed => {}
        }
        let fresh = vec![nothing_at(&name), none_of(&mark.name, RecordType::TXT)];
        changes.push(mark);
        match self.update(fresh, changes).await? {
            Outcome::Done => Ok(()),
            Outcome::ConditionFailed => Err(DomainError::taken(&host.name)),
        }
    }

    /// Where our mark doesn't stand nothing is ours, and nothing is removed.
    async fn remove(&self, host: &Host) -> Result<(), DomainError> {
        if !self.holds(&host.name) {
            tracing::warn!(
                host = host.name,
                zone = self.zone,
                "left in DNS: it isn't in the zone that is configured"
            );
            return Ok(());
        }
        let (name, mark) = (dns_name(&host.name)?, mark(host)?);
        let changes = vec![
            all_of(&name, RecordType::A),
            all_of(&name, RecordType::AAAA),
            all_of(&mark.name, RecordType::TXT),
        ];
        self.update(vec![with_ttl_zero(mark)], changes).await.map(drop)
    }

    /// Whether the zone is the name's. After a change of the base domain there may be names of another one.
    fn holds(&self, name: &str) -> bool {
        name.strip_suffix(&self.zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    async fn update(&self, conditions: Vec<Record>, changes: Vec<Record>) -> Result<Outcome, DomainError> {
        let server: SocketAddr = self
            .settings
            .server
            .parse()
            .map_err(|_| DomainError::dns_refused("The DNS server has no address."))?;
        let mut message = Message::query();
        message.metadata.op_code = OpCode::Update;
        message.metadata.recursion_desired = false;
        message.add_query(Query::query(dns_name(&self.zone)?, RecordType::SOA));
        message.add_answers(conditions);
        message.add_authorities(changes);
        let now = u64::try_from(self.clock.now().as_second()).unwrap_or_default();
        let unsigned = |_| DomainError::secret("The update can't be signed with the TSIG key.");
        let verifier = message.finalize(&self.signer().await?, now).map_err(unsigned)?;
        let bytes = message.to_vec().map_err(unsigned)?;
        let answer = wire::by_tcp(server, &bytes, TIMEOUT).await.map_err(|error| self.unreachable(&error))?;
        let is_signed = verifier.is_some_and(|mut verifier| verifier.verify(&answer).is_ok());
        self.judge(&answer, if is_signed { Proof::Signed } else { Proof::None })
    }

    async fn signer(&self) -> Result<TSigner, DomainError> {
        let tsig = &self.settings.tsig;
        let key = self.secrets.read(&tsig.key).await?;
        let key = BASE64_STANDARD.decode(key.expose_secret()).map_err(|_| {
            DomainError::secret("The TSIG key isn't base64. Give it as the server's configuration has it.")
        })?;
        TSigner::new(key, algorithm(tsig.algorithm), dns_name(&tsig.name)?, FUDGE)
            .map_err(|_| DomainError::secret("The TSIG key can't be used with its algorithm."))
    }

    /// A refusal may come unsigned; a consent may not.
    fn judge(&self, answer: &[u8], proof: Proof) -> Result<Outcome, DomainError> {
        let code = Message::from_vec(answer).map_or(ResponseCode::FormErr, |answer| answer.response_code);
        match code {
            ResponseCode::NoError if proof == Proof::Signed => Ok(Outcome::Done),
            ResponseCode::NXRRSet
            | ResponseCode::YXRRSet
            | ResponseCode::YXDomain
            | ResponseCode::NXDomain => Ok(Outcome::ConditionFailed),
            ResponseCode::NoError => Err(DomainError::dns_unavailable(format!(
                "The answer of the DNS server {} isn't signed with our key; it isn't believed.",
                self.settings.server
            ))),
            ResponseCode::NotAuth | ResponseCode::Refused | ResponseCode::NotZone => {
                Err(DomainError::dns_refused(format!(
                    "The DNS server {} refuses updates of {} ({code}). Check the TSIG key's name, algorithm and rights, the zone, and both clocks.",
                    self.settings.server, self.zone
                )))
            }
            code => Err(DomainError::dns_unavailable(format!(
                "The DNS server {} couldn't update {} ({code}); it is tried again.",
                self.settings.server, self.zone
            ))),
        }
    }

    fn unreachable(&self, error: &std::io::Error) -> DomainError {
        tracing::debug!(%error, server = self.settings.server, "no answer to an update");
        DomainError::dns_unavailable(format!(
            "The DNS server {} doesn't answer; it is tried again.",
            self.settings.server
        ))
    }
}

/// Whether an answer is the server's own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// It is signed with our key.
    Signed,
    /// Nothing says so.
    None,
}

/// What became of an update.
enum Outcome {
    /// It stands.
    Done,
    /// Something stands, or doesn't, against its conditions.
    ConditionFailed,
}

impl Provider for Updates {
    fn set_addresses<'c>(&'c self, host: &'c Host, addresses: &'c [IpAddr]) -> Change<'c> {
        Box::pin(self.set(host, addresses))
    }

    fn remove_addresses<'c>(&'c self, host: &'c Host) -> Change<'c> {
        Box::pin(self.remove(host))
    }

    fn add_text<'c>(&'c self, text: &'c Text) -> Change<'c> {
        Box::pin(async move { self.update(Vec::new(), vec![text_record(text)?]).await.map(drop) })
    }

    fn remove_text<'c>(&'c self, text: &'c Text) -> Change<'c> {
        Box::pin(async move {
            let mut record = text_record(text)?;
            record.dns_class = DNSClass::NONE;
            record.ttl = 0;
            self.update(Vec::new(), vec![record]).await.map(drop)
        })
    }
}

fn dns_name(text: &str) -> Result<Name, DomainError> {
    let mut name = Name::from_ascii(text)
        .map_err(|_| DomainError::dns_refused(format!("`{text}` is not a name that DNS can hold.")))?;
    name.set_fqdn(true);
    Ok(name)
}

fn mark(host: &Host) -> Result<Record, DomainError> {
    let name = dns_name(&format!("_moorage.{}", host.name))?;
    Ok(Record::from_rdata(name, ADDRESS_TTL, RData::TXT(TXT::new(vec![host.owner.clone()]))))
}

fn text_record(text: &Text) -> Result<Record, DomainError> {
    let data = RData::TXT(TXT::new(vec![text.value.clone()]));
    Ok(Record::from_rdata(dns_name(&text.name)?, TEXT_TTL, data))
}

fn address_record(name: &Name, address: IpAddr) -> Record {
    let data = match address {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    };
    Record::from_rdata(name.clone(), ADDRESS_TTL, data)
}

/// As a condition: exactly this record stands.
fn with_ttl_zero(mut record: Record) -> Record {
    record.ttl = 0;
    record
}

/// As a change: all records of this type go.
fn all_of(name: &Name, kind: RecordType) -> Record {
    let mut record = Record::update0(name.clone(), 0, kind);
    record.dns_class = DNSClass::ANY;
    record
}

/// As a condition: no record of this type stands.
fn none_of(name: &Name, kind: RecordType) -> Record {
    let mut record = Record::update0(name.clone(), 0, kind);
    record.dns_class = DNSClass::NONE;
    record
}

/// As a condition: nothing stands under the name.
fn nothing_at(name: &Name) -> Record {
    none_of(name, RecordType::ANY)
}

fn algorithm(algorithm: Algorithm) -> TsigAlgorithm {
    match algorithm {
        Algorithm::HmacSha256 => TsigAlgorithm::HmacSha256,
        Algorithm::HmacSha384 => TsigAlgorithm::HmacSha384,
        Algorithm::HmacSha512 => TsigAlgorithm::HmacSha512,
    }
}
