//! Customers' own hostnames that lead to a Runtime's app, as their claims have it. Pure.

use crate::api::NameClaim;
use crate::engine::hash::short_hash;
use kube::ResourceExt;

/// Characters of the mark.
const LENGTH: usize = 12;

/// One hostname that leads to the app.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The hostname.
    pub host: String,
    /// Name of its claim.
    pub key: String,
    /// Whether visitors come by it.
    pub service: Service,
}

/// Whether visitors come by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// It is being set up, or taken down.
    Pending,
    /// They do: it has a certificate.
    Serving,
}

impl Name {
    /// What the claim of a hostname says.
    pub fn of(claim: &NameClaim) -> Option<Self> {
        let record = claim.spec.domain.as_ref()?;
        let service = record.service_time.map_or(Service::Pending, |_| Service::Serving);
        Some(Self { host: claim.spec.name.clone(), key: claim.name_any(), service })
    }
}

/// Origins that browsers send under the names in service. A gateway knows exact ones only, so a wildcard has none.
pub fn origins(names: &[Name]) -> Vec<String> {
    let serving = names.iter().filter(|name| name.service == Service::Serving);
    let mut origins: Vec<String> = serving
        .filter(|name| !name.host.starts_with("*."))
        .map(|name| format!("https://{}", name.host))
        .collect();
    origins.sort_unstable();
    origins
}

/// The mark of those origins on a Machine; none for none, so that nothing is restarted for a feature that nobody uses.
pub fn mark(names: &[Name]) -> Option<String> {
    let origins = origins(names);
    let parts: Vec<&str> = origins.iter().map(String::as_str).collect();
    (!parts.is_empty()).then(|| short_hash(&parts, LENGTH))
}
