//! Who holds which name, from the watch on NameClaims and from our own writes, whichever is newer.
//!
//! A cache alone would lag behind our own writes, and two Runtimes of one namespace could then pass its limit
//! together.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::ResourceExt;
use tokio::sync::{Notify, watch};

use super::brake::{Deletions, Room};
use super::claim_table::ClaimTable;
use super::domain::facts::Count;
use super::domain::index::{Counting, Domains, Orders as CertificateOrders};
use super::order::funding::Orders;
use crate::api::name_claim::{ClaimType, DeletionPhase};
use crate::api::{BlueprintSpec, NameClaim};
use crate::control::rollout::images::{Images, SeenImage};
use crate::domains::budget::Verdict;
use crate::engine::config::DeletionBrake;

/// Every claim, by name.
#[derive(Debug, Default)]
pub struct Claims {
    state: Mutex<State>,
    complete: watch::Sender<bool>,
    /// Tells when an order isn't being counted any more.
    counted: Notify,
}

#[derive(Debug, Default)]
struct State {
    all: ClaimTable,
    warm: BTreeSet<String>,
    slugs: HashMap<String, i32>,
    /// Deletions of a short time ago.
    deletions: Deletions,
    listed: Option<HashSet<String>>,
    images: Images,
    orders: Orders,
    domains: Domains,
    /// What claims are pinned to, each once: thousands are pinned to the same.
    pinned: Vec<Arc<BlueprintSpec>>,
}

/// A slug that is being claimed; it counts until it is dropped.
#[derive(Debug)]
pub struct Reservation {
    claims: Arc<Claims>,
    namespace: String,
}

/// An order for a certificate that is being counted; it counts from the first, and once this is dropped if its claim says
/// so.
#[derive(Debug)]
pub struct OrderCount {
    claims: Arc<Claims>,
    counting: Counting,
}

impl Claims {
    /// The claim under this key.
    pub fn get(&self, key: &str) -> Option<Arc<NameClaim>> {
        self.lock().all.get(key).cloned()
    }

    /// The slug that the object holds.
    pub fn slug_of(&self, uid: &str) -> Option<Arc<NameClaim>> {
        self.lock().all.held_by(uid).find(|claim| is_slug(claim)).cloned()
    }

    /// The claim that the order of this UID holds.
    pub fn order_of(&self, uid: &str) -> Option<Arc<NameClaim>> {
        self.lock().all.held_by(uid).find(|claim| claim.spec.order.is_some()).cloned()
    }

    /// Claims of orders of this name that weren't given up.
    pub fn orders_named(&self, namespace: &str, name: &str) -> Vec<Arc<NameClaim>> {
        let state = self.lock();
        state.standing(&state.orders.named(namespace, name))
    }

    /// Claims of orders for the Runtime of this name.
    pub fn orders_for(&self, namespace: &str, runtime: &str) -> Vec<Arc<NameClaim>> {
        let state = self.lock();
        state.standing(&state.orders.for_runtime(namespace, runtime))
    }

    /// Claims of orders that fund, or funded, the Runtime of this UID.
    pub fn orders_of_runtime(&self, uid: &str) -> Vec<Arc<NameClaim>> {
        let state = self.lock();
        state.standing(&state.orders.of_runtime(uid))
    }

    /// How many orders of the namespace aren't paid and still may be.
    pub fn open_orders_in(&self, namespace: &str) -> i32 {
        i32::try_from(self.lock().orders.open_in(namespace)).unwrap_or(i32::MAX)
    }

    /// How many slugs that weren't given up were last funded by the order of this UID.
    pub fn slugs_funded_by(&self, order: &str) -> usize {
        self.lock().orders.slugs_funded_by(order)
    }

    /// The slug whose app this is.
    pub fn by_app(&self, app: &str) -> Option<Arc<NameClaim>> {
        self.lock().all.by_app(app).cloned()
    }

    /// Waits until the first list is complete.
    pub async fn ready(&self) {
        let mut listed = self.complete.subscribe();
        // The sender lives as long as we do.
        let _ = listed.wait_for(|complete| *complete).await;
    }

