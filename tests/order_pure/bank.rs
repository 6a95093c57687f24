//! A payment provider in pure form: what it keeps of one order's checkouts, and what customers and banks do there.

use std::collections::BTreeMap;

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};
use moorage::api::payment_receipt::Provider;
use moorage::billing::{
    Checkout, CheckoutState, Dispute, Invoice, InvoiceState, Money, OpenCheckout, Payment, PaymentMethod,
    Period, ProviderTruth, Purpose, Refunded, Subscription, SubscriptionState,
};

use crate::world::{DAY, PRICE, at};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Card {
    #[default]
    Good,
    Declined,
}

/// What it shows of what it keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sight {
    #[default]
    Whole,
    /// The key is of another account: nothing that was made with the right one is there.
    Foreign,
    /// Its lists are empty.
    Empty,
}

/// One checkout as the provider has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    pub number: u32,
    pub key: String,
    pub id: String,
    /// What it asks for.
    pub amount: i64,
    pub state: Session,
    pub expires: Option<i64>,
    pub subscription: Option<String>,
}

/// What the provider keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bank {
    pub kind: Provider,
    pub sessions: Vec<Held>,
    pub payments: Vec<Payment>,
    pub subscriptions: Vec<Subscription>,
    /// How many checkouts could be paid at once, at most.
    pub most_open: usize,
    /// Whether the customer's bank declines what is charged beside a checkout.
    pub card: Card,
    pub sight: Sight,
    /// What a page asks for, if not the price.
    pub asks: Option<i64>,
    /// What came of each change, by its key.
    changes: BTreeMap<String, Card>,
    /// Checkouts that were ever made: no number is given twice.
    made: usize,
}

pub fn money(minor: i64, currency: &str) -> Money {
    Money::of(minor, currency).unwrap()
}

/// The same day of the next month, by the calendar of whoever takes the payment: PayApp's is Seoul's, and from the 29th on
/// it takes the last day.
pub fn month_after(kind: Provider, start: Timestamp) -> Timestamp {
    let zone = if kind == Provider::PayApp { TimeZone::fixed(Offset::constant(9)) } else { TimeZone::UTC };
    let begins = start.to_zoned(zone);
    let later = begins.checked_add(1.month()).unwrap();
    let is_last = kind == Provider::PayApp && begins.day() > 28;
    if is_last { later.last_of_month().unwrap().timestamp() } else { later.timestamp() }
}

/// Whether a payment is for a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recurs {
    No,
    Yes,
}

impl Bank {
    pub fn new(kind: Provider) -> Self {
        Self {
            kind,
            sessions: Vec::new(),
            payments: Vec::new(),
            subscriptions: Vec::new(),
            most_open: 0,
            card: Card::Good,
            sight: Sight::Whole,
            asks: None,
            changes: BTreeMap::new(),
            made: 0,
        }
    }

    fn is_payapp(&self) -> bool {
        self.kind == Provider::PayApp
    }

