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
use crate::scene::{Customers, NAMESPACE, OTHER, Place, ZONE, by_acme};
use crate::support::{SOON, text};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum History {
    Fly,
    Acme,
    Renewal,
    Secret,
    Deletion,
    /// A deletion while its certificate is ordered, which the authority does nothing for.
    Abandoned,
    /// Another customer shows that it is theirs.
    Handover,
}

pub const ALL: [History; 7] = [
    History::Fly,
    History::Acme,
    History::Renewal,
    History::Secret,
    History::Deletion,
    History::Abandoned,
    History::Handover,
];

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
        matches!(self.history, History::Renewal | History::Deletion | History::Handover)
    }

    /// Whether nothing of it is left in the end.
    pub fn is_gone(&self) -> bool {
        matches!(self.history, History::Deletion | History::Abandoned)
    }

    /// The namespace of whom it is led to in the end, and of whom it isn't.
    pub fn ends_with(&self) -> [&'static str; 2] {
        if self.history == History::Handover { [OTHER, NAMESPACE] } else { [NAMESPACE, OTHER] }
    }

    async fn declare(&self, customer: &Customer<'_>) -> Result<()> {
        let more = match self.history {
            History::Fly => json!({}),
            History::Acme | History::Renewal | History::Deletion | History::Abandoned | History::Handover => {
                by_acme()
            }
            History::Secret => json!({"certificate": {"source": "Secret", "secretRef": {"name": self.name}}}),
        };
        customer.declare(&self.name, &self.host(), "ops", more).await
    }

    /// Asks for the change.
    pub async fn begin(&self, place: &Place, customers: &Customers<'_>) -> Result<()> {
        let customer = &customers.first;
        match self.history {
            History::Renewal => renew(place, customer, &self.name).await,
            History::Deletion | History::Abandoned => customer.delete(&self.name).await,
            History::Fly | History::Acme | History::Secret => self.declare(customer).await,
            History::Handover => place.scene.set(&self.records(place, OTHER)).await,
        }
    }

    /// What a customer sets for it.
    fn records(&self, place: &Place, namespace: &str) -> Vec<RecordSet> {
        let (host, target) = (self.host(), place.target(namespace, &self.host()));
        let mut sets = vec![RecordSet::new(&host, "CNAME", &[&target])];
        if !matches!(self.history, History::Fly | History::Secret) {
            let there = format!("_acme-challenge.{target}");
            sets.push(RecordSet::new(&format!("_acme-challenge.{host}"), "CNAME", &[&there]));
        }
        if namespace == OTHER {
            let text = place.proofs(namespace, &host).text;
            sets.push(RecordSet::new(&format!("_moorage-challenge.{host}"), "TXT", &[&text]));
        }
        sets
    }

    /// Waits for the end.
    pub async fn end(&self, customers: &Customers<'_>) -> Result<()> {
        let customer = &customers.first;
        if self.is_gone() {
            return customer.wait_gone(&self.name).await;
        }
        if self.history == History::Handover {
            // Hostnames that wait for a record take turns to be looked at, and this takes three looks.
            eventually(&format!("{} with the next", self.name), SOON * 3, async || {
                let claim = customers.next.claim(&self.host()).await?.unwrap_or_default();
                ensure!(text(&claim, "/spec/holder/namespace") == OTHER, "{claim}");
                Ok(())
            })
            .await?;
            customers.next.wait_active(&self.name).await?;
            return customer.wait_reason(&self.name, "HostnameClaimed", "HostnameTaken").await.map(drop);
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
pub async fn ready(place: &Place, customers: &Customers<'_>, cases: &[Case]) {
    let customer = &customers.first;
    for case in cases {
        place.books.word(&case.name, &case.name);
        for namespace in [NAMESPACE, OTHER] {
            place.books.word(&place.proofs(namespace, &case.host()).label, &case.name);
        }
    }
    let sets: Vec<RecordSet> = cases.iter().flat_map(|case| case.records(place, NAMESPACE)).collect();
    place.scene.set(&sets).await.unwrap();
    for case in cases.iter().filter(|case| case.history == History::Secret) {
        store(customer, case).await.unwrap();
    }
    let before: Vec<&Case> = cases.iter().filter(|case| case.is_in_service_before()).collect();
    try_join_all(before.iter().map(|case| case.declare(customer))).await.unwrap();
    for case in before {
        customer.wait_active(&case.name).await.unwrap();
    }
    let of = |history| cases.iter().filter(move |case| case.history == history);
    try_join_all(of(History::Abandoned).map(|case| is_stuck(place, case, customer))).await.unwrap();
    try_join_all(of(History::Handover).map(|case| is_wanted(case, &customers.next))).await.unwrap();
}

/// Brings it so far that an order is placed, and the authority doesn't go on with it.
async fn is_stuck(place: &Place, case: &Case, customer: &Customer<'_>) -> Result<()> {
    place.books.stick(&case.name);
    case.declare(customer).await?;
    eventually(&format!("an order of {}", case.name), SOON, async || {
        ensure!(place.books.was_refused(&case.name));
        Ok(())
    })
    .await
}

/// Has another customer want it, who doesn't show yet that it is theirs.
async fn is_wanted(case: &Case, next: &Customer<'_>) -> Result<()> {
    case.declare(next).await?;
    next.wait_reason(&case.name, "HostnameClaimed", "HostnameTaken").await.map(drop)
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
