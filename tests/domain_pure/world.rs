//! A small world in which decisions about one hostname are carried out: its DNS, its claim, Fly, a certificate authority,
//! and two customers who may want it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use moorage::api::custom_domain::{CertificateSource, CertificateSpec, CustomDomainStatus, SecretName};
use moorage::api::name_claim::{ClaimType, Holder};
use moorage::api::{CustomDomain, CustomDomainSpec, NameClaim, NameClaimSpec, NameRef, reason};
use moorage::control::domain::certificate::{CopyFact, Material, Stored};
use moorage::control::domain::decide::decide;
use moorage::control::domain::facts::{
    Above, AcmeOffer, AddressFact, Base, BaseRecords, Cluster, Facts, Knowledge, Rooms, RuntimeFact,
    Settings, Texts,
};
use moorage::control::domain::ownership::{Key, Proofs, target};
use moorage::control::domain::sighting::sighted;
use moorage::control::domain::step::{Effect, Look, Rest, Step, Waiting};
use moorage::control::domain::view::view;
use moorage::control::runtime::facts::{NamespaceFact, Refusal};
use moorage::domains::budget::{Kind, Limits, Past};
use moorage::domains::dns::{LookError, Seen, Target};
use moorage::domains::name::Hostname;
use moorage::engine::config::Mode;

use crate::authority::{Ca, certificate};
use crate::edge::Fly;

pub const BASE: &str = "moor.dev";
pub const HOUR: i64 = 3600;
pub const DAY: i64 = 24 * HOUR;

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// What a customer's DNS says of the hostname.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dns {
    pub cname: Option<String>,
    pub addresses: Vec<IpAddr>,
    pub texts: Vec<String>,
    pub delegated: Option<String>,
    pub apex: bool,
    pub broken: bool,
    /// The registry knows no such domain.
    pub gone: bool,
    pub hides: Hides,
    /// CAA records let the authority issue nothing.
    pub forbids: bool,
    /// The app to which a proxy brings visitors, whatever the addresses say.
    pub proxied: Option<&'static str>,
}

/// What can't be seen although the rest can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hides {
    pub target: bool,
    pub texts: bool,
    pub delegated: bool,
    pub caa: bool,
    /// The texts in the platform's zone.
    pub shown: bool,
}

/// One customer with a CustomDomain and a Runtime.
#[derive(Clone, Debug)]
pub struct Customer {
    pub tenant: String,
    pub domain: Option<CustomDomain>,
    pub known: Knowledge,
    pub runtime: RuntimeFact,
    pub looks: u32,
    /// Copies of certificates in the namespace, by their fingerprint.
    pub copy: Option<String>,
}

/// Everything around one hostname.
#[derive(Clone, Debug)]
pub struct World {
    pub now: i64,
    pub host: Hostname,
    pub dns: Dns,
    pub claim: Option<NameClaim>,
    pub versions: u32,
    /// Names in the platform's zone, with their addresses.
    pub zone: BTreeMap<String, Vec<String>>,
    /// Texts in the platform's zone.
    pub texts: BTreeSet<(String, String)>,
    pub fly: Fly,
    pub ca: Ca,
    /// What the operator keeps for ordering: the order's number beside it.
    pub stored: Option<(Stored, Option<u32>)>,
    pub secret: Option<Result<i64, Refusal>>,
    pub customers: Vec<Customer>,
    pub above: Above,
    /// How much may be ordered, if that is limited.
    pub limits: Option<Limits>,
    pub writes: Vec<&'static str>,
    /// A Secret of somebody else's stands where certificates are copied to.
    pub foreign_copy: bool,
    /// Added to the addresses of apps: somebody gave them others.
    pub shift: u8,
}

/// What becomes of one effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It never takes place, and the process dies.
    Before,
    /// It takes place, and the process dies.
    After,
    /// It takes place, and the reply is lost.
    Unanswered,
}

/// Whether there is another step by itself.
pub fn goes_on(step: &Step) -> bool {
    match step {
        Step::Rest(_) => false,
        Step::Wait(waiting) => !matches!(waiting, Waiting::Namespace | Waiting::Order(..) | Waiting::Runtime),
        Step::Look(_) | Step::Do(_) => true,
    }
}

