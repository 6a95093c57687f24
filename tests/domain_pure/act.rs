//! What effects come to in the small world.

use jiff::SignedDuration;
use moorage::api::condition::whole_seconds;
use moorage::api::domain_record::RouteRecord;
use moorage::api::name_claim::Tombstone;
use moorage::api::{DOMAIN_FINALIZER, reason};
use moorage::control::domain::certificate::{
    Caa, CaaFact, CopyFact, Glance, OrderFact, Proof, Shown, Stored, StoredOrder,
};
use moorage::control::domain::facts::{Advice, Count, Deeds, Dropped, Facts, Renewal};
use moorage::control::domain::ordering;
use moorage::control::domain::records::text_target;
use moorage::control::domain::step::{Effect, Look};
use moorage::control::domain::trouble;
use moorage::control::runtime::facts::Refusal;
use moorage::domains::DomainError;
use moorage::domains::acme::{AcmeError, Cause, Fault};
use moorage::domains::dns::{LookError, Text};

use crate::authority::{Order, certificate};
use crate::world::{BASE, World, at};

impl World {
    pub(crate) fn act(&mut self, who: usize, facts: &mut Facts, effect: &Effect) {
        self.writes.push(Self::effect_name(effect));
        let now = at(self.now);
        let holder = facts.holder();
        match effect {
            Effect::AddFinalizer => {
                let domain = self.customers[who].domain.as_mut().unwrap();
                domain.metadata.finalizers = Some(vec![DOMAIN_FINALIZER.into()]);
            }
            Effect::RemoveFinalizer => self.customers[who].domain = None,
            Effect::Claim(record) => {
                facts.known.deeds = Deeds::default();
                self.claim_it(holder, |spec| spec.domain = Some(record.clone()));
            }
            Effect::TakeOver => self.written(|spec| {
                spec.holder = holder;
                spec.confirm = None;
            }),
            Effect::Reclaim(record) => {
                facts.known.deeds = Deeds::default();
                facts.known.stored = None;
                facts.known.edge = None;
                self.written(|spec| {
                    spec.holder = holder;
                    spec.tombstone = None;
                    spec.domain = Some(record.clone());
                });
            }
            Effect::RecordContest(contest) => {
                self.recorded(|record| {
                    let was_decided = record.contest.as_ref().is_some_and(|it| it.decide_time.is_some());
                    if let (None, true, Some(route)) = (contest, was_decided, &mut record.route) {
                        route.addresses.clear();
                    }
                    record.contest.clone_from(contest);
                });
                facts.known.deeds = Deeds::default();
                facts.known.edge = None;
            }
            Effect::RecordMissing(since) => self.recorded(|record| record.missing_since = Some(*since)),
            Effect::RecordShown(method) => self.recorded(|record| {
                record.method = *method;
                record.missing_since = None;
                record.contest = None;
            }),
            Effect::RecordAstray(since) => self.recorded(|record| record.astray_since = *since),
            Effect::RecordRoute(app) => {
                self.recorded(|record| {
                    record.route =
                        app.as_ref().map(|app| RouteRecord { app: app.clone(), addresses: Vec::new() });
                    record.certificate = None;
                    record.service_time = None;
                });
                facts.known.deeds = Deeds::default();
                facts.known.edge = None;
            }
            Effect::RecordStanding(standing) => self.recorded(|record| {
                if let Some(route) = &mut record.route {
                    route.addresses.clone_from(&standing.addresses);
                }
                record.certificate.clone_from(&standing.certificate);
                record.service_time = standing.service_time;
            }),
            Effect::Release => self.written(|spec| {
                spec.tombstone = Some(Tombstone { release_time: whole_seconds(now), message: String::new() });
                let record = spec.domain.as_mut().unwrap();
                record.route = None;
                record.certificate = None;
                record.service_time = None;
                record.missing_since = None;
                record.astray_since = None;
                record.contest = None;
            }),
            Effect::Publish { label, addresses } => {
                let name = moorage::control::domain::ownership::target(label, BASE);
                self.zone.insert(name, addresses.clone());
                facts.known.deeds.published = Some((label.clone(), addresses.clone()));
                facts.known.deeds.unpublished.remove(label);
            }
            Effect::Unpublish(label) => {
                self.zone.remove(&moorage::control::domain::ownership::target(label, BASE));
                facts.known.deeds.unpublished.insert(label.clone());
                facts.known.deeds.published = None;
            }
            Effect::RequestCertificate
            | Effect::CheckHostname
            | Effect::Import
            | Effect::DropImport
            | Effect::DropIssued => self.host_it(facts, effect),
            Effect::Detach(app) => {
                self.fly.apps.insert(app.clone(), None);
                facts.known.deeds.detached.insert(app.clone());
                facts.known.edge = None;
            }
            _ => self.order_it(who, facts, effect),
        }
    }

