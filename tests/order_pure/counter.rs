//! What effects at a provider, and the records of them, do in the small world.

use moorage::api::order_record::{
    AttemptRecord, AttemptState, ChangeRecord, EndingRecord, EndingTime, FormerPrice,
};
use moorage::api::payment_receipt::{Provider, ReceiptEvent, ReceiptType};
use moorage::api::runtime_order::PaymentMode;
use moorage::billing::{OpenCheckout, Refunded};
use moorage::control::order::facts::{CallOutcome, Portal};
use moorage::control::order::step::Effect;
use moorage::control::order::truth::Receipt;

use crate::bank::{Session, money};
use crate::world::{PRICE, World, at, order, payment, plan};

impl World {
    /// A world in which the order is paid by this provider.
    pub fn by(provider: Provider, mode: PaymentMode) -> Self {
        let mut world = Self::new(mode);
        let mut placed = order(mode);
        placed.spec.payment.provider = provider;
        world.order = Some(placed);
        if provider == Provider::PayApp {
            let mut won = plan();
            won.currency = "KRW".into();
            world.plan = Some(won);
        }
        world
    }

    pub fn provider(&self) -> Provider {
        self.record().provider
    }

    fn currency(&self) -> String {
        self.record().price.currency
    }

    fn recurs(&self) -> bool {
        self.record().mode == PaymentMode::Subscription
    }