fn customer(number: usize, host: &str, spec: &CertificateSpec) -> Customer {
    let name = ["acme", "rival"][number];
    let mut domain = CustomDomain::new(
        "ai",
        CustomDomainSpec {
            runtime_ref: NameRef::new("ops"),
            hostname: host.to_owned(),
            certificate: spec.clone(),
        },
    );
    domain.metadata.namespace = Some(name.into());
    domain.metadata.uid = Some(format!("uid-{name}"));
    domain.metadata.generation = Some(1);
    domain.metadata.creation_timestamp = Some(Time(at(1000)));
    Customer {
        tenant: format!("tenant-{name}"),
        domain: Some(domain),
        known: Knowledge::default(),
        runtime: RuntimeFact::Standing { app: format!("app-{name}") },
        looks: 0,
        copy: None,
    }
}

impl World {
    /// One customer who wants this hostname, and nothing in DNS.
    pub fn new(host: &str, source: CertificateSource) -> Self {
        let secret_ref = (source == CertificateSource::Secret).then(|| SecretName { name: "tls".into() });
        let spec = CertificateSpec { source, secret_ref, challenge: None };
        let mut world = Self {
            now: 1000,
            host: Hostname::parse(host).unwrap(),
            dns: Dns::default(),
            claim: None,
            versions: 0,
            zone: BTreeMap::new(),
            texts: BTreeSet::new(),
            fly: Fly { issues: true, ..Fly::default() },
            ca: Ca { believes: true, ..Ca::default() },
            stored: None,
            secret: None,
            customers: vec![customer(0, host, &spec)],
            above: Above::Free,
            limits: None,
            writes: Vec::new(),
            foreign_copy: false,
            shift: 0,
        };
        for app in ["app-acme", "app-rival"] {
            world.fly.apps.insert(app.into(), None);
        }
        world
    }

    /// Another customer wants it too.
    pub fn with_rival(mut self) -> Self {
        let spec = self.customers[0].domain.as_ref().unwrap().spec.certificate.clone();
        self.customers.push(customer(1, self.host.as_str(), &spec));
        self
    }

    pub fn proofs(&self, who: usize) -> Proofs {
        Key::new(&[7; 32]).unwrap().proofs(&self.customers[who].tenant, &self.host)
    }

    pub fn target(&self, who: usize) -> String {
        target(&self.proofs(who).label, BASE)
    }

    /// The customer sets the CNAME that leads to them.
    pub fn alias(&mut self, who: usize) {
        self.dns.cname = Some(self.target(who));
    }

    /// The customer sets everything that is listed.
    pub fn set_listed(&mut self, who: usize) {
        let facts = self.facts(who);
        for record in moorage::control::domain::records::records(&facts, &self.host.clone()) {
            use moorage::api::custom_domain::RecordType as T;
            match record.type_ {
                T::Txt if record.name.starts_with("_moorage") => self.dns.texts.push(record.value),
                T::Txt => {}
                T::Cname if record.name.starts_with("_acme") => self.dns.delegated = Some(record.value),
                T::Cname => self.dns.cname = Some(record.value),
                T::A | T::Aaaa => self.dns.addresses.push(record.value.parse().unwrap()),
            }
        }
        self.dns.addresses.sort();
    }

    pub fn addresses(&self, app: &str) -> Vec<String> {
        let last = self.shift + if app == "app-acme" { 1 } else { 2 };
        vec![format!("192.0.2.{last}"), format!("2001:db8::{last}")]
    }

    /// Whether the name leads to an app, as a visitor, or Fly, finds.
    pub fn leads_to(&self, app: &str) -> bool {
        if self.dns.proxied == Some(app) {
            return true;
        }
        let wanted: Vec<IpAddr> = self.addresses(app).iter().map(|one| one.parse().unwrap()).collect();
        match &self.dns.cname {
            Some(cname) => self.zone.get(cname).is_some_and(|there| *there == self.addresses(app)),
            None => !self.dns.addresses.is_empty() && self.dns.addresses.iter().all(|it| wanted.contains(it)),
        }
    }

    pub fn facts(&self, who: usize) -> Facts {
        let customer = &self.customers[who];
        let mut facts = Facts {
            at: at(self.now),
            domain: Arc::new(customer.domain.clone().unwrap()),
            host: Ok(self.host.clone()),
            cluster: Cluster {
                namespace: NamespaceFact::Active,
                tenant: Some(customer.tenant.clone()),
                claim: self.claim.clone().map(Arc::new),
                above: self.above,
                place: 0,
                runtime: customer.runtime.clone(),
                base: Some(Base { name: BASE.into(), records: BaseRecords::Kept }),
                acme: Some(AcmeOffer { ingress: Vec::new(), texts: Texts::Kept }),
                rooms: self.rooms(),
                settings: settings(),
            },
            known: customer.known.clone(),
        };
        facts.known.since.get_or_insert(at(self.now));
        facts.align();
        facts
    }