    fn host_it(&mut self, facts: &mut Facts, effect: &Effect) {
        let app = facts.app().unwrap().to_owned();
        let leads = self.leads_to(&app);
        match effect {
            Effect::RequestCertificate => self.fly.entry(&app).asked = true,
            Effect::Import => {
                let material = match &facts.known.material {
                    Some(moorage::control::domain::certificate::Material::Ready(it)) => Some(it.clone()),
                    _ => facts.known.stored.as_ref().and_then(|stored| stored.certificate.clone()),
                };
                let material = material.unwrap();
                let custom = (material.fingerprint.clone(), material.not_after.as_second());
                self.fly.entry(&app).custom = Some(custom);
                self.fly.ledger.push(format!("imported {app} {}", material.fingerprint));
                facts.known.deeds.imported = Some(material.fingerprint.clone());
            }
            Effect::DropImport => {
                self.fly.entry(&app).custom = None;
                facts.known.deeds.imported = None;
            }
            Effect::DropIssued => {
                let kept = self.fly.entry(&app);
                (kept.asked, kept.issued) = (false, false);
            }
            _ => {}
        }
        self.fly.look(&app, leads);
        let count = facts.known.edge.as_ref().map_or(0, |edge| edge.count + 1);
        facts.known.deeds.detached.remove(&app);
        facts.known.edge_asked = Default::default();
        facts.known.edge = Some(self.fly.fact(&app, at(self.now), count, leads));
    }

    fn order_it(&mut self, who: usize, facts: &mut Facts, effect: &Effect) {
        let now = at(self.now);
        match effect {
            Effect::CountOrder => {
                let kind = ordering::kind(facts);
                let at = whole_seconds(now);
                self.recorded(|record| {
                    record.ordering = Some(ordering::counted(now, record.ordering.as_ref(), kind));
                });
                facts.known.counted = Some(Count { kind, at });
                facts.known.deeds.dropped = Dropped::No;
            }
            Effect::BeginOrder if self.ca.away.is_some() => {
                let cause = self.ca.away.unwrap();
                let error = AcmeError { cause, error: DomainError::authority_unavailable("It is away.") };
                let (count, generation) = (facts.known.counted.take(), facts.generation());
                self.recorded(|record| {
                    let before = record.ordering.as_ref();
                    record.ordering = Some(ordering::unplaced(now, before, count, &error, generation, "uid"));
                });
            }
            Effect::BeginOrder => {
                let count = facts.known.counted.take();
                let number = self.ca.order();
                let stored = facts.known.stored.get_or_insert_default();
                stored.order = Some(StoredOrder { url: format!("order-{number}"), key: "key".into(), count });
                stored.kept = moorage::control::domain::certificate::Kept::Secret;
                self.stored = Some((stored.clone(), Some(number)));
                facts.known.order = Some(OrderFact::Proofs(vec![Proof::Text(format!("text-{number}"))]));
                facts.known.shown = Shown::NotSet;
            }
            Effect::ShowProofs(proofs) => {
                let begun = facts.known.stored.as_ref().and_then(|stored| stored.texts.first());
                let begun = begun.map(|text| text.name.clone());
                let name = begun.or_else(|| text_target(facts)).unwrap();
                let stored = facts.known.stored.get_or_insert_default();
                for proof in proofs {
                    let Proof::Text(value) = proof else { continue };
                    stored.texts.push(Text { name: name.clone(), value: value.clone() });
                    self.texts.insert((name.clone(), value.clone()));
                }
                let number = self.stored.as_ref().and_then(|(_, number)| *number);
                stored.kept = moorage::control::domain::certificate::Kept::Secret;
                self.stored = Some((stored.clone(), number));
                facts.known.shown =
                    Shown::NotYet(Glance { at: now - SignedDuration::from_secs(1), looks: 0 });
            }
            Effect::Answer => {
                if let Some(number) = self.number() {
                    self.ca.orders.insert(number, Order::Answered);
                }
                facts.known.order = Some(OrderFact::Working(now));
            }
            Effect::Finalize => {
                if let Some(number) = self.number() {
                    self.ca.finalize(number);
                }
                facts.known.order = Some(OrderFact::Working(now));
            }
            Effect::Collect => {
                let stored = facts.known.stored.get_or_insert_default();
                stored.order = None;
                stored.certificate = Some(certificate(self.host.as_str(), self.now / 60 * 60));
                stored.kept = moorage::control::domain::certificate::Kept::Secret;
                self.stored = Some((stored.clone(), None));
                facts.known.order = None;
                facts.known.renewal = None;
                facts.known.shown = Shown::NotSet;
            }
            Effect::Copy => {
                let stored = facts.known.stored.as_ref().unwrap();
                let fingerprint = stored.certificate.as_ref().unwrap().fingerprint.clone();
                facts.known.copy = Some(if self.foreign_copy {
                    let why = Refusal::new(reason::NAME_TAKEN, "The Secret `ai-tls` isn't ours.");
                    CopyFact::Failed(now + SignedDuration::from_mins(10), why)
                } else {
                    self.customers[who].copy = Some(fingerprint.clone());
                    CopyFact::Of(fingerprint)
                });
            }
            Effect::Abandon(error) => {
                let generation = facts.generation();
                let order = facts.known.stored.as_ref().and_then(|stored| stored.order.as_ref());
                let count = order.and_then(|order| order.count);
                self.recorded(|record| {
                    let ended = ordering::without_certificate(record.ordering.as_ref(), count);
                    record.ordering = Some(ordering::failed(now, Some(&ended), error, generation, "uid"));
                });
                let stored = facts.known.stored.get_or_insert_default();
                stored.order = None;
                stored.kept = moorage::control::domain::certificate::Kept::Secret;
                self.stored = Some((stored.clone(), None));
                facts.known.order = None;
                facts.known.shown = Shown::NotSet;
                facts.known.caa = None;
            }
            Effect::Clean => {
                let stored = facts.known.stored.get_or_insert_default();
                for text in stored.texts.drain(..) {
                    self.texts.remove(&(text.name, text.value));
                }
                stored.kept = moorage::control::domain::certificate::Kept::Secret;
                self.stored = Some((stored.clone(), self.number()));
                facts.known.order = None;
                facts.known.shown = Shown::NotSet;
            }
            Effect::DropStored => {
                self.stored = None;
                facts.known.stored = Some(Stored::default());
                facts.known.deeds.dropped = Dropped::Yes;
            }
            other => panic!("not carried out: {other:?}"),
        }
    }

