//! The codes by which Fly says why a certificate isn't issued, with words for each. The codes are Fly's; the words are
//! close to what its schema says of them.

use crate::clock::{Millis, rfc3339};
use crate::model::certificate::ValidationError;

/// What was found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// CAA forbids Let's Encrypt.
    CaaRecordInvalid,
    /// CAA allows Let's Encrypt, but not for Fly's account.
    CaaRecordMissingFly,
    /// Services on port 443 contradict each other.
    ConflictingPort443Services,
    /// There are no records.
    DnsNotConfigured,
    /// The records are others.
    DnsRecordMismatch,
    /// Some records are right and others aren't.
    DnsRecordPartialMatch,
    /// DNS gave no answer.
    DnsTimeout,
    /// DNS gave a wrong answer.
    DnsValidationFailed,
    /// Visitors come to another app.
    HttpHostnameMismatch,
    /// The hostname has no address by IPv6.
    HttpIpv6Required,
    /// The app has no address by IPv6.
    Ipv6NotAllocated,
    /// No AAAA record was found. The simulator never says it of itself.
    Ipv6NotFound,
    /// The app has no address.
    NoAllocatedIps,
    /// Let's Encrypt refuses for a while.
    RateLimited,
    /// Nothing ends TLS on port 443.
    TlsHandlerMissing,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::CaaRecordInvalid,
        Self::CaaRecordMissingFly,
        Self::ConflictingPort443Services,
        Self::DnsNotConfigured,
        Self::DnsRecordMismatch,
        Self::DnsRecordPartialMatch,
        Self::DnsTimeout,
        Self::DnsValidationFailed,
        Self::HttpHostnameMismatch,
        Self::HttpIpv6Required,
        Self::Ipv6NotAllocated,
        Self::Ipv6NotFound,
        Self::NoAllocatedIps,
        Self::RateLimited,
        Self::TlsHandlerMissing,
    ];

    /// As it goes over the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CaaRecordInvalid => "CAA_RECORD_INVALID",
            Self::CaaRecordMissingFly => "CAA_RECORD_MISSING_FLY",
            Self::ConflictingPort443Services => "CONFLICTING_PORT_443_SERVICES",
            Self::DnsNotConfigured => "DNS_NOT_CONFIGURED",
            Self::DnsRecordMismatch => "DNS_RECORD_MISMATCH",
            Self::DnsRecordPartialMatch => "DNS_RECORD_PARTIAL_MATCH",
            Self::DnsTimeout => "DNS_TIMEOUT",
            Self::DnsValidationFailed => "DNS_VALIDATION_FAILED",
            Self::HttpHostnameMismatch => "HTTP_HOSTNAME_MISMATCH",
            Self::HttpIpv6Required => "HTTP_IPV6_REQUIRED",
            Self::Ipv6NotAllocated => "IPV6_NOT_ALLOCATED",
            Self::Ipv6NotFound => "IPV6_NOT_FOUND",
            Self::NoAllocatedIps => "NO_ALLOCATED_IPS",
            Self::RateLimited => "RATE_LIMITED",
            Self::TlsHandlerMissing => "TLS_HANDLER_MISSING",
        }
    }

    /// What is wrong.
    pub fn message(self) -> &'static str {
        match self {
            Self::CaaRecordInvalid => "CAA records are blocking Let's Encrypt certificate issuance",
            Self::CaaRecordMissingFly => "CAA records for Let's Encrypt are missing Fly's account URI",
            Self::ConflictingPort443Services => "Conflicting service definitions found on port 443",
            Self::DnsNotConfigured => "DNS records are not configured for this hostname",
            Self::DnsRecordMismatch => "DNS records do not match the expected values",
            Self::DnsRecordPartialMatch => {
                "Some DNS records are correct, but others do not match the expected values"
            }
            Self::DnsTimeout => "DNS resolution timed out",
            Self::DnsValidationFailed => "DNS validation for Let's Encrypt certificate failed",
            Self::HttpHostnameMismatch => "Hostname does not match the certificate request",
            Self::HttpIpv6Required => "HTTP validation requires IPv6 access to your app",
            Self::Ipv6NotAllocated => "Your app does not have any IPv6 records allocated",
            Self::Ipv6NotFound => "No AAAA records were found for your domain",
            Self::NoAllocatedIps => "No IP addresses are allocated to this app",
            Self::RateLimited => {
                "Let's Encrypt rate limit exceeded. Too many certificate requests for this hostname"
            }
            Self::TlsHandlerMissing => "Service exposing port 443 does not have a TLS handler configured",
        }
    }

    /// What to do.
    pub fn remediation(self) -> &'static str {
        match self {
            Self::CaaRecordInvalid => "Allow letsencrypt.org in the CAA records",
            Self::CaaRecordMissingFly => "Add Fly's account URI to the CAA record of letsencrypt.org",
            Self::ConflictingPort443Services => "Keep one service definition for port 443",
            Self::DnsNotConfigured => "Add the DNS records that are required",
            Self::DnsRecordMismatch => "Point the DNS records to the app",
            Self::DnsRecordPartialMatch => "Remove the DNS records that don't point to the app",
            Self::DnsTimeout => "Check that the domain's name servers answer",
            Self::DnsValidationFailed => "Check that the domain's name servers answer correctly",
            Self::HttpHostnameMismatch => "Point the hostname to the app that the certificate is for",
            Self::HttpIpv6Required | Self::Ipv6NotFound => {
                "Add an AAAA record with the app's IPv6 address, or the ownership TXT record"
            }
            Self::Ipv6NotAllocated => "Allocate an IPv6 address, or add the ownership TXT record",
            Self::NoAllocatedIps => "Allocate an IPv6 and an IPv4 address",
            Self::RateLimited => "Wait until the limit ends",
            Self::TlsHandlerMissing => "Add the tls handler to port 443",
        }
    }

    /// What the API says of it.
    pub fn found_at(self, now: Millis) -> ValidationError {
        ValidationError {
            code: Some(self.as_str().to_owned()),
            message: self.message().to_owned(),
            remediation: self.remediation().to_owned(),
            timestamp: rfc3339(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn each_code_has_words_of_its_own() {
        let messages: std::collections::BTreeSet<&str> =
            Code::ALL.iter().map(|code| code.message()).collect();
        assert_eq!(messages.len(), Code::ALL.len());
    }
}