    /// Whether another order may be placed, by what stands on the claim.
    fn rooms(&self) -> Rooms {
        let Some(limits) = self.limits else { return Rooms::FREE };
        let ordering = self.claim.as_ref().and_then(|claim| claim.spec.domain.as_ref()?.ordering.clone());
        let ordering = ordering.unwrap_or_default();
        let (orders, first) = (&ordering.order_times, &ordering.first_times);
        let name = [first.clone(), ordering.renewal_times].concat();
        let failures = &ordering.failure_times;
        let past = Past { account: orders, orders, domain: first, name: &name, failures };
        let verdict = |kind| limits.verdict(at(self.now), kind, &past);
        Rooms { first: verdict(Kind::First), renewal: verdict(Kind::Renewal) }
    }

    /// One step of a customer's CustomDomain, with what may become of its effect.
    pub fn step(&mut self, who: usize, fault: Option<Fault>) -> Step {
        let mut facts = self.facts(who);
        let step = decide(at(self.now), &facts);
        let before = self.stored.clone();
        match &step {
            Step::Look(what) => self.look(who, &mut facts, *what),
            Step::Do(effect) => {
                if fault != Some(Fault::Before) {
                    self.act(who, &mut facts, effect);
                }
                if fault == Some(Fault::Unanswered) {
                    // What the answer would have told isn't stored.
                    if matches!(effect, Effect::BeginOrder | Effect::Collect) {
                        self.stored.clone_from(&before);
                    }
                    // What was known before is all that is known, but of claims what stands is read.
                    facts.known = self.customers[who].known.clone();
                    facts.known.edge = None;
                    facts.known.stored = None;
                    facts.known.order = None;
                    facts.known.counted = None;
                }
            }
            Step::Wait(_) | Step::Rest(_) => {}
        }
        if matches!(fault, Some(Fault::Before | Fault::After)) && matches!(step, Step::Do(_)) {
            facts.known = Knowledge::default();
        }
        self.customers[who].known = facts.known;
        self.shown(who, &step);
        step
    }

    /// What the status says after a step.
    fn shown(&mut self, who: usize, step: &Step) {
        if self.customers[who].domain.is_none() || *step == Step::Rest(Rest::Gone) {
            return;
        }
        let facts = self.facts(who);
        let old = facts.domain.status.clone().unwrap_or_default();
        let status = view(at(self.now), &facts, step, &old);
        self.customers[who].domain.as_mut().unwrap().status = Some(status);
    }

    pub fn status(&self, who: usize) -> CustomDomainStatus {
        self.customers[who].domain.as_ref().unwrap().status.clone().unwrap()
    }

    /// Steps until a customer's CustomDomain is at rest; time passes where it waits.
    pub fn settle(&mut self, who: usize) -> Step {
        for _ in 0..200 {
            if self.customers[who].domain.is_none() {
                return Step::Rest(Rest::Gone);
            }
            let step = self.step(who, None);
            if let Step::Wait(
                Waiting::Retry(left) | Waiting::Fly(left) | Waiting::Texts(left) | Waiting::Authority(left),
            ) = &step
            {
                self.now += left.as_secs().max(1);
            }
            if !goes_on(&step) {
                return step;
            }
        }
        panic!("it never comes to rest: {:?}", self.step(who, None));
    }

    /// Some time passes, and everybody is visited whenever something is due.
    pub fn pass(&mut self, seconds: i64) {
        let end = self.now + seconds;
        while self.now < end {
            for who in 0..self.customers.len() {
                if self.customers[who].domain.is_some() {
                    self.settle(who);
                }
            }
            let next = (0..self.customers.len())
                .filter(|who| self.customers[*who].domain.is_some())
                .filter_map(|who| moorage::control::domain::schedule::wakes(&self.facts(who)))
                .map(|next| next.as_second())
                .filter(|next| *next > self.now)
                .min();
            self.now = next.unwrap_or(end).min(end).max(self.now + 1);
        }
        for who in 0..self.customers.len() {
            if self.customers[who].domain.is_some() {
                self.settle(who);
            }
        }
    }

