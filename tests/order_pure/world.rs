//! A small world in which decisions about one order are carried out: its claim, its receipts and its Runtime.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use moorage::api::condition::{ConditionStatus, ConditionType, Wanted, merge};
use moorage::api::name_claim::{ClaimType, Holder, Tombstone};
use moorage::api::payment_receipt::{Provider, ReceiptType};
use moorage::api::plan::{CpuKind, Interval};
use moorage::api::refs::NameRef;
use moorage::api::runtime::RuntimeStatus;
use moorage::api::runtime_order::{OrderedRuntime, Payment, PaymentMode};
use moorage::api::state::RuntimeState;
use moorage::api::workspace::{Member, MemberKind, Role, WorkspaceSpec, WorkspaceStatus};
use moorage::api::{
    NameClaim, NameClaimSpec, PaymentReceiptSpec, PlanSpec, Runtime, RuntimeOrder, RuntimeOrderSpec,
    RuntimeSpec, Workspace,
};
use moorage::control::order::decide::decide;
use moorage::control::order::facts::{CallOutcome, Cluster, Facts, Knowledge, Reading, Settings};
use moorage::control::order::standing::Patience;
use moorage::control::order::step::{Effect, Rest, Step, Waiting};
use moorage::control::order::truth::Receipt;
use moorage::control::order::view::view;
use moorage::control::policy::EffectivePolicy;
use moorage::control::runtime::facts::NamespaceFact;
use moorage::engine::config::Mode;

use crate::bank::Bank;

pub const PRICE: i64 = 2_900;
pub const DAY: i64 = 24 * 3600;

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub fn patience() -> Patience {
    Patience { grace: SignedDuration::from_hours(72), retention: SignedDuration::from_hours(24 * 30) }
}

/// Whether there is another step by itself.
pub fn goes_on(step: &Step) -> bool {
    match step {
        Step::Rest(_) => false,
        Step::Wait(waiting) => matches!(waiting, Waiting::Runtime | Waiting::RuntimeGone),
        Step::LookForRuntime | Step::ReadProvider | Step::FindCheckout(_) | Step::Do(_) => true,
    }
}

/// Everything around one order.
#[derive(Clone, Debug)]
pub struct World {
    pub now: i64,
    pub order: Option<RuntimeOrder>,
    pub claim: Option<NameClaim>,
    pub receipts: Vec<Receipt>,
    pub runtime: Option<Runtime>,
    pub workspace: Option<Workspace>,
    pub plan: Option<PlanSpec>,
    pub rival: Option<String>,
    pub funded_by: Option<String>,
    pub slugs: i32,
    pub known: Knowledge,
    /// The provider, and who is configured.
    pub bank: Bank,
    pub providers: Vec<Provider>,
    /// The Plan that the Runtime asks for.
    pub wish: Option<(String, PlanSpec)>,
    /// Every effect that took place.
    pub ledger: Vec<&'static str>,
    /// Runtimes that were ever made by the order.
    pub made: usize,
    /// Runtimes that it was ever recorded to fund.
    pub funded: BTreeSet<String>,
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
    /// It never takes place, and that is known.
    Refused,
}

pub fn plan() -> PlanSpec {
    PlanSpec {
        display_name: None,
        cpu_kind: CpuKind::Shared,
        cpus: 2,
        memory_mb: 2048,
        volume_gb: 10,
        amount: PRICE,
        currency: "USD".into(),
        interval: Interval::Month,
        requires_order: true,
        warm_pool: None,
    }
}

fn workspace() -> Workspace {
    let member = Member { kind: MemberKind::User, name: "ada".into(), role: Role::Owner };
    let spec = WorkspaceSpec {
        display_name: "Acme".into(),
        subdomain: "acme".into(),
        default_plan_ref: None,
        default_region: None,
        members: vec![member],
    };
    let mut workspace = Workspace::new("acme", spec);
    let ready = Wanted::new(ConditionType::Ready, ConditionStatus::True, "Active", "");
    workspace.status =
        Some(WorkspaceStatus { conditions: merge(&[], vec![ready], 1, at(1)), ..WorkspaceStatus::default() });
    workspace
}

