//! The fake DNS, which tests fill by hand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{LONGEST_CHAIN, Seen, bare, challenge_name, climb, ownership_name};

/// Records of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Records {
    /// IPv4 addresses.
    pub a: Vec<String>,
    /// IPv6 addresses.
    pub aaaa: Vec<String>,
    /// Where the name points to.
    pub cname: Vec<String>,
    /// Texts.
    pub txt: Vec<String>,
    /// Who may issue.
    pub caa: Vec<String>,
}

/// All records, by name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Dns {
    names: BTreeMap<String, Records>,
}

impl Dns {
    /// Replaces the records of a name.
    pub fn set(&mut self, name: &str, records: Records) {
        let name = canonical(name);
        if records == Records::default() {
            self.names.remove(&name);
        } else {
            self.names.insert(name, records);
        }
    }

    /// What these records say of a hostname.
    pub fn look(&self, hostname: &str) -> Seen {
        let found = self.resolve(hostname);
        let caa = climb(bare(hostname)).map(|name| self.resolve(name).caa);
        Seen {
            challenge: self.resolve(&challenge_name(hostname)).cname,
            ownership: self.resolve(&ownership_name(hostname)).txt,
            caa: caa.into_iter().find(|records| !records.is_empty()).unwrap_or_default(),
            soa: None,
            failure: None,
            a: found.a,
            aaaa: found.aaaa,
            cname: found.cname,
        }
    }

    /// All names.
    pub fn names(&self) -> &BTreeMap<String, Records> {
        &self.names
    }

    /// The records of a name, CNAMEs followed.
    fn resolve(&self, name: &str) -> Records {
        let mut found = self.own(name);
        for _ in 0..LONGEST_CHAIN {
            let Some(target) = found.cname.last().cloned() else { break };
            let next = self.own(&target);
            found.a.extend(next.a);
            found.aaaa.extend(next.aaaa);
            found.txt.extend(next.txt);
            found.caa.extend(next.caa);
            match next.cname.last() {
                Some(further) => found.cname.push(further.clone()),
                None => break,
            }
        }
        found
    }

    fn own(&self, name: &str) -> Records {
        self.names.get(&canonical(name)).cloned().unwrap_or_default()
    }
}

fn canonical(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_followed_and_the_nearest_caa_counts() {
        let mut dns = Dns::default();
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        dns.set("shop.example.com.", Records { cname: texts(&["t.example.net"]), ..Records::default() });
        dns.set("t.example.net", Records { a: texts(&["192.0.2.1"]), ..Records::default() });
        dns.set("example.com", Records { caa: texts(&["0 issue \"a.example\""]), ..Records::default() });
        dns.set("com", Records { caa: texts(&["0 issue \"b.example\""]), ..Records::default() });
        let seen = dns.look("shop.example.com");
        assert_eq!((seen.a, seen.cname), (texts(&["192.0.2.1"]), texts(&["t.example.net"])));
        assert_eq!(seen.caa, texts(&["0 issue \"a.example\""]));
    }

    #[test]
    fn a_loop_of_cnames_ends() {
        let mut dns = Dns::default();
        let to = |target: &str| Records { cname: vec![target.to_owned()], ..Records::default() };
        dns.set("a.example.com", to("b.example.com"));
        dns.set("b.example.com", to("a.example.com"));
        assert!(dns.look("a.example.com").a.is_empty());
    }
}
