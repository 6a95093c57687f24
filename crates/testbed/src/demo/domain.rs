//! The customer's own hostname: real name servers, a certificate authority, and somebody who sets the records that the
//! status asks for.
#![allow(clippy::print_stdout, reason = "what the customer does is told beside the table")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use super::table::Row;
use crate::fly_sim::FlySim;
use crate::progress::Progress;
use crate::surroundings::{Surroundings, chain};

/// The platform's own domain.
const BASE: &str = "moorage.example";
/// The customer's, as `examples/custom-domain` has it.
const CUSTOMERS: &str = "quickstart.example";

/// DNS and a certificate authority.
pub(super) struct Names(Surroundings);

/// What is declared.
pub(super) fn folders(names: Option<&Names>) -> &'static [&'static str] {
    let all = &["quickstart", "order", "custom-domain"];
    if names.is_some() { all } else { &all[..2] }
}

impl Names {
    /// Starts them, if the programs are there.
    pub(super) async fn start(progress: Progress) -> Result<Option<Self>> {
        let missing = Surroundings::missing();
        if !missing.is_empty() {
            progress.note(&format!("No hostname of the customer's own: it needs the packages {missing:?}"));
            return Ok(None);
        }
        let all = Surroundings::start(BASE, &[CUSTOMERS]).await?;
        progress.note(&format!(
            "DNS is Knot at {}, with the platform's zone {BASE} and the customer's {CUSTOMERS}",
            all.server().address()
        ));
        progress.note(&format!("The certificate authority is Pebble at {}", all.authority.directory()));
        Ok(Some(Self(all)))
    }

    /// Where hostnames are looked up.
    pub(super) fn resolver(&self) -> SocketAddr {
        self.0.internet.resolver()
    }

    /// What the operator is told of them.
    pub(super) fn config(&self) -> [(&'static str, Value); 2] {
        self.0.config()
    }

    /// Sets the records that a CustomDomain asks for, as its customer would.
    pub(super) async fn follow(&self, row: &Row) -> Result<()> {
        for set in &row.asked {
            println!(
                "      CustomDomain {}: sets {} {} {}",
                row.name,
                set.name,
                set.kind,
                set.values.join(" ")
            );
        }
        self.0.set(&row.asked).await
    }

    /// A file with the authorities of all certificates that the edge shows.
    pub(super) async fn trusted(&self, fly: &FlySim) -> Result<PathBuf> {
        self.0.trust(fly.edge_ca()).await
    }
}

/// The chain that a visitor is shown at the edge, as `openssl` tells it, and how to ask it oneself.
pub(super) async fn shown(fly: &FlySim, row: &Row, trusted: &Path) -> Result<String> {
    let (edge, host) = (fly.edge(), host(row));
    let lines = chain(edge, host, trusted).await?;
    Ok(format!(
        "{name} serves {url} with this chain:\n  \
         openssl s_client -connect {edge} -servername {host} -showcerts \\\n    \
         -CAfile {trusted} -verify_hostname {host} </dev/null\n    {chain}",
        name = row.name,
        url = row.url,
        trusted = trusted.display(),
        chain = lines.join("\n    "),
    ))
}

/// The hostname of a row's URL.
pub(super) fn host(row: &Row) -> &str {
    row.url.trim_start_matches("https://").trim_end_matches('/')
}
