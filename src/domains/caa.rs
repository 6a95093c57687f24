//! Who may issue certificates for a name, by its CAA records (RFC 8659, with the parameters of RFC 8657). Pure.

use super::error::quoted;

/// Properties that authorities understand; any other that is marked critical forbids every certificate.
const UNDERSTOOD: [&str; 4] = ["issue", "issuewild", "iodef", "issuemail"];

/// One CAA record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caa {
    /// Whether nobody may issue who doesn't understand it.
    pub is_critical: bool,
    /// The property's name, in lower case.
    pub tag: String,
    /// Its value.
    pub value: String,
}

/// The CAA records that count for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaaSet {
    /// Where they stand: the name itself or one above it.
    pub name: String,
    /// The records.
    pub records: Vec<Caa>,
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covers {
    /// The name.
    Name,
    /// Every name one label below.
    Wildcard,
}

/// How a name is proved to the authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By a file at port 80.
    Http01,
    /// By a text in DNS.
    Dns01,
}

/// A certificate that is to be ordered.
#[derive(Clone, Copy, Debug)]
pub struct Issuance<'i> {
    /// Names by which the authority goes in CAA records, such as `letsencrypt.org`.
    pub identities: &'i [String],
    /// The URL of our account there, if there is one yet.
    pub account: Option<&'i str>,
    /// How the name is proved.
    pub method: Method,
    /// What it is for.
    pub covers: Covers,
}

/// Why an authority may not issue: cause and remedy, for the one who keeps the records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaaError {
    /// Other authorities may.
    #[error(
        "The CAA records of {} don't let {issuer} issue certificates. Add the record `{} CAA 0 {tag} \"{issuer}\"`.",
        quoted(name),
        quoted(name)
    )]
    Issuer {
        /// Where they stand.
        name: String,
        /// The authority.
        issuer: String,
        /// The property to add.
        tag: &'static str,
    },
    /// Other accounts may.
    #[error(
        "The CAA record `{tag}` of {} lets {issuer} issue certificates, but for another account than {}. Correct its `accounturi`, or remove it.",
        quoted(name),
        account.as_deref().unwrap_or("ours, which is still to be made")
    )]
    Account {
        /// Where it stands.
        name: String,
        /// The authority.
        issuer: String,
        /// The property.
        tag: &'static str,
        /// Our account.
        account: Option<String>,
    },
    /// Other proofs may be used.
    #[error(
        "The CAA record `{tag}` of {} lets {issuer} issue certificates, but not by the proof {}. Add that to its `validationmethods`, or remove them.",
        quoted(name),
        method.name()
    )]
    Method {
        /// Where it stands.
        name: String,
        /// The authority.
        issuer: String,
        /// The property.
        tag: &'static str,
        /// The proof.
        method: Method,
    },
    /// Something critical that nobody understands.
    #[error(
        "A CAA record of {} has the property `{}`, which is marked critical and which certificate authorities don't understand, so none may issue. Remove it, or its mark.",
        quoted(name),
        quoted(tag)
    )]
    Critical {
        /// Where it stands.
        name: String,
        /// The property.
        tag: String,
    },
}

/// How far one record lets an issuance go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Admits {
    /// It speaks of another authority, or of none.
    NotTheIssuer,
    /// It speaks of another account.
    NotTheAccount,
    /// It speaks of other proofs.
    NotTheMethod,
    /// It lets the authority issue.
    All,
}

impl Method {
    /// As ACME names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::Dns01 => "dns-01",
        }
    }
}

impl CaaSet {
    /// Whether the authority may issue. Where no records are, any may.
    ///
    /// # Errors
    /// Why it may not.
    pub fn admit(&self, wanted: &Issuance<'_>) -> Result<(), CaaError> {
        let is_strange = |caa: &&Caa| caa.is_critical && !UNDERSTOOD.contains(&caa.tag.as_str());
        if let Some(strange) = self.records.iter().find(is_strange) {
            return Err(CaaError::Critical { name: self.name.clone(), tag: strange.tag.clone() });
        }
        let tag = self.tag(wanted.covers);
        let admits = self.records.iter().filter(|caa| caa.tag == tag).map(|caa| admits(&caa.value, wanted));
        admits.max().map_or(Ok(()), |most| self.judge(most, tag, wanted))
    }

    /// The property that counts. For wildcards another one, if it is there.
    fn tag(&self, covers: Covers) -> &'static str {
        let is_wild = |caa: &Caa| caa.tag == "issuewild";
        if covers == Covers::Wildcard && self.records.iter().any(is_wild) { "issuewild" } else { "issue" }
    }

    fn judge(&self, most: Admits, tag: &'static str, wanted: &Issuance<'_>) -> Result<(), CaaError> {
        let name = self.name.clone();
        let issuer = wanted.identities.first().cloned().unwrap_or_default();
        match most {
            Admits::All => Ok(()),
            Admits::NotTheIssuer => Err(CaaError::Issuer { name, issuer, tag }),
            Admits::NotTheAccount => {
                Err(CaaError::Account { name, issuer, tag, account: wanted.account.map(str::to_owned) })
            }
            Admits::NotTheMethod => Err(CaaError::Method { name, issuer, tag, method: wanted.method }),
        }
    }
}

fn admits(value: &str, wanted: &Issuance<'_>) -> Admits {
    let Some((issuer, parameters)) = parse(value) else { return Admits::NotTheIssuer };
    if !wanted.identities.iter().any(|identity| identity.eq_ignore_ascii_case(issuer)) {
        return Admits::NotTheIssuer;
    }
    // Each may be there once; twice, it can't be fulfilled (RFC 8657).
    match named(&parameters, "accounturi")[..] {
        [] => {}
        [account] if wanted.account == Some(account) => {}
        _ => return Admits::NotTheAccount,
    }
    match named(&parameters, "validationmethods")[..] {
        [] => Admits::All,
        [methods] if methods.split(',').any(|method| method == wanted.method.name()) => Admits::All,
        _ => Admits::NotTheMethod,
    }
}

/// The values of the parameters of this name.
fn named<'v>(parameters: &[(&str, &'v str)], name: &str) -> Vec<&'v str> {
    let own = parameters.iter().filter(|(tag, _)| tag.eq_ignore_ascii_case(name));
    own.map(|(_, value)| *value).collect()
}

/// The issuer, empty for none, and its parameters; `None` if it isn't written as RFC 8659 says, which means nobody.
fn parse(value: &str) -> Option<(&str, Vec<(&str, &str)>)> {
    let (issuer, rest) = value.split_once(';').unwrap_or((value, ""));
    let issuer = trimmed(issuer);
    if !issuer.is_empty() && !issuer.split('.').all(is_word) {
        return None;
    }
    let rest = trimmed(rest);
    if rest.is_empty() {
        return Some((issuer, Vec::new()));
    }
    let parameters: Option<Vec<_>> = rest.split(';').map(parameter).collect();
    Some((issuer, parameters?))
}

fn parameter(text: &str) -> Option<(&str, &str)> {
    let (tag, value) = text.split_once('=')?;
    let (tag, value) = (trimmed(tag), trimmed(value));
    let is_whole = is_word(tag) && value.bytes().all(|b| b.is_ascii_graphic());
    is_whole.then_some((tag, value))
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
#[path = "caa_tests.rs"]
mod tests;
