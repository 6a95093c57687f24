//! Claims, found by their name, by who holds them and by their app. Each is kept once: among very many, copies of those
//! texts in three maps would be half as large again as the claims.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::api::NameClaim;
use crate::api::name_claim::ClaimType;

/// Claims, found in three ways.
#[derive(Debug, Default)]
pub struct ClaimTable {
    random: RandomState,
    by_key: HashTable<Arc<NameClaim>>,
    by_holder: HashTable<Arc<NameClaim>>,
    by_app: HashTable<Arc<NameClaim>>,
}

/// What a claim is found by.
type By = fn(&NameClaim) -> &str;

impl ClaimTable {
    /// The claim of that name.
    pub fn get(&self, key: &str) -> Option<&Arc<NameClaim>> {
        self.by_key.find(self.random.hash_one(key), |claim| key_of(claim) == key)
    }

    /// Every claim that the object holds.
    pub fn held_by(&self, uid: &str) -> impl Iterator<Item = &Arc<NameClaim>> {
        self.by_holder.iter_hash(self.random.hash_one(uid)).filter(move |claim| holder_of(claim) == uid)
    }

    /// The claim that names the app. One that was warm is its Runtime's as soon as that one's slug says so.
    pub fn by_app(&self, app: &str) -> Option<&Arc<NameClaim>> {
        let all = self.by_app.iter_hash(self.random.hash_one(app)).filter(|claim| app_of(claim) == app);
        all.min_by_key(|claim| claim.spec.type_ == ClaimType::Warm)
    }

    /// Every claim.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<NameClaim>> {
        self.by_key.iter()
    }

    /// Puts a claim in. The one of the same name has to be taken out before.
    pub fn insert(&mut self, claim: &Arc<NameClaim>) {
        let random = &self.random;
        let put = |table: &mut HashTable<Arc<NameClaim>>, by: By| {
            let hash = |claim: &Arc<NameClaim>| random.hash_one(by(claim));
            table.insert_unique(hash(claim), Arc::clone(claim), hash);
        };
        put(&mut self.by_key, key_of);
        put(&mut self.by_holder, holder_of);
        if claim.spec.runtime.is_some() {
            put(&mut self.by_app, app_of);
        }
    }

    /// Takes the claim of that name out.
    pub fn remove(&mut self, key: &str) -> Option<Arc<NameClaim>> {
        let claim = Arc::clone(self.get(key)?);
        let random = &self.random;
        let drop_from = |table: &mut HashTable<Arc<NameClaim>>, by: By| {
            let same = |other: &Arc<NameClaim>| Arc::ptr_eq(other, &claim);
            if let Ok(found) = table.find_entry(random.hash_one(by(&claim)), same) {
                found.remove();
            }
        };
        drop_from(&mut self.by_key, key_of);
        drop_from(&mut self.by_holder, holder_of);
        drop_from(&mut self.by_app, app_of);
        Some(claim)
    }
}

fn key_of(claim: &NameClaim) -> &str {
    claim.metadata.name.as_deref().unwrap_or_default()
}

fn holder_of(claim: &NameClaim) -> &str {
    &claim.spec.holder.uid
}

fn app_of(claim: &NameClaim) -> &str {
    claim.spec.runtime.as_ref().map(|runtime| runtime.app.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::NameClaimSpec;
    use crate::api::name_claim::Holder;

    fn claim(name: &str, uid: &str) -> Arc<NameClaim> {
        let holder = Holder { namespace: "acme".into(), name: "ops".into(), uid: uid.into() };
        let spec = NameClaimSpec::new(ClaimType::Slug, name, holder);
        Arc::new(NameClaim::new(&NameClaim::label_key(name), spec))
    }

    #[test]
    fn a_claim_is_found_by_its_name_and_by_its_holder_until_it_is_taken_out() {
        let mut table = ClaimTable::default();
        for (name, uid) in [("one", "a"), ("two", "a"), ("three", "b")] {
            table.insert(&claim(name, uid));
        }
        assert_eq!((table.held_by("a").count(), table.held_by("b").count(), table.iter().count()), (2, 1, 3));
        assert_eq!(table.get("label.two").unwrap().spec.name, "two");
        assert_eq!(table.remove("label.two").unwrap().spec.name, "two");
        assert!(table.get("label.two").is_none() && table.remove("label.two").is_none());
        assert_eq!((table.held_by("a").count(), table.iter().count()), (1, 2));
        assert!(table.by_app("").is_none());
    }
}
