//! Validating hostnames against the fake DNS, and issuing.

use serde_json::Value;

use super::state::State;
use super::timers::Timer;
use crate::clock::{Millis, rfc3339};
use crate::dns::Records;
use crate::error::{ApiError, ApiResult};
use crate::faults::Environment;
use crate::ids::sha256_hex;
use crate::model::address::AddressKind;
use crate::model::app::App;
use crate::model::certificate::{Certificate, Issued, Validation, ValidationError};

/// Fly looks again so often while a certificate isn't issued.
const AGAIN: Millis = 60_000;
/// What Let's Encrypt issues is good for so long.
const GOOD: Millis = 90 * 24 * 3_600_000;
/// So long before its end it is renewed.
const EARLY: Millis = 30 * 24 * 3_600_000;

/// The records that prove a hostname.
#[derive(Clone, Debug)]
pub struct Proofs {
    /// The name and target of the challenge's CNAME.
    pub challenge: (String, String),
    /// The name of the ownership TXT record.
    pub ownership: String,
    /// The app's value in it.
    pub app_value: String,
    /// The organisation's value in it.
    pub org_value: String,
}

/// The records that prove a hostname of an app.
pub fn proofs(app: &App, certificate: &Certificate) -> Proofs {
    let bare = certificate.hostname.trim_start_matches("*.");
    let short = |text: &str| sha256_hex(text.as_bytes())[..10].to_owned();
    Proofs {
        challenge: (
            format!("_acme-challenge.{bare}"),
            format!("{bare}.{}.flydns.net", certificate.challenge),
        ),
        ownership: format!("_fly-ownership.{bare}"),
        app_value: format!("app-{}", short(&app.id)),
        org_value: format!("org-{}", short(&app.org)),
    }
}

impl State {
    /// Adds a hostname; 422 when the app has it already.
    pub fn add_hostname(&mut self, app: &str, hostname: &str) -> ApiResult<&mut Certificate> {
        check_hostname(hostname)?;
        if self.app(app)?.certificates.contains_key(hostname) {
            return Err(ApiError::unprocessable("Hostname already exists on app"));
        }
        let (now, challenge) = (self.now, self.ids.alphanumeric(5));
        let certificate = Certificate {
            hostname: hostname.to_owned(),
            acme_requested: false,
            validation: Validation::default(),
            errors: Vec::new(),
            issued: None,
            issue_at: None,
            custom: None,
            rate_limited_until: None,
            challenge,
            created_at: now,
            updated_at: now,
        };
        self.hostnames.insert(hostname.to_owned(), app.to_owned());
        self.effect("certificate.add", app, hostname, Value::Null);
        let certificates = &mut self.app_mut(app)?.certificates;
        Ok(certificates.entry(hostname.to_owned()).or_insert(certificate))
    }

    /// Looks at a hostname's DNS now, and begins issuing when it is proven.
    pub fn validate(&mut self, app: &str, hostname: &str) -> ApiResult<()> {
        let records = self.dns.resolve(hostname);
        let (now, limited) = (self.now, self.rate_limited(hostname));
        let holder = self.app(app)?;
        let certificate = holder.certificates.get(hostname).ok_or_else(no_certificate)?;
        let mut validation = self.look(holder, certificate, &records);
        let errors = self.problems(holder, certificate, &records, validation, limited);
        validation.http_configured &= errors.is_empty();
        let pending = certificate.acme_requested && certificate.issue_at.is_none();
        let wants = pending && certificate.issued.is_none_or(|issued| issued.expires_at - EARLY <= now);
        let delay = self.settings.delays.issue.draw(&mut self.ids);
        let issue_at = (wants && validation.proven() && errors.is_empty()).then_some(now + delay);
        let certificate = self.certificate_mut(app, hostname)?;
        certificate.validation = validation;
        certificate.errors = errors;
        certificate.rate_limited_until = limited;
        if issue_at.is_some() {
            certificate.issue_at = issue_at;
        }
        let next = certificate.issue_at.or_else(|| wants.then_some(now + AGAIN));
        if let Some(at) = next {
            self.timers.at(at, Timer::Certificate { app: app.to_owned(), hostname: hostname.to_owned() });
        }
        Ok(())
    }

    /// Time for a hostname: the certificate is issued, or its DNS is looked at again.
    pub(super) fn certificate_due(&mut self, app: &str, hostname: &str) {
        let now = self.now;
        let Ok(certificate) = self.certificate_mut(app, hostname) else { return };
        if certificate.issue_at.is_none_or(|at| at > now) {
            if certificate.issue_at.is_none() && self.validate(app, hostname).is_err() {
                tracing::debug!(hostname, "the hostname is gone");
            }
            return;
        }
        certificate.issue_at = None;
        certificate.issued = Some(Issued { created_at: now, expires_at: now + GOOD });
        certificate.updated_at = now;
        self.effect("certificate.issued", app, hostname, Value::Null);
        let renewal = Timer::Certificate { app: app.to_owned(), hostname: hostname.to_owned() };
        self.timers.at(now + GOOD - EARLY, renewal);
    }

    /// A hostname, to be changed.
    pub fn certificate_mut(&mut self, app: &str, hostname: &str) -> ApiResult<&mut Certificate> {
        self.app_mut(app)?.certificates.get_mut(hostname).ok_or_else(no_certificate)
    }

