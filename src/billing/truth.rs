//! What a payment provider says of one order, in terms that hold for every provider.
//!
//! It is what decisions are made from: read whole, at one time, from the provider itself (Stripe) or from the
//! receipts that were stored (PayApp, manual payments). It never depends on the order in which notices came.

use jiff::Timestamp;

use super::money::Money;

/// Everything about one order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderTruth {
    /// Each checkout that was asked about, in the order of the attempts.
    pub checkouts: Vec<Checkout>,
    /// Each payment that came in for any of them, the oldest first.
    pub payments: Vec<Payment>,
    /// What is paid again and again. More than one is a fault to be seen: two checkouts were paid.
    pub subscriptions: Vec<Subscription>,
    /// The last invoices, the newest first.
    pub invoices: Vec<Invoice>,
    /// What was paid with that isn't a subscription's.
    pub payment_method: Option<PaymentMethod>,
    /// The provider's id of the customer of the last checkout. Each subscription has one of its own.
    pub customer: Option<String>,
}

impl ProviderTruth {
    /// The customer of this subscription; of the last checkout, if there is none.
    pub fn customer_of(&self, subscription: Option<&str>) -> Option<&str> {
        let own = self.subscription(subscription).map_or(&self.customer, |own| &own.customer);
        own.as_deref()
    }

    /// What this subscription is paid with; if there is none, what was paid with.
    pub fn payment_method_of(&self, subscription: Option<&str>) -> Option<&PaymentMethod> {
        self.subscription(subscription).map_or(&self.payment_method, |own| &own.payment_method).as_ref()
    }

    fn subscription(&self, id: Option<&str>) -> Option<&Subscription> {
        self.subscriptions.iter().find(|it| Some(it.id.as_str()) == id)
    }

    /// The checkout that can be paid now, if there is one.
    pub fn open_checkout(&self) -> Option<&Checkout> {
        self.checkouts.iter().find(|checkout| matches!(checkout.state, CheckoutState::Open { .. }))
    }
}

/// One attempt to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// The number of the attempt.
    pub attempt: u32,
    /// The provider's id: a session, a payment request, or a registration.
    pub id: String,
    /// How far it is.
    pub state: CheckoutState,
    /// What it asks for, if the provider says so. Another amount than the order's funds nothing.
    pub amount: Option<Money>,
}

/// How far a checkout is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckoutState {
    /// The customer can pay.
    Open {
        /// Where.
        url: String,
        /// Until when, if it ends.
        expires_at: Option<Timestamp>,
    },
    /// The customer is done, and the money is on its way: a transfer, or a virtual account.
    Confirming,
    /// Paid, or nothing was to be paid. What was paid is told by the payments.
    Complete,
    /// The customer was done, and the money didn't come.
    Failed,
    /// Nobody can pay any more, and nobody did: its time was over, or it was withdrawn.
    Expired,
}

/// Money that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The provider's id: a payment intent, or a payment request's number.
    pub id: String,
    /// What came in.
    pub amount: Money,
    /// What of it went back.
    pub refunded: Refunded,
    /// Whether the customer's bank asks for it back.
    pub dispute: Option<Dispute>,
    /// When it came.
    pub paid_at: Timestamp,
    /// What it is for.
    pub purpose: Purpose,
    /// The time that it pays for, where the provider says so.
    pub period: Option<Period>,
    /// What the invoice asks for its period, once all of that is paid: the sum without what an earlier change of price left to
    /// be paid or credited. Credit of the customer's may have paid a part.
    pub invoiced: Option<Money>,
    /// The id of the subscription that it belongs to.
    pub subscription: Option<String>,
    /// The number of the attempt whose checkout led to it, if it is known.
    pub attempt: Option<u32>,
}

/// What of a payment went back. Of a payment of nothing (a free Plan, an approval by hand) all can go back too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refunded {
    /// Nothing.
    Nothing,
    /// A part. PayApp's notice may name the whole amount for it, so a person has to look.
    Part(Money),
    /// All of it.
    All,
}

/// What a payment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The first one, or the only one.
    First,
    /// The next period of a subscription.
    Renewal,
    /// The difference after a change of price, which is no whole price.
    Change,
    /// The provider doesn't say, or a person asked for it.
    Other,
}

/// What has become of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PaymentState {
    /// It is ours.
    Paid,
    /// A part of it went back.
    PartlyRefunded,
    /// All of it went back.
    Refunded,
    /// The bank has it until this is settled.
    Disputed,
    /// The bank gave it back to the customer.
    Lost,
}

impl Payment {
    /// What has become of it.
    pub fn state(&self) -> PaymentState {
        match (self.dispute, self.refunded) {
            (Some(Dispute::Lost), _) => PaymentState::Lost,
            (_, Refunded::All) => PaymentState::Refunded,
            (Some(Dispute::Open), _) => PaymentState::Disputed,
            (Some(Dispute::Won) | None, Refunded::Part(_)) => PaymentState::PartlyRefunded,
            (Some(Dispute::Won) | None, Refunded::Nothing) => PaymentState::Paid,
        }
    }
}

/// A customer's bank asking for money back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dispute {
    /// Not settled; the money is held.
    Open,
    /// Settled for us.
    Won,
    /// Settled for the customer.
    Lost,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    /// When it begins.
    pub start: Timestamp,
    /// When it ends; this moment isn't in it.
    pub end: Timestamp,
}

/// What is paid again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The provider's id.
    pub id: String,
    /// How it stands.
    pub state: SubscriptionState,
    /// The price of each period, if known.
    pub price: Option<Money>,
    /// How often.
    pub interval: Option<Interval>,
    /// The end of the time that payments of its price have been made for.
    pub paid_until: Option<Timestamp>,
    /// The end of the period that it is in, paid or not.
    pub period_end: Option<Timestamp>,
    /// When it ends, once that is agreed.
    pub ends_at: Option<Timestamp>,
    /// The provider's id of its customer, whom a portal can be opened for.
    pub customer: Option<String>,
    /// What it is paid with.
    pub payment_method: Option<PaymentMethod>,
}

/// How a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubscriptionState {
    /// The first payment isn't in.
    Incomplete,
    /// All is paid.
    Active,
    /// A payment failed; the provider tries again.
    PastDue,
    /// The provider has stopped trying, and keeps it.
    Unpaid,
    /// Held by the provider or the platform.
    Paused,
    /// Over for good.
    Ended,
    /// A word that isn't known.
    Unrecognized,
}

/// How often a price is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interval {
    /// Every month.
    Month,
    /// Every year.
    Year,
}

/// One invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// The provider's id.
    pub id: String,
    /// Its number, as the customer sees it; none while it is a draft.
    pub number: Option<String>,
    /// The sum.
    pub total: Money,
    /// How it stands.
    pub state: InvoiceState,
    /// Where the customer sees and pays it.
    pub url: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// How an invoice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InvoiceState {
    /// Not sent yet.
    Draft,
    /// To be paid.
    Open,
    /// Paid.
    Paid,
    /// Given up.
    Uncollectible,
    /// Taken back.
    Void,
    /// A word that isn't known.
    Unrecognized,
}

/// What a customer pays with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentMethod {
    /// The card's brand, or the kind of method, such as `visa` or `sepa_debit`.
    pub brand: String,
    /// The last four digits, if it has digits.
    pub last4: Option<String>,
}