    pub(crate) fn look_at_order(&mut self, facts: &mut Facts, what: Look) {
        let now = at(self.now);
        match what {
            Look::Caa => {
                let looks = match facts.known.caa.as_ref().map(|caa| &caa.verdict) {
                    Some(Caa::Unseen(_, looks)) => *looks,
                    _ => 0,
                };
                let verdict = match (self.dns.hides.caa, self.dns.forbids) {
                    (true, _) => Caa::Unseen(trouble::refusal(&LookError::Resolvers), looks + 1),
                    (false, true) => Caa::Forbids(Refusal::new(reason::CAA_FORBIDS, "It names another.")),
                    (false, false) => Caa::Allows,
                };
                facts.known.caa = Some(CaaFact { at: now, verdict });
            }
            Look::Renewal => {
                let recalled = self.ca.recalls == Some(self.ca.certificates);
                let advice = if recalled { Advice::At(at(0)) } else { Advice::Nothing };
                facts.known.renewal = Some(Renewal { again: now + SignedDuration::from_hours(6), advice })
            }
            Look::Shown => {
                let looks = match &facts.known.shown {
                    Shown::NotYet(glance) => glance.looks + 1,
                    _ => 1,
                };
                let hidden = self.dns.hides.shown;
                facts.known.shown =
                    if hidden { Shown::NotYet(Glance { at: now, looks }) } else { Shown::Everywhere };
            }
            _ => {
                let Some(number) = self.number() else {
                    // Somebody else's order isn't ours to go on with.
                    facts.known.stored.as_mut().unwrap().order = None;
                    return;
                };
                let stands = self.texts.iter().any(|(_, value)| *value == format!("text-{number}"));
                self.ca.go_on(number, stands);
                facts.known.order = Some(match self.ca.orders[&number] {
                    Order::Pending => {
                        facts.known.shown = Shown::NotSet;
                        OrderFact::Proofs(vec![Proof::Text(format!("text-{number}"))])
                    }
                    Order::Answered => OrderFact::Working(now + SignedDuration::from_secs(1)),
                    Order::Ready => OrderFact::Ready,
                    Order::Valid => OrderFact::Valid,
                    Order::Failed if self.ca.breaks => OrderFact::Failed(AcmeError {
                        cause: Cause::Unavailable,
                        error: DomainError::authority_unavailable(
                            "The certificate authority couldn't do it.",
                        ),
                    }),
                    Order::Failed => OrderFact::Failed(AcmeError {
                        cause: Cause::ProofFailed(Fault::Dns),
                        error: DomainError::certificate_refused(
                            "The certificate authority didn't find the text.",
                        ),
                    }),
                });
            }
        }
    }

    fn number(&self) -> Option<u32> {
        self.stored.as_ref().and_then(|(_, number)| *number)
    }

    fn recorded(&mut self, change: impl FnOnce(&mut moorage::api::domain_record::DomainRecord)) {
        self.written(|spec| change(spec.domain.as_mut().unwrap()));
    }
}