    fn rate_limited(&self, hostname: &str) -> Option<Millis> {
        self.faults.environments.find(|environment| match environment {
            Environment::CertificateRateLimit { hostname: of, ms } if of == hostname => Some(self.now + ms),
            _ => None,
        })
    }

    fn look(&self, app: &App, certificate: &Certificate, records: &Records) -> Validation {
        let proofs = proofs(app, certificate);
        let wildcard = certificate.hostname.starts_with("*.");
        let texts = self.dns.resolve(&proofs.ownership).txt;
        let mut texts = texts.iter().flat_map(|text| text.split(';')).map(str::trim);
        let points = self.dns.resolve(&proofs.challenge.0).cname;
        let direct = by_name(app, records) || any_of(app, &records.aaaa, AddressKind::V6);
        let served = app.is_public() && serves_tls(app);
        Validation {
            dns_configured: points.iter().any(|target| same_name(target, &proofs.challenge.1)),
            alpn_configured: direct && !wildcard && served,
            http_configured: direct && !wildcard && served,
            ownership_txt_configured: texts.any(|text| text == proofs.app_value || text == proofs.org_value),
        }
    }

    fn problems(
        &self,
        app: &App,
        certificate: &Certificate,
        records: &Records,
        validation: Validation,
        limited: Option<Millis>,
    ) -> Vec<ValidationError> {
        let mut codes = Vec::new();
        if !app.is_public() {
            codes.push("NO_ALLOCATED_IPS");
        } else if !serves_tls(app) {
            codes.push("TLS_HANDLER_MISSING");
        }
        if !validation.proven() {
            codes.push(dns_problem(app, certificate, records));
        }
        if !records.caa.is_empty() && !records.caa.iter().any(|caa| caa.contains("letsencrypt.org")) {
            codes.push("CAA_RECORD_INVALID");
        }
        if limited.is_some() {
            codes.push("RATE_LIMITED");
        }
        let timestamp = rfc3339(self.now);
        codes.into_iter().map(|code| problem(code, &timestamp)).collect()
    }
}

fn dns_problem(app: &App, certificate: &Certificate, records: &Records) -> &'static str {
    let four = any_of(app, &records.a, AddressKind::V4) || any_of(app, &records.a, AddressKind::SharedV4);
    let none = records.a.is_empty() && records.aaaa.is_empty() && records.cname.is_empty();
    match () {
        () if certificate.hostname.starts_with("*.") || none => "DNS_NOT_CONFIGURED",
        () if four && !app.addresses.iter().any(|address| address.kind == AddressKind::V6) => {
            "IPV6_NOT_ALLOCATED"
        }
        () if four => "HTTP_IPV6_REQUIRED",
        () => "DNS_RECORD_MISMATCH",
    }
}

fn problem(code: &str, timestamp: &str) -> ValidationError {
    let (message, remediation) = match code {
        "NO_ALLOCATED_IPS" => ("The app has no public IP addresses", "Allocate an IPv6 and an IPv4 address"),
        "TLS_HANDLER_MISSING" => {
            ("No service has a TLS handler on port 443", "Add the tls handler to port 443")
        }
        "DNS_NOT_CONFIGURED" => ("No DNS records were found", "Add the DNS records that are required"),
        "DNS_RECORD_MISMATCH" => ("DNS records point elsewhere", "Point the records to the app"),
        "IPV6_NOT_ALLOCATED" => ("The app has no IPv6 address", "Allocate an IPv6 address"),
        "HTTP_IPV6_REQUIRED" => {
            ("The hostname has no AAAA record", "Add an AAAA record with the app's IPv6 address")
        }
        "CAA_RECORD_INVALID" => {
            ("A CAA record forbids Let's Encrypt", "Allow letsencrypt.org in the CAA record")
        }
        _ => ("Let's Encrypt has limited this hostname", "Wait until the limit ends"),
    };
    ValidationError {
        code: code.to_owned(),
        message: message.to_owned(),
        remediation: remediation.to_owned(),
        timestamp: timestamp.to_owned(),
    }
}

fn by_name(app: &App, records: &Records) -> bool {
    let own = format!("{}.fly.dev", app.name);
    records.cname.iter().any(|target| same_name(target, &own))
}

fn any_of(app: &App, ips: &[String], kind: AddressKind) -> bool {
    ips.iter().any(|ip| app.addresses.iter().any(|address| address.kind == kind && address.ip == *ip))
}

fn serves_tls(app: &App) -> bool {
    let mut ports = app.living().flat_map(|m| &m.config.parts().services).flat_map(|service| &service.ports);
    ports.any(|port| port.covers(443) && port.handlers.iter().any(|handler| handler == "tls"))
}

fn same_name(a: &str, b: &str) -> bool {
    a.trim_end_matches('.').eq_ignore_ascii_case(b.trim_end_matches('.'))
}

fn check_hostname(hostname: &str) -> ApiResult<()> {
    let bare = hostname.strip_prefix("*.").unwrap_or(hostname);
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let label = |label: &str| !label.is_empty() && label.len() <= 63 && label.chars().all(letters);
    if bare.len() <= 253 && bare.contains('.') && bare.split('.').all(label) {
        return Ok(());
    }
    Err(ApiError::unprocessable("Validation failed: Hostname is invalid"))
}

/// The answer about a hostname that the app doesn't have.
pub fn no_certificate() -> ApiError {
    ApiError::not_found("certificate not found")
}
