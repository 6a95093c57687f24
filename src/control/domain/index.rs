//! What is found among the claims of hostnames: those that lead to an app, and orders for certificates by what they count
//! for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::facts::Count;
use crate::api::NameClaimSpec;
use crate::domains::budget::Kind;
use crate::domains::name::Hostname;

/// Keys of hostnames' claims, and their orders.
#[derive(Debug, Default)]
pub struct Domains {
    by_app: HashMap<String, BTreeSet<String>>,
    /// Orders by registered domain, then by claim.
    orders: HashMap<String, BTreeMap<String, Times>>,
    /// Orders that are being counted, which the claims needn't say yet.
    counting: Vec<Counting>,
}

/// An order that is being counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counting {
    /// The hostname's registered domain.
    domain: String,
    /// Its claim.
    key: String,
    count: Count,
}

impl Domains {
    /// Takes in a claim.
    pub fn note(&mut self, key: &str, claim: &NameClaimSpec) {
        let Some(record) = &claim.domain else { return };
        if let Some(route) = &record.route {
            self.by_app.entry(route.app.clone()).or_default().insert(key.to_owned());
        }
        let Some(ordering) = &record.ordering else { return };
        let times = Times {
            orders: ordering.order_times.clone(),
            first: ordering.first_times.clone(),
            renewals: ordering.renewal_times.clone(),
            failures: ordering.failure_times.clone(),
        };
        if times != Times::default() {
            self.orders.entry(registered(&claim.name)).or_default().insert(key.to_owned(), times);
        }
    }

    /// Forgets a claim.
    pub fn forget(&mut self, key: &str, claim: &NameClaimSpec) {
        let Some(record) = &claim.domain else { return };
        if let Some(route) = &record.route
            && let Some(keys) = self.by_app.get_mut(&route.app)
        {
            keys.remove(key);
            if keys.is_empty() {
                self.by_app.remove(&route.app);
            }
        }
        let at = registered(&claim.name);
        if let Some(orders) = self.orders.get_mut(&at) {
            orders.remove(key);
            if orders.is_empty() {
                self.orders.remove(&at);
            }
        }
    }

    /// Claims on hostnames that lead to the app.
    pub fn of_app(&self, app: &str) -> Vec<String> {
        self.by_app.get(app).map(|keys| keys.iter().cloned().collect()).unwrap_or_default()
    }

    /// When certificates were ordered: by anybody, for the hostname's registered domain, and for the name itself.
    pub fn orders(&self, hostname: &str, key: &str) -> Orders {
        let all = self.orders.values().flat_map(BTreeMap::values).flat_map(|times| &times.orders);
        let domain = self.orders.get(&registered(hostname));
        let of_domain = domain.into_iter().flat_map(BTreeMap::values).flat_map(|times| &times.first);
        let own = domain.and_then(|it| it.get(key)).cloned().unwrap_or_default();
        Orders {
            account: all.copied().collect(),
            orders: own.orders,
            domain: of_domain.copied().collect(),
            name: [own.first, own.renewals].concat(),
            failures: own.failures,
        }
    }

    /// The same, with what is being counted and doesn't stand on a claim yet.
    pub fn orders_to_come(&self, hostname: &str, key: &str) -> Orders {
        let (domain, mut orders) = (registered(hostname), self.orders(hostname, key));
        let unwritten = |it: &&Counting| !self.stands(it);
        for Counting { domain: of, key: by, count } in self.counting.iter().filter(unwritten) {
            let is_first = count.kind == Kind::First;
            orders.account.extend(is_first.then_some(count.at));
            orders.orders.extend((is_first && by == key).then_some(count.at));
            orders.domain.extend((is_first && *of == domain).then_some(count.at));
            orders.name.extend((by == key).then_some(count.at));
        }
        orders
    }

    /// Whether the claim says that it is counted.
    fn stands(&self, counting: &Counting) -> bool {
        let times = self.orders.get(&counting.domain).and_then(|all| all.get(&counting.key));
        times.is_some_and(|times| match counting.count.kind {
            Kind::First => times.first.contains(&counting.count.at),
            Kind::Renewal => times.renewals.contains(&counting.count.at),
            Kind::KnownRenewal => true,
        })
    }

    /// From now on this counts.
    pub fn begin_counting(&mut self, hostname: &str, key: &str, count: Count) -> Counting {
        let counting = Counting { domain: registered(hostname), key: key.to_owned(), count };
        self.counting.push(counting.clone());
        counting
    }

    /// What the claim says of it counts from now on.
    pub fn end_counting(&mut self, counting: &Counting) {
        if let Some(at) = self.counting.iter().position(|it| it == counting) {
            self.counting.swap_remove(at);
        }
    }
}

/// When certificates of one name were ordered, by what limits they count for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Times {
    orders: Vec<Timestamp>,
    first: Vec<Timestamp>,
    renewals: Vec<Timestamp>,
    failures: Vec<Timestamp>,
}

/// When certificates were ordered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// First ones, by anybody, whatever became of them.
    pub account: Vec<Timestamp>,
    /// Those of them for the name itself.
    pub orders: Vec<Timestamp>,
    /// First ones for the registered domain, save those that ended without a certificate.
    pub domain: Vec<Timestamp>,
    /// All for the name itself, save those that ended without a certificate.
    pub name: Vec<Timestamp>,
    /// When the name couldn't be proved.
    pub failures: Vec<Timestamp>,
}

/// The registered domain of a name on a claim, which was parsed before it was written.
fn registered(hostname: &str) -> String {
    Hostname::parse(hostname).map_or_else(|_| hostname.to_owned(), |it| it.registered_domain().to_owned())
}
