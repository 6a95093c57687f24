//! What is known about one hostname when a decision is made.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde::{Deserialize, Serialize};

use super::certificate::{CaaFact, CopyFact, Material, OrderFact, Shown, Stored};
use super::edge::EdgeFact;
use super::ownership::Proofs;
use crate::api::custom_domain::Challenge;
use crate::api::domain_record::DomainRecord;
use crate::api::name_claim::Holder;
use crate::api::{CustomDomain, DOMAIN_FINALIZER, NameClaim};
use crate::control::runtime::facts::{NamespaceFact, Refusal, Trouble};
use crate::domains::budget::{Kind, Verdict};
use crate::domains::dns::{LookError, Seen, Target};
use crate::domains::name::Hostname;
use crate::engine::config::Mode;

/// Everything that `decide` sees.
#[derive(Clone, Debug)]
pub struct Facts {
    /// When this was last decided on.
    pub at: Timestamp,
    /// What is declared.
    pub domain: Arc<CustomDomain>,
    /// The hostname in its one spelling, or why it can't be used.
    pub host: Result<Hostname, Refusal>,
    /// The cluster around it, from the caches.
    pub cluster: Cluster,
    /// What was seen, done or went wrong, kept between visits.
    pub known: Knowledge,
}

/// What the caches say.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Whether the namespace is being deleted.
    pub namespace: NamespaceFact,
    /// Id of the namespace's tenant; none before it has a Workspace.
    pub tenant: Option<String>,
    /// The claim on the hostname.
    pub claim: Option<Arc<NameClaim>>,
    /// Whether another tenant holds a name above it.
    pub above: Above,
    /// Which place it has among the namespace's CustomDomains, the oldest first, from 0.
    pub place: usize,
    /// The Runtime that it names.
    pub runtime: RuntimeFact,
    /// The platform's zone, where hostnames have names of their own.
    pub base: Option<Base>,
    /// Whether certificates can be ordered here.
    pub acme: Option<AcmeOffer>,
    /// Whether another order for a certificate may be placed.
    pub rooms: Rooms,
    /// Settings of the operator.
    pub settings: Settings,
}

/// Whether another order for a certificate may be placed, or else when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rooms {
    /// For one that the hostname never had.
    pub first: Verdict,
    /// For one in another's place.
    pub renewal: Verdict,
}

impl Rooms {
    /// As long as nothing was ordered.
    pub const FREE: Self = Self { first: Verdict::Now, renewal: Verdict::Now };
}

/// Whether another tenant holds a name above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Above {
    /// None does.
    Free,
    /// One does: it takes a text to show that this one is another's.
    Held,
}

/// The Runtime that a hostname is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuntimeFact {
    /// There is none of that name.
    Missing,
    /// It is being deleted.
    Going,
    /// Its app isn't made yet.
    Pending,
    /// It has an app.
    Standing {
        /// The app at Fly.
        app: String,
    },
}

/// The platform's zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Its name.
    pub name: String,
    /// Who keeps records in it.
    pub records: BaseRecords,
}

/// Who keeps records in the platform's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseRecords {
    /// We do.
    Kept,
    /// Nobody: a wildcard record stands already.
    Wildcard,
}

/// How certificates can be ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeOffer {
    /// Addresses of the platform's ingress, through which HTTP-01 is answered; empty if there is none.
    pub ingress: Vec<String>,
    /// Whether the platform keeps a zone in which texts can be set.
    pub texts: Texts,
}

/// Whether the platform keeps a zone in which texts can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// It does.
    Kept,
    /// It doesn't.
    None,
}

/// Settings of the operator that decisions depend on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether anything may be changed.
    pub mode: Mode,
    /// Zones in which customers can't have a hostname.
    pub own_zones: Arc<[String]>,
    /// Most CustomDomains of one namespace.
    pub most: usize,
    /// Time between two looks at a hostname in service.
    pub recheck: SignedDuration,
    /// Time for which a hostname serves on after its record has gone.
    pub grace: SignedDuration,
    /// Time for which another's record has to stand, and the holder's to be missing, before a hostname changes hands.
    pub contest: SignedDuration,
    /// Time that issuing a certificate may take.
    pub deadline: SignedDuration,
    /// Time that may pass before a Runtime that is named appears.
    pub patience: SignedDuration,
    /// Pause of slow retries.
    pub slow_retry: SignedDuration,
}

