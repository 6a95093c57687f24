//! PayApp's notices in the small world: each is planned as a replica plans it, and done.

use moorage::api::name_claim::ClaimType;
use moorage::api::payment_receipt::Provider;
use moorage::billing::payapp::{Notice, NoticeState};
use moorage::billing::{KRW, Money, OpenCheckout, Payment, Refunded};
use moorage::serve::webhooks::plan::{Numbers, Plan, plan};

use crate::bank::{Session, request_of};
use crate::world::{PRICE, World};

/// How notices come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mail {
    /// At once.
    #[default]
    Prompt,
    /// Not before they are handed over.
    Held,
}

impl World {
    /// A request or registration is told of while it is being made; whether that was taken.
    pub fn request_told(&mut self, mark: &str, amount: i64, page: &OpenCheckout) -> bool {
        let payment = page.subscription.as_deref().map_or(page.id.clone(), request_of);
        self.deliver(&Notice {
            order: "order-1".into(),
            attempt: mark.to_owned(),
            payment,
            subscription: page.subscription.clone().filter(|_| !self.bare),
            state: NoticeState::Requested,
            amount: Some(Money::new(amount, KRW)),
            paid_at: None,
        })
    }

    pub fn withdrawal_told(&mut self, number: u32, id: &str) {
        let mark = self.mark(number);
        let amount = self.bank.sessions.iter().find(|it| it.id == id).map_or(PRICE, |it| it.amount);
        self.tell(Notice { payment: id.to_owned(), ..notice(&mark, amount, NoticeState::RequestCancelled) });
    }

    /// What a customer did at a page.
    pub fn told_of(&mut self, place: usize, to: Session, before: usize) {
        if self.bank.kind != Provider::PayApp {
            return;
        }
        let held = self.bank.sessions[place].clone();
        let mark = self.mark(held.number);
        let payment = held.id.clone();
        let subscription = held.subscription.clone();
        let state = match to {
            Session::Confirming => NoticeState::AwaitingDeposit,
            Session::Complete => NoticeState::Paid,
            _ => NoticeState::RequestCancelled,
        };
        match self.bank.payments.get_mut(before) {
            Some(paid) => {
                // What is paid once has the number of its request.
                if paid.subscription.is_none() {
                    paid.id.clone_from(&payment);
                }
                let paid = paid.clone();
                self.tell(of(&paid, &mark, state));
            }
            None => self.tell(Notice { payment, subscription, ..notice(&mark, held.amount, state) }),
        }
    }

    pub fn renewal_told(&mut self, registration: &str, before: usize) {
        if self.bank.kind != Provider::PayApp {
            return;
        }
        let held = self.bank.sessions.iter().find(|it| it.subscription.as_deref() == Some(registration));
        let (number, amount) = held.map(|it| (it.number, it.amount)).unwrap();
        let mark = self.mark(number);
        let told = match self.bank.payments.get(before).cloned() {
            Some(paid) => of(&paid, &mark, NoticeState::Paid),
            None => Notice {
                payment: format!("34{}", self.now),
                subscription: Some(registration.to_owned()),
                ..notice(&mark, amount, NoticeState::RenewalFailed)
            },
        };
        let paid_at = told.paid_at.or(Some(crate::world::at(self.now)));
        self.tell(Notice { paid_at, ..told });
    }

    pub fn return_told(&mut self, refunded: Refunded) {
        if self.bank.kind != Provider::PayApp {
            return;
        }
        let Some(last) = self.bank.payments.last().cloned() else { return };
        let mark = self.mark(last.attempt.unwrap());
        let state =
            if refunded == Refunded::All { NoticeState::Refunded } else { NoticeState::PartlyRefunded };
        self.tell(of(&last, &mark, state));
    }

    fn mark(&self, number: u32) -> String {
        format!("{number}-n{number}")
    }

    fn tell(&mut self, notice: Notice) {
        match self.mail {
            Mail::Prompt => {
                self.deliver(&notice);
                self.last_notice = Some(notice);
            }
            Mail::Held => self.post.push(notice),
        }
    }

    /// The last notice comes again.
    pub fn tell_again(&mut self) {
        if let Some(notice) = self.last_notice.clone() {
            self.deliver(&notice);
        }
    }

    /// What was held is handed over, the last first: notices keep no order.
    pub fn hand_over(&mut self) {
        for notice in std::mem::take(&mut self.post).into_iter().rev() {
            self.deliver(&notice);
        }
    }

    /// Does what a replica does with a notice; whether it was taken.
    pub fn deliver(&mut self, notice: &Notice) -> bool {
        let claim = self.claim.as_ref().map(|claim| claim.spec.clone());
        match plan(notice, claim.as_ref().filter(|claim| claim.type_ == ClaimType::Order)) {
            Plan::Record(numbers) => self.record_numbers(notice, numbers),
            Plan::Store(receipt) => self.store(*receipt),
            Plan::Learn(numbers, receipt) => {
                self.record_numbers(notice, numbers);
                self.store(*receipt);
            }
            Plan::Ignore => {}
            Plan::Leave(_) => return false,
        }
        true
    }

    fn record_numbers(&mut self, notice: &Notice, numbers: Numbers) {
        let attempts = &self.record_ref().attempts;
        let number = attempts.iter().find(|attempt| attempt.mark() == notice.attempt).unwrap().number;
        self.attempt(number, |attempt| {
            attempt.checkout_id = Some(numbers.request);
            attempt.subscription_id = numbers.registration.or(attempt.subscription_id.take());
        });
    }
}

fn notice(mark: &str, amount: i64, state: NoticeState) -> Notice {
    Notice {
        order: "order-1".into(),
        attempt: mark.to_owned(),
        payment: String::new(),
        subscription: None,
        state,
        amount: Some(Money::new(amount, KRW)),
        paid_at: None,
    }
}

fn of(paid: &Payment, mark: &str, state: NoticeState) -> Notice {
    Notice {
        payment: paid.id.clone(),
        subscription: paid.subscription.clone(),
        paid_at: Some(paid.paid_at),
        ..notice(mark, paid.amount.minor, state)
    }
}
