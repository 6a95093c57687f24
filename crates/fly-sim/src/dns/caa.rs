//! What CAA records (RFC 8659) say of Let's Encrypt, by which Fly has certificates issued.

/// The authority that Fly asks.
const AUTHORITY: &str = "letsencrypt.org";
/// The account that Fly asks it with. The live one isn't documented.
pub const ACCOUNT: &str = "https://acme-v02.api.letsencrypt.org/acme/acct/1";

/// The flag of a property that must be understood.
const CRITICAL: u8 = 128;

/// What the records say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Fly may have one issued.
    Given,
    /// The authority may not issue.
    Refused,
    /// The authority may, but not for Fly's account.
    OtherAccount,
}

/// Reads the records that count for a hostname, each as `flags tag "value"`.
pub fn leave(records: &[String], wildcard: bool) -> Leave {
    let properties: Vec<Property<'_>> = records.iter().filter_map(|record| Property::read(record)).collect();
    let of =
        |tag: &'static str| properties.iter().filter(move |property| property.tag.eq_ignore_ascii_case(tag));
    let tag = if wildcard && of("issuewild").next().is_some() { "issuewild" } else { "issue" };
    if properties.iter().any(Property::is_unknown_and_critical) {
        return Leave::Refused;
    }
    let ours: Vec<&Property<'_>> = of(tag).filter(|property| property.names(AUTHORITY)).collect();
    match () {
        () if of(tag).next().is_none() || ours.iter().any(|property| property.allows(ACCOUNT)) => {
            Leave::Given
        }
        () if ours.is_empty() => Leave::Refused,
        () => Leave::OtherAccount,
    }
}

struct Property<'a> {
    flags: u8,
    tag: &'a str,
    value: &'a str,
}

impl<'a> Property<'a> {
    fn read(record: &'a str) -> Option<Self> {
        let (flags, rest) = record.trim().split_once(' ')?;
        let (tag, value) = rest.trim_start().split_once(' ')?;
        Some(Self { flags: flags.parse().ok()?, tag, value: value.trim().trim_matches('"') })
    }

    fn is_unknown_and_critical(&self) -> bool {
        let known = ["issue", "issuewild", "iodef", "issuemail", "contactemail", "contactphone"];
        self.flags & CRITICAL != 0 && !known.iter().any(|tag| self.tag.eq_ignore_ascii_case(tag))
    }

    fn names(&self, authority: &str) -> bool {
        let named = self.value.split(';').next().unwrap_or_default();
        named.trim().eq_ignore_ascii_case(authority)
    }

    /// A property without an account is for all.
    fn allows(&self, account: &str) -> bool {
        let mut named =
            self.value.split(';').skip(1).filter_map(|part| part.trim().strip_prefix("accounturi="));
        named.all(|uri| uri.trim() == account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(records: &[&str], wildcard: bool) -> Leave {
        leave(&records.iter().map(ToString::to_string).collect::<Vec<_>>(), wildcard)
    }

    #[test]
    fn without_a_word_on_issuing_all_may() {
        assert_eq!(said(&[], false), Leave::Given);
        assert_eq!(said(&["0 iodef \"mailto:a@example.com\""], false), Leave::Given);
        assert_eq!(said(&["0 issuewild \";\""], false), Leave::Given);
    }

    #[test]
    fn others_and_none_are_refusals() {
        assert_eq!(said(&["0 issue \"other.example\""], false), Leave::Refused);
        assert_eq!(said(&["0 issue \";\""], false), Leave::Refused);
        assert_eq!(said(&["128 tbs \"x\"", "0 issue \"letsencrypt.org\""], false), Leave::Refused);
        assert_eq!(said(&["0 issue \"other.example\"", "0 issue \"letsencrypt.org\""], false), Leave::Given);
    }

    #[test]
    fn a_wildcard_has_a_property_of_its_own() {
        let records = ["0 issue \"letsencrypt.org\"", "0 issuewild \"other.example\""];
        assert_eq!((said(&records, false), said(&records, true)), (Leave::Given, Leave::Refused));
        assert_eq!(said(&["0 issue \"letsencrypt.org\""], true), Leave::Given);
    }

    #[test]
    fn an_account_must_be_flys() {
        let own = format!("0 issue \"letsencrypt.org; accounturi={ACCOUNT}\"");
        assert_eq!(said(&[&own], false), Leave::Given);
        let other = "0 issue \"letsencrypt.org; accounturi=https://acme.example/acct/7\"";
        assert_eq!(said(&[other], false), Leave::OtherAccount);
    }
}
