//! Which warm apps serve. It is found out again after a restart, before any of them is given.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;

use crate::api::NameClaim;
use crate::api::name_claim::ClaimType;
use crate::api::warm::WarmPhase;
use crate::control::claims::Claims;
use crate::control::runtime::facts::{Warm, WarmStanding};

/// Names of the claims whose apps serve.
#[derive(Debug, Default)]
pub struct Board {
    ready: Mutex<BTreeSet<String>>,
}

impl Board {
    /// Notes that an app serves.
    pub fn serves(&self, name: &str) {
        self.lock().insert(name.to_owned());
    }

    /// Notes that an app doesn't serve, or is gone.
    pub fn fails(&self, name: &str) {
        self.lock().remove(name);
    }

    /// Whether an app serves.
    pub fn is_ready(&self, name: &str) -> bool {
        self.lock().contains(name)
    }

    /// The apps that a Runtime of this Plan may have: those that serve and nobody has taken, and the one that it has
    /// taken itself.
    pub fn offers(&self, claims: &Claims, plan: &str, uid: Option<&str>) -> Vec<Warm> {
        let all = claims.warm();
        let of_plan = all.iter().filter(|claim| claim.spec.holder.name == plan);
        of_plan.filter_map(|claim| self.offer(claims, claim, uid)).collect()
    }

    fn offer(&self, claims: &Claims, claim: &NameClaim, uid: Option<&str>) -> Option<Warm> {
        let (app, identity) = (claim.spec.warm.as_ref()?, claim.spec.runtime.as_ref()?);
        let name = claim.name_any();
        let standing = match app.phase {
            WarmPhase::Given if app.is_given_to(uid) => WarmStanding::Given,
            WarmPhase::Kept if self.is_ready(&name) => WarmStanding::Offered,
            _ => return None,
        };
        (!is_used(claims, claim)).then(|| Warm {
            name,
            region: app.region.clone(),
            identity: identity.clone(),
            standing,
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a Runtime's slug says that the app is its own.
pub fn is_used(claims: &Claims, warm: &NameClaim) -> bool {
    let app = warm.spec.runtime.as_ref().map(|identity| identity.app.as_str());
    app.and_then(|app| claims.by_app(app)).is_some_and(|claim| claim.spec.type_ == ClaimType::Slug)
}
