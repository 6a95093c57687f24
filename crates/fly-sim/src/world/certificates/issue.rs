//! Issuing, renewing, and what Let's Encrypt lets Fly do.

use serde_json::json;

use crate::clock::Millis;
use crate::error::ApiResult;
use crate::faults::Environment;
use crate::model::certificate::Issued;
use crate::world::state::State;

/// Let's Encrypt issues so many certificates for the same name…
const DUPLICATES: usize = 5;
/// …within this time. Renewals don't count.
const WEEK: Millis = 7 * 24 * 3_600_000;

impl State {
    /// Begins to issue if that is wanted and nothing stands against it, and plans when to come back.
    pub(super) fn plan(&mut self, app: &str, hostname: &str) -> ApiResult<()> {
        let now = self.now;
        let again = now + self.settings.certificate_recheck_ms;
        let duration = self.time_to_issue(hostname);
        let certificate = self.certificate_mut(app, hostname)?;
        let due = certificate.issued.is_none_or(|issued| issued.renewal() <= now);
        let wants = certificate.acme_requested && due;
        if wants && certificate.errors.is_empty() && certificate.issue_at.is_none() {
            certificate.issue_at = duration.map(|duration| now + duration);
        }
        let unproven = certificate.custom.is_some() && certificate.proven_at.is_none();
        let renewal = certificate.issued.filter(|_| certificate.acme_requested).map(Issued::renewal);
        let next = match certificate.issue_at {
            Some(at) => Some(at.max(now)),
            None if wants || unproven => Some(again),
            None => renewal,
        };
        certificate.due = None;
        if let Some(at) = next {
            self.arm(app, hostname, at);
        }
        Ok(())
    }

    /// The certificate authority has issued, unless a state of the world says that it never does.
    pub(super) fn issue(&mut self, app: &str, hostname: &str) {
        let (now, lifetime) = (self.now, self.settings.certificate_lifetime_ms);
        if self.time_to_issue(hostname).is_none() {
            self.arm(app, hostname, now + self.settings.certificate_recheck_ms);
            return;
        }
        let Ok(certificate) = self.certificate_mut(app, hostname) else { return };
        let issued = Issued::at(now, lifetime);
        let first = certificate.issued.replace(issued).is_none();
        certificate.issue_at = None;
        certificate.updated_at = now;
        if first {
            self.issues.entry(hostname.to_owned()).or_default().push(now);
        }
        let detail = json!({ "expiresAt": issued.expires_at, "renewal": !first });
        self.effect("certificate.issued", app, hostname, detail);
        self.arm(app, hostname, issued.renewal().max(now + 1));
    }

    /// How long issuing takes from now; nothing if it never ends.
    fn time_to_issue(&mut self, hostname: &str) -> Option<Millis> {
        let usual = self.settings.delays.issue.draw(&mut self.ids);
        let on_purpose = self.faults.environments.find(|environment| match environment {
            Environment::CertificateIssue { hostname: of, ms } if of.is_empty() || of == hostname => {
                Some(*ms)
            }
            _ => None,
        });
        on_purpose.unwrap_or(Some(usual))
    }

    /// Until when Let's Encrypt issues nothing for a hostname.
    pub(super) fn rate_limited(&mut self, app: &str, hostname: &str) -> Option<Millis> {
        let now = self.now;
        let certificate = self.certificate_mut(app, hostname).ok()?;
        let (standing, has_one) = (certificate.rate_limited_until, certificate.issued.is_some());
        let on_purpose = self.faults.environments.find(|environment| match environment {
            Environment::CertificateRateLimit { hostname: of, ms } if of.is_empty() || of == hostname => {
                Some(now + ms)
            }
            _ => None,
        });
        // A limit that stands isn't moved by being asked about.
        let on_purpose = on_purpose.map(|until| standing.filter(|standing| *standing > now).unwrap_or(until));
        on_purpose.or_else(|| self.too_many(hostname).filter(|_| !has_one))
    }

    /// When the next certificate for the same name may be issued, if too many were.
    fn too_many(&mut self, hostname: &str) -> Option<Millis> {
        let since = self.now - WEEK;
        let issues = self.issues.get_mut(hostname)?;
        issues.retain(|at| *at > since);
        let oldest = issues.len().checked_sub(DUPLICATES).and_then(|over| issues.get(over))?;
        Some(oldest + WEEK)
    }
}
