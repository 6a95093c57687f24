//! Every PaymentReceipt, by the order that it is for, from the watch on them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use tokio::sync::watch;

use super::flagged::unsettled;
use super::truth::Receipt;
use crate::api::PaymentReceipt;
use crate::engine::watch::Change;

/// Every receipt.
#[derive(Debug, Default)]
pub struct Receipts {
    state: Mutex<State>,
    complete: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    by_order: HashMap<String, BTreeMap<String, Receipt>>,
    listed: Option<HashSet<String>>,
}

impl Receipts {
    /// The receipts of an order.
    pub fn of(&self, order_uid: &str) -> Vec<Receipt> {
        self.lock().by_order.get(order_uid).map(|all| all.values().cloned().collect()).unwrap_or_default()
    }

    /// How many payments pay for nothing, and nobody has dealt with.
    pub fn unsettled(&self) -> usize {
        let state = self.lock();
        unsettled(state.by_order.values().flat_map(BTreeMap::values).map(|receipt| &receipt.spec)).len()
    }

    /// Takes in what the watch saw.
    pub fn changed(&self, change: &Change<'_, PaymentReceipt>) {
        let mut state = self.lock();
        match change {
            Change::Applied(receipt) => state.add(receipt),
            Change::Deleted(receipt) => state.remove(&receipt.spec.order_uid, &receipt.name_any()),
            Change::ListBegins => state.listed = Some(HashSet::new()),
            Change::ListEnds => {
                state.list_ends();
                drop(state);
                self.complete.send_replace(true);
            }
        }
    }

    /// Waits until the first list is complete.
    pub async fn ready(&self) {
        let mut listed = self.complete.subscribe();
        // The sender lives as long as we do.
        let _ = listed.wait_for(|complete| *complete).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, receipt: &PaymentReceipt) {
        let (name, order) = (receipt.name_any(), receipt.spec.order_uid.clone());
        if let Some(listed) = &mut self.listed {
            listed.insert(name.clone());
        }
        let created = receipt.creation_timestamp().map(|time| time.0).unwrap_or_default();
        let receipt = Receipt { name: name.clone(), created, spec: receipt.spec.clone() };
        self.by_order.entry(order).or_default().insert(name, receipt);
    }

    fn remove(&mut self, order: &str, name: &str) {
        let Some(all) = self.by_order.get_mut(order) else { return };
        all.remove(name);
        if all.is_empty() {
            self.by_order.remove(order);
        }
    }

    fn list_ends(&mut self) {
        let Some(listed) = self.listed.take() else { return };
        self.by_order.retain(|_, all| {
            all.retain(|name, _| listed.contains(name));
            !all.is_empty()
        });
    }
}
