//! The fake DNS that certificates are validated against.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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

    /// The records of a name, CNAMEs followed.
    pub fn resolve(&self, name: &str) -> Records {
        let mut found = self.own(name);
        for _ in 0..8 {
            let Some(target) = found.cname.last().cloned() else { break };
            let next = self.own(&target);
            found.a.extend(next.a);
            found.aaaa.extend(next.aaaa);
            match next.cname.last() {
                Some(further) => found.cname.push(further.clone()),
                None => break,
            }
        }
        found
    }

    /// All names.
    pub fn names(&self) -> &BTreeMap<String, Records> {
        &self.names
    }

    fn own(&self, name: &str) -> Records {
        self.names.get(&canonical(name)).cloned().unwrap_or_default()
    }
}

fn canonical(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
