//! What was stored of a payment, where the provider can't be asked about it later.

use jiff::Timestamp;

use super::money::Money;
use super::truth::Period;

/// One thing that a provider told, or that a person of the platform vouches for. It was checked before it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The provider's id of the payment: PayApp's `mul_no`, or the platform's own reference.
    pub payment: String,
    /// The number of the subscription, if it is for one.
    pub subscription: Option<String>,
    /// Number of the attempt that it belongs to; none for what the platform vouches for.
    pub attempt: Option<u32>,
    /// What happened.
    pub event: ReceiptEvent,
    /// The amount that it is about.
    pub amount: Money,
    /// When it happened.
    pub at: Timestamp,
    /// The time that it pays for, where that was written down; else it follows from what it is for.
    pub period: Option<Period>,
}

/// What a receipt tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReceiptEvent {
    /// Money came in.
    Paid,
    /// It went back, all of it.
    Refunded,
    /// A part of it went back.
    PartlyRefunded,
    /// The customer was given an account to pay to.
    AwaitingDeposit,
    /// The request to pay was withdrawn before anybody paid.
    RequestCancelled,
    /// The next payment of a subscription failed.
    RenewalFailed,
}

impl ReceiptEvent {
    /// Its place in the name under which it is stored, so that the same notice twice is one receipt.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Refunded => "refunded",
            Self::PartlyRefunded => "partly-refunded",
            Self::AwaitingDeposit => "awaiting-deposit",
            Self::RequestCancelled => "request-cancelled",
            Self::RenewalFailed => "renewal-failed",
        }
    }
}
