//! The place that these tests share: honest zones, zones whose servers are the tests' own, and an authority.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testbed::{Internet, Pebble, Software, eventually};
use tokio::sync::OnceCell;

use crate::domains::{BASE, Customer, Scene, acme, pebble, without_limits};
use crate::support::{SOON, merge, text};

/// Seconds that a contest lasts.
pub const CONTEST: i64 = 6;
/// Zones of an honest server.
const HONEST: [&str; 5] = ["race.test", "left.test", "family.test", "forged.test", "stripped.test"];
/// Zones whose servers are the tests' own, each with its servers' numbers. The operator asks nobody from 128 on.
const STRANGE: [(&str, &[u8]); 5] = [
    ("flips.test", &[100]),
    ("shifts.test", &[101]),
    ("split.test", &[102, 103]),
    ("sways.test", &[104]),
    ("private.test", &[150]),
];

/// What the tests of this program share.
pub struct Place {
    pub scene: Scene,
    pub authority: Pebble,
    strangers: Vec<(String, SocketAddr)>,
}

impl Place {
    /// Addresses of the servers of a zone, which go by `ns{number from 0}.{zone's first label}.servers.test`.
    pub fn servers(&self, zone: &str) -> Vec<SocketAddr> {
        self.strangers.iter().filter(|(name, _)| name == zone).map(|(_, address)| *address).collect()
    }
}

/// The place, once for all tests.
pub async fn place() -> &'static Place {
    static PLACE: OnceCell<Place> = OnceCell::const_new();
    PLACE.get_or_init(|| async { start().await.expect("a place") }).await
}

async fn start() -> Result<Place> {
    let held: Vec<(&str, &str)> = std::iter::once(&BASE).chain(&HONEST).map(|&zone| (zone, "")).collect();
    let mut internet = Internet::new()?.server(Software::Knot, &held);
    let mut strangers = Vec::new();
    for (zone, numbers) in STRANGE {
        for (at, number) in numbers.iter().enumerate() {
            let (address, server) = (internet.address(*number), server(zone, at));
            internet = internet.root(&format!("{zone}. NS {server}.\n{server}. A {}", address.ip()));
            strangers.push((zone.to_owned(), address));
        }
    }
    let [a, b, c, _] = match internet.address(1) {
        SocketAddr::V4(address) => address.ip().octets(),
        SocketAddr::V6(address) => panic!("{address}"),
    };
    let internet = internet.start().await?;
    let authority = pebble(&internet, 90 * 24 * 3600, 5, json!({})).await?;
    let mut settings = acme(&authority, without_limits(json!({})));
    let allowed =
        json!({"dns": {"allowedNetworks": [format!("{a}.{b}.{c}.0/25")]}, "contestSeconds": CONTEST});
    merge(&mut settings, allowed);
    let scene = Scene::within(internet, &HONEST, settings, Vec::new()).await?;
    Ok(Place { scene, authority, strangers })
}

/// Name of a zone's server.
pub fn server(zone: &str, at: usize) -> String {
    format!("ns{at}.{}.servers.test", zone.split('.').next().unwrap_or_default())
}

/// Two customers, each with a Runtime `ops`, who declare the same hostname as `www`.
pub async fn rivals<'s>(scene: &'s Scene, names: [&str; 2], host: &str) -> [Customer<'s>; 2] {
    let mut both = Vec::new();
    for name in names {
        let customer = scene.customer(name).await.unwrap();
        customer.runtime("ops").await.unwrap();
        customer.declare("www", host, "ops", json!({})).await.unwrap();
        both.push(customer);
    }
    both.try_into().unwrap_or_else(|_| panic!("two"))
}

/// The name in the platform's zone that a customer was told to lead `www` to.
pub async fn target(customer: &Customer<'_>) -> String {
    let object = customer.wait("www", "its CNAME", |object| alias(object).is_some()).await.unwrap();
    alias(&object).unwrap()
}

/// Has the records of `www` looked at, at least once since now.
pub async fn looked(customer: &Customer<'_>) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    // A task knows only to the second since when it stands.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let task = format!("look-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let spec = json!({"runtimeRef": {"name": "ops"}, "domainRef": {"name": "www"}, "type": "VerifyDomain"});
    customer.tenant.apply("moorage.dev/v1alpha1", "RuntimeTask", &task, json!({"spec": spec})).await.unwrap();
    eventually("a look at the records", SOON, async || {
        let task = customer.tenant.task(&task).await?;
        ensure!(task["status"]["finishTime"].is_string(), "{}", task["status"]);
        Ok(())
    })
    .await
    .unwrap();
}

fn alias(object: &Value) -> Option<String> {
    let all = object.pointer("/status/records")?.as_array()?;
    let found = all.iter().find(|record| record["type"] == "CNAME" && record["purpose"] != "Certificate")?;
    Some(text(found, "/value").to_owned())
}

/// The namespace that holds a hostname now, if any does.
pub async fn holder(customer: &Customer<'_>, host: &str) -> Result<Option<String>> {
    let Some(claim) = customer.claim(host).await? else { return Ok(None) };
    if claim["spec"]["tombstone"].is_object() {
        return Ok(None);
    }
    Ok(Some(text(&claim, "/spec/holder/namespace").to_owned()))
}

/// Nobody holds it, Fly was never asked for it, no certificate was ordered, and nothing leads to these names.
pub async fn never_had(place: &Place, customer: &Customer<'_>, host: &str, targets: &[&str]) -> Result<()> {
    let held = customer.claim(host).await?;
    ensure!(held.is_none(), "{held:?}");
    let known = place.scene.fly().hostnames().await?;
    ensure!(!known.contains_key(host), "{:?}", known.get(host));
    ensure!(place.scene.fly().visit(host).await.is_err(), "{host} is served");
    ensure!(!place.authority.log().contains(host), "{host} was ordered");
    for target in targets {
        let addresses = place.scene.server().records(target, "A").await?;
        ensure!(addresses.is_empty(), "{target} leads to {addresses:?}");
    }
    Ok(())
}
