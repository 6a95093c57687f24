//! What a tenant has to set in DNS to show that a hostname is its own: names and values that follow from a key of ours,
//! the tenant's id and the hostname, so that nobody else's records show it. Pure.

use std::fmt;

use ring::hmac;

use crate::api::domain_record::{DomainRecord, OwnershipMethod};
use crate::control::runtime::token::hexadecimal;
use crate::domains::dns::Seen;
use crate::domains::name::Hostname;

/// Length of the key in bytes.
pub const KEY_LENGTH: usize = 32;
/// First label of the name of the text that shows whose a name is.
const CHALLENGE: &str = "_moorage-challenge";
/// First label of the name under which certificate authorities look for texts.
const ACME_CHALLENGE: &str = "_acme-challenge";
/// What that text begins with.
const TEXT: &str = "moorage-domain-verification=";
/// Label of the platform's zone below which every hostname has a name of its own.
const BELOW: &str = "dom";

/// The key that names and values are made from.
#[derive(Clone)]
pub struct Key(hmac::Key);

impl Key {
    /// The key with these bytes; `None` if they aren't one.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == KEY_LENGTH).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    fn derive(&self, purpose: &str, tenant: &str, host: &str, length: usize) -> String {
        let told = [purpose, tenant, host].join("\0");
        let mut text = hexadecimal(hmac::sign(&self.0, told.as_bytes()).as_ref());
        text.truncate(length);
        text
    }

    /// What this tenant has to set for this hostname.
    pub fn proofs(&self, tenant: &str, host: &Hostname) -> Proofs {
        Proofs {
            label: self.derive("label", tenant, host.as_str(), 12),
            shared: self.derive("label", tenant, host.bare(), 12),
            text: format!("{TEXT}{}", self.derive("text", tenant, host.as_str(), 32)),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([REDACTED])")
    }
}

/// What one tenant has to set for one hostname.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proofs {
    /// First label of the name in the platform's zone that the hostname may lead to.
    pub label: String,
    /// The same for a wildcard and the name that it is below of: an authority looks for texts about both under one name.
    pub shared: String,
    /// The text.
    pub text: String,
}

/// The name of the text that shows whose a hostname is.
pub fn text_name(host: &Hostname) -> String {
    format!("{CHALLENGE}.{}", host.bare())
}

/// The name under which certificate authorities look for texts about a hostname.
pub fn acme_name(host: &Hostname) -> String {
    format!("{ACME_CHALLENGE}.{}", host.bare())
}

/// The name in the platform's zone that a hostname leads to.
pub fn target(label: &str, base: &str) -> String {
    format!("{label}.{BELOW}.{base}")
}

/// The name in the platform's zone under which texts for certificate authorities are set.
pub fn delegation(label: &str, base: &str) -> String {
    format!("{ACME_CHALLENGE}.{}", target(label, base))
}

impl Proofs {
    /// How what was seen shows that the name is this tenant's. A text shows more than a CNAME: nobody sets one in
    /// passing.
    pub fn shown(&self, seen: &Seen, base: Option<&str>) -> Option<OwnershipMethod> {
        if seen.texts.as_ref().is_ok_and(|texts| texts.contains(&self.text)) {
            return Some(OwnershipMethod::Txt);
        }
        let target = target(&self.label, base?);
        let leads = seen.target.as_ref().is_ok_and(|led| led.chain.contains(&target));
        leads.then_some(OwnershipMethod::Cname)
    }

    /// The same, also by the name that the hostname was given before a key was lost.
    pub fn shown_for(
        &self,
        record: &DomainRecord,
        seen: &Seen,
        base: Option<&str>,
    ) -> Option<OwnershipMethod> {
        let before = Self { label: record.label.clone(), ..self.clone() };
        self.shown(seen, base).or_else(|| before.shown(seen, base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::dns::Target;

    fn key(byte: u8) -> Key {
        Key::new(&[byte; KEY_LENGTH]).unwrap()
    }

    fn host(name: &str) -> Hostname {
        Hostname::parse(name).unwrap()
    }

    fn seen(chain: &[String], texts: &[&str]) -> Seen {
        let texts = texts.iter().map(|&text| text.to_owned()).collect();
        let target = Target { chain: chain.to_vec(), ..Target::default() };
        Seen { target: Ok(target), texts: Ok(texts), delegated: Ok(None), negative_ttl: None }
    }

    #[test]
    fn each_tenant_and_each_hostname_has_its_own_and_keeps_it() {
        let (one, same) = (key(1).proofs("tenant-a", &host("ai.example.com")), key(1));
        assert_eq!(one, same.proofs("tenant-a", &host("AI.example.com.")));
        assert_ne!(one, same.proofs("tenant-b", &host("ai.example.com")));
        assert_ne!(one, same.proofs("tenant-a", &host("*.example.com")));
        assert_eq!(one.shared, one.label);
        let wildcard = same.proofs("tenant-a", &host("*.ai.example.com"));
        assert_eq!(wildcard.shared, one.shared, "one CNAME has to do for both");
        assert_ne!(wildcard.label, one.label);
        assert_ne!(wildcard.shared, same.proofs("tenant-b", &host("*.ai.example.com")).shared);
        assert_ne!(one, key(2).proofs("tenant-a", &host("ai.example.com")));
        assert_eq!((one.label.len(), one.text.len()), (12, TEXT.len() + 32));
        assert!(one.label.chars().all(|c| c.is_ascii_hexdigit()));
        assert_eq!(text_name(&host("*.example.com")), "_moorage-challenge.example.com");
        assert!(!format!("{:?}", key(7)).contains('7'));
    }

    #[test]
    fn only_its_own_records_show_that_a_name_is_a_tenants() {
        let ours = key(1).proofs("tenant-a", &host("ai.example.com"));
        let theirs = key(1).proofs("tenant-b", &host("ai.example.com"));
        let (base, other) = (Some("moor.dev"), "foreign");
        let chain = [target(&ours.label, "moor.dev")];
        assert_eq!(ours.shown(&seen(&chain, &[]), base), Some(OwnershipMethod::Cname));
        assert_eq!(theirs.shown(&seen(&chain, &[&ours.text]), base), None);
        assert_eq!(
            ours.shown(&seen(&chain, &[]), None),
            None,
            "without a zone of ours no CNAME shows anything"
        );
        assert_eq!(ours.shown(&seen(&[], &[other, &ours.text]), None), Some(OwnershipMethod::Txt));
        assert_eq!(ours.shown(&seen(&chain, &[&ours.text]), base), Some(OwnershipMethod::Txt));
        let elsewhere = [target(&ours.label, "evil.dev")];
        assert_eq!(ours.shown(&seen(&elsewhere, &[]), base), None);
    }
}