    fn currency(&self) -> &'static str {
        if self.is_payapp() { "KRW" } else { "USD" }
    }

    /// Opens a checkout; at Stripe the same key again opens none.
    pub fn open(
        &mut self,
        number: u32,
        key: &str,
        amount: i64,
        expires: Option<i64>,
        recurs: Recurs,
    ) -> OpenCheckout {
        if self.is_payapp() || !self.sessions.iter().any(|it| it.key == key) {
            self.made += 1;
            let place = self.made;
            let id = if self.is_payapp() { format!("3100000{place}") } else { format!("cs_{place}") };
            let subscription = (self.is_payapp() && recurs == Recurs::Yes).then(|| format!("770{place}"));
            let id = subscription.clone().unwrap_or(id);
            if let Some(registration) = &subscription {
                self.subscribe(registration, amount);
            }
            let (key, state) = (key.to_owned(), Session::Open);
            self.sessions.push(Held { number, key, id, amount, state, expires, subscription });
            self.count();
            return self.opened(self.sessions.last().unwrap());
        }
        self.opened(self.sessions.iter().find(|it| it.key == key).unwrap())
    }

    /// It opens no page after all.
    pub fn forget_last(&mut self) {
        let held = self.sessions.pop().unwrap();
        self.subscriptions.retain(|it| Some(&it.id) != held.subscription.as_ref());
    }

    fn count(&mut self) {
        let open = self.sessions.iter().filter(|it| it.state == Session::Open).count();
        self.most_open = self.most_open.max(open);
    }

    pub fn find(&self, key: &str) -> Option<OpenCheckout> {
        self.sessions.iter().find(|it| it.key == key).map(|held| self.opened(held))
    }

    /// Whether nobody can pay it any more; `false` if that is refused.
    pub fn close(&mut self, id: &str) -> bool {
        let once = self.is_payapp();
        if once && self.sight == Sight::Foreign {
            return false;
        }
        let named =
            |it: &&mut Held| it.id == id || it.subscription.as_deref().map(request_of).as_deref() == Some(id);
        let Some(held) = self.sessions.iter_mut().find(named) else { return !once };
        match held.state {
            Session::Open => held.state = Session::Expired,
            Session::Confirming if once => held.state = Session::Expired,
            Session::Expired => return !once,
            Session::Confirming | Session::Complete | Session::Failed => return false,
        }
        true
    }

    /// Whether it ends now or at the end of its period; `false` if that is refused.
    pub fn end(&mut self, id: &str, now: i64, at_period_end: bool) -> bool {
        let once = self.is_payapp();
        if once && self.sight == Sight::Foreign {
            return false;
        }
        let Some(it) = self.subscriptions.iter_mut().find(|it| it.id == id) else { return !once };
        match it.state {
            SubscriptionState::Ended => return !once,
            _ if at_period_end && !once => it.ends_at = it.period_end,
            _ => {
                it.state = SubscriptionState::Ended;
                it.ends_at = Some(at(now));
            }
        }
        if once {
            let page = self.sessions.iter_mut().find(|it| it.subscription.as_deref() == Some(id));
            if let Some(held) = page.filter(|held| matches!(held.state, Session::Open | Session::Confirming))
            {
                held.state = Session::Expired;
            }
        }
        true
    }

    /// Another price for what is paid again and again, the difference taken at once; whether it was.
    pub fn change(&mut self, now: i64, key: &str, to: Money) -> bool {
        let card = self.card;
        let known = self.changes.contains_key(key);
        let came = *self.changes.entry(key.to_owned()).or_insert(card);
        let going = self.subscriptions.iter_mut().find(|it| it.state != SubscriptionState::Ended);
        if let (false, Card::Good, Some(it)) = (known, came, going) {
            let before = it.price.map_or(0, |price| price.minor);
            it.price = Some(to);
            let id = it.id.clone();
            self.paid(now, to.minor - before, Purpose::Change, None, Some(id));
        }
        came == Card::Good
    }

    /// A customer at the page of the open checkout; whether there is one.
    pub fn visit(&mut self, now: i64, to: Session, recurs: Recurs) -> Option<usize> {
        let place = self.sessions.iter().position(|it| it.state == Session::Open)?;
        self.settle(place, now, to, recurs);
        Some(place)
    }

    /// The money of a checkout that was confirming comes, or doesn't.
    pub fn arrive(&mut self, now: i64, to: Session, recurs: Recurs) -> Option<usize> {
        let place = self.sessions.iter().position(|it| it.state == Session::Confirming)?;
        self.settle(place, now, to, recurs);
        Some(place)
    }

    fn settle(&mut self, place: usize, now: i64, to: Session, recurs: Recurs) {
        self.sessions[place].state = to;
        if recurs == Recurs::Yes && !self.is_payapp() {
            self.sessions[place].subscription = Some(format!("sub_{}", self.sessions[place].id));
        }
        let (subscription, amount) = (self.sessions[place].subscription.clone(), self.sessions[place].amount);
        if let Some(id) = &subscription {
            self.subscribe(id, amount);
        }
        let ours = self.subscriptions.iter_mut().find(|it| Some(&it.id) == subscription.as_ref());
        if let Some(it) = ours.filter(|it| it.state == SubscriptionState::Incomplete) {
            let end = Some(month_after(self.kind, at(now)));
            match to {
                Session::Complete => {
                    let paid = end.filter(|_| self.asks.is_none());
                    (it.state, it.paid_until, it.period_end) = (SubscriptionState::Active, paid, end);
                }
                Session::Failed => it.state = SubscriptionState::Ended,
                _ => {}
            }
        }
        if to != Session::Complete {
            return;
        }
        let end = month_after(self.kind, at(now));
        let period = subscription.is_some().then(|| Period { start: at(now), end });
        let asked = self.asks.unwrap_or(amount);
        self.paid(now, asked, Purpose::First, period, subscription);
        let number = self.sessions[place].number;
        self.payments.last_mut().unwrap().attempt = Some(number);
    }

    fn subscribe(&mut self, id: &str, amount: i64) {
        if self.subscriptions.iter().any(|it| it.id == id) {
            return;
        }
        self.subscriptions.push(Subscription {
            id: id.to_owned(),
            state: SubscriptionState::Incomplete,
            price: Some(money(amount, self.currency())),
            interval: None,
            paid_until: None,
            period_end: None,
            ends_at: None,
            customer: (!self.is_payapp()).then(|| "cus_1".into()),
            payment_method: (!self.is_payapp()).then(visa),
        });
    }

    fn paid(
        &mut self,
        now: i64,
        amount: i64,
        purpose: Purpose,
        period: Option<Period>,
        subscription: Option<String>,
    ) {
        let place = self.payments.len() + 1;
        let attempt =
            self.sessions.iter().find(|it| it.subscription == subscription && subscription.is_some());
        self.payments.push(Payment {
            id: if self.is_payapp() { format!("3200000{place}") } else { format!("pi_{place}") },
            amount: money(amount, self.currency()),
            refunded: Refunded::Nothing,
            dispute: None,
            paid_at: at(now),
            purpose,
            period,
            invoiced: period.filter(|_| !self.is_payapp()).map(|_| money(amount, self.currency())),
            attempt: attempt.map(|it| it.number),
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

    /// The next invoice of a subscription that goes on is paid, or isn't; which subscription it was.
    pub fn renew(&mut self, now: i64, is_paid: bool) -> Option<String> {
        let goes_on = |it: &Subscription| it.paid_until.is_some() && it.state != SubscriptionState::Ended;
        let it = self.subscriptions.iter_mut().find(|it| goes_on(it))?;
        let begins = it.paid_until.unwrap_or(at(now));
        // An invoice is made when the period is over, not before.
        if begins > at(now) || it.ends_at.is_some() {
            return None;
        }
        // Stripe collects what is owed; PayApp takes a month's money each month, and none for one that it missed.
        let is_missed = self.kind == Provider::PayApp && begins.as_second() + 3 * DAY < now;
        let begins = if is_missed { at(now) } else { begins };
        let price = it.price.map_or(PRICE, |price| price.minor);
        let period = Period { start: begins, end: month_after(self.kind, begins) };
        let id = it.id.clone();
        if self.kind == Provider::Stripe {
            it.period_end = Some(period.end);
        }
        if !is_paid {
            it.state = SubscriptionState::PastDue;
            return Some(id);
        }
        it.state = SubscriptionState::Active;
        it.paid_until = Some(period.end);
        self.paid(now, price, Purpose::Renewal, Some(period), Some(id.clone()));
        Some(id)
    }

    /// Money of the last payment goes back; whether there was any left.
    pub fn refund(&mut self, refunded: Refunded) -> bool {
        let Some(last) = self.payments.last_mut() else { return false };
        if last.refunded == Refunded::All || (last.refunded, refunded) == (refunded, last.refunded) {
            return false;
        }
        last.refunded = refunded;
        true
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

    /// All that it says of these checkouts and this subscription.
    pub fn truth(&self, known: &[u32], subscription: Option<&str>) -> ProviderTruth {
        let sessions = || self.sessions.iter().filter(|it| known.contains(&it.number));
        let ours = |id: &str| {
            Some(id) == subscription || sessions().any(|it| it.subscription.as_deref() == Some(id))
        };
        let of_ours = |it: &&Payment| match &it.subscription {
            Some(id) => ours(id),
            None => it.attempt.is_some_and(|number| known.contains(&number)),
        };
        let shown = self.sight == Sight::Whole;
        let payments: Vec<Payment> =
            if shown { self.payments.iter().filter(of_ours).cloned().collect() } else { Vec::new() };
        let subscriptions: Vec<Subscription> =
            self.subscriptions.iter().filter(|it| ours(&it.id)).cloned().collect();
        let due = subscriptions.iter().any(|it| it.state == SubscriptionState::PastDue);
        let first = (!payments.is_empty()).then(|| invoice(InvoiceState::Paid));
        ProviderTruth {
            checkouts: sessions().map(checkout).collect(),
            invoices: due.then(|| invoice(InvoiceState::Open)).into_iter().chain(first).collect(),
            payment_method: (!payments.is_empty()).then(visa),
            customer: (sessions().next().is_some() || subscription.is_some()).then(|| "cus_1".into()),
            payments,
            subscriptions,
        }
    }

    pub fn open_now(&self) -> usize {
        self.sessions.iter().filter(|it| it.state == Session::Open).count()
    }

    /// Subscriptions by which money may still be taken.
    pub fn collecting(&self) -> usize {
        let collects = |it: &&Subscription| it.state != SubscriptionState::Ended && it.ends_at.is_none();
        self.subscriptions.iter().filter(collects).count()
    }

    /// Those of them that were paid once.
    pub fn charging(&self) -> usize {
        let charges = |it: &&Subscription| {
            !matches!(it.state, SubscriptionState::Ended | SubscriptionState::Incomplete)
                && it.ends_at.is_none()
        };
        self.subscriptions.iter().filter(charges).count()
    }

    fn opened(&self, held: &Held) -> OpenCheckout {
        OpenCheckout {
            id: held.id.clone(),
            url: (held.state == Session::Open).then(|| format!("https://pay.example/{}", held.id)),
            expires_at: held.expires.map(at),
            subscription: held.subscription.clone().filter(|_| self.is_payapp()),
        }
    }
}

/// The number of the request by which a registration is paid for the first time.
pub fn request_of(registration: &str) -> String {
    format!("33{registration}")
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

fn visa() -> PaymentMethod {
    PaymentMethod { brand: "visa".into(), last4: Some("4242".into()) }
}

fn invoice(state: InvoiceState) -> Invoice {
    Invoice {
        id: "in_1".into(),
        number: Some("A-1".into()),
        total: money(PRICE, "USD"),
        state,
        url: None,
        created_at: at(1),
    }
}
