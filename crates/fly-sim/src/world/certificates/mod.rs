//! Hostnames of apps: looking at their DNS, and what is next for each.

pub mod codes;
mod issue;
pub mod judge;
mod keep;

use super::Sim;
use super::state::State;
use super::timers::Timer;
use crate::clock::Millis;
use crate::dns::look::look;
use crate::dns::{Seen, bare, challenge_name, ownership_name};
use crate::error::{ApiError, ApiResult};
use crate::faults::Environment;
use crate::ids::sha256_hex;
use crate::model::app::App;
use crate::model::certificate::{Certificate, ValidationError};

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
    let (hostname, label) = (&certificate.hostname, &certificate.challenge);
    let short = |text: &str| sha256_hex(text.as_bytes())[..10].to_owned();
    Proofs {
        challenge: (challenge_name(hostname), format!("{}.{label}.flydns.net", bare(hostname))),
        ownership: ownership_name(hostname),
        app_value: format!("app-{}", short(&app.id)),
        org_value: format!("org-{}", short(&app.org)),
    }
}

impl Sim {
    /// Looks at a hostname's DNS, which a real server may take its time for.
    pub async fn see(&self, hostname: &str) -> Seen {
        let (server, fake) = {
            let state = self.enter();
            (state.settings.resolver, state.see(hostname))
        };
        let Some(server) = server else { return fake };
        let mut seen = look(server, hostname).await;
        self.enter().lead_on(&mut seen);
        seen
    }

    /// Looks at hostnames' DNS when their time has come, for ever.
    pub async fn keep_looking(&self) {
        loop {
            let asked = self.asked.notified();
            let due = std::mem::take(&mut self.enter().looks);
            if due.is_empty() {
                asked.await;
                continue;
            }
            let looks = futures::stream::iter(due);
            futures::StreamExt::for_each_concurrent(looks, LOOKS, |(app, hostname)| async move {
                let seen = self.see(&hostname).await;
                if self.enter().judge(&app, &hostname, &seen).is_err() {
                    tracing::debug!(hostname, "the hostname is gone");
                }
            })
            .await;
        }
    }
}

/// So many hostnames are looked at together.
const LOOKS: usize = 16;

impl State {
    /// A hostname, to be changed.
    pub fn certificate_mut(&mut self, app: &str, hostname: &str) -> ApiResult<&mut Certificate> {
        self.app_mut(app)?.certificates.get_mut(hostname).ok_or_else(no_certificate)
    }

    /// What the fake DNS says of a hostname.
    pub fn see(&self, hostname: &str) -> Seen {
        let mut seen = self.dns.look(hostname);
        self.lead_on(&mut seen);
        seen
    }

    /// Fly itself answers for the names of its apps.
    fn lead_on(&self, seen: &mut Seen) {
        let target = seen.cname.last().map(|target| target.trim_end_matches('.').to_ascii_lowercase());
        let name = target.as_deref().and_then(|target| target.strip_suffix(".fly.dev"));
        let Some(app) = name.and_then(|name| self.apps.get(name)) else { return };
        for address in app.addresses.iter().filter(|address| address.kind.is_public()) {
            let family = if address.ip.contains(':') { &mut seen.aaaa } else { &mut seen.a };
            family.push(address.ip.clone());
        }
    }

    /// Judges a hostname by what DNS says, and begins issuing when nothing stands against it.
    pub fn judge(&mut self, app: &str, hostname: &str, seen: &Seen) -> ApiResult<()> {
        let (now, limited) = (self.now, self.rate_limited(app, hostname));
        let holder = self.app(app)?;
        let certificate = holder.certificates.get(hostname).ok_or_else(no_certificate)?;
        let proxied = self.proxied.get(hostname).map(String::as_str);
        let verdict = judge::judge(holder, certificate, seen, proxied);
        let mut errors: Vec<ValidationError> = verdict.codes.iter().map(|code| code.found_at(now)).collect();
        if limited.is_some() && certificate.acme_requested {
            errors.push(codes::Code::RateLimited.found_at(now));
        }
        errors.extend(self.problems_on_purpose(hostname));
        let certificate = self.certificate_mut(app, hostname)?;
        certificate.validation = verdict.validation;
        certificate.rate_limited_until = limited;
        certificate.errors = errors;
        if verdict.owned && certificate.custom.is_some() {
            certificate.proven_at.get_or_insert(now);
        }
        self.plan(app, hostname)
    }

    /// Time for a hostname: its certificate is issued, or its DNS is looked at again.
    pub(super) fn certificate_due(&mut self, app: &str, hostname: &str) {
        let now = self.now;
        let Ok(certificate) = self.certificate_mut(app, hostname) else { return };
        if certificate.due.is_none_or(|due| due > now) {
            return;
        }
        certificate.due = None;
        if certificate.issue_at.is_some_and(|at| at <= now) {
            self.issue(app, hostname);
        } else if self.settings.resolver.is_some() {
            self.looks.insert((app.to_owned(), hostname.to_owned()));
        } else {
            let seen = self.see(hostname);
            if self.judge(app, hostname, &seen).is_err() {
                tracing::debug!(hostname, "the hostname is gone");
            }
        }
    }

    /// The one time at which something happens to a hostname by itself; an earlier plan is void.
    pub(super) fn arm(&mut self, app: &str, hostname: &str, at: Millis) {
        let Ok(certificate) = self.certificate_mut(app, hostname) else { return };
        certificate.due = Some(at);
        self.timers.at(at, Timer::Certificate { app: app.to_owned(), hostname: hostname.to_owned() });
    }

    fn problems_on_purpose(&self, hostname: &str) -> Option<ValidationError> {
        let timestamp = crate::clock::rfc3339(self.now);
        self.faults.environments.find(|environment| match environment {
            Environment::CertificateProblem { hostname: of, code, message, remediation }
                if of.is_empty() || of == hostname =>
            {
                let known =
                    codes::Code::ALL.into_iter().find(|known| Some(known.as_str()) == code.as_deref());
                let words = |own: &str, usual: fn(codes::Code) -> &'static str| {
                    if own.is_empty() { known.map_or("", usual).to_owned() } else { own.to_owned() }
                };
                Some(ValidationError {
                    code: code.clone(),
                    message: words(message, codes::Code::message),
                    remediation: words(remediation, codes::Code::remediation),
                    timestamp: timestamp.clone(),
                })
            }
            _ => None,
        })
    }
}

/// The answer about a hostname that the app doesn't have.
pub fn no_certificate() -> ApiError {
    ApiError::not_found("certificate not found")
}