pub fn order(mode: PaymentMode) -> RuntimeOrder {
    let spec = RuntimeOrderSpec {
        plan_ref: NameRef::new("pro"),
        runtime: Some(OrderedRuntime { name: "ops".into(), slug: None }),
        runtime_ref: None,
        payment: Payment { provider: Provider::Manual, mode },
    };
    let mut order = RuntimeOrder::new("first", spec);
    order.metadata.namespace = Some("acme".into());
    order.metadata.uid = Some("order-1".into());
    order.metadata.generation = Some(1);
    order
}

pub fn runtime(uid: &str) -> Runtime {
    let spec = RuntimeSpec { plan_ref: Some(NameRef::new("pro")), ..RuntimeSpec::default() };
    let mut runtime = Runtime::new("ops", spec);
    runtime.metadata.namespace = Some("acme".into());
    runtime.metadata.uid = Some(uid.into());
    runtime
}

pub fn payment(id: &str, created: i64) -> Receipt {
    Receipt {
        name: format!("receipt-{id}-{created}"),
        created: at(created),
        spec: PaymentReceiptSpec {
            type_: ReceiptType::Payment,
            provider: Provider::Manual,
            provider_id: id.into(),
            order_uid: "order-1".into(),
            amount: PRICE,
            currency: "USD".into(),
            period: None,
            refunds: None,
            note: Some("approved by a test".into()),
            event: None,
            attempt: None,
            subscription_id: None,
            pay_time: None,
            flags: Vec::new(),
        },
    }
}

pub fn refund(id: &str, of: &str, amount: i64, created: i64) -> Receipt {
    let mut receipt = payment(id, created);
    receipt.spec.type_ = ReceiptType::Refund;
    receipt.spec.refunds = Some(of.into());
    receipt.spec.amount = amount;
    receipt
}

impl World {
    pub fn new(mode: PaymentMode) -> Self {
        Self {
            now: 1_000_000,
            order: Some(order(mode)),
            claim: None,
            receipts: Vec::new(),
            runtime: None,
            workspace: Some(workspace()),
            plan: Some(plan()),
            rival: None,
            funded_by: None,
            slugs: 0,
            known: Knowledge::default(),
            bank: Bank::default(),
            providers: vec![Provider::Stripe, Provider::PayApp],
            wish: None,
            ledger: Vec::new(),
            made: 0,
            funded: BTreeSet::new(),
        }
    }

    pub fn facts(&self) -> Facts {
        let order = self.order.clone().unwrap_or_else(|| order(PaymentMode::Subscription));
        Facts {
            order: Arc::new(order),
            cluster: Cluster {
                namespace: NamespaceFact::Active,
                claim: self.claim.clone().map(Arc::new),
                workspace: self.workspace.clone().map(Arc::new),
                plan: self.plan.clone(),
                policy: EffectivePolicy::unselected(10),
                slugs: self.slugs,
                receipts: self.receipts.clone(),
                runtime: self.runtime.clone().map(Arc::new),
                funded_by: self.funded_by.clone(),
                rival: self.rival.clone(),
                wish: self.wish.clone(),
                providers: self.providers.clone(),
                settings: Settings {
                    mode: Mode::ReadWrite,
                    patience: patience(),
                    start_deadline: SignedDuration::from_mins(10),
                    slow_retry: SignedDuration::from_mins(10),
                    poll: SignedDuration::from_mins(5),
                },
            },
            known: self.known.clone(),
        }
    }

    /// Carries on to just before the effect of this name.
    pub fn until(&mut self, name: &str) -> Effect {
        for _ in 0..60 {
            match decide(at(self.now), &self.facts()) {
                Step::Do(effect) if moorage::control::order::step::effect_name(&effect) == name => {
                    return effect;
                }
                Step::Do(effect) => self.take_place(&effect),
                Step::ReadProvider => self.read(),
                other => panic!("{other:?}"),
            }
            self.forget_recorded();
        }
        panic!("no {name}: {:?}", self.ledger);
    }

    pub fn status(&self) -> moorage::api::runtime_order::RuntimeOrderStatus {
        self.order.as_ref().unwrap().status.clone().unwrap()
    }

