//! A hostname as Fly has it, in the terms that decisions need. Pure.

use fly_machines::types as fly;
use jiff::{SignedDuration, Timestamp};

/// The longest life of certificates that Fly's authority issues.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A hostname at Fly, as it was last answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeFact {
    /// The app that was asked.
    pub app: String,
    /// When.
    pub at: Timestamp,
    /// How often in a row it was asked without being done.
    pub count: u32,
    /// The hostname there; none if the app doesn't have it.
    pub hostname: Option<Hosted>,
}

/// A hostname that an app has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosted {
    /// Whether Fly is asked to issue a certificate.
    pub asked: Asking,
    /// Until when Fly's own certificate is good, if one is in service.
    pub fly_until: Option<Timestamp>,
    /// By when Fly should have renewed it: a third of its life is left, of one that lives no longer than those of today.
    pub fly_renewal: Option<Timestamp>,
    /// The certificate that was imported.
    pub custom: Option<Imported>,
    /// Whether visitors come here, as Fly found: the requests of an authority would. Of a wildcard it finds nothing.
    pub leads_here: Leads,
    /// Until when Fly's authority takes no order.
    pub limited_until: Option<Timestamp>,
    /// What Fly says is wrong, each with its remedy.
    pub problems: Vec<Problem>,
    /// The CNAME by which Fly proves a name without visitors: its name and target.
    pub challenge: Option<(String, String)>,
    /// The text by which Fly is shown that the name may be served by this app: its name and value.
    pub ownership: Option<(String, String)>,
    /// Whether that text is there.
    pub owned: Leads,
}

/// Whether Fly is asked to issue a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asking {
    /// It isn't.
    #[default]
    No,
    /// It is.
    Yes,
}

/// What Fly found of a hostname's records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leads {
    /// They aren't so.
    #[default]
    No,
    /// They are.
    Yes,
}

/// A certificate that was imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Until when it is good.
    pub until: Option<Timestamp>,
    /// Whether Fly serves by it.
    pub standing: ImportStanding,
}

/// Whether Fly serves by an imported certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportStanding {
    /// It does.
    Active,
    /// It has to be shown first that the name leads here.
    Unproved,
}

/// What Fly says is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its code; may be empty.
    pub code: String,
    /// The cause.
    pub message: String,
    /// The remedy.
    pub remedy: String,
}

impl Hosted {
    /// As Fly answered.
    pub fn of(detail: &fly::CertificateDetail, now: Timestamp) -> Self {
        let requirements = &detail.dns_requirements;
        // `configured` says no more than that there is, or could be, a certificate.
        let leads_here = detail.validation.alpn_configured || detail.validation.http_configured;
        let until = fly_until(detail, now);
        let yes = |holds: bool| if holds { Leads::Yes } else { Leads::No };
        Self {
            asked: if detail.acme_requested { Asking::Yes } else { Asking::No },
            fly_until: until,
            fly_renewal: until.map(|until| fly_renewal(detail, until)),
            custom: custom(detail),
            leads_here: yes(leads_here),
            limited_until: detail.rate_limited_until.filter(|until| *until > now),
            problems: detail.validation_errors.iter().map(problem).collect(),
            challenge: requirements
                .acme_challenge
                .as_ref()
                .filter(|it| !it.name.is_empty() && !it.target.is_empty())
                .map(|it| (lower(&it.name), lower(&it.target))),
            ownership: requirements
                .ownership
                .as_ref()
                .filter(|it| !it.name.is_empty() && !it.app_value.is_empty())
                .map(|it| (lower(&it.name), it.app_value.clone())),
            owned: yes(detail.validation.ownership_txt_configured),
        }
    }

    /// Until when the imported certificate that Fly serves by is good.
    pub fn imported_until(&self) -> Option<Timestamp> {
        self.custom.filter(|custom| custom.standing == ImportStanding::Active)?.until
    }
}

fn fly_until(detail: &fly::CertificateDetail, now: Timestamp) -> Option<Timestamp> {
    let own = |entry: &&fly::CertificateEntry| {
        entry.source == fly::CertificateSource::Fly && entry.status == fly::CertificateStatus::Active
    };
    let until = |entry: &fly::CertificateEntry| {
        entry.issued.iter().filter_map(|it| it.expires_at).max().or(entry.expires_at)
    };
    detail.certificates.iter().filter(own).filter_map(until).max().filter(|until| *until > now)
}

/// An entry may have been made long before the certificate that it now stands for.
fn fly_renewal(detail: &fly::CertificateDetail, until: Timestamp) -> Timestamp {
    let made = detail.entry(&fly::CertificateSource::Fly).and_then(|entry| entry.created_at);
    let life = made
        .map_or(LONGEST_LIFE, |made| made.duration_until(until).clamp(SignedDuration::ZERO, LONGEST_LIFE));
    until.saturating_sub(life / 3).unwrap_or(until)
}