    fn look(&mut self, who: usize, facts: &mut Facts, what: Look) {
        let now = at(self.now);
        let app = facts.app().map(str::to_owned);
        match what {
            Look::Proofs => {
                facts.known.proofs = Some(self.proofs(who));
                let record = self.claim.as_ref().and_then(|claim| claim.spec.domain.as_ref());
                let other = record.filter(|record| record.tenant_id != self.customers[who].tenant);
                let key = Key::new(&[7; 32]).unwrap();
                facts.known.rival =
                    other.map(|it| (key.proofs(&it.tenant_id, &self.host), it.tenant_id.clone()));
            }
            Look::Turn => facts.known.turn = Some(now),
            Look::Dns => self.look_at_dns(who, facts),
            Look::Runtime => facts.known.runtime_missing_since = Some(now),
            Look::Addresses => {
                facts.known.addresses =
                    app.map(|app| AddressFact { at: now, addresses: self.addresses(&app), app })
            }
            Look::Edge => {
                facts.known.edge_asked = Default::default();
                facts.known.edge = app.map(|app| self.fly.fact(&app, now, 0, self.leads_to(&app)));
            }
            Look::Stored => {
                facts.known.stored = Some(self.stored.clone().map(|(stored, _)| stored).unwrap_or_default());
            }
            Look::Material => {
                facts.known.material_asked = Default::default();
                facts.known.material = Some(match self.secret.clone() {
                    Some(Ok(begins)) => Material::Ready(certificate(self.host.as_str(), begins)),
                    Some(Err(refusal)) => Material::Unfit(refusal),
                    None => Material::Unfit(Refusal::new(reason::SECRET_NOT_FOUND, "There is none.")),
                });
            }
            Look::Copy => {
                let copy = self.customers[who].copy.clone();
                facts.known.copy = Some(copy.map_or(CopyFact::Gone, CopyFact::Of));
            }
            Look::Caa | Look::Renewal | Look::Order | Look::Shown => self.look_at_order(facts, what),
        }
    }

    fn look_at_dns(&mut self, who: usize, facts: &mut Facts) {
        self.customers[who].looks += 1;
        let dns = &self.dns;
        let addresses = match &dns.cname {
            Some(_) => Vec::new(),
            None => dns.addresses.clone(),
        };
        let seen = Seen {
            target: match dns.hides.target {
                true => Err(LookError::Resolvers),
                false => {
                    Ok(Target { chain: dns.cname.iter().cloned().collect(), addresses, is_apex: dns.apex })
                }
            },
            texts: if dns.hides.texts { Err(LookError::Resolvers) } else { Ok(dns.texts.clone()) },
            delegated: match dns.hides.delegated {
                true => Err(LookError::Resolvers),
                false => Ok(dns.delegated.clone()),
            },
            negative_ttl: Some(Duration::from_secs(300)),
        };
        let result = match (dns.gone, dns.broken) {
            (true, _) => Err(LookError::NoSuchDomain { zone: "example.com".into() }),
            (false, true) => Err(LookError::NoServers { zone: "example.com".into() }),
            (false, false) => Ok(seen),
        };
        sighted(facts, at(self.now), result);
    }

    pub fn claim_it(&mut self, holder: Holder, change: impl FnOnce(&mut NameClaimSpec)) {
        if self.claim.is_some() {
            return;
        }
        let mut spec = NameClaimSpec::new(ClaimType::Hostname, self.host.as_str(), holder);
        change(&mut spec);
        self.versions += 1;
        self.claim = Some(NameClaim::new(&spec.key(), spec));
    }

    pub fn written(&mut self, change: impl FnOnce(&mut NameClaimSpec)) {
        self.versions += 1;
        change(&mut self.claim.as_mut().unwrap().spec);
    }

    pub fn record(&self) -> Option<&moorage::api::domain_record::DomainRecord> {
        self.claim.as_ref()?.spec.domain.as_deref()
    }

    /// Who holds the name now.
    pub fn holder(&self) -> Option<usize> {
        let claim = self.claim.as_ref().filter(|claim| claim.spec.tombstone.is_none())?;
        self.customers
            .iter()
            .position(|one| claim.spec.domain.as_ref().is_some_and(|record| record.tenant_id == one.tenant))
    }

    pub fn delete(&mut self, who: usize) {
        let now = Time(at(self.now));
        self.customers[who].domain.as_mut().unwrap().metadata.deletion_timestamp = Some(now);
    }

    pub fn effect_name(effect: &Effect) -> &'static str {
        moorage::control::domain::step::effect_name(effect)
    }
}

pub fn settings() -> Settings {
    Settings {
        mode: Mode::ReadWrite,
        own_zones: Arc::from([BASE.to_owned(), "fly.dev".to_owned()]),
        most: 100,
        recheck: SignedDuration::from_hours(24),
        grace: SignedDuration::from_hours(72),
        contest: SignedDuration::from_mins(10),
        deadline: SignedDuration::from_mins(30),
        patience: SignedDuration::from_mins(2),
        slow_retry: SignedDuration::from_mins(10),
    }
}
