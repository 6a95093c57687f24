//! For tests: hostnames that are held, in a small cluster.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use rcgen::KeyPair;
use serde_json::{Value, json};

use super::certificate::{Stored, StoredOrder};
use super::facts::{Count, Facts, Knowledge};
use super::observe::{cluster, gather};
use super::ordering;
use crate::api::custom_domain::{CertificateSource, CertificateSpec};
use crate::api::domain_record::{DomainRecord, OwnershipMethod};
use crate::api::name_claim::{ClaimType, Holder};
use crate::api::{CustomDomain, CustomDomainSpec, NameClaim, NameClaimSpec, NameRef};
use crate::control::context::Context;
use crate::control::small_cluster::SmallCluster;
use crate::domains::budget::Kind;

/// The directory of an authority that nobody asks.
const DIRECTORY: &str = "https://ca.invalid/dir";

/// A small cluster with an authority for its hostnames.
pub(super) struct Small {
    pub(super) cluster: SmallCluster,
    pub(super) ctx: Context,
}

/// Where the claim on a hostname stands.
pub(super) fn path(host: &str) -> String {
    format!("/apis/moorage.dev/v1alpha1/nameclaims/{}", NameClaim::hostname_key(host))
}

impl Small {
    /// One whose account is there already, with these settings of ordering.
    pub(super) fn new(cluster: SmallCluster, acme: Value) -> Self {
        let key = BASE64_URL_SAFE_NO_PAD.encode(KeyPair::generate().unwrap().serialize_der());
        let account = json!({"id": "https://ca.invalid/account/1", "directory": DIRECTORY, "key_pkcs8": key});
        let data = json!({"account.json": BASE64_STANDARD.encode(account.to_string())});
        let secret = json!({"metadata": {"name": "moorage-acme-account"}, "data": data});
        cluster.put("/api/v1/namespaces/moorage-system/secrets/moorage-acme-account", secret);
        Self::at(cluster, json!({"directoryURL": DIRECTORY}), acme)
    }

    /// One with this authority.
    pub(super) fn at(cluster: SmallCluster, authority: Value, mut acme: Value) -> Self {
        acme["authority"] = authority;
        let ctx = cluster.context(&json!({"acme": acme}));
        Self { cluster, ctx }
    }

    /// What is known of a hostname that is held, and for which nothing was ordered yet unless it stands already.
    pub(super) fn facts(&self, host: &str) -> Facts {
        let certificate =
            CertificateSpec { source: CertificateSource::Acme, secret_ref: None, challenge: None };
        let spec =
            CustomDomainSpec { runtime_ref: NameRef::new("ops"), hostname: host.to_owned(), certificate };
        let mut domain = CustomDomain::new(host, spec);
        domain.metadata.namespace = Some("acme".into());
        domain.metadata.uid = Some(format!("uid-{host}"));
        domain.metadata.generation = Some(1);
        if self.cluster.get(&path(host)).is_none() {
            let key = NameClaim::hostname_key(host);
            let claim = NameClaim::new(&key, held(host));
            let written = self.cluster.put(&path(host), serde_json::to_value(claim).unwrap());
            self.ctx.claims.apply(serde_json::from_value(written).unwrap());
        }
        let known = Knowledge { stored: Some(Stored::default()), ..Knowledge::default() };
        gather(&self.ctx, self.ctx.clock.now(), Arc::new(domain), known)
    }

    /// The same with an order under way.
    pub(super) fn facts_with_an_order(&self, host: &str) -> Facts {
        let mut facts = self.facts(host);
        let now = facts.at;
        let count = Count { kind: Kind::First, at: crate::api::condition::whole_seconds(now) };
        let mut claim = self.cluster.get(&path(host)).unwrap();
        claim["spec"]["domain"]["ordering"] = json!(ordering::counted(now, None, Kind::First));
        let written = self.cluster.put(&path(host), claim);
        self.ctx.claims.apply(serde_json::from_value(written).unwrap());
        let order =
            StoredOrder { url: "https://ca.invalid/order/1".into(), key: "key".into(), count: Some(count) };
        facts.known.stored = Some(Stored { order: Some(order), ..Stored::default() });
        self.refresh(&mut facts);
        facts
    }

    /// Takes in what the claims say now.
    pub(super) fn refresh(&self, facts: &mut Facts) {
        facts.cluster = cluster(&self.ctx, facts.at, &facts.domain, facts.host.as_ref().ok());
    }

    /// Somebody else changes the claim, which isn't seen yet.
    pub(super) fn touch(&self, host: &str) {
        let claim = self.cluster.get(&path(host)).unwrap();
        self.cluster.put(&path(host), claim);
    }

    /// What is recorded of orders for the hostname.
    pub(super) fn ordering(&self, host: &str) -> Value {
        self.cluster.get(&path(host)).unwrap()["spec"]["domain"]["ordering"].clone()
    }
}

fn held(host: &str) -> NameClaimSpec {
    let holder = Holder { namespace: "acme".into(), name: host.to_owned(), uid: format!("uid-{host}") };
    let record = DomainRecord {
        tenant_id: "tenant-acme".into(),
        method: OwnershipMethod::Cname,
        label: "0123456789ab".into(),
        verify_time: Timestamp::UNIX_EPOCH,
        missing_since: None,
        astray_since: None,
        contest: None,
        route: None,
        certificate: None,
        service_time: None,
        ordering: None,
    };
    NameClaimSpec { domain: Some(Box::new(record)), ..NameClaimSpec::new(ClaimType::Hostname, host, holder) }
}
