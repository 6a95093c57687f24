//! A Fly that is as large as one hostname needs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use moorage::control::domain::edge::{Asking, EdgeFact, Hosted, ImportStanding, Imported, Leads};

/// A hostname that an app has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Kept {
    pub asked: bool,
    pub issued: bool,
    /// The certificate that was imported, by its fingerprint and end.
    pub custom: Option<(String, i64)>,
}

/// The hostnames of each app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fly {
    pub apps: BTreeMap<String, Option<Kept>>,
    /// Certificates that were ever issued or imported, one line each.
    pub ledger: Vec<String>,
    /// Whether it issues once the name leads to it.
    pub issues: bool,
    /// Whether the text of its own is there that says whose the name is.
    pub owned: bool,
}

impl Fly {
    pub fn entry(&mut self, app: &str) -> &mut Kept {
        self.apps.entry(app.to_owned()).or_default().get_or_insert_default()
    }

    /// Looks at the hostname, and issues if it can.
    pub fn look(&mut self, app: &str, leads: bool) {
        let issues = self.issues;
        let Some(Some(kept)) = self.apps.get_mut(app) else { return };
        if kept.asked && leads && issues && !kept.issued {
            kept.issued = true;
            self.ledger.push(format!("issued {app}"));
        }
    }

    /// Apps that visitors of the hostname come to.
    pub fn serving(&self) -> Vec<String> {
        let serves = |kept: &Kept| kept.issued || kept.custom.is_some();
        self.apps
            .iter()
            .filter(|(_, kept)| kept.as_ref().is_some_and(serves))
            .map(|(app, _)| app.clone())
            .collect()
    }

    pub fn fact(&self, app: &str, at: Timestamp, count: u32, leads: bool) -> EdgeFact {
        let hostname = self.apps.get(app).cloned().flatten().map(|kept| Hosted {
            asked: if kept.asked { Asking::Yes } else { Asking::No },
            fly_until: kept.issued.then(|| Timestamp::from_second(at.as_second() + 90 * 86_400).unwrap()),
            fly_renewal: kept.issued.then(|| Timestamp::from_second(at.as_second() + 60 * 86_400).unwrap()),
            custom: kept.custom.as_ref().map(|(_, end)| Imported {
                until: Some(Timestamp::from_second(*end).unwrap()),
                standing: if leads || self.owned { ImportStanding::Active } else { ImportStanding::Unproved },
            }),
            leads_here: if leads { Leads::Yes } else { Leads::No },
            limited_until: None,
            problems: Vec::new(),
            challenge: Some(("_acme-challenge.example.com".into(), "example.com.x.flydns.net".into())),
            ownership: Some(("_fly-ownership.example.com".into(), "app-1".into())),
            owned: if self.owned { Leads::Yes } else { Leads::No },
        });
        EdgeFact { app: app.to_owned(), at, count, hostname }
    }
}