/// What was seen, done, or went wrong. Nothing in here is needed after a restart: it can all be found out again.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// Since when this process knows the object.
    pub since: Option<Timestamp>,
    /// What has to be set in DNS.
    pub proofs: Option<Proofs>,
    /// What the tenant that holds the name, if it is another one, has to have set, with its id.
    pub rival: Option<(Proofs, String)>,
    /// The last look at DNS.
    pub sight: Option<Sighting>,
    /// When the next look at DNS may be made, after others had theirs.
    pub turn: Option<Timestamp>,
    /// When a look at the customer's name servers may be tried again, since others are under way.
    pub crowded_until: Option<Timestamp>,
    /// Somebody wants it looked at now.
    pub asked: Asked,
    /// The app's public addresses.
    pub addresses: Option<AddressFact>,
    /// The hostname at Fly, with the app that was asked for it.
    pub edge: Option<EdgeFact>,
    /// What stands at Fly may have changed.
    pub edge_asked: Asked,
    /// What was done in this process's life and isn't recorded.
    pub deeds: Deeds,
    /// What the operator keeps for ordering certificates.
    pub stored: Option<Stored>,
    /// The copy of the ordered certificate in the namespace.
    pub copy: Option<CopyFact>,
    /// The certificate in the Secret that is named.
    pub material: Option<Material>,
    /// The Secret that is named may have changed.
    pub material_asked: Asked,
    /// Whether CAA records let the authority issue.
    pub caa: Option<CaaFact>,
    /// The order under way, as it was last seen.
    pub order: Option<OrderFact>,
    /// Whether the texts that the authority wants show.
    pub shown: Shown,
    /// What the authority said of renewal.
    pub renewal: Option<Renewal>,
    /// Since when it has been known here that the certificate in service is to be renewed: an authority may name a time that
    /// was long ago.
    pub due_since: Option<Timestamp>,
    /// The certificate, by its fingerprint, whose renewal the authority takes as any other order.
    pub plain: Option<String>,
    /// An order that is counted and isn't placed yet.
    pub counted: Option<Count>,
    /// When the API server said that there is no such Runtime.
    pub runtime_missing_since: Option<Timestamp>,
    /// What went wrong last, until something succeeds again.
    pub trouble: Option<Trouble>,
}

/// An order that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Count {
    /// What it is to the authority's limits.
    pub kind: Kind,
    /// When it was counted, as that stands on the claim.
    pub at: Timestamp,
}

/// An app's public addresses, as they were last answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressFact {
    /// The app that was asked.
    pub app: String,
    /// When.
    pub at: Timestamp,
    /// The addresses.
    pub addresses: Vec<String>,
}

/// Whether somebody wants it looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    /// Nobody does.
    #[default]
    No,
    /// Somebody does: at once.
    Now,
}

/// What the authority said of a certificate's renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// When it is asked again.
    pub again: Timestamp,
    /// What it said.
    pub advice: Advice,
}

/// What an authority says of a certificate's renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// It suggested a time, from which this moment was drawn.
    At(Timestamp),
    /// It suggests none.
    Nothing,
    /// It couldn't be asked.
    Unheard,
}

/// One look at DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// When.
    pub at: Timestamp,
    /// What was seen.
    pub result: Result<Seen, LookError>,
    /// Looks in a row at which the holder's own record was missing.
    pub misses: u32,
    /// Looks in a row at which it led elsewhere, or lacked a record for its certificate.
    pub strays: u32,
    /// Looks in a row that ended otherwise than at rest.
    pub count: u32,
}

/// What was done in this process's life and isn't recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deeds {
    /// The name in the platform's zone, and the addresses that it was given.
    pub published: Option<(String, Vec<String>)>,
    /// Names in the platform's zone that were removed.
    pub unpublished: BTreeSet<String>,
    /// Apps that the hostname was taken from.
    pub detached: BTreeSet<String>,
    /// What the operator kept for ordering has been removed.
    pub dropped: Dropped,
    /// The certificate that was imported, by its fingerprint.
    pub imported: Option<String>,
}

/// Whether what the operator keeps for ordering certificates has been removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dropped {
    /// It may be there.
    #[default]
    No,
    /// It isn't.
    Yes,
}

impl Facts {
    /// What is recorded on its own claim, while it holds it.
    pub fn record(&self) -> Option<&DomainRecord> {
        let claim = self.cluster.claim.as_ref().filter(|claim| claim.spec.tombstone.is_none())?;
        let ours = Some(&claim.spec.holder.uid) == self.domain.metadata.uid.as_ref();
        claim.spec.domain.as_deref().filter(|_| ours)
    }

