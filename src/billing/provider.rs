//! The one interface of all payment providers.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::error::Error;
use super::money::Money;
use super::receipt::Receipt;
use super::truth::{Interval, ProviderTruth};

/// The outcome of a call, to be awaited.
pub type Call<'c, T> = BoxFuture<'c, Result<T, Error>>;

/// Whoever takes payments.
///
/// Each call does one thing. What a call needs to be repeated after "sent, unknown" (the attempt with its nonce, the
/// idempotency key, the times) is given by the caller, who has stored it before: a call made again with the same
/// values has no second effect at a provider that knows idempotency keys.
pub trait PaymentProvider: Send + Sync {
    /// Whether a call whose outcome is unknown can be made again with the same key.
    fn repetition(&self) -> Repetition;

    /// Opens a checkout.
    ///
    /// # Errors
    /// `Unknown` if it was sent and no answer came; see [`PaymentProvider::repetition`].
    fn open_checkout<'c>(&'c self, checkout: &'c NewCheckout) -> Call<'c, OpenCheckout>;

    /// Looks for the checkout of an attempt whose reply was lost, among those made since it was stored. `None` if
    /// there is none, or if the provider can't be asked.
    fn find_checkout<'c>(&'c self, lost: &'c LostCheckout) -> Call<'c, Option<OpenCheckout>>;

    /// Reads everything about an order.
    fn read<'c>(&'c self, order: &'c KnownOrder) -> Call<'c, ProviderTruth>;

    /// Nobody can pay this checkout any more. Good if that is so already.
    ///
    /// # Errors
    /// `WrongState` if it was paid meanwhile: read it again. One that can't be asked says `Refused` for that, for what is
    /// closed already, and for every other reason.
    fn close_checkout<'c>(&'c self, checkout: &'c OpenCheckout) -> Call<'c, ()>;

    /// A subscription ends. Good if it has ended already.
    fn end_subscription<'c>(&'c self, ending: &'c EndSubscription) -> Call<'c, ()>;

    /// A subscription goes on at another price.
    ///
    /// # Errors
    /// `Declined` if the difference couldn't be taken: then nothing has changed.
    fn change_subscription<'c>(&'c self, change: &'c ChangeSubscription) -> Call<'c, Changed>;

    /// Money goes back.
    fn refund<'c>(&'c self, refund: &'c NewRefund) -> Call<'c, ()>;

    /// A page where the customer manages cards and invoices; `None` if the provider has no such.
    fn open_portal<'c>(&'c self, portal: &'c NewPortal) -> Call<'c, Option<String>>;
}

/// What may be done after "sent, unknown".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// The same call with the same key, within a day of the first: it does nothing twice.
    SameKey,
    /// Nothing: the attempt is held until a notice tells what came of it, or a person does.
    Never,
}

/// One try to be paid for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// A random text that only we and the provider know.
    pub nonce: String,
}

impl Attempt {
    /// How the provider knows it. Another nonce is another attempt, even if a restored cluster counts from 1 again.
    pub fn mark(&self) -> String {
        format!("{}-{}", self.number, self.nonce)
    }
}

/// A checkout that is to be opened. The same values have to be given when the call is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCheckout {
    /// UID of the order.
    pub order: String,
    /// Which try it is.
    pub attempt: Attempt,
    /// Stored before the first call; at most 255 characters.
    pub idempotency_key: String,
    /// The price, from the order's claim.
    pub price: Money,
    /// Once or again and again.
    pub billing: Billing,
    /// What is bought, as the customer reads it.
    pub title: String,
    /// Name of the Plan.
    pub plan: String,
    /// Where the customer's browser goes once paid.
    pub success_url: String,
    /// Where it goes when the customer gives up.
    pub cancel_url: String,
    /// When the attempt was stored.
    pub created_at: Timestamp,
    /// When it ends: 30 minutes to 24 hours from now at Stripe. PayApp's don't end by themselves.
    pub expires_at: Timestamp,
    /// Who buys.
    pub buyer: Buyer,
}

/// How often is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Billing {
    /// One payment.
    Once,
    /// A payment for each interval.
    Every(Interval),
}

/// What is known of the person who buys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buyer {
    /// Address for e-mail.
    pub email: Option<String>,
    /// Number of a mobile phone, digits only.
    pub phone: Option<String>,
}

/// A checkout that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCheckout {
    /// The provider's id.
    pub id: String,
    /// Where the customer pays; none once that is over, which a lost one may be when it is found.
    pub url: Option<String>,
    /// Until when, if it ends.
    pub expires_at: Option<Timestamp>,
    /// The id of what is paid again and again, where it is known this early (PayApp).
    pub subscription: Option<String>,
}

/// An attempt whose reply was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostCheckout {
    /// UID of the order.
    pub order: String,
    /// Which try.
    pub attempt: Attempt,
    /// When it was stored: the checkout was made later.
    pub since: Timestamp,
}

/// What an order knows about itself at the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownOrder {
    /// Its checkouts.
    pub checkouts: Vec<KnownCheckout>,
    /// The provider's id of its subscription, if known. It need not be for Stripe, whose checkouts tell it.
    pub subscription: Option<String>,
    /// When subscriptions were ended by us, by their ids: PayApp doesn't tell.
    pub ended: BTreeMap<String, Timestamp>,
    /// The receipts that were stored for it; Stripe isn't judged by them.
    pub receipts: Vec<Receipt>,
}

/// A checkout that an order knows of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCheckout {
    /// Which try it was.
    pub attempt: Attempt,
    /// When it was stored: what is paid again and again at PayApp is due on that day.
    pub created_at: Timestamp,
    /// What was opened for it.
    pub opened: OpenCheckout,
    /// The price that it was opened at.
    pub price: Money,
    /// Once or again and again.
    pub billing: Billing,
}

/// The end of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndSubscription {
    /// The provider's id.
    pub id: String,
    /// When.
    pub when: Ending,
    /// Stored before the first call.
    pub idempotency_key: String,
}

/// When a subscription ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// When what is paid is used up.
    AtPeriodEnd,
    /// At once. Nothing is paid back by that.
    Now,
}

/// Another price for a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSubscription {
    /// The provider's id.
    pub id: String,
    /// The new price.
    pub price: Money,
    /// How often it is due.
    pub interval: Interval,
    /// What is bought, as the customer reads it.
    pub title: String,
    /// Name of the Plan.
    pub plan: String,
    /// Stored before the first call.
    pub idempotency_key: String,
}

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The new price holds, and the difference is paid.
    Done,
    /// The provider can't: a new subscription has to be registered in a new checkout, and the old one ended.
    RegisterAgain,
}

/// Money that is to go back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRefund {
    /// The provider's id of the payment.
    pub payment: String,
    /// How much.
    pub amount: Money,
    /// Whether that is all of it.
    pub extent: Extent,
    /// When the payment came, as its truth says.
    pub paid_at: Timestamp,
    /// When the refund was stored.
    pub asked_at: Timestamp,
    /// Why, for the provider's records.
    pub reason: String,
    /// Stored before the first call.
    pub idempotency_key: String,
}

/// How much of a payment goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All.
    Full,
    /// A part.
    Part,
}

/// A visit to the customer's page at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPortal {
    /// The provider's id of the customer.
    pub customer: String,
    /// Where the customer's browser goes afterwards.
    pub return_url: String,
}
