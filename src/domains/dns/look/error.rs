//! Why a look at somebody's records came to nothing, for the one who keeps them.

use std::net::IpAddr;

use super::MOST_ALIASES;
use super::answer::Kind;
use crate::domains::DomainClass;
use crate::domains::error::quoted;

/// Why a look came to nothing: cause and remedy. Its text is stable, so that it can stand in a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookError {
    /// Nobody is responsible for the zone.
    #[error(
        "No name servers can be found for {}. Check that the domain is registered and hasn't expired, that its registrar names the right servers, and that DNSSEC is right there or off.",
        quoted(zone)
    )]
    NoServers {
        /// The zone, or the domain that isn't one.
        zone: String,
    },
    /// The registry says that there is no such domain.
    #[error(
        "There is no domain {}: its registry doesn't know it. Register it again, or have its registrar name its servers again.",
        quoted(zone)
    )]
    NoSuchDomain {
        /// The domain.
        zone: String,
    },
    /// Its servers aren't of the public Internet, and aren't allowed by the configuration.
    #[error(
        "{}, a name server of {}, has the address {address}, which isn't one of the public Internet, so it isn't asked. Name servers that everybody can reach.",
        quoted(server),
        quoted(zone)
    )]
    Private {
        /// The zone.
        zone: String,
        /// The server's name.
        server: String,
        /// Its address.
        address: IpAddr,
    },
    /// Servers of one zone give different answers.
    #[error(
        "{} and {}, both name servers of {}, answer differently when they are asked for {kind} of {}. Wait until your change has reached all of them, or correct the one that stays behind.",
        quoted(one),
        quoted(other),
        quoted(zone),
        quoted(name)
    )]
    Disagree {
        /// The zone.
        zone: String,
        /// One server's name.
        one: String,
        /// The other's.
        other: String,
        /// What they were asked for.
        kind: Kind,
        /// Under which name.
        name: String,
    },
    /// None of its servers answers as one that is responsible.
    #[error(
        "No name server of {} gives an answer of its own. Check that they run, that everybody may ask them by UDP and TCP, and that they hold this zone.",
        quoted(zone)
    )]
    Unanswered {
        /// The zone.
        zone: String,
    },
    /// It took too long.
    #[error("The name servers for {} take too long to answer. Check that all of them run.", quoted(name))]
    Slow {
        /// The name that was looked at.
        name: String,
    },
    /// Records changed between two questions.
    #[error("The records of {} change while they are looked at; they are looked at again.", quoted(name))]
    Changing {
        /// Under which name.
        name: String,
    },
    /// CNAME records lead round in a circle.
    #[error("The CNAME records that begin at {} lead round in a circle. Correct one of them.", quoted(name))]
    Loop {
        /// Where they begin.
        name: String,
    },
    /// CNAME records, or delegations, lead on and on.
    #[error(
        "{} leads through more than {MOST_ALIASES} CNAME records or delegations. Let it lead to its target directly.",
        quoted(name)
    )]
    TooLong {
        /// Where they begin.
        name: String,
    },
    /// No such name can be in DNS.
    #[error(
        "`{}` can't be asked for in DNS: it is too long, or has odd characters. Choose another name.",
        quoted(name)
    )]
    Malformed {
        /// The name.
        name: String,
    },
    /// It is our own side that can't ask.
    #[error("The platform's DNS resolvers don't answer; it is tried again.")]
    Resolvers,
}

impl LookError {
    /// Whether it is certain that nothing is there, by the word of whoever would know.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NoSuchDomain { .. })
    }

    /// How bad it is.
    pub fn class(&self) -> DomainClass {
        match self {
            Self::Disagree { .. }
            | Self::Unanswered { .. }
            | Self::Slow { .. }
            | Self::Changing { .. }
            | Self::Resolvers => DomainClass::Transient,
            Self::NoServers { .. }
            | Self::NoSuchDomain { .. }
            | Self::Private { .. }
            | Self::Loop { .. }
            | Self::TooLong { .. }
            | Self::Malformed { .. } => DomainClass::Human,
        }
    }
}