    pub fn at_the_counter(&mut self, effect: &Effect) {
        let now = self.now;
        match effect {
            Effect::RecordAttempt { number, expire_time } => {
                let nonce = format!("n{number}");
                let record = self.record();
                let attempt = AttemptRecord {
                    number: *number,
                    idempotency_key: format!("key-{number}-{nonce}"),
                    nonce,
                    create_time: at(now),
                    expire_time: *expire_time,
                    amount: record.price.amount,
                    currency: record.price.currency,
                    state: AttemptState::Opening,
                    checkout_id: None,
                    url: None,
                    subscription_id: None,
                };
                self.recorded(|order| order.attempts.push(attempt));
                self.known.call = Some(CallOutcome::Unsent(*number));
            }
            Effect::OpenCheckout(number) => {
                let opened = self.open_at_provider(*number);
                self.known.call = Some(CallOutcome::Opened(*number, opened));
                self.known.read = None;
            }
            Effect::RecordCheckout(number, checkout) => self.attempt(*number, |attempt| {
                attempt.state = AttemptState::Open;
                attempt.checkout_id = Some(checkout.id.clone());
                attempt.url.clone_from(&checkout.url);
                attempt.subscription_id.clone_from(&checkout.subscription);
            }),
            Effect::RecordAttemptState(number, state) => {
                self.attempt(*number, |attempt| attempt.state = *state);
            }
            Effect::CloseCheckout(number) => self.close_at_provider(*number),
            Effect::RecordSubscription { subscription, customer } => self.recorded(|order| {
                order.subscription_id = Some(subscription.clone());
                order.customer_id.clone_from(customer);
            }),
            Effect::RecordEnding { subscription, when } => {
                let ending = EndingRecord {
                    subscription_id: subscription.clone(),
                    when: *when,
                    idempotency_key: "end".into(),
                    done_time: None,
                };
                self.recorded(|order| order.ending = Some(ending));
            }
            Effect::EndSubscription => {
                self.end_at_provider();
                self.known.call = Some(CallOutcome::Ended);
                self.known.read = None;
            }
            Effect::RecordEnded => self.recorded(|order| {
                order.ending.as_mut().unwrap().done_time = Some(at(now));
            }),
            Effect::RecordChange(price) => {
                let change = ChangeRecord {
                    price: price.as_ref().clone(),
                    idempotency_key: format!("change-{}", self.ledger.len()),
                    decline_time: None,
                };
                self.recorded(|order| order.change = Some(change));
                self.known.call = None;
            }
            Effect::ChangeSubscription => {
                let change = self.record().change.unwrap();
                let to = money(change.price.amount, &change.price.currency);
                let done = self.bank.change(self.now, &change.idempotency_key, to);
                self.known.read = None;
                self.known.call = Some(if done { CallOutcome::Changed } else { CallOutcome::Declined });
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
            Effect::OpenPortal { customer, request } => {
                let url = Some(format!("https://portal.example/{customer}"));
                self.known.portal = Some(Portal { request: *request, url, problem: None });
            }
            Effect::StoreReceipt(spec) => {
                let name = spec.key().unwrap();
                assert!(!self.receipts.iter().any(|it| it.name == name), "stored twice: {name}");
                self.receipts.push(Receipt { name, created: at(now), spec: spec.as_ref().clone() });
            }
            _ => unreachable!("{effect:?}"),
        }
    }

    fn attempt(&mut self, number: u32, change: impl FnOnce(&mut AttemptRecord)) {
        self.recorded(|order| change(order.attempts.iter_mut().find(|it| it.number == number).unwrap()));
    }

    /// PayApp makes a request for each call; Stripe one for each key.
    fn open_at_provider(&mut self, number: u32) -> OpenCheckout {
        let attempt = self.record().attempts.iter().find(|it| it.number == number).cloned().unwrap();
        let key = match self.provider() {
            Provider::PayApp => format!("call-{}", self.bank.sessions.len()),
            _ => attempt.idempotency_key,
        };
        let expires = attempt.expire_time.map(|time| time.as_second());
        self.bank.open(number, &key, expires)
    }

    /// Closing what was paid tells nothing at PayApp; at Stripe what is read next does.
    fn close_at_provider(&mut self, number: u32) {
        let attempt = self.record().attempts.iter().find(|it| it.number == number).cloned().unwrap();
        self.known.read = None;
        self.bank.pass(self.now);
        let is_closed = self.bank.close(&attempt.checkout_id.unwrap());
        if is_closed || self.provider() == Provider::PayApp {
            self.known.call = Some(CallOutcome::Closed(number));
        }
    }

    fn end_at_provider(&mut self) {
        let ending = self.record().ending.unwrap();
        self.bank.end(&ending.subscription_id, self.now, ending.when == EndingTime::AtPeriodEnd);
    }

    /// The effect takes place, and the reply is lost.
    pub fn unanswered(&mut self, effect: &Effect) {
        self.take_place(effect);
        self.known.read = None;
        self.known.call = match effect {
            Effect::OpenCheckout(number) if self.provider() == Provider::PayApp => {
                Some(CallOutcome::Unsure(*number))
            }
            Effect::RecordAttempt { .. } => None,
            _ => None,
        };
    }

    /// A customer does something at the page that is open.
    pub fn visit(&mut self, to: Session) {
        self.bank.pass(self.now);
        let (recurs, currency) = (self.recurs(), self.currency());
        let before = self.bank.payments.len();
        self.bank.visit(self.now, to, recurs && self.provider() == Provider::Stripe, &currency);
        self.tell(before);
    }

    pub fn arrive(&mut self, to: Session) {
        let (recurs, currency) = (self.recurs(), self.currency());
        let before = self.bank.payments.len();
        self.bank.arrive(self.now, to, recurs && self.provider() == Provider::Stripe, &currency);
        self.tell(before);
    }

    pub fn renew(&mut self, is_paid: bool) {
        self.bank.pass(self.now);
        let currency = self.currency();
        self.bank.renew(self.now, is_paid, &currency);
    }

    /// PayApp's notices of new payments are stored as receipts, if the number of the request is known.
    fn tell(&mut self, before: usize) {
        if self.provider() != Provider::PayApp {
            return;
        }
        let record = self.record();
        for paid in self.bank.payments.clone().into_iter().skip(before) {
            let session = self.bank.sessions.iter().find(|it| it.state == Session::Complete).unwrap();
            let attempt = record.attempts.iter().find(|it| it.number == session.number).unwrap();
            let mut receipt = payment(&paid.id, self.now);
            receipt.spec.provider = Provider::PayApp;
            receipt.spec.currency = "KRW".into();
            receipt.spec.note = None;
            receipt.spec.attempt = Some(attempt.mark());
            receipt.spec.event = Some(ReceiptEvent::Paid);
            receipt.spec.pay_time = Some(paid.paid_at);
            self.receipts.push(receipt);
        }
    }

    /// The last payment goes back.
    pub fn give_back(&mut self, refunded: Refunded) {
        self.bank.refund(refunded);
        let (Provider::PayApp, Some(last)) = (self.provider(), self.bank.payments.last().cloned()) else {
            return;
        };
        let mut receipt = payment(&last.id, self.now);
        receipt.name.push_str("-back");
        receipt.spec.type_ = ReceiptType::Refund;
        receipt.spec.provider = Provider::PayApp;
        receipt.spec.currency = "KRW".into();
        receipt.spec.refunds = Some(last.id);
        receipt.spec.event = Some(match refunded {
            Refunded::All => ReceiptEvent::Refunded,
            _ => ReceiptEvent::PartlyRefunded,
        });
        receipt.spec.amount = PRICE;
        self.receipts.push(receipt);
    }

    /// A notice asks for the order to be read again.
    pub fn hint(&mut self) {
        let now = at(self.now);
        if self.claim.is_some() {
            self.recorded(|order| order.notice_time = Some(now));
        }
    }
}
