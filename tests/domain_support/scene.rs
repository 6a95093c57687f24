//! The Internet in small, and the operator in it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kube::Client;
use serde_json::{Value, json};
use testbed::name_server::{TSIG_KEY, TSIG_NAME};
use testbed::{
    FlySim, Internet, NameServer, Pebble, PebbleOptions, PebbleSetup, RecordSet, Rig, RunningInternet,
    Software, apply,
};

use super::Customer;
use crate::support::{self, merge, text};

/// The platform's own domain.
pub const BASE: &str = "moor.test";

/// The operator's namespace.
pub const SYSTEM: &str = "moorage-system";

/// All that a test of hostnames runs in.
pub struct Scene {
    // Fields drop in this order: who uses a server goes before it.
    pub rig: Rig,
    pub internet: RunningInternet,
    zones: Vec<String>,
}

impl Scene {
    /// The platform, and customers' zones of these names, with more in the operator's configuration.
    pub async fn start(zones: &[&str], custom_domains: Value) -> Result<Self> {
        let internet = Self::internet(zones).await?;
        Self::within(internet, zones, custom_domains, Vec::new()).await
    }

    /// An Internet with the platform's zone, and customers'.
    pub async fn internet(zones: &[&str]) -> Result<RunningInternet> {
        let held: Vec<(&str, &str)> = std::iter::once(&BASE).chain(zones).map(|&zone| (zone, "")).collect();
        Internet::new()?.server(Software::Knot, &held).start().await
    }

    /// The same in an Internet that stands already.
    pub async fn within(
        internet: RunningInternet,
        zones: &[&str],
        custom_domains: Value,
        more: Vec<(&'static str, Value)>,
    ) -> Result<Self> {
        // A Secret that was changed is seen soon.
        let mut config = vec![
            ("/timing/rotationSeconds", json!(2)),
            ("/baseDomain", base(internet.servers[0].address(), internet.servers[0].address())),
            ("/customDomains", domains(&internet, custom_domains)),
        ];
        config.extend(more);
        let rig = support::start(config).await?;
        apply(&rig.client().await?, &updates_key()).await?;
        Self::of(rig, internet, zones).await
    }

    /// The same around an operator that runs already.
    pub async fn of(mut rig: Rig, internet: RunningInternet, zones: &[&str]) -> Result<Self> {
        rig.fly.resolve_at(internet.resolver()).await?;
        let zones = zones.iter().map(|&zone| zone.to_owned()).collect();
        Ok(Self { rig, internet, zones })
    }

    /// A customer with a namespace of this name.
    pub async fn customer(&self, namespace: &str) -> Result<Customer<'_>> {
        Customer::new(self, namespace).await
    }

    /// The server that has every zone.
    pub fn server(&self) -> &NameServer {
        &self.internet.servers[0]
    }

    /// Sets records in customers' zones.
    pub async fn set(&self, sets: &[RecordSet]) -> Result<()> {
        let mut by_zone: BTreeMap<&str, Vec<RecordSet>> = BTreeMap::new();
        for set in sets {
            let zone =
                self.zones.iter().filter(|zone| is_within(&set.name, zone)).max_by_key(|zone| zone.len());
            let zone = zone.with_context(|| format!("no zone has {}", set.name))?;
            by_zone.entry(zone).or_default().push(set.clone());
        }
        for (zone, sets) in by_zone {
            self.server().change(zone, &sets).await?;
        }
        Ok(())
    }

    /// Sets one record.
    pub async fn put(&self, name: &str, kind: &str, values: &[&str]) -> Result<()> {
        self.set(&[RecordSet::new(name, kind, values)]).await
    }

    pub async fn client(&self) -> Result<Client> {
        self.rig.client().await
    }

    /// The origins that the gateway of this app is told to let browsers in by.
    pub async fn origins(&self, app: &str) -> Result<Vec<String>> {
        let url = format!("{}/v1/apps/{app}/machines", self.fly().api_url());
        let asked = reqwest::Client::new().get(url).bearer_auth("fm2_witness").send().await?;
        let machines: Value = serde_json::from_str(&asked.error_for_status()?.text().await?)?;
        let files = machines.pointer("/0/config/files").and_then(Value::as_array).context("no files")?;
        let file = files.iter().find(|file| text(file, "/guest_path").ends_with("settings.json"));
        let raw = BASE64_STANDARD.decode(text(file.context("no settings")?, "/raw_value"))?;
        let settings: Value = serde_json::from_slice(&raw)?;
        let found = settings.pointer("/owned/entries/gateway/controlUi/allowedOrigins");
        Ok(serde_json::from_value(found.cloned().context("no origins")?)?)
    }

    pub fn fly(&self) -> &FlySim {
        &self.rig.fly
    }
}

fn is_within(name: &str, zone: &str) -> bool {
    name == zone || name.ends_with(&format!(".{zone}"))
}

/// The key by which the platform's zone is updated.
pub fn updates_key() -> String {
    json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "dns", "namespace": SYSTEM}, "stringData": {"tsig": TSIG_KEY}})
    .to_string()
}

/// The operator's configuration for the platform's zone, which is changed at one address and looked at at another.
pub fn base(updates: SocketAddr, server: SocketAddr) -> Value {
    let tsig = json!({"name": TSIG_NAME, "key": {"secretRef": {"name": "dns", "key": "tsig"}}});
    json!({
        "name": BASE,
        "dns": {"rfc2136": {"server": updates, "tsig": tsig}},
        "nameServers": [server],
        "certificate": {"secret": {"name": "wildcard"}},
    })
}

/// The operator's configuration for customers' hostnames in this Internet.
pub fn domains(internet: &RunningInternet, more: Value) -> Value {
    let mut settings = json!({
        "dns": {
            "resolvers": [internet.resolver()],
            "port": internet.port(),
            "allowedNetworks": ["127.0.0.0/8"],
        },
    });
    merge(&mut settings, more);
    settings
}

/// An authority that looks by this Internet's resolver.
pub async fn pebble(
    internet: &RunningInternet,
    validity: u64,
    bad_nonces: u8,
    config: Value,
) -> Result<Pebble> {
    let options = PebbleOptions { dns: internet.resolver(), validity, bad_nonces };
    let mut config = config.as_object().cloned().unwrap_or_default();
    config.insert("keyAlgorithm".into(), json!("ecdsa"));
    Pebble::start_with(options, PebbleSetup { config, ..PebbleSetup::default() }).await
}

/// The operator's configuration for an authority.
pub fn acme(pebble: &Pebble, more: Value) -> Value {
    let authority = json!({"directoryURL": pebble.directory(), "caFile": pebble.ca_file()});
    let mut acme = json!({"authority": authority});
    merge(&mut acme, more);
    json!({"acme": acme})
}

/// Settings of ordering that let any number through, with more.
pub fn without_limits(more: Value) -> Value {
    let mut settings = json!({"limits": {
        "ordersPerAccount": 0, "certificatesPerDomain": 0, "certificatesPerName": 0, "failuresPerName": 0,
    }});
    merge(&mut settings, more);
    settings
}
