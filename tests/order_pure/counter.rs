//! What effects at a provider, and the records of them, do in the small world.

use moorage::api::order_record::{
    AttemptRecord, AttemptState, ChangeRecord, EndingTime, FormerPrice, OrderRecord,
};
use moorage::api::payment_receipt::Provider;
use moorage::api::runtime_order::PaymentMode;
use moorage::billing::{Error, ErrorClass, OpenCheckout, Repetition, SubscriptionState};
use moorage::control::order::endings;
use moorage::control::order::facts::{CallOutcome, Portal, Sent};
use moorage::control::order::outcome::{self, Close, Shown};
use moorage::control::order::step::Effect;
use moorage::control::order::trouble::goes_on;
use moorage::control::order::truth::{Receipt, opened};

use crate::bank::{Bank, Recurs, Session, money};
use crate::world::{Reply, World, at, order, plan};

impl World {
    /// A world in which the order is paid by this provider.
    pub fn by(provider: Provider, mode: PaymentMode) -> Self {
        let mut world = Self::new(mode);
        let mut placed = order(mode);
        placed.spec.payment.provider = provider;
        world.order = Some(placed.into());
        world.bank = Bank::new(provider);
        if provider == Provider::PayApp {
            let mut won = plan();
            won.currency = "KRW".into();
            world.plan = Some(won);
            // Half past midnight on the 1st of March in Seoul, which is still February elsewhere.
            world.now = 5_067_000;
        }
        world
    }

    pub fn repetition(&self) -> Repetition {
        match self.bank.kind {
            Provider::PayApp => Repetition::Never,
            Provider::Stripe | Provider::Manual => Repetition::SameKey,
        }
    }

    pub fn recurs(&self) -> Recurs {
        if self.record().mode == PaymentMode::Subscription { Recurs::Yes } else { Recurs::No }
    }

    /// An effect at the provider, or the record of one.
    pub fn at_the_counter(&mut self, effect: &Effect, reply: Reply) {
        match effect {
            Effect::OpenCheckout(number) => self.open_at_provider(*number, reply),
            Effect::CloseCheckout(number) => self.close_at_provider(*number, reply),
            Effect::EndSubscription(id) => self.end_at_provider(id, reply),
            Effect::ChangeSubscription => self.change_at_provider(reply),
            Effect::OpenPortal { customer, request } => {
                let url = Some(format!("https://portal.example/{customer}"));
                self.known.portal = Some(Portal { at: at(self.now), request: *request, url, problem: None });
            }
            _ if reply == Reply::Refused => {}
            effect => self.write_down(effect, reply),
        }
    }

    fn write_down(&mut self, effect: &Effect, reply: Reply) {
        let now = self.now;
        let is_told = reply == Reply::Told;
        match effect {
            Effect::RecordAttempt { number, amount, expire_time, forgets } => {
                let attempt = self.attempt_of(*number, *amount, *expire_time);
                self.recorded(|order| {
                    order.attempts.retain(|it| Some(it.number) != *forgets);
                    order.attempts.push(attempt);
                });
                self.known.call = is_told.then_some(CallOutcome::Unsent(*number));
            }
            Effect::RecordCheckout(number, checkout) => self.attempt(*number, |attempt| {
                attempt.state = AttemptState::Open;
                let told = attempt.checkout_id.take().filter(|_| checkout.subscription.is_some());
                attempt.checkout_id = Some(told.unwrap_or_else(|| checkout.id.clone()));
                attempt.url.clone_from(&checkout.url);
                attempt.subscription_id = checkout.subscription.clone().or(attempt.subscription_id.take());
            }),
            Effect::RecordAttemptState(number, state) => {
                self.attempt(*number, |attempt| attempt.state = *state);
            }
            Effect::RecordSubscription { subscription, customer } => self.recorded(|order| {
                order.subscription_id = Some(subscription.clone());
                order.customer_id.clone_from(customer);
            }),
            Effect::RecordEnding { subscription, when } => {
                let is_first = self.record_ref().ending(subscription).is_none();
                self.recorded(|order| {
                    order.endings = endings::with(order, subscription, *when, "end".into());
                });
                if is_first && is_told {
                    self.known.ends.entry(subscription.clone()).or_insert(Sent::Never);
                }
            }
            Effect::RecordEnded(id) => {
                self.ending(id, |ending| ending.done_time = Some(at(now)));
                self.known.ends.remove(id);
            }
            Effect::RecordNotEnded(id) => self.ending(id, |ending| ending.refuse_time = Some(at(now))),
            Effect::RecordChange(price) => {
                let change = ChangeRecord {
                    price: price.as_ref().clone(),
                    idempotency_key: format!("change-{now}"),
                    decline_time: None,
                };
                self.recorded(|order| order.change = Some(change));
                self.known.call = None;
            }
            Effect::RecordChanged => self.recorded(|order| {
                let price = order.change.take().unwrap().price;
                let former = std::mem::replace(&mut order.price, price);
                order.former = Some(FormerPrice { price: former, end_time: at(now) });
            }),
            Effect::RecordDeclined => self.recorded(|order| {
                order.change.as_mut().unwrap().decline_time = Some(at(now));
            }),
            Effect::DropChange => self.recorded(|order| order.change = None),
            Effect::StoreReceipt(spec) => self.store(spec.as_ref().clone()),
            _ => unreachable!("{effect:?}"),
        }
    }

