//! A small world in which decisions about one order are carried out: its claim, its receipts and its Runtime.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::hash::Hasher as _;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use moorage::api::condition::{ConditionStatus, ConditionType, Wanted, merge};
use moorage::api::name_claim::{ClaimType, Holder, Tombstone};
use moorage::api::order_record::OrderRecord;
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
use moorage::billing::payapp::Notice;
use moorage::billing::{Ending, Error, ErrorClass, ProviderTruth};
use moorage::control::order::account::account;
use moorage::control::order::decide::decide;
use moorage::control::order::facts::{
    CallOutcome, Cluster, Facts, FirstReading, Knowledge, Reading, Remains, Settings,
};
use moorage::control::order::leftover::{unstored, unwanted};
use moorage::control::order::standing::Patience;
use moorage::control::order::step::{Effect, Rest, Step, Waiting};
use moorage::control::order::trouble::{failure, lost};
use moorage::control::order::truth::{Receipt, absent, known, truth};
use moorage::control::order::view::view;
use moorage::control::policy::{EffectivePolicy, Suspension};
use moorage::control::runtime::facts::{NamespaceFact, Refusal};
use moorage::control::runtime::trouble::Failure;
use moorage::control::setback;
use moorage::engine::config::Mode;

use crate::bank::{Bank, Sight};
use crate::post::Mail;

pub const PRICE: i64 = 2_900;
/// What the dearer Plan costs.
pub const DEAR: i64 = 2 * PRICE;
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
    pub order: Option<Arc<RuntimeOrder>>,
    pub claim: Option<Arc<NameClaim>>,
    pub receipts: Vec<Receipt>,
    pub runtime: Option<Arc<Runtime>>,
    pub workspace: Option<Arc<Workspace>>,
    pub plan: Option<PlanSpec>,
    pub rival: Option<String>,
    pub obstacle: Option<Refusal>,
    pub suspension: Suspension,
    pub funded_by: Option<String>,
    pub remains: Remains,
    pub slugs: i32,
    pub open_orders: i32,
    pub known: Knowledge,
    /// The provider, and who is configured.
    pub bank: Bank,
    pub providers: Vec<Provider>,
    /// The Plan that the Runtime asks for.
    pub wish: Option<(String, PlanSpec)>,
    /// How PayApp's notices come, those that wait, and the last that was handed over.
    pub mail: Mail,
    pub post: Vec<Notice>,
    pub last_notice: Option<Notice>,
    /// Whether PayApp opens pages though nobody takes its notices, which isn't how it is known.
    pub mute: bool,
    /// Whether PayApp tells of a registration by the number of its request alone.
    pub bare: bool,
    /// Whether nothing is said in the status, which costs time.
    pub silent: bool,
    /// Every effect that took place.
    pub ledger: Vec<&'static str>,
    /// Runtimes that were ever made by the order.
    pub made: usize,
    /// Runtimes that it was ever recorded to fund.
    pub funded: BTreeSet<String>,
}

/// What a call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// What came of it.
    Told,
    /// It took place, and the answer was lost.
    Lost,
    /// It didn't take place, and that was answered.
    Refused,
    /// It took place, and PayApp heard nothing of our word that we know of it.
    Deaf,
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
    /// PayApp tells of it, our answer to that is lost, and so nothing comes of it.
    Deaf,
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

