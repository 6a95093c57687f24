//! What one server's message says of one name. Pure: strangers send it.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{CAA, SOA};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::names::{dns_name, plain};
use crate::domains::caa::Caa;

/// Most records of one name and type that are taken.
const MOST_RECORDS: usize = 256;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// An alias.
    Cname,
    /// Texts.
    Txt,
    /// Who may issue certificates.
    Caa,
    /// Whether a zone begins here.
    Soa,
}

/// One record's data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Datum {
    /// An address.
    Address(IpAddr),
    /// A text, its parts joined.
    Text(String),
    /// Who may issue certificates.
    Caa(Caa),
    /// A zone begins here. What else its SOA record says differs between servers as long as a change is on its way.
    ZoneBegins,
}

/// What one server says of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has these records of the type that was asked for.
    Records(BTreeSet<Datum>),
    /// It is an alias of this name.
    Alias(String),
    /// It has no record of the type, or doesn't exist.
    Nothing(Nothing),
    /// It lies in a zone that others have.
    Referral(Referral),
    /// The server isn't responsible for the name, or fails.
    Lame,
    /// It doesn't answer.
    Silent,
}

/// That there is no record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nothing {
    /// How long resolvers remember that.
    pub ttl: Option<Duration>,
    /// The zone that says so.
    pub zone: Option<String>,
}

/// A zone that others have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referral {
    /// The zone.
    pub zone: String,
    /// Names of its servers.
    pub servers: BTreeSet<String>,
}

impl Kind {
    /// As DNS has it.
    pub fn record_type(self) -> RecordType {
        match self {
            Self::A => RecordType::A,
            Self::Aaaa => RecordType::AAAA,
            Self::Cname => RecordType::CNAME,
            Self::Txt => RecordType::TXT,
            Self::Caa => RecordType::CAA,
            Self::Soa => RecordType::SOA,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record_type().fmt(f)
    }
}

impl Answer {
    /// Whether it says anything of the name.
    pub(super) fn is_spoken(&self) -> bool {
        !matches!(self, Self::Lame | Self::Silent)
    }

    /// What these octets, from a server of the zone, say of a name in it. Anything unreadable is [`Answer::Lame`].
    pub fn read(zone: &str, name: &str, kind: Kind, octets: &[u8]) -> Self {
        match (dns_name(zone), dns_name(name), Message::from_vec(octets)) {
            (Some(zone), Some(name), Ok(message)) => Self::judge(&zone, &name, kind, &message),
            _ => Self::Lame,
        }
    }

    /// What a message, from a server of the zone, says of a name in it.
    ///
    /// Records of other names are left aside, wherever they stand: for a zone, its own servers speak.
    pub(super) fn judge(zone: &Name, name: &Name, kind: Kind, message: &Message) -> Self {
        if !matches!(message.response_code, ResponseCode::NoError | ResponseCode::NXDomain) {
            return Self::Lame;
        }
        if message.authoritative {
            let held = records(name, kind, &message.answers);
            if held != Self::Nothing(Nothing::default()) {
                return held;
            }
        }
        if let Some(referral) = referral(zone, name, &message.authorities) {
            return Self::Referral(referral);
        }
        if message.authoritative {
            return Self::Nothing(nothing(zone, name, &message.authorities));
        }
        Self::Lame
    }
}

fn records(name: &Name, kind: Kind, answers: &[Record]) -> Answer {
    let own = || answers.iter().filter(|record| record.name == *name && record.dns_class == DNSClass::IN);
    let aliases: BTreeSet<String> = own().filter_map(alias).collect();
    let data: BTreeSet<Datum> =
        own().filter_map(|record| datum(record, kind)).take(MOST_RECORDS + 1).collect();
    match (aliases.len(), data.len()) {
        (1, _) => aliases.into_iter().next().map_or(Answer::Lame, Answer::Alias),
        (0, 0) => Answer::Nothing(Nothing::default()),
        (0, 1..=MOST_RECORDS) => Answer::Records(data),
        _ => Answer::Lame,
    }
}

fn alias(record: &Record) -> Option<String> {
    match &record.data {
        RData::CNAME(target) => Some(plain(&target.0)),
        _ => None,
    }
}

fn datum(record: &Record, kind: Kind) -> Option<Datum> {
    match (kind, &record.data) {
        (Kind::A, RData::A(address)) => Some(Datum::Address(address.0.into())),
        (Kind::Aaaa, RData::AAAA(address)) => Some(Datum::Address(address.0.into())),
        (Kind::Txt, RData::TXT(text)) => {
            Some(Datum::Text(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()))
        }
        (Kind::Caa, RData::CAA(caa)) => Some(Datum::Caa(authorization(caa))),
        (Kind::Soa, RData::SOA(_)) => Some(Datum::ZoneBegins),
        _ => None,
    }
}

fn authorization(caa: &CAA) -> Caa {
    Caa {
        is_critical: caa.issuer_critical,
        tag: caa.tag.to_ascii_lowercase(),
        value: String::from_utf8_lossy(&caa.value).into_owned(),
    }
}

/// To a zone below the one that the server is asked as a server of, and not below the name.
fn referral(zone: &Name, name: &Name, authorities: &[Record]) -> Option<Referral> {
    let leads = |record: &&Record| {
        record.dns_class == DNSClass::IN
            && record.name != *zone
            && zone.zone_of(&record.name)
            && record.name.zone_of(name)
    };
    let server = |record: &Record| match &record.data {
        RData::NS(server) => Some((record.name.clone(), plain(&server.0))),
        _ => None,
    };
    let servers: Vec<_> = authorities.iter().filter(leads).filter_map(server).collect();
    let (child, _) = servers.first()?;
    let child = child.clone();
    let servers = servers.into_iter().filter(|(zone, _)| *zone == child).map(|(_, server)| server);
    Some(Referral { zone: plain(&child), servers: servers.take(MOST_RECORDS).collect() })
}

/// How long it is remembered (RFC 2308), as the zone says that the name is in.
fn nothing(zone: &Name, name: &Name, authorities: &[Record]) -> Nothing {
    let begins = |record: &Record| match &record.data {
        RData::SOA(soa) if zone.zone_of(&record.name) && record.name.zone_of(name) => {
            Some(Nothing { ttl: Some(negative_ttl(soa, record.ttl)), zone: Some(plain(&record.name)) })
        }
        _ => None,
    };
    authorities.iter().find_map(begins).unwrap_or_default()
}

fn negative_ttl(soa: &SOA, ttl: u32) -> Duration {
    Duration::from_secs(soa.minimum.min(ttl).into())
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
