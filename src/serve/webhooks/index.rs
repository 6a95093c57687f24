//! Which order an id at Stripe is of, for events whose object carries no mark of ours: an invoice's may be empty, and what
//! is changed by hand in Stripe's dashboard has none. Each replica keeps the ids that claims record, and nothing else of
//! them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::{Api, Client, ResourceExt};

use crate::api::NameClaim;
use crate::api::order_record::OrderRecord;
use crate::api::payment_receipt::Provider;
use crate::engine::watch::{Change, drive, uncached};

/// Orders that are kept at most: an event of another waits until the order is read in its own time.
const MOST: usize = 100_000;

/// Ids by order, and orders by id. Clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Index(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// Ids by the name of the claim that records them.
    ids: HashMap<String, Vec<String>>,
    /// The UID of the order by each id.
    orders: HashMap<String, String>,
    /// Claims that a list that isn't complete yet has named.
    listed: Option<HashSet<String>>,
}

impl Index {
    /// Follows the claims for as long as it is driven. The client's watches must be allowed to be quiet.
    pub async fn follow(self, client: Client) {
        drive(uncached::<NameClaim>(Api::all(client)), |change| self.changed(&change)).await;
    }

    /// Takes in what the watch saw.
    pub fn changed(&self, change: &Change<'_, NameClaim>) {
        let mut inner = self.lock();
        match change {
            Change::Applied(claim) => inner.apply(claim),
            Change::Deleted(claim) => inner.remove(&claim.name_any()),
            Change::ListBegins => inner.listed = Some(HashSet::new()),
            Change::ListEnds => inner.keep_listed(),
        }
    }

    /// The order that the first known one of these ids is of.
    pub fn order_of(&self, ids: &[String]) -> Option<String> {
        let inner = self.lock();
        ids.iter().find_map(|id| inner.orders.get(id)).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn apply(&mut self, claim: &NameClaim) {
        let key = claim.name_any();
        let Some(order) = claim.spec.order.as_deref().filter(|order| order.provider == Provider::Stripe)
        else {
            return self.remove(&key);
        };
        if let Some(listed) = &mut self.listed {
            listed.insert(key.clone());
        }
        self.remove(&key);
        let ids = ids(order);
        if ids.is_empty() || self.ids.len() >= MOST {
            return;
        }
        self.orders.extend(ids.iter().map(|id| (id.clone(), order.uid.clone())));
        self.ids.insert(key, ids);
    }

    fn remove(&mut self, key: &str) {
        for id in self.ids.remove(key).unwrap_or_default() {
            self.orders.remove(&id);
        }
    }

    /// What a complete list doesn't name is gone.
    fn keep_listed(&mut self) {
        let Some(listed) = self.listed.take() else { return };
        let gone: Vec<String> = self.ids.keys().filter(|key| !listed.contains(*key)).cloned().collect();
        for key in gone {
            self.remove(&key);
        }
    }
}

/// What Stripe knows an order by.
fn ids(order: &OrderRecord) -> Vec<String> {
    let attempts = order.attempts.iter().flat_map(|attempt| [&attempt.checkout_id, &attempt.subscription_id]);
    attempts.chain([&order.subscription_id, &order.customer_id]).flatten().cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::plan::tests::claim;
    use super::*;

    fn recorded(name: &str, uid: &str, more: &Value) -> NameClaim {
        let mut spec = claim(more);
        spec.order.as_mut().unwrap().uid = uid.into();
        NameClaim::new(name, spec)
    }

    fn found(index: &Index, id: &str) -> Option<String> {
        index.order_of(&["other".into(), id.into()])
    }

    #[test]
    fn an_order_is_found_by_what_stripe_knows_it_by_and_by_nothing_older() {
        let index = Index::default();
        let stripe = json!({"provider": "Stripe", "subscriptionID": "sub_1", "customerID": "cus_1"});
        index.changed(&Change::Applied(&recorded("order.uid-1", "uid-1", &stripe)));
        for id in ["sub_1", "cus_1", "31000001"] {
            assert_eq!(found(&index, id).as_deref(), Some("uid-1"), "{id}");
        }
        let later = json!({"provider": "Stripe", "subscriptionID": "sub_2", "customerID": "cus_2"});
        index.changed(&Change::Applied(&recorded("order.uid-1", "uid-1", &later)));
        assert_eq!((found(&index, "sub_1"), found(&index, "sub_2").as_deref()), (None, Some("uid-1")));
        let payapp = json!({"subscriptionID": "sub_3"});
        index.changed(&Change::Applied(&recorded("order.uid-3", "uid-3", &payapp)));
        assert_eq!(found(&index, "sub_3"), None, "Stripe knows nothing of it");
        index.changed(&Change::Deleted(&recorded("order.uid-1", "uid-1", &later)));
        assert_eq!(found(&index, "sub_2"), None);
    }

    #[test]
    fn what_a_new_list_lacks_is_forgotten() {
        let index = Index::default();
        let of = |id: &str| json!({"provider": "Stripe", "subscriptionID": id, "attempts": []});
        index.changed(&Change::Applied(&recorded("order.uid-1", "uid-1", &of("sub_1"))));
        index.changed(&Change::Applied(&recorded("order.uid-2", "uid-2", &of("sub_2"))));
        index.changed(&Change::ListBegins);
        index.changed(&Change::Applied(&recorded("order.uid-2", "uid-2", &of("sub_2"))));
        index.changed(&Change::ListEnds);
        assert_eq!((found(&index, "sub_1"), found(&index, "sub_2").as_deref()), (None, Some("uid-2")));
    }
}
