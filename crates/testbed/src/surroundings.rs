//! What an operator with CustomDomains has around it: a base domain in a zone that it keeps itself, customers' zones, and
//! a certificate authority that looks at both.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::internet::{Internet, RunningInternet};
use crate::name_server::{NameServer, Software, TSIG_NAME, program};
use crate::pebble::{Pebble, PebbleOptions, PebbleSetup};
use crate::zone_edit::RecordSet;

/// Seconds for which certificates are good: 90 days.
const VALIDITY: u64 = 90 * 24 * 3600;
/// What a newcomer may have to install, by the program that is called.
const NEEDED: [(&str, &str); 3] = [("knotd", "knot"), ("named", "bind9"), ("openssl", "openssl")];

/// DNS and an authority, while they run.
pub(crate) struct Surroundings {
    // Fields drop in this order: who uses a server goes before it.
    /// The certificate authority.
    pub(crate) authority: Pebble,
    /// The name servers; the first has every zone.
    pub(crate) internet: RunningInternet,
    base: String,
    zones: Vec<String>,
    key: PathBuf,
}

impl Surroundings {
    /// The packages to install first, if any are missing.
    pub(crate) fn missing() -> Vec<&'static str> {
        let is_missing = |name: &str| {
            let mut command = Command::new(program(name));
            command.arg("-h").output().is_err()
        };
        NEEDED.iter().filter(|(name, _)| is_missing(name)).map(|(_, package)| *package).collect()
    }

    /// Starts a zone for the base domain and these of customers, and an authority.
    pub(crate) async fn start(base: &str, zones: &[&str]) -> Result<Self> {
        let held: Vec<(&str, &str)> = std::iter::once(&base).chain(zones).map(|&zone| (zone, "")).collect();
        let internet = Internet::new()?.server(Software::Knot, &held).start().await?;
        let options = PebbleOptions { dns: internet.resolver(), validity: VALIDITY, bad_nonces: 0 };
        let mut setup = PebbleSetup::default();
        setup.config.insert("keyAlgorithm".into(), json!("ecdsa"));
        let authority = Pebble::start_with(options, setup).await.context("start Pebble")?;
        let key = internet.servers[0].key_file()?;
        let zones = zones.iter().map(|&zone| zone.to_owned()).collect();
        Ok(Self { authority, internet, base: base.to_owned(), zones, key })
    }

    /// The server that has every zone.
    pub(crate) fn server(&self) -> &NameServer {
        &self.internet.servers[0]
    }

    /// `baseDomain` and `customDomains` of the operator, by their pointers. Nothing limits how much is ordered.
    pub(crate) fn config(&self) -> [(&'static str, Value); 2] {
        let server = self.server().address();
        let authority =
            json!({"directoryURL": self.authority.directory(), "caFile": self.authority.ca_file()});
        let base = json!({
            "name": self.base,
            "dns": {"rfc2136": {"server": server, "tsig": {"name": TSIG_NAME, "key": {"file": self.key}}}},
            "nameServers": [server],
            "certificate": {"acme": authority},
        });
        let dns = json!({
            "resolvers": [self.internet.resolver()],
            "port": self.internet.port(),
            "allowedNetworks": ["127.0.0.0/8"],
        });
        let limits = json!({"ordersPerAccount": 0, "certificatesPerDomain": 0, "certificatesPerName": 0,
            "failuresPerName": 0});
        let acme = json!({"authority": authority, "limits": limits});
        [("/baseDomain", base), ("/customDomains", json!({"dns": dns, "acme": acme}))]
    }

    /// Sets records in customers' zones, all at once for each zone.
    pub(crate) async fn set(&self, sets: &[RecordSet]) -> Result<()> {
        for zone in &self.zones {
            let ending = format!(".{zone}");
            let within = |set: &&RecordSet| set.name == *zone || set.name.ends_with(&ending);
            let own: Vec<RecordSet> = sets.iter().filter(within).cloned().collect();
            if !own.is_empty() {
                self.server().change(zone, &own).await?;
            }
        }
        Ok(())
    }

    /// Writes a PEM file with the root of the authority's certificates after those in another file.
    pub(crate) async fn trust(&self, others: &Path) -> Result<PathBuf> {
        let file = self.key.with_file_name("trusted.pem");
        let known = fs::read_to_string(others).with_context(|| format!("read {}", others.display()))?;
        fs::write(&file, format!("{}\n{}", known.trim_end(), self.authority.roots().await?))?;
        Ok(file)
    }
}