    /// How many slugs the namespace holds or is about to.
    pub fn slugs_in(&self, namespace: &str) -> i32 {
        self.lock().slugs.get(namespace).copied().unwrap_or_default()
    }

    /// What the image's tag was last seen to stand for.
    pub fn newest_image(&self, image: &str) -> Option<SeenImage> {
        self.lock().images.newest(image)
    }

    /// The images whose tags moved since this was last asked.
    pub fn take_moved_images(&self) -> HashSet<String> {
        self.lock().images.take_moved()
    }

    /// Every slug whose holder isn't given up.
    pub fn held_slugs(&self) -> Vec<Arc<NameClaim>> {
        self.lock().all.iter().filter(|claim| counts(claim)).cloned().collect()
    }

    /// Every warm app, by name.
    pub fn warm(&self) -> Vec<Arc<NameClaim>> {
        let state = self.lock();
        state.warm.iter().filter_map(|key| state.all.get(key)).cloned().collect()
    }

    /// Every claim whose holder has given it up.
    pub fn given_up(&self) -> Vec<Arc<NameClaim>> {
        self.lock().all.iter().filter(|claim| claim.spec.tombstone.is_some()).cloned().collect()
    }

    /// Every claim of an order.
    pub fn of_orders(&self) -> Vec<Arc<NameClaim>> {
        self.lock().all.iter().filter(|claim| claim.spec.order.is_some()).cloned().collect()
    }

    /// Every claim of a hostname.
    pub fn of_hostnames(&self) -> Vec<Arc<NameClaim>> {
        self.lock().all.iter().filter(|claim| claim.spec.domain.is_some()).cloned().collect()
    }

    /// Claims of customers' hostnames that lead to the app.
    pub fn hostnames_of(&self, app: &str) -> Vec<Arc<NameClaim>> {
        let state = self.lock();
        state.standing(&state.domains.of_app(app))
    }

    /// When certificates were ordered that count for a hostname's next.
    pub fn certificate_orders(&self, hostname: &str, key: &str) -> CertificateOrders {
        self.lock().domains.orders(hostname, key)
    }

    /// Counts an order for a certificate, if `room` finds room for it; none if it doesn't. What is given has to live until
    /// that is written to the claim. Counting is waited for nowhere but where what others are counting is all that stands
    /// in the way.
    pub async fn count_order(
        self: &Arc<Self>,
        hostname: &str,
        key: &str,
        count: Count,
        room: impl Fn(&CertificateOrders) -> Verdict,
    ) -> Option<OrderCount> {
        loop {
            let counted = self.counted.notified();
            {
                let mut state = self.lock();
                if room(&state.domains.orders_to_come(hostname, key)) == Verdict::Now {
                    let counting = state.domains.begin_counting(hostname, key, count);
                    return Some(OrderCount { claims: Arc::clone(self), counting });
                }
                if room(&state.domains.orders(hostname, key)) != Verdict::Now {
                    return None;
                }
            }
            counted.await;
        }
    }

    /// Counts one slug more for the namespace, if it may hold so many.
    pub fn reserve(self: &Arc<Self>, namespace: &str, limit: i32) -> Option<Reservation> {
        let mut state = self.lock();
        let count = state.slugs.entry(namespace.to_owned()).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        drop(state);
        Some(Reservation { claims: Arc::clone(self), namespace: namespace.to_owned() })
    }

    /// Whether one more deletion may begin now. If so it counts at once, whatever becomes of the write that says so.
    pub fn begin_deletion(&self, key: &str, now: Timestamp, brake: DeletionBrake) -> Room {
        self.lock().deletions.begin(key, now, brake)
    }

    /// Every claim whose deletion is held.
    pub fn held_deletions(&self) -> Vec<Arc<NameClaim>> {
        let is_held = |claim: &&Arc<NameClaim>| claim.spec.deletion_phase() == Some(DeletionPhase::Held);
        self.lock().all.iter().filter(is_held).cloned().collect()
    }