/// A dearer and larger one.
pub fn dear() -> PlanSpec {
    PlanSpec { amount: DEAR, memory_mb: 4096, cpus: 4, ..plan() }
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
    let bound = Wanted::new(ConditionType::MembersBound, ConditionStatus::True, "Bound", "");
    workspace.status = Some(WorkspaceStatus {
        conditions: merge(&[], vec![ready, bound], 1, at(1)),
        ..WorkspaceStatus::default()
    });
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

pub fn runtime(uid: &str) -> Arc<Runtime> {
    let spec = RuntimeSpec { plan_ref: Some(NameRef::new("pro")), ..RuntimeSpec::default() };
    let mut runtime = Runtime::new("ops", spec);
    runtime.metadata.namespace = Some("acme".into());
    runtime.metadata.uid = Some(uid.into());
    runtime.into()
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
            order: Some(order(mode).into()),
            claim: None,
            receipts: Vec::new(),
            runtime: None,
            workspace: Some(workspace().into()),
            plan: Some(plan()),
            rival: None,
            obstacle: None,
            suspension: Suspension::Active,
            funded_by: None,
            remains: Remains::Nothing,
            slugs: 0,
            open_orders: 0,
            known: Knowledge::default(),
            bank: Bank::new(Provider::Stripe),
            providers: vec![Provider::Stripe, Provider::PayApp],
            wish: None,
            mail: Mail::Prompt,
            post: Vec::new(),
            last_notice: None,
            mute: false,
            bare: false,
            silent: false,
            ledger: Vec::new(),
            made: 0,
            funded: BTreeSet::new(),
        }
    }

    pub fn facts(&self) -> Facts {
        let order = self.order.clone().unwrap_or_else(|| order(PaymentMode::Subscription).into());
        Facts {
            order,
            cluster: Cluster {
                namespace: NamespaceFact::Active,
                claim: self.claim.clone(),
                workspace: self.workspace.clone(),
                plan: self.plan.clone(),
                policy: EffectivePolicy { suspension: self.suspension, ..EffectivePolicy::unselected(10) },
                slugs: self.slugs,
                open_orders: self.open_orders,
                receipts: self.receipts.clone(),
                runtime: self.runtime.clone(),
                funded_by: self.funded_by.clone(),
                remains: self.remains,
                rival: self.rival.clone(),
                obstacle: self.obstacle.clone(),
                wish: self.wish.clone(),
                providers: self.providers.clone(),
                settings: Settings {
                    mode: Mode::ReadWrite,
                    patience: patience(),
                    start_deadline: SignedDuration::from_mins(10),
                    slow_retry: SignedDuration::from_mins(10),
                    poll: SignedDuration::from_mins(5),
                    max_open_orders: 3,
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
        status.conditions.iter().find(named).map(|it| it.message.to_string()).unwrap_or_default()
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
            Fault::Refused => self.perform(effect, Reply::Refused),
            Fault::Deaf => self.perform(effect, Reply::Deaf),
        }
    }

    /// The effect takes place, and the reply is lost.
    pub fn unanswered(&mut self, effect: &Effect) {
        self.perform(effect, Reply::Lost);
    }

    /// The effect doesn't take place, and that is answered.
    pub fn refused(&mut self, effect: &Effect) {
        self.perform(effect, Reply::Refused);
    }

    /// A call fails, and is tried again after a while.
    pub fn fails(&mut self, failure: Failure) {
        let meta = &self.order.as_ref().unwrap().metadata;
        let slowest = SignedDuration::from_mins(10);
        let trouble = setback::trouble(at(self.now), meta, self.known.trouble.as_ref(), failure, slowest);
        self.known.trouble = Some(trouble);
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
        let record = self.record_ref();
        if self.bank.sight == Sight::Foreign {
            let error = Error::new("checkout.get", ErrorClass::NotFound, "no such checkout");
            return self.fails(failure(record.provider, &error));
        }
        let truth = self.shown();
        if let Some(payment) = absent(record, &self.receipts, &truth) {
            let lost = lost(record.provider, payment);
            return self.fails(lost);
        }
        let (notice, truth) = (record.notice_time, truth.into());
        self.known.first = FirstReading::Done;
        self.known.read = Some(Reading { at: at(self.now), notice, truth });
        self.known.trouble = None;
    }

    /// What goes on of an order that is gone, as it is followed by its claim.
    pub fn follow(&mut self) {
        let Some(claim) = self.claim.clone().filter(|_| self.order.is_none()) else { return };
        self.bank.pass(self.now);
        let read = self.shown();
        if self.bank.kind == Provider::Stripe {
            while let Some(receipt) = unstored(&claim.spec, self.record_ref(), &read, &self.receipts) {
                self.store(receipt);
            }
            for (id, when) in unwanted(at(self.now), &claim.spec, self.record_ref(), &read) {
                self.bank.end(id, self.now, when == Ending::AtPeriodEnd);
            }
        }
        let truth = truth(self.record_ref(), &self.receipts, Some(&read)).unwrap();
        let came = account(self.record_ref(), &truth).recorded(at(self.now), self.record_ref(), patience());
        self.recorded(|order| {
            (order.phase, order.paid_until, order.refund_time) =
                (came.phase, came.paid_until, came.refund_time);
            order.difference_return_time = came.difference_return_time;
        });
    }

    /// What the provider says of what is known there.
    fn shown(&self) -> ProviderTruth {
        let asked = known(self.record_ref(), Vec::new());
        let numbers: Vec<u32> = asked.checkouts.iter().map(|it| it.attempt.number).collect();
        self.bank.truth(&numbers, asked.subscription.as_deref())
    }

    fn find(&mut self, number: u32) {
        let key = self.key(number);
        self.known.call = Some(match self.bank.find(&key) {
            Some(found) => CallOutcome::Opened(number, found),
            None => CallOutcome::NotFound(number),
        });
    }

    pub fn record(&self) -> OrderRecord {
        self.record_ref().clone()
    }

    pub fn record_ref(&self) -> &OrderRecord {
        self.claim.as_ref().unwrap().spec.order.as_deref().unwrap()
    }

    pub fn order_mut(&mut self) -> &mut RuntimeOrder {
        Arc::make_mut(self.order.as_mut().unwrap())
    }

    pub fn runtime_mut(&mut self) -> &mut Runtime {
        Arc::make_mut(self.runtime.as_mut().unwrap())
    }

    pub fn key(&self, number: u32) -> String {
        self.record_ref().attempts.iter().find(|it| it.number == number).unwrap().idempotency_key.clone()
    }

    /// Takes one step, which a fault may befall if it is an effect.
    pub fn step(&mut self, fault: Option<Fault>) -> Step {
        let facts = self.facts();
        let step = decide(at(self.now), &facts);
        // A visit tells at its end.
        if !self.silent && matches!(step, Step::Wait(_) | Step::Rest(_)) {
            self.say(&facts, &step);
        }
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
            let is_effect = fault.is_some() && matches!(decide(at(self.now), &self.facts()), Step::Do(_));
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
        let last = self.ledger.len().saturating_sub(20);
        panic!("it doesn't come to rest: {:?}", &self.ledger[last..]);
    }

    fn say(&mut self, facts: &Facts, step: &Step) {
        if self.order.is_none() {
            return;
        }
        let now = at(self.now);
        let order = self.order_mut();
        let old = order.status.clone().unwrap_or_default();
        order.status = Some(view(now, facts, step, &old));
    }

    /// The Runtime's own controller does its work.
    fn serve(&mut self) {
        if self.runtime.is_some() {
            let status = RuntimeStatus { state: Some(RuntimeState::Running), ..RuntimeStatus::default() };
            self.runtime_mut().status = Some(status);
        }
    }

    /// The Runtime is stopped, as its own spec asks.
    pub fn stop(&mut self) {
        let runtime = self.runtime_mut();
        let ready = Wanted::new(ConditionType::Ready, ConditionStatus::True, "Stopped", "");
        runtime.status = Some(RuntimeStatus {
            state: Some(RuntimeState::Stopped),
            conditions: merge(&[], vec![ready], 1, at(1)),
            ..RuntimeStatus::default()
        });
    }

    pub fn take_place(&mut self, effect: &Effect) {
        self.perform(effect, Reply::Told);
    }

    fn perform(&mut self, effect: &Effect, reply: Reply) {
        self.ledger.push(moorage::control::order::step::effect_name(effect));
        match effect {
            _ if reply == Reply::Refused && !is_of_the_counter(effect) => {}
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
                order.difference_return_time = standing.difference_return_time;
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
            | Effect::EndSubscription(_)
            | Effect::RecordEnded(_)
            | Effect::RecordNotEnded(_)
            | Effect::RecordChange(_)
            | Effect::ChangeSubscription
            | Effect::RecordChanged
            | Effect::RecordDeclined
            | Effect::DropChange
            | Effect::OpenPortal { .. }
            | Effect::StoreReceipt(_) => self.at_the_counter(effect, reply),
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
        let plain = NameClaimSpec::new(ClaimType::Order, record.uid.clone(), holder);
        let spec = NameClaimSpec { order: Some(Box::new(record)), ..plain };
        self.claim = Some(Arc::new(NameClaim::new(&spec.key(), spec)));
    }

    pub fn claimed(&mut self, change: impl FnOnce(&mut NameClaimSpec)) {
        change(&mut Arc::make_mut(self.claim.as_mut().unwrap()).spec);
    }

    pub fn recorded(&mut self, change: impl FnOnce(&mut OrderRecord)) {
        self.claimed(|claim| change(claim.order.as_mut().unwrap()));
    }

    fn meta(&mut self, change: impl FnOnce(&mut kube::api::ObjectMeta)) {
        change(&mut self.order_mut().metadata);
    }

    /// The Runtime asks for a Plan of this name. PayApp takes won.
    pub fn ask_for(&mut self, name: &str, mut plan: PlanSpec) {
        if self.bank.kind == Provider::PayApp {
            plan.currency = "KRW".into();
        }
        if self.runtime.is_some() {
            self.runtime_mut().spec.plan_ref = Some(NameRef::new(name));
            self.wish = Some((name.into(), plan));
        }
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

impl World {
    /// What tells two worlds apart. How it came about doesn't, and what is shown of it neither.
    pub fn digest(&self) -> u64 {
        let mut digest = Digest(std::hash::DefaultHasher::new());
        let order = self
            .order
            .as_ref()
            .map(|order| (order.metadata.deletion_timestamp.is_some(), order.metadata.finalizers.is_some()));
        let runtime = self.runtime.as_ref().map(|runtime| {
            let state = runtime.status.as_ref().map(|status| status.state);
            (&runtime.metadata.uid, &runtime.spec.plan_ref, state)
        });
        let claim = self.claim.as_ref().map(|claim| (&claim.spec.order, &claim.spec.tombstone));
        let receipts: Vec<_> = self.receipts.iter().map(|it| (&it.name, &it.spec.flags)).collect();
        let known = &self.known;
        let read = known.read.as_ref().map(|read| (&read.notice, &read.at, &read.truth));
        let memory = (read, &known.call, &known.ends, known.runtime_missing_at.is_some());
        let post: Vec<_> = self.post.iter().chain(&self.last_notice).collect();
        let all = (
            (order, runtime, claim, receipts, memory),
            (&self.bank, &self.funded, self.made),
            post,
            self.now,
        );
        // A formatter never fails here.
        let _ = write!(digest, "{all:?}");
        digest.0.finish()
    }
}

/// Takes in text without keeping it.
struct Digest(std::hash::DefaultHasher);

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// Whether it is done at the provider or is a record of that.
fn is_of_the_counter(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::OpenCheckout(_)
            | Effect::CloseCheckout(_)
            | Effect::EndSubscription(_)
            | Effect::ChangeSubscription
            | Effect::OpenPortal { .. }
    )
}
