//! Hostnames that customers bring: what one may be, and how it is written in DNS.

mod error;
mod script;

use std::fmt;
use std::net::IpAddr;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

pub use error::NameError;
use error::shown;

/// Longest name that is taken, in octets, without a star. `_moorage-challenge.` has to fit before it into the 253
/// that DNS has room for; a claim's `host.` and `wild.` then do as well.
pub const LONGEST: usize = 253 - "_moorage-challenge.".len();
/// Longest label, in octets.
const LONGEST_LABEL: usize = 63;
/// Longest text that is looked at, in octets: a name of [`LONGEST`] as people may write it is far below.
const LONGEST_TEXT: usize = 2048;
/// What a wildcard begins with.
const STAR: &str = "*.";

/// A hostname in its one spelling: A-labels in lower case, without a final dot, perhaps `*.` in front. It lies below
/// a public suffix, and deceives nobody by the scripts that it is written in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hostname(String);

impl Hostname {
    /// Reads what a person wrote.
    ///
    /// # Errors
    /// Cause and remedy, for that person.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.len() > LONGEST_TEXT {
            return Err(NameError::TooLong(text.len()));
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        let (star, written) = match text.strip_prefix(STAR) {
            Some(bare) => (STAR, bare),
            None => ("", text),
        };
        let bare = ascii(written)?;
        check_labels(&bare)?;
        check_suffix(&bare)?;
        script::check(&unicode(&bare))?;
        Ok(Self(format!("{star}{bare}")))
    }

    /// As it stands in DNS, such as `www.example.com` or `*.example.com`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for every name one label below.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with(STAR)
    }

    /// Without the star.
    pub fn bare(&self) -> &str {
        self.0.strip_prefix(STAR).unwrap_or(&self.0)
    }

    /// The domain that somebody registered, one label below the public suffix.
    pub fn registered_domain(&self) -> &str {
        // `parse` lets nothing through that has none.
        psl::domain_str(self.bare()).unwrap_or(self.bare())
    }

    /// Whether it is, without a star, that domain itself.
    pub fn is_registered_domain(&self) -> bool {
        self.bare() == self.registered_domain()
    }

    /// The names above it, nearest first, down to and including the registered domain. None for that one itself.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        let least = self.registered_domain().len();
        parents(self.bare()).take_while(move |parent| parent.len() >= least)
    }

    /// Whether it is the zone's own name or one below it.
    pub fn is_within(&self, zone: &str) -> bool {
        is_within(self.bare(), zone)
    }

    /// As people read it, if that differs.
    pub fn unicode(&self) -> Option<String> {
        let shown = unicode(self.bare());
        let star = if self.is_wildcard() { STAR } else { "" };
        (shown != self.bare()).then(|| format!("{star}{shown}"))
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a name is the zone's own or below it. Both in lower case and without a final dot.
pub(crate) fn is_within(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The names above one, nearest first.
pub(crate) fn parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(name.split_once('.'), |(_, parent)| parent.split_once('.'))
        .map(|(_, parent)| parent)
}

/// Whether registries hand out names right below it: `com` and `co.uk`, but not `github.io`, whose owner has a zone
/// of that name.
pub(crate) fn is_registry(name: &str) -> bool {
    psl::suffix(name.as_bytes()).is_some_and(|suffix| {
        suffix.as_bytes().len() == name.len() && suffix.typ() != Some(psl::Type::Private)
    })
}

/// The A-labels of what was written.
fn ascii(written: &str) -> Result<String, NameError> {
    if written.is_empty() {
        return Err(NameError::Empty);
    }
    if written.contains(['*', '＊']) {
        return Err(NameError::Star);
    }
    if let Some(label) = written.split('.').find(|label| label.contains(['_', '＿'])) {
        return Err(NameError::Underscore(shown(label)));
    }
    // An address in brackets, or with a zone or a prefix, is meant as one as well.
    let address = written.trim_matches(['[', ']']).split(['%', '/']).next().unwrap_or_default();
    if address.parse::<IpAddr>().is_ok() {
        return Err(NameError::Address(shown(written)));
    }
    mapped(written).ok_or_else(|| {
        let culprit = written.split('.').find(|label| mapped(label).is_none());
        NameError::Malformed(shown(culprit.unwrap_or(written)))
    })
}

/// By UTS #46 with all its checks, save those of lengths.
fn mapped(written: &str) -> Option<String> {
    let uts46 = Uts46::new();
    let ascii =
        uts46.to_ascii(written.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Ignore).ok()?;
    Some(ascii.into_owned())
}

/// Its U-labels.
fn unicode(ascii: &str) -> String {
    let (unicode, _) = Uts46::new().to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
    unicode.into_owned()
}

fn check_labels(bare: &str) -> Result<(), NameError> {
    if bare.split('.').any(str::is_empty) {
        return Err(NameError::EmptyLabel);
    }
    if let Some(label) = bare.split('.').find(|label| label.len() > LONGEST_LABEL) {
        return Err(NameError::LabelTooLong(shown(label)));
    }
    if bare.len() > LONGEST {
        return Err(NameError::TooLong(bare.len()));
    }
    match bare.rsplit_once('.') {
        // Programs read a name that ends in a number as an address.
        Some((_, last)) if is_number(last) => Err(NameError::Address(shown(bare))),
        Some(_) => Ok(()),
        None => Err(NameError::SingleLabel(shown(bare))),
    }
}

fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").map(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    hexadecimal.unwrap_or_else(|| label.bytes().all(|b| b.is_ascii_digit()))
}

fn check_suffix(bare: &str) -> Result<(), NameError> {
    match psl::domain_str(bare) {
        Some(_) => Ok(()),
        None => Err(NameError::PublicSuffix(bare.to_owned())),
    }
}

#[cfg(test)]
#[path = "name_tests.rs"]
mod tests;