    /// Where the hostname leads, as far as that was seen.
    pub fn target(&self) -> Option<&Target> {
        self.seen()?.target.as_ref().ok()
    }

    /// Why it couldn't be seen where the hostname leads.
    pub fn unseen(&self) -> Option<&LookError> {
        match &self.known.sight.as_ref()?.result {
            Ok(seen) => seen.target.as_ref().err(),
            Err(error) => Some(error),
        }
    }

    /// What was seen at the last look.
    pub fn seen(&self) -> Option<&Seen> {
        self.known.sight.as_ref()?.result.as_ref().ok()
    }

    /// Name of the platform's zone.
    pub fn base(&self) -> Option<&str> {
        self.cluster.base.as_ref().map(|base| base.name.as_str())
    }

    /// The app that it is to lead to.
    pub fn app(&self) -> Option<&str> {
        match &self.cluster.runtime {
            RuntimeFact::Standing { app } => Some(app),
            RuntimeFact::Missing | RuntimeFact::Going | RuntimeFact::Pending => None,
        }
    }

    /// The app's public addresses, once they are known.
    pub fn addresses(&self) -> Option<&[String]> {
        self.known_addresses().map(|known| known.addresses.as_slice())
    }

    /// The same, with when they were looked at.
    pub fn known_addresses(&self) -> Option<&AddressFact> {
        self.known.addresses.as_ref().filter(|known| Some(known.app.as_str()) == self.app())
    }

    /// Whether what was found at Fly at that time is to be read again: DNS was looked at in its slow turn since.
    pub fn is_stale(&self, at: Timestamp) -> bool {
        let Some(sight) = &self.known.sight else { return false };
        at.duration_until(sight.at) >= self.cluster.settings.recheck / 2
    }

    /// The hostname at Fly, once it was asked for there.
    pub fn edge(&self) -> Option<&EdgeFact> {
        self.known.edge.as_ref().filter(|edge| Some(edge.app.as_str()) == self.app())
    }

    /// Forgets what was found out for somebody else: of another tenant, or of another app.
    pub fn align(&mut self) {
        let claim = self.cluster.claim.as_ref().and_then(|claim| claim.spec.domain.as_ref());
        let holder = claim.map(|record| &record.tenant_id);
        let other = holder.filter(|holder| Some(*holder) != self.cluster.tenant.as_ref());
        if self.known.rival.as_ref().map(|(_, tenant)| tenant) != other {
            self.known.proofs = None;
        }
        self.taken_or_recorded();
        let due = self.record().and_then(|record| record.certificate.as_ref()?.renewal_time);
        let since = self.known.due_since.unwrap_or(self.at);
        self.known.due_since = due.filter(|due| *due <= self.at).map(|_| since);
        let recorded = self.record().and_then(|record| record.certificate.as_ref()?.fingerprint.clone());
        if recorded.is_some() && recorded == self.known.deeds.imported {
            self.known.deeds.imported = None;
        }
    }

    /// How an ordered certificate's name is proved.
    pub fn challenge(&self) -> Challenge {
        self.domain.spec.certificate.challenge.unwrap_or_default()
    }

    /// Once a name is about to change hands, what stands under it may be taken away; and what is recorded of its addresses
    /// is all that counts from then on.
    fn taken_or_recorded(&mut self) {
        let Some(record) = self.record() else { return };
        let goes = record.contest.as_ref().is_some_and(|contest| contest.decide_time.is_some());
        let recorded = record.route.as_ref().map(|route| &route.addresses);
        let same = self.known.deeds.published.as_ref().is_some_and(|(_, done)| Some(done) == recorded);
        if goes {
            self.known.deeds = Deeds::default();
            self.known.edge = None;
        } else if same {
            self.known.deeds.published = None;
        }
    }

    /// Who we are, for claims.
    pub fn holder(&self) -> Holder {
        Holder {
            namespace: self.domain.namespace().unwrap_or_default(),
            name: self.domain.name_any(),
            uid: self.domain.uid().unwrap_or_default(),
        }
    }

    /// Whether it is being deleted.
    pub fn is_deleted(&self) -> bool {
        self.domain.metadata.deletion_timestamp.is_some()
    }

    /// Whether our finalizer is on it.
    pub fn has_finalizer(&self) -> bool {
        self.domain.finalizers().iter().any(|finalizer| finalizer == DOMAIN_FINALIZER)
    }

    /// Generation of its spec.
    pub fn generation(&self) -> i64 {
        self.domain.metadata.generation.unwrap_or_default()
    }
}