    /// The message of a condition.
    pub fn condition(&self, type_: &str) -> String {
        let status = self.status();
        let named = |it: &&moorage::api::Condition| format!("{:?}", it.type_) == type_;
        status.conditions.iter().find(named).map(|it| it.message.clone()).unwrap_or_default()
    }

    /// A fault befalls an effect.
    fn suffer(&mut self, effect: &Effect, fault: Fault) {
        match fault {
            Fault::Before => self.known = Knowledge::default(),
            Fault::After => {
                self.take_place(effect);
                self.known = Knowledge::default();
            }
            Fault::Unanswered => self.unanswered(effect),
            Fault::Refused => self.known.read = None,
        }
    }

    /// What `forget_recorded` does of a visit.
    fn forget_recorded(&mut self) {
        let mut facts = self.facts();
        facts.forget_recorded();
        self.known = facts.known;
    }

    /// Reads the provider.
    fn read(&mut self) {
        self.bank.pass(self.now);
        let record = self.record();
        let known: Vec<u32> = record
            .attempts
            .iter()
            .filter(|attempt| attempt.checkout_id.is_some())
            .map(|attempt| attempt.number)
            .collect();
        let truth = self.bank.truth(&known).into();
        self.known.read = Some(Reading { at: at(self.now), notice: record.notice_time, truth });
    }

    fn find(&mut self, number: u32) {
        let key = self.key(number);
        self.known.call = Some(match self.bank.find(&key) {
            Some(found) => CallOutcome::Opened(number, found),
            None => CallOutcome::NotFound(number),
        });
    }

    pub fn record(&self) -> moorage::api::order_record::OrderRecord {
        self.claim.as_ref().unwrap().spec.order.as_deref().cloned().unwrap()
    }

    pub fn key(&self, number: u32) -> String {
        self.record().attempts.iter().find(|it| it.number == number).unwrap().idempotency_key.clone()
    }

    /// Takes one step, which a fault may befall if it is an effect.
    pub fn step(&mut self, fault: Option<Fault>) -> Step {
        let facts = self.facts();
        let step = decide(at(self.now), &facts);
        self.say(&facts, &step);
        match &step {
            Step::LookForRuntime => {
                self.known.runtime_missing_at = self.runtime.is_none().then(|| at(self.now));
            }
            Step::ReadProvider => self.read(),
            Step::FindCheckout(number) => self.find(*number),
            Step::Do(effect) => match fault {
                Some(fault) => self.suffer(effect, fault),
                None => self.take_place(effect),
            },
            Step::Wait(Waiting::Runtime) => self.serve(),
            Step::Wait(Waiting::RuntimeGone) => self.runtime = None,
            Step::Rest(Rest::Gone) => self.order = None,
            Step::Wait(_) | Step::Rest(_) => {}
        }
        if self.runtime.is_some() {
            self.known.runtime_missing_at = None;
        }
        if self.order.is_some() {
            self.forget_recorded();
        }
        step
    }

    /// Carries on until nothing is to be done. `fault` befalls the n-th effect from now.
    pub fn run(&mut self, mut fault: Option<(usize, Fault)>) -> Step {
        for _ in 0..120 {
            let is_effect = matches!(decide(at(self.now), &self.facts()), Step::Do(_));
            let befalls = match fault {
                Some((0, befalls)) if is_effect => {
                    fault = None;
                    Some(befalls)
                }
                Some((left, befalls)) if is_effect => {
                    fault = Some((left - 1, befalls));
                    None
                }
                _ => None,
            };
            let step = self.step(befalls);
            if !goes_on(&step) {
                return step;
            }
        }
        panic!("it doesn't come to rest: {:?}", self.ledger);
    }

    fn say(&mut self, facts: &Facts, step: &Step) {
        let Some(order) = &mut self.order else { return };
        let old = order.status.clone().unwrap_or_default();
        order.status = Some(view(at(self.now), facts, step, &old));
    }

    /// The Runtime's own controller does its work.
    fn serve(&mut self) {
        let Some(runtime) = &mut self.runtime else { return };
        runtime.status =
            Some(RuntimeStatus { state: Some(RuntimeState::Running), ..RuntimeStatus::default() });
    }