    pub fn store(&mut self, spec: moorage::api::PaymentReceiptSpec) {
        let name = spec.key().unwrap();
        if !self.receipts.iter().any(|it| it.name == name) {
            self.receipts.push(Receipt { name, created: at(self.now), spec });
        }
    }

    fn attempt_of(&self, number: u32, amount: i64, expire_time: Option<jiff::Timestamp>) -> AttemptRecord {
        let (nonce, record) = (format!("n{number}"), self.record_ref());
        AttemptRecord {
            number,
            idempotency_key: format!("key-{number}-{nonce}"),
            nonce,
            create_time: at(self.now),
            expire_time,
            amount,
            currency: record.price.currency.clone(),
            state: AttemptState::Opening,
            checkout_id: None,
            url: None,
            subscription_id: None,
        }
    }

    pub fn attempt(&mut self, number: u32, change: impl FnOnce(&mut AttemptRecord)) {
        self.recorded(|order| change(order.attempts.iter_mut().find(|it| it.number == number).unwrap()));
    }

    fn ending(&mut self, id: &str, change: impl FnOnce(&mut moorage::api::order_record::EndingRecord)) {
        self.recorded(|order| change(order.endings.iter_mut().find(|it| it.subscription_id == id).unwrap()));
    }

    fn found(&self, number: u32) -> AttemptRecord {
        self.record_ref().attempts.iter().find(|it| it.number == number).cloned().unwrap()
    }

    /// PayApp makes a request for each call, and tells of it before it answers; Stripe makes one for each key.
    fn open_at_provider(&mut self, number: u32, reply: Reply) {
        let before = self.known.call.take();
        let (attempt, recurs, repetition) = (self.found(number), self.recurs(), self.repetition());
        let answer = match reply {
            Reply::Refused => Err(error(ErrorClass::Throttled { retry_after: None })),
            _ => {
                let expires = attempt.expire_time.map(|time| time.as_second());
                let page = self.bank.open(number, &attempt.idempotency_key, attempt.amount, expires, recurs);
                self.announced(&attempt, page, reply)
            }
        };
        self.known.call = outcome::opening(before.as_ref(), number, repetition, &answer);
        if !answer.is_err_and(|error| !outcome::tells_no_more(repetition, &error)) {
            self.known.read = None;
        }
    }

    /// Without our word PayApp opens no page.
    fn announced(
        &mut self,
        attempt: &AttemptRecord,
        page: OpenCheckout,
        reply: Reply,
    ) -> Result<OpenCheckout, Error> {
        if self.bank.kind == Provider::PayApp {
            let is_taken = self.mute || self.request_told(&attempt.mark(), attempt.amount, &page);
            if !is_taken || reply == Reply::Deaf {
                self.bank.forget_last();
                return Err(error(ErrorClass::Unavailable));
            }
        }
        if reply == Reply::Told { Ok(page) } else { Err(error(ErrorClass::Unknown)) }
    }

    /// Closing what was paid is refused; at Stripe what is read next tells why.
    fn close_at_provider(&mut self, number: u32, reply: Reply) {
        let checkout = opened(&self.found(number)).unwrap();
        self.known.read = None;
        let before = self.known.ends.remove(&checkout.id);
        let answer = match reply {
            Reply::Refused => Err(error(ErrorClass::Throttled { retry_after: None })),
            _ => {
                self.bank.pass(self.now);
                let is_closed = self.bank.close(&checkout.id);
                if is_closed && self.bank.kind == Provider::PayApp {
                    self.withdrawal_told(number, &checkout.id);
                }
                answered(
                    reply,
                    is_closed,
                    if self.bank.kind == Provider::PayApp {
                        ErrorClass::Refused
                    } else {
                        ErrorClass::WrongState
                    },
                )
            }
        };
        let shown = if checkout.url.is_some() { Shown::Yes } else { Shown::Never };
        self.keep(&checkout.id, before, &answer);
        let came = outcome::closing(self.repetition(), shown, before, &answer);
        self.known.call = (came == Close::Over).then_some(CallOutcome::Closed(number));
        self.told_of_refusal(&answer, came);
    }

    /// What is refused for good is tried again after a while.
    fn told_of_refusal(&mut self, answer: &Result<(), Error>, came: Close) {
        let provider = self.record_ref().provider;
        if let (Err(error), Close::Failed) = (answer, came)
            && error.class() == ErrorClass::Refused
        {
            self.fails(goes_on(provider, error));
        }
    }

