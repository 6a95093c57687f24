//! What DNS and an app's services mean for a hostname's certificates. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::codes::Code;
use super::proofs;
use crate::dns::caa::{Leave, leave};
use crate::dns::{Failure, Seen, same_name};
use crate::model::address::AddressKind;
use crate::model::app::App;
use crate::model::certificate::{Certificate, Validation};

/// What came of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The flags that the API shows.
    pub validation: Validation,
    /// What is wrong.
    pub codes: Vec<Code>,
    /// Whether a custom certificate may be shown to visitors: the hostname is proved to be the customer's.
    pub owned: bool,
}

/// Judges a hostname of an app by what DNS says. `proxied` is the app to which a proxy in front of the hostname leads.
pub fn judge(app: &App, certificate: &Certificate, seen: &Seen, proxied: Option<&str>) -> Verdict {
    let case = Case::of(app, certificate, seen, proxied);
    let service = service_problem(app);
    let reached = case.direct() || case.proxied_here();
    let served = reached && service.is_none() && !case.wildcard;
    let mut codes = Vec::new();
    if certificate.acme_requested {
        codes.extend(service);
        codes.extend(case.dns_problem());
        codes.extend(caa_problem(seen, case.wildcard));
    } else if certificate.custom.is_some() && !case.owned() {
        codes.extend(case.dns_problem());
    }
    Verdict {
        validation: Validation {
            dns_configured: case.challenge,
            alpn_configured: served && case.direct(),
            http_configured: served,
            ownership_txt_configured: case.text,
        },
        codes,
        owned: case.owned(),
    }
}

/// The facts that count.
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact, and all are only read")]
struct Case<'a> {
    seen: &'a Seen,
    wildcard: bool,
    /// An A record has one of the app's addresses.
    four: bool,
    /// An AAAA record has one of the app's addresses.
    six: bool,
    /// A record has an address of somebody else.
    foreign: bool,
    /// The challenge's CNAME leads to Fly.
    challenge: bool,
    /// The ownership record has the app's or the organisation's value.
    text: bool,
    /// The app has an IPv6 address.
    app_has_six: bool,
    proxied: Option<bool>,
}

impl<'a> Case<'a> {
    fn of(app: &App, certificate: &Certificate, seen: &'a Seen, proxied: Option<&str>) -> Self {
        let proofs = proofs(app, certificate);
        let mut texts = seen.ownership.iter().flat_map(|text| text.split(';')).map(str::trim);
        let (fours, sixes) =
            (addresses(app, &[AddressKind::V4, AddressKind::SharedV4]), addresses(app, &[AddressKind::V6]));
        let (a, aaaa) = (parsed(&seen.a), parsed(&seen.aaaa));
        Self {
            seen,
            wildcard: certificate.is_wildcard(),
            four: !a.is_disjoint(&fours),
            six: !aaaa.is_disjoint(&sixes),
            foreign: !(a.is_subset(&fours) && aaaa.is_subset(&sixes)),
            challenge: seen.challenge.iter().any(|target| same_name(target, &proofs.challenge.1)),
            text: texts.any(|text| text == proofs.app_value || text == proofs.org_value),
            app_has_six: !sixes.is_empty(),
            proxied: proxied.map(|to| to == app.name),
        }
    }

    /// Visitors come straight to the app. Without the ownership record Fly counts on IPv6 only.
    fn direct(&self) -> bool {
        !self.foreign && (self.six || (self.four && self.text))
    }

    fn proxied_here(&self) -> bool {
        self.proxied == Some(true)
    }

    /// What Fly's documents say of custom certificates: an IPv6 record or the ownership record; for wildcards the
    /// latter only.
    fn owned(&self) -> bool {
        self.text || (self.six && !self.wildcard)
    }

    /// Whether Let's Encrypt would be convinced, as far as DNS is concerned.
    fn is_good(&self) -> bool {
        let owned = self.six || self.text || self.challenge;
        let provable = self.challenge || (!self.wildcard && (self.direct() || self.proxied_here()));
        owned && provable
    }

    fn dns_problem(&self) -> Option<Code> {
        match (self.is_good(), self.seen.failure) {
            (true, None) => None,
            (_, Some(Failure::Timeout)) => Some(Code::DnsTimeout),
            (_, Some(Failure::Server)) => Some(Code::DnsValidationFailed),
            (false, None) => Some(self.what_is_wrong()),
        }
    }

    fn what_is_wrong(&self) -> Code {
        let nothing = self.seen.a.is_empty() && self.seen.aaaa.is_empty() && self.seen.cname.is_empty();
        let some = self.four || self.six;
        match () {
            () if self.wildcard && !self.seen.challenge.is_empty() => Code::DnsRecordMismatch,
            () if self.wildcard => Code::DnsNotConfigured,
            () if self.proxied == Some(false) => Code::HttpHostnameMismatch,
            () if nothing => Code::DnsNotConfigured,
            () if some && self.foreign => Code::DnsRecordPartialMatch,
            () if some && !self.app_has_six => Code::Ipv6NotAllocated,
            () if some => Code::HttpIpv6Required,
            () => Code::DnsRecordMismatch,
        }
    }
}

/// Addresses may be spelled in several ways.
fn parsed(addresses: &[String]) -> BTreeSet<IpAddr> {
    addresses.iter().filter_map(|address| address.parse().ok()).collect()
}

fn addresses(app: &App, kinds: &[AddressKind]) -> BTreeSet<IpAddr> {
    let of_kind = app.addresses.iter().filter(|address| kinds.contains(&address.kind));
    of_kind.filter_map(|address| address.ip.parse().ok()).collect()
}

fn service_problem(app: &App) -> Option<Code> {
    if !app.is_public() {
        return Some(Code::NoAllocatedIps);
    }
    let services = app.living().flat_map(|machine| &machine.config.parts().services);
    let on_443 = services.flat_map(|service| {
        let ports = service.ports.iter().filter(|port| port.covers(443));
        ports.map(move |port| (service.internal_port, &port.handlers))
    });
    let definitions: BTreeSet<_> = on_443.collect();
    let ends_tls = definitions.iter().any(|(_, handlers)| handlers.iter().any(|handler| handler == "tls"));
    match definitions.len() {
        _ if !ends_tls => Some(Code::TlsHandlerMissing),
        2.. => Some(Code::ConflictingPort443Services),
        _ => None,
    }
}

fn caa_problem(seen: &Seen, wildcard: bool) -> Option<Code> {
    match leave(&seen.caa, wildcard) {
        Leave::Given => None,
        Leave::Refused => Some(Code::CaaRecordInvalid),
        Leave::OtherAccount => Some(Code::CaaRecordMissingFly),
    }
}