    pub fn take_place(&mut self, effect: &Effect) {
        self.ledger.push(moorage::control::order::step::effect_name(effect));
        match effect {
            Effect::AddFinalizer => {
                self.meta(|meta| meta.finalizers = Some(vec![moorage::api::ORDER_FINALIZER.into()]));
            }
            Effect::RemoveFinalizer => self.meta(|meta| meta.finalizers = None),
            Effect::Claim(record) => self.claim_it(record.as_ref().clone()),
            Effect::TakeOver => {
                let holder = self.facts().holder();
                self.claimed(|claim| claim.holder = holder);
            }
            Effect::RecordStanding(standing) => self.recorded(|order| {
                order.phase = standing.phase;
                order.paid_until = standing.paid_until;
                order.refund_time = standing.refund_time;
            }),
            Effect::RecordRuntime(uid) => {
                self.funded.insert(uid.clone());
                self.recorded(|order| order.funds.as_mut().unwrap().uid = Some(uid.clone()));
            }
            Effect::RecordGone => {
                let now = at(self.now);
                self.recorded(|order| order.runtime_gone_time = Some(now));
            }
            Effect::CreateRuntime => {
                if self.runtime.is_none() {
                    self.made += 1;
                    self.runtime = Some(runtime(&format!("runtime-{}", self.made)));
                }
            }
            Effect::DeleteRuntime(uid) => {
                if self.runtime.as_ref().and_then(|runtime| runtime.metadata.uid.as_ref()) == Some(uid) {
                    self.runtime = None;
                }
            }
            Effect::RecordAttempt { .. }
            | Effect::OpenCheckout(_)
            | Effect::RecordCheckout(..)
            | Effect::RecordAttemptState(..)
            | Effect::CloseCheckout(_)
            | Effect::RecordSubscription { .. }
            | Effect::RecordEnding { .. }
            | Effect::EndSubscription
            | Effect::RecordEnded
            | Effect::RecordChange(_)
            | Effect::ChangeSubscription
            | Effect::RecordChanged
            | Effect::RecordDeclined
            | Effect::DropChange
            | Effect::OpenPortal { .. }
            | Effect::StoreReceipt(_) => self.at_the_counter(effect),
            Effect::Release => {
                let release_time = at(self.now);
                let message = moorage::control::order::claim::last_words(&self.facts()).to_owned();
                self.claimed(|claim| {
                    claim.tombstone = Some(Tombstone { release_time, message });
                });
            }
        }
    }

    fn claim_it(&mut self, record: moorage::api::order_record::OrderRecord) {
        if self.claim.is_some() {
            return;
        }
        let holder = Holder { namespace: "acme".into(), name: "first".into(), uid: record.uid.clone() };
        self.claim = Some(NameClaim::new(
            &NameClaim::order_key(&record.uid),
            NameClaimSpec {
                type_: ClaimType::Order,
                name: record.uid.clone(),
                holder,
                confirm: None,
                tenant_id: None,
                runtime: None,
                order: Some(Box::new(record)),
                warm: None,
                deletion: None,
                tombstone: None,
            },
        ));
    }

    pub fn claimed(&mut self, change: impl FnOnce(&mut NameClaimSpec)) {
        change(&mut self.claim.as_mut().unwrap().spec);
    }

    pub fn recorded(&mut self, change: impl FnOnce(&mut moorage::api::order_record::OrderRecord)) {
        self.claimed(|claim| change(claim.order.as_mut().unwrap()));
    }

    fn meta(&mut self, change: impl FnOnce(&mut kube::api::ObjectMeta)) {
        change(&mut self.order.as_mut().unwrap().metadata);
    }

    /// Somebody deletes the order.
    pub fn delete_order(&mut self) {
        let now = Time(at(self.now));
        self.meta(|meta| meta.deletion_timestamp = Some(now));
    }

    /// Whether a Runtime could run on what is recorded.
    pub fn funds(&self) -> bool {
        let order = self.claim.as_ref().and_then(|claim| claim.spec.order.as_ref());
        order.is_some_and(|order| {
            order.phase.funds() && order.funds.as_ref().is_some_and(|it| it.uid.is_some())
        })
    }
}
