//! An authority, and an order that goes from its beginning to its certificate.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use moorage::domains::acme::{
    Account, AcmeError, Authority, Challenge, Method, Order, Stage, certificate_request, new_key,
};
use moorage::domains::certificate::Certificate;
use moorage::domains::secret::Secrets;
use serde_json::{Map, Value, json};
use testbed::{NameServer, Pebble, PebbleOptions, PebbleSetup, Proofs};

/// Seconds for which certificates of the usual profile are good: 90 days.
pub const VALIDITY: u64 = 90 * 24 * 3600;
/// Longest time that the tests' authority may take for one order.
const SOON: Duration = Duration::from_secs(30);

/// Settings of an authority.
pub fn config(different: Value) -> Map<String, Value> {
    let mut config = different.as_object().unwrap().clone();
    config.insert("keyAlgorithm".into(), json!("ecdsa"));
    config
}

/// Has a failing test show what went wrong on the way, which a condition's message leaves out.
fn tell_why() {
    let logs = tracing_subscriber::fmt().with_env_filter("moorage::domains=debug").with_test_writer();
    let _ = logs.try_init();
}

/// An authority that takes each proof for good.
pub async fn believing(bad_nonces: u8, different: Value) -> Pebble {
    tell_why();
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let options = PebbleOptions { dns: nowhere, validity: VALIDITY, bad_nonces };
    let setup = PebbleSetup { config: config(different), proofs: Proofs::Believed };
    Pebble::start_with(options, setup).await.unwrap()
}

/// An authority that looks for proofs by this name server.
pub async fn looking(server: &NameServer, different: Value) -> Pebble {
    tell_why();
    let options = PebbleOptions { dns: server.address(), validity: VALIDITY, bad_nonces: 0 };
    let setup = PebbleSetup { config: config(different), proofs: Proofs::Checked };
    Pebble::start_with(options, setup).await.unwrap()
}

/// The authority, with settings beside the usual ones.
pub fn authority(pebble: &Pebble, different: Value) -> Authority {
    authority_at(pebble.directory(), pebble, different)
}

pub fn authority_at(directory: &str, pebble: &Pebble, different: Value) -> Authority {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut settings = json!({"directoryURL": directory, "caFile": pebble.ca_file()});
    settings.as_object_mut().unwrap().extend(different.as_object().unwrap().clone());
    let nowhere = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    let secrets = Secrets::new(kube::Client::try_from(nowhere).unwrap(), "moorage-system");
    Authority::new(serde_json::from_value(settings).unwrap(), secrets).unwrap()
}

pub async fn account(authority: &Authority) -> Account {
    authority.account(authority.register().await.unwrap())
}

pub fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|&name| name.to_owned()).collect()
}

/// What came of an order.
pub struct Issued {
    pub certificate: Arc<Certificate>,
    pub requests: u32,
}

/// An order with the proofs left out, for an authority that believes.
pub async fn issue(
    account: &Account,
    all: &[&str],
    renews: Option<&Certificate>,
) -> Result<Issued, AcmeError> {
    let mut order = account.order(&names(all), renews).await?;
    order.challenges(Method::Dns).await?;
    order.answer(Method::Dns).await?;
    finish(order, all).await
}

/// An order from its beginning on, with its proofs published by `publish`.
pub async fn prove(
    account: &Account,
    all: &[&str],
    method: Method,
    publish: impl AsyncFnOnce(Vec<Challenge>),
) -> Result<Issued, AcmeError> {
    let mut order = account.order(&names(all), None).await?;
    publish(order.challenges(method).await?).await;
    order.answer(method).await?;
    finish(order, all).await
}

/// An order whose proofs are told.
pub async fn finish(mut order: Order, all: &[&str]) -> Result<Issued, AcmeError> {
    let key = new_key().unwrap();
    settled(&mut order, Stage::Pending).await?;
    assert_eq!(order.stage(), &Stage::Ready);
    order.finalize(&certificate_request(&names(all), &key).unwrap()).await?;
    settled(&mut order, Stage::Processing).await?;
    assert_eq!(order.stage(), &Stage::Valid);
    let certificate = Certificate::read(&order.download().await?, key).unwrap();
    certificate.check(jiff::Timestamp::now(), &names(all)).unwrap();
    certificate.check_chain(jiff::Timestamp::now()).unwrap();
    Ok(Issued { certificate: Arc::new(certificate), requests: order.requests() })
}

/// Polls until the order isn't at this stage any more, with the pauses that the authority asks for.
async fn settled(order: &mut Order, stage: Stage) -> Result<(), AcmeError> {
    let began = std::time::Instant::now();
    while *order.stage() == stage {
        assert!(began.elapsed() < SOON, "still {stage:?}");
        tokio::time::sleep(order.pause().unwrap_or(Duration::from_millis(50))).await;
        order.poll().await?;
    }
    match order.stage() {
        Stage::Invalid(error) => Err(error.clone()),
        _ => Ok(()),
    }
}
