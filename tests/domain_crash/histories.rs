//! What is asked for of a hostname, and what it is before.

use anyhow::{Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::{Value, json};
use testbed::{RecordSet, eventually};

use crate::domains::Customer;
use crate::scene::{Place, ZONE, by_acme};
use crate::support::{SOON, text};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum History {
    Fly,
    Acme,
    Renewal,
    Secret,
    Deletion,
}

pub const ALL: [History; 5] =
    [History::Fly, History::Acme, History::Renewal, History::Secret, History::Deletion];

/// One hostname with one thing that goes wrong.
#[derive(Clone, Debug)]
pub struct Case {
    pub history: History,
    pub name: String,
    /// What goes wrong, for messages.
    pub fault: String,
}

impl Case {
    pub fn new(history: History, word: &str, fault: impl Into<String>) -> Self {
        let name = format!("{}-{word}", format!("{history:?}").to_lowercase());
        Self { history, name, fault: fault.into() }
    }

    pub fn host(&self) -> String {
        format!("{}.{ZONE}", self.name)
    }

    /// Whether it is in service before.
    fn is_in_service_before(&self) -> bool {
        matches!(self.history, History::Renewal | History::Deletion)
    }

    async fn declare(&self, customer: &Customer<'_>) -> Result<()> {
        let more = match self.history {
            History::Fly => json!({}),
            History::Acme | History::Renewal | History::Deletion => by_acme(),
            History::Secret => json!({"certificate": {"source": "Secret", "secretRef": {"name": self.name}}}),
        };
        customer.declare(&self.name, &self.host(), "ops", more).await
    }

    /// Asks for the change.
    pub async fn begin(&self, place: &Place, customer: &Customer<'_>) -> Result<()> {
        match self.history {
            History::Renewal => renew(place, customer, &self.name).await,
            History::Deletion => customer.delete(&self.name).await,
            History::Fly | History::Acme | History::Secret => self.declare(customer).await,
        }
    }

    /// Waits for the end.
    pub async fn end(&self, customer: &Customer<'_>) -> Result<()> {
        if self.history == History::Deletion {
            return customer.wait_gone(&self.name).await;
        }
        if self.history == History::Renewal {
            eventually(&format!("another certificate of {}", self.name), SOON * 2, async || {
                let all = customer.scene.fly().hostnames().await?;
                let uploads = all.get(&self.host()).map_or(0, |history| history.uploads().len());
                ensure!(uploads > 1, "{uploads} uploads");
                Ok(())
            })
            .await?;
        }
        customer.wait_active(&self.name).await.map(drop)
    }
}

/// Makes all that they are before: their records stand before they are declared.
pub async fn ready(place: &Place, customer: &Customer<'_>, cases: &[Case]) {
    let mut sets = Vec::new();
    for case in cases {
        let (host, target) = (case.host(), place.target(&case.host()));
        place.books.word(&case.name, &case.name);
        place.books.word(&place.label(&host), &case.name);
        sets.push(RecordSet::new(&host, "CNAME", &[&target]));
        if !matches!(case.history, History::Fly | History::Secret) {
            let (own, there) = (format!("_acme-challenge.{host}"), format!("_acme-challenge.{target}"));
            sets.push(RecordSet::new(&own, "CNAME", &[&there]));
        }
    }
    place.scene.set(&sets).await.unwrap();
    for case in cases.iter().filter(|case| case.history == History::Secret) {
        store(customer, case).await.unwrap();
    }
    let before: Vec<&Case> = cases.iter().filter(|case| case.is_in_service_before()).collect();
    try_join_all(before.iter().map(|case| case.declare(customer))).await.unwrap();
    for case in before {
        customer.wait_active(&case.name).await.unwrap();
    }
}

/// A certificate of somebody else's making, in a Secret.
async fn store(customer: &Customer<'_>, case: &Case) -> Result<()> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([case.host()])?;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2050, 1, 1);
    let chain = params.self_signed(&key)?.pem();
    let data = json!({"tls.crt": BASE64_STANDARD.encode(chain),
        "tls.key": BASE64_STANDARD.encode(key.serialize_pem())});
    let more = json!({"type": "kubernetes.io/tls", "data": data});
    customer.tenant.apply("v1", "Secret", &case.name, more).await
}

/// Has the authority say that the certificate is to be renewed by now.
async fn renew(place: &Place, customer: &Customer<'_>, name: &str) -> Result<()> {
    let object: Value = customer.get(name).await?;
    let secrets: Api<Secret> = Api::namespaced(customer.tenant.client.clone(), &customer.tenant.namespace);
    let copy = secrets.get(text(&object, "/status/certificate/secretName")).await?;
    let chain = String::from_utf8(copy.data.unwrap_or_default()["tls.crt"].0.clone())?;
    let window = json!({"suggestedWindow": {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}});
    place.authority.suggest_renewal(&chain, &window).await
}