    fn end_at_provider(&mut self, id: &str, reply: Reply) {
        let recorded = self.record_ref().ending(id).cloned().unwrap();
        self.known.read = None;
        let before = self.known.ends.remove(id);
        let answer = match reply {
            Reply::Refused => Err(error(ErrorClass::Throttled { retry_after: None })),
            _ => {
                let is_ended = self.bank.end(id, self.now, recorded.when == EndingTime::AtPeriodEnd);
                answered(reply, is_ended, ErrorClass::Refused)
            }
        };
        self.keep(id, before, &answer);
        let shown = shown(self.record_ref(), id);
        let came = outcome::ending(self.repetition(), shown, before, &recorded, &answer);
        self.told_of_refusal(&answer, came);
        self.known.call = match came {
            Close::Over => Some(CallOutcome::Ended(id.to_owned())),
            Close::GoesOn => Some(CallOutcome::NotEnded(id.to_owned())),
            Close::ReadAgain | Close::Failed => None,
        };
    }

    fn keep(&mut self, id: &str, before: Option<Sent>, answer: &Result<(), Error>) {
        if let Some(sent) = outcome::sent(before, answer) {
            self.known.ends.insert(id.to_owned(), sent);
        }
    }

    fn change_at_provider(&mut self, reply: Reply) {
        if reply == Reply::Refused {
            return;
        }
        let change = self.record().change.unwrap();
        let to = money(change.price.amount, &change.price.currency);
        let done = self.bank.change(self.now, &change.idempotency_key, to);
        self.known.read = None;
        let came = if done { CallOutcome::Changed } else { CallOutcome::Declined };
        self.known.call = (reply == Reply::Told).then_some(came);
    }

    /// A customer does something at the page that is open.
    pub fn visit(&mut self, to: Session) {
        self.bank.pass(self.now);
        let before = self.bank.payments.len();
        if let Some(place) = self.bank.visit(self.now, to, self.recurs()) {
            self.told_of(place, to, before);
        }
    }

    pub fn arrive(&mut self, to: Session) {
        self.bank.pass(self.now);
        let before = self.bank.payments.len();
        if let Some(place) = self.bank.arrive(self.now, to, self.recurs()) {
            self.told_of(place, to, before);
        }
    }

    pub fn renew(&mut self, is_paid: bool) {
        self.bank.pass(self.now);
        let before = self.bank.payments.len();
        if let Some(id) = self.bank.renew(self.now, is_paid) {
            self.renewal_told(&id, before);
        }
    }

    /// The last payment goes back.
    pub fn give_back(&mut self, refunded: moorage::billing::Refunded) {
        if self.bank.refund(refunded) {
            self.return_told(refunded);
        }
    }

    /// The customer's bank says something of the last payment. PayApp knows no such thing.
    pub fn dispute(&mut self, dispute: moorage::billing::Dispute) {
        if self.bank.kind == Provider::Stripe {
            self.bank.dispute(dispute);
        }
    }

    /// What is paid again and again is ended by the customer or the platform. PayApp tells of no such thing.
    pub fn end_outside(&mut self) {
        self.bank.pass(self.now);
        let alive = |it: &&moorage::billing::Subscription| it.state != SubscriptionState::Ended;
        let first = self.bank.subscriptions.iter().find(alive).map(|it| it.id.clone());
        if let Some(id) = first.filter(|_| self.bank.kind == Provider::Stripe) {
            self.bank.end(&id, self.now, false);
        }
    }

    /// Somebody changes the price by hand, at Stripe.
    pub fn change_price(&mut self, to: i64) {
        let alive = |it: &&mut moorage::billing::Subscription| it.state != SubscriptionState::Ended;
        if let Some(it) = self.bank.subscriptions.iter_mut().find(alive)
            && self.bank.kind == Provider::Stripe
        {
            it.price = Some(money(to, "USD"));
        }
    }

    /// A notice asks for the order to be read again.
    pub fn hint(&mut self) {
        let now = at(self.now);
        if self.claim.is_some() {
            self.recorded(|order| order.notice_time = Some(now));
        }
    }
}

fn error(class: ErrorClass) -> Error {
    Error::new("test", class, "as the test has it")
}

fn answered(reply: Reply, is_done: bool, refusal: ErrorClass) -> Result<(), Error> {
    match (reply, is_done) {
        (Reply::Told, true) => Ok(()),
        (Reply::Told, false) => Err(error(refusal)),
        _ => Err(error(ErrorClass::Unknown)),
    }
}

fn shown(order: &OrderRecord, registration: &str) -> Shown {
    let mut attempts = order.attempts.iter();
    let attempt = attempts.find(|it| it.subscription_id.as_deref() == Some(registration));
    if attempt.is_some_and(|attempt| attempt.url.is_none()) { Shown::Never } else { Shown::Yes }
}