fn custom(detail: &fly::CertificateDetail) -> Option<Imported> {
    let entry = detail.certificates.iter().find(|entry| entry.source == fly::CertificateSource::Custom)?;
    let active = entry.status == fly::CertificateStatus::Active;
    let standing = if active { ImportStanding::Active } else { ImportStanding::Unproved };
    Some(Imported { until: entry.expires_at, standing })
}

fn problem(error: &fly::CertificateValidationError) -> Problem {
    let line = |text: &str| crate::domains::error::quoted(text);
    Problem { code: line(&error.code), message: line(&error.message), remedy: line(&error.remediation) }
}

fn lower(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hosted(detail: serde_json::Value) -> Hosted {
        let now: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        Hosted::of(&serde_json::from_value(detail).unwrap(), now)
    }

    #[test]
    fn configured_is_not_issued_and_what_has_expired_is_not_in_service() {
        let configured = hosted(json!({"configured": true, "acme_requested": true, "status": "active"}));
        assert_eq!((configured.fly_until, configured.leads_here), (None, Leads::No));
        let entry =
            |end: &str| json!({"certificates": [{"source": "fly", "status": "active", "expires_at": end}]});
        assert_eq!(hosted(entry("2026-10-31T00:00:00Z")).fly_until, None);
        assert!(hosted(entry("2027-01-01T00:00:00Z")).fly_until.is_some());
    }

    #[test]
    fn fly_should_have_renewed_with_a_third_of_the_life_left() {
        let of = |made: &str| {
            let entry = json!({"source": "fly", "status": "active", "created_at": made, "expires_at": "2027-01-30T00:00:00Z"});
            hosted(json!({"certificates": [entry]})).fly_renewal.unwrap().to_string()
        };
        assert_eq!(of("2026-11-01T00:00:00Z"), "2026-12-31T00:00:00Z");
        assert_eq!(of("2027-01-24T00:00:00Z"), "2027-01-28T00:00:00Z");
        assert_eq!(of("2024-01-01T00:00:00Z"), "2026-12-31T00:00:00Z", "it was renewed since");
        assert_eq!(hosted(json!({"certificates": []})).fly_renewal, None);
    }

    #[test]
    fn an_imported_one_serves_once_the_name_is_shown_to_lead_here() {
        let of = |status: &str| {
            hosted(json!({"certificates": [
                {"source": "custom", "status": status, "expires_at": "2027-01-01T00:00:00Z", "issued": []}
            ]}))
        };
        assert!(of("active").imported_until().is_some());
        let waits = of("pending_ownership");
        assert_eq!(waits.imported_until(), None);
        assert_eq!(waits.custom.unwrap().standing, ImportStanding::Unproved);
        assert_eq!(waits.fly_until, None);
    }

    #[test]
    fn visitors_come_here_if_an_authority_s_requests_do_and_not_because_there_is_a_certificate() {
        let of = |validation: &str| {
            hosted(json!({"configured": true, "validation": {validation: true}, "certificates": [
                {"source": "custom", "status": "active", "expires_at": "2027-01-01T00:00:00Z", "issued": []}
            ]}))
            .leads_here
        };
        assert_eq!([of("alpn_configured"), of("http_configured")], [Leads::Yes; 2]);
        assert_eq!([of("ownership_txt_configured"), of("dns_configured")], [Leads::No; 2]);
    }

    #[test]
    fn what_fly_says_is_wrong_is_told_on_one_line_and_in_bounds() {
        let long = format!("dns\n{}", "x".repeat(10_000));
        let told =
            hosted(json!({"validation_errors": [{"code": long, "message": long, "remediation": long}]}));
        let Problem { code, message, remedy } = &told.problems[0];
        for part in [code, message, remedy] {
            assert!(part.starts_with("dns x") && part.len() < 1000, "{} bytes: {part:.20}", part.len());
        }
    }

    #[test]
    fn of_the_ownership_values_only_the_apps_own_is_kept() {
        let told = hosted(json!({"dns_requirements": {
            "acme_challenge": {"name": "_acme-challenge.a.example.com", "target": "a.example.com.x.flydns.net."},
            "ownership": {"name": "_fly-ownership.a.example.com", "app_value": "app-1", "org_value": "org-secret"},
        }}));
        assert_eq!(told.challenge.as_ref().unwrap().1, "a.example.com.x.flydns.net");
        assert_eq!(told.ownership.as_ref().unwrap().1, "app-1");
        assert!(!format!("{told:?}").contains("org-secret"));
    }
}
