//! Taking payments: one room for each provider, behind one interface.
//!
//! Nothing in here knows Kubernetes or any of the resources. A caller stores what identifies a call (the attempt,
//! its nonce, the idempotency key) before it is made, and judges an order by a [`ProviderTruth`], which is read whole
//! and doesn't depend on the order in which notices came.

mod error;
mod exchange;
mod fold;
mod form;
mod key_file;
mod manual;
mod money;
mod pace;
pub mod payapp;
mod provider;
mod receipt;
pub mod stripe;
mod truth;

pub use error::{Error, ErrorClass};
pub use exchange::http_client;
pub use fold::fold;
pub use key_file::{KeyError, KeyFile};
pub use manual::Manual;
pub use money::{Currency, KRW, Money, MoneyError};
pub use pace::Pace;
pub use provider::{
    Attempt, Billing, Buyer, Call, ChangeSubscription, Changed, EndSubscription, Ending, Extent,
    KnownCheckout, KnownOrder, LostCheckout, NewCheckout, NewPortal, NewRefund, OpenCheckout,
    PaymentProvider, Repetition,
};
pub use receipt::{Receipt, ReceiptEvent};
pub use truth::{
    Checkout, CheckoutState, Dispute, Interval, Invoice, InvoiceState, Payment, PaymentMethod, PaymentState,
    Period, ProviderTruth, Purpose, Refunded, Subscription, SubscriptionState,
};