/// The records that a CustomDomain's status asks its customer to set, those left out that were found.
pub(crate) fn asked_for(domain: &Value) -> Vec<RecordSet> {
    let records = domain.pointer("/status/records").and_then(Value::as_array);
    let mut sets: Vec<RecordSet> = Vec::new();
    for record in records.into_iter().flatten().filter(|record| record["state"] != "Found") {
        let text = |key: &str| record[key].as_str().unwrap_or_default();
        match sets.iter_mut().find(|set| set.name == text("name") && set.kind == text("type")) {
            Some(set) => set.values.push(text("value").to_owned()),
            None => sets.push(RecordSet::new(text("name"), text("type"), &[text("value")])),
        }
    }
    sets
}

/// What `openssl s_client` tells a visitor of a hostname who trusts these authorities: who is named in the chain, and
/// whether it is good for the hostname.
pub(crate) async fn chain(edge: &str, host: &str, trusted: &Path) -> Result<Vec<String>> {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", edge, "-servername", host, "-showcerts"]);
    command.args(["-verify_hostname", host, "-CAfile"]).arg(trusted).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await?.context("start openssl")?;
    let lines = told(&String::from_utf8_lossy(&output.stdout));
    ensure!(!lines.is_empty(), "openssl shows no chain: {}", String::from_utf8_lossy(&output.stderr));
    Ok(lines)
}

/// The names in `Certificate chain`, and what became of the verification.
fn told(said: &str) -> Vec<String> {
    let lines = said.lines().skip_while(|line| *line != "Certificate chain").filter(|line| {
        let name = line.trim_start_matches([' ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
        let starts = |marks: &[&str]| marks.iter().any(|mark| name.starts_with(mark));
        (name != *line && starts(&["s:", "i:", "v:"])) || starts(&["Verification", "Verified peername"])
    });
    lines.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_not_asked_for_again_and_texts_of_one_name_are_one_set() {
        let record = |kind: &str, name: &str, value: &str, state: &str| json!({"type": kind, "name": name, "value": value, "state": state});
        let domain = json!({"status": {"records": [
            record("CNAME", "a.test", "x.test", "Found"),
            record("TXT", "b.test", "one", "Missing"),
            record("TXT", "b.test", "two", "Wrong"),
        ]}});
        assert_eq!(asked_for(&domain), [RecordSet::new("b.test", "TXT", &["one", "two"])]);
        assert_eq!(asked_for(&json!({})), []);
    }

    #[test]
    fn of_what_openssl_says_the_names_and_the_verdict_are_told() {
        let said = "CONNECTED(3)\n---\nCertificate chain\n 0 s:\n   i:CN = Middle\n   a:PKEY: id-ecPublicKey\n   \
            v:NotBefore: now\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n 1 s:CN = Middle\n   \
            i:CN = Root\n---\nServer certificate\nsubject=\nissuer=CN = Middle\n---\nVerification: OK\n\
            Verified peername: a.test\n---\n";
        let lines = told(said);
        assert_eq!(lines.len(), 7, "{lines:?}");
        assert_eq!(lines[4], "   i:CN = Root");
        assert_eq!(lines[5..], ["Verification: OK", "Verified peername: a.test"]);
        assert!(told("CONNECTED(3)\n---\nno peer certificate available\n---\nVerification: OK\n").is_empty());
    }
}