    /// Takes in a claim as it was read or written, unless a newer one is known.
    pub fn apply(&self, mut claim: NameClaim) {
        // Nothing of these is read, and they would be most of what is kept.
        claim.metadata.managed_fields = None;
        claim.metadata.labels = None;
        claim.metadata.annotations = None;
        self.lock().apply(claim);
    }

    /// Forgets a claim that was removed.
    pub fn remove(&self, key: &str) {
        self.lock().remove(key);
    }

    /// A list begins.
    pub fn list_begins(&self) {
        self.lock().listed = Some(HashSet::new());
    }

    /// A list is complete: what wasn't in it is gone.
    pub fn list_ends(&self) {
        let mut state = self.lock();
        let Some(listed) = state.listed.take() else { return };
        let names = state.all.iter().map(|claim| claim.name_any());
        let gone: Vec<String> = names.filter(|key| !listed.contains(key)).collect();
        for key in &gone {
            state.remove(key);
        }
        drop(state);
        self.complete.send_replace(true);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn apply(&mut self, mut claim: NameClaim) {
        let key = claim.name_any();
        if let Some(listed) = &mut self.listed {
            listed.insert(key.clone());
        }
        if self.all.get(&key).is_some_and(|known| version(known) > version(&claim)) {
            return;
        }
        self.remove(&key);
        if let Some(runtime) = &mut claim.spec.runtime {
            runtime.pin.spec = self.shared(&runtime.pin.spec);
        }
        if let Some(runtime) = &claim.spec.runtime {
            self.images.note(&runtime.pin);
        }
        if is_warm(&claim) {
            self.warm.insert(key.clone());
        }
        if counts(&claim) {
            *self.slugs.entry(claim.spec.holder.namespace.clone()).or_default() += 1;
        }
        self.deletions.note(&key, &claim.spec);
        self.orders.note(&key, &claim.spec);
        self.domains.note(&key, &claim.spec);
        self.all.insert(&Arc::new(claim));
    }

    fn standing(&self, keys: &[String]) -> Vec<Arc<NameClaim>> {
        keys.iter().filter_map(|key| self.all.get(key).cloned()).collect()
    }

    /// The one copy of a Blueprint's spec that all claims share.
    fn shared(&mut self, spec: &Arc<BlueprintSpec>) -> Arc<BlueprintSpec> {
        if let Some(known) = self.pinned.iter().find(|known| *known == spec) {
            return Arc::clone(known);
        }
        self.pinned.retain(|known| Arc::strong_count(known) > 1);
        self.pinned.push(Arc::clone(spec));
        Arc::clone(spec)
    }

    fn remove(&mut self, key: &str) {
        let Some(claim) = self.all.remove(key) else { return };
        self.deletions.forget(key, &claim.spec);
        self.warm.remove(key);
        self.orders.forget(key, &claim.spec);
        self.domains.forget(key, &claim.spec);
        if counts(&claim) {
            self.uncount(&claim.spec.holder.namespace);
        }
    }

    fn uncount(&mut self, namespace: &str) {
        if let Some(count) = self.slugs.get_mut(namespace) {
            *count -= 1;
            if *count <= 0 {
                self.slugs.remove(namespace);
            }
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.claims.lock().uncount(&self.namespace);
    }
}

impl Drop for OrderCount {
    fn drop(&mut self) {
        self.claims.lock().domains.end_counting(&self.counting);
        self.claims.counted.notify_waiters();
    }
}

fn is_slug(claim: &NameClaim) -> bool {
    claim.spec.type_ == ClaimType::Slug
}

fn is_warm(claim: &NameClaim) -> bool {
    claim.spec.type_ == ClaimType::Warm
}

/// A slug counts until it is given up.
fn counts(claim: &NameClaim) -> bool {
    is_slug(claim) && claim.spec.tombstone.is_none()
}

/// Resource versions grow with each write.
fn version(claim: &NameClaim) -> u64 {
    claim.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}
