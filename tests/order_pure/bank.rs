//! A payment provider in pure form: what it keeps of one order's checkouts, and what customers and banks do there.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use moorage::billing::{
    Checkout, CheckoutState, Dispute, Invoice, InvoiceState, Money, OpenCheckout, Payment, PaymentMethod,
    Period, ProviderTruth, Purpose, Refunded, Subscription, SubscriptionState,
};

use crate::world::{PRICE, at};

/// How far a checkout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Session {
    Open,
    Confirming,
    Complete,
    Failed,
    Expired,
}

/// What the customer's bank says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Card {
    #[default]
    Good,
    Declined,
}

/// One checkout as the provider has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    pub number: u32,
    pub key: String,
    pub id: String,
    pub state: Session,
    pub expires: Option<i64>,
    pub subscription: Option<String>,
}

/// What the provider keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bank {
    pub sessions: Vec<Held>,
    pub payments: Vec<Payment>,
    pub subscriptions: Vec<Subscription>,
    /// How many checkouts could be paid at once, at most.
    pub most_open: usize,
    /// Whether the customer's bank declines what is charged beside a checkout.
    pub card: Card,
    /// What came of each change, by its key.
    changes: BTreeMap<String, Card>,
}

pub fn money(minor: i64, currency: &str) -> Money {
    Money::of(minor, currency).unwrap()
}

pub fn month_after(start: Timestamp) -> Timestamp {
    start.to_zoned(TimeZone::UTC).checked_add(1.month()).unwrap().timestamp()
}

impl Bank {
    /// Opens a checkout; the same key again opens none.
    pub fn open(&mut self, number: u32, key: &str, expires: Option<i64>) -> OpenCheckout {
        if !self.sessions.iter().any(|it| it.key == key) {
            let id = format!("cs_{}", self.sessions.len() + 1);
            let held =
                Held { number, key: key.into(), id, state: Session::Open, expires, subscription: None };
            self.sessions.push(held);
            self.count();
        }
        opened(self.sessions.iter().find(|it| it.key == key).unwrap())
    }

    fn count(&mut self) {
        let open = self.sessions.iter().filter(|it| it.state == Session::Open).count();
        self.most_open = self.most_open.max(open);
    }

    pub fn find(&self, key: &str) -> Option<OpenCheckout> {
        self.sessions.iter().find(|it| it.key == key).map(opened)
    }

    /// Whether nobody can pay it any more; `false` if it was paid.
    pub fn close(&mut self, id: &str) -> bool {
        let Some(held) = self.sessions.iter_mut().find(|it| it.id == id) else { return true };
        match held.state {
            Session::Open => held.state = Session::Expired,
            Session::Expired => {}
            Session::Confirming | Session::Complete | Session::Failed => return false,
        }
        true
    }

    pub fn end(&mut self, id: &str, now: i64, at_period_end: bool) {
        let Some(it) = self.subscriptions.iter_mut().find(|it| it.id == id) else { return };
        if at_period_end && it.state != SubscriptionState::Ended {
            it.ends_at = it.period_end;
        } else if it.state != SubscriptionState::Ended {
            it.state = SubscriptionState::Ended;
            it.ends_at = Some(at(now));
        }
    }

    /// Another price for what is paid again and again, the difference taken at once; whether it was.
    pub fn change(&mut self, now: i64, key: &str, to: Money) -> bool {
        let card = self.card;
        let known = self.changes.contains_key(key);
        let came = *self.changes.entry(key.to_owned()).or_insert(card);
        let going = self.subscriptions.iter_mut().find(|it| it.state != SubscriptionState::Ended);
        if let (false, Card::Good, Some(it)) = (known, came, going) {
            it.price = Some(to);
            let (id, currency) = (it.id.clone(), to.currency);
            self.paid(now, Purpose::Change, None, Some(id), currency.code());
        }
        came == Card::Good
    }

    /// A customer at the page of the open checkout.
    pub fn visit(&mut self, now: i64, to: Session, recurs: bool, currency: &str) {
        let Some(place) = self.sessions.iter().position(|it| it.state == Session::Open) else { return };
        self.settle(place, now, to, recurs, currency);
    }

    /// The money of a checkout that was confirming comes, or doesn't.
    pub fn arrive(&mut self, now: i64, to: Session, recurs: bool, currency: &str) {
        let Some(place) = self.sessions.iter().position(|it| it.state == Session::Confirming) else { return };
        self.settle(place, now, to, recurs, currency);
    }

    fn settle(&mut self, place: usize, now: i64, to: Session, recurs: bool, currency: &str) {
        self.sessions[place].state = to;
        let subscription = recurs.then(|| format!("sub_{}", self.sessions[place].id));
        self.sessions[place].subscription.clone_from(&subscription);
        if let Some(id) = &subscription {
            self.subscribe(id, currency);
        }
        let ours = self.subscriptions.iter_mut().find(|it| Some(&it.id) == subscription.as_ref());
        if let Some(it) = ours.filter(|it| it.state == SubscriptionState::Incomplete) {
            let end = Some(month_after(at(now)));
            match to {
                Session::Complete => {
                    (it.state, it.paid_until, it.period_end) = (SubscriptionState::Active, end, end);
                }
                Session::Failed => it.state = SubscriptionState::Ended,
                _ => {}
            }
        }
        if to != Session::Complete {
            return;
        }
        let period = recurs.then(|| Period { start: at(now), end: month_after(at(now)) });
        self.paid(now, Purpose::First, period, subscription, currency);
    }

    fn subscribe(&mut self, id: &str, currency: &str) {
        if self.subscriptions.iter().any(|it| it.id == id) {
            return;
        }
        self.subscriptions.push(Subscription {
            id: id.to_owned(),
            state: SubscriptionState::Incomplete,
            price: Some(money(PRICE, currency)),
            interval: None,
            paid_until: None,
            period_end: None,
            ends_at: None,
        });
    }

    fn paid(
        &mut self,
        now: i64,
        purpose: Purpose,
        period: Option<Period>,
        subscription: Option<String>,
        currency: &str,
    ) {
        self.payments.push(Payment {
            id: format!("pi_{}", self.payments.len() + 1),
            amount: money(PRICE, currency),
            refunded: Refunded::Nothing,
            dispute: None,
            paid_at: at(now),
            purpose,
            period,
            subscription,
        });
    }

    /// What is due by now: checkouts that end, and subscriptions whose period is over.
    pub fn pass(&mut self, now: i64) {
        for held in &mut self.sessions {
            if held.state == Session::Open && held.expires.is_some_and(|end| end <= now) {
                held.state = Session::Expired;
            }
        }
        for it in &mut self.subscriptions {
            if it.ends_at.is_some_and(|end| end <= at(now)) {
                it.state = SubscriptionState::Ended;
            }
        }
    }

    /// The next invoice of a subscription that goes on is paid, or isn't.
    pub fn renew(&mut self, now: i64, is_paid: bool, currency: &str) {
        let Some(place) = self
            .subscriptions
            .iter()
            .position(|it| it.paid_until.is_some() && it.state != SubscriptionState::Ended)
        else {
            return;
        };
        let it = &mut self.subscriptions[place];
        let begins = it.paid_until.unwrap_or(at(now));
        // An invoice is made when the period is over, not before.
        if begins > at(now) || it.ends_at.is_some() {
            return;
        }
        let period = Period { start: begins, end: month_after(begins) };
        it.period_end = Some(period.end);
        if !is_paid {
            it.state = SubscriptionState::PastDue;
            return;
        }
        it.state = SubscriptionState::Active;
        it.paid_until = Some(period.end);
        let id = it.id.clone();
        self.paid(now, Purpose::Renewal, Some(period), Some(id), currency);
    }

    pub fn refund(&mut self, refunded: Refunded) {
        let Some(last) = self.payments.last_mut() else { return };
        if last.refunded != Refunded::All {
            last.refunded = refunded;
        }
    }

    pub fn dispute(&mut self, dispute: Dispute) {
        let Some(last) = self.payments.last_mut() else { return };
        match (last.dispute, dispute) {
            (None, Dispute::Open) | (Some(Dispute::Open), Dispute::Won | Dispute::Lost) => {
                last.dispute = Some(dispute);
            }
            _ => {}
        }
    }

    /// All that it says of these checkouts.
    pub fn truth(&self, known: &[u32]) -> ProviderTruth {
        let sessions = || self.sessions.iter().filter(|it| known.contains(&it.number));
        let ours: Vec<&str> = sessions().filter_map(|it| it.subscription.as_deref()).collect();
        let any = sessions().next().is_some();
        ProviderTruth {
            checkouts: sessions().map(checkout).collect(),
            payments: if any { self.payments.clone() } else { Vec::new() },
            subscriptions: self
                .subscriptions
                .iter()
                .filter(|it| ours.contains(&it.id.as_str()))
                .cloned()
                .collect(),
            invoices: if self.payments.is_empty() { Vec::new() } else { vec![invoice()] },
            payment_method: (!self.payments.is_empty())
                .then(|| PaymentMethod { brand: "visa".into(), last4: Some("4242".into()) }),
            customer: any.then(|| "cus_1".into()),
        }
    }

    pub fn open_now(&self) -> usize {
        self.sessions.iter().filter(|it| it.state == Session::Open).count()
    }
}

fn opened(held: &Held) -> OpenCheckout {
    OpenCheckout {
        id: held.id.clone(),
        url: (held.state == Session::Open).then(|| format!("https://pay.example/{}", held.id)),
        expires_at: held.expires.map(at),
        subscription: None,
    }
}

fn checkout(held: &Held) -> Checkout {
    let state = match held.state {
        Session::Open => CheckoutState::Open {
            url: format!("https://pay.example/{}", held.id),
            expires_at: held.expires.map(at),
        },
        Session::Confirming => CheckoutState::Confirming,
        Session::Complete => CheckoutState::Complete,
        Session::Failed => CheckoutState::Failed,
        Session::Expired => CheckoutState::Expired,
    };
    Checkout { attempt: held.number, id: held.id.clone(), state, amount: None }
}

fn invoice() -> Invoice {
    Invoice {
        id: "in_1".into(),
        number: Some("A-1".into()),
        total: money(PRICE, "USD"),
        state: InvoiceState::Paid,
        url: None,
        created_at: at(1),
    }
}
