//! Names of receipts: the same told twice is one receipt, whoever stores it.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::payment_receipt::{Provider, ReceiptEvent, ReceiptFlag, ReceiptType};
use super::{FIELD_MANAGER, PaymentReceipt, PaymentReceiptSpec, label_key};

/// Bytes of a hash that stand in a name.
const HASHED: usize = 12;

impl ReceiptEvent {
    /// Its place in a receipt's name.
    const fn in_name(self) -> &'static str {
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

impl PaymentReceipt {
    /// The object that what a provider told is stored as: named for it, and marked as ours; `None` if it tells nothing.
    pub fn of(spec: PaymentReceiptSpec) -> Option<Self> {
        let mut receipt = Self::new(&spec.key()?, spec);
        receipt.metadata.labels = Some([(label_key::MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned())].into());
        Some(receipt)
    }

    /// Object name of what a provider told of a payment: the same told twice is one receipt, whoever stores it.
    pub fn key(provider: Provider, provider_id: &str, event: ReceiptEvent) -> String {
        let hash = key_hash(&[provider.name(), provider_id, event.in_name()]);
        format!("{}-{}-{hash}", provider.name().to_ascii_lowercase(), event.in_name())
    }
}

impl PaymentReceiptSpec {
    /// What it tells, which an older one leaves to its type.
    pub fn told(&self) -> Option<ReceiptEvent> {
        self.event.or(match self.type_ {
            ReceiptType::Payment => Some(ReceiptEvent::Paid),
            ReceiptType::Refund => Some(ReceiptEvent::Refunded),
            ReceiptType::Notice => None,
        })
    }

    /// Object name of a provider's receipt. Parts that went back, and what is wrong, may be told more than once of
    /// one payment, with another amount each: those are receipts of their own, and none keeps a good one out. That it
    /// came too late is another matter: told again after that, it is what was told before.
    pub fn key(&self) -> Option<String> {
        let event = self.told()?;
        let key = PaymentReceipt::key(self.provider, &self.provider_id, event);
        let late = [ReceiptFlag::FundsNothing, ReceiptFlag::UnknownOrder];
        // Stripe itself says what a payment is, whatever was wrong with it when it was first seen.
        let is_good = self.provider == Provider::Stripe || self.flags.iter().all(|flag| late.contains(flag));
        if event != ReceiptEvent::PartlyRefunded && is_good {
            return Some(key);
        }
        let amount = self.amount.to_string();
        let attempt = self.attempt.as_deref().unwrap_or_default();
        let mark = if is_good { "" } else { "flagged" };
        let hash = key_hash(&[&self.order_uid, attempt, &amount, &self.currency, mark]);
        Some(format!("{key}-{hash}"))
    }
}

/// Ids of providers may have any letter and length; names of objects may not.
fn key_hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().iter().take(HASHED).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(id: &str, event: ReceiptEvent) -> PaymentReceiptSpec {
        PaymentReceiptSpec {
            type_: event.receipt_type(),
            provider: Provider::PayApp,
            provider_id: id.into(),
            order_uid: "order-1".into(),
            amount: 1000,
            currency: "KRW".into(),
            period: None,
            refunds: None,
            note: None,
            event: Some(event),
            attempt: None,
            subscription_id: None,
            pay_time: None,
            flags: Vec::new(),
        }
    }

    #[test]
    fn the_same_told_twice_has_one_name_and_other_things_have_others() {
        let paid = spec("1", ReceiptEvent::Paid);
        assert_eq!(paid.key(), Some(PaymentReceipt::key(Provider::PayApp, "1", ReceiptEvent::Paid)));
        let mut again = paid.clone();
        again.pay_time = Some(jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(again.key(), paid.key());
        for other in [spec("2", ReceiptEvent::Paid), spec("1", ReceiptEvent::Refunded)] {
            assert_ne!(other.key(), paid.key());
        }
        let stripe = PaymentReceiptSpec { provider: Provider::Stripe, ..paid.clone() };
        assert_ne!(stripe.key(), paid.key());
    }

    #[test]
    fn a_flagged_one_keeps_no_good_one_out_and_each_part_that_went_back_counts() {
        let paid = spec("1", ReceiptEvent::Paid);
        let flagged = PaymentReceiptSpec { flags: vec![ReceiptFlag::AmountMismatch], ..paid.clone() };
        assert_ne!(flagged.key(), paid.key());
        let late = PaymentReceiptSpec { flags: vec![ReceiptFlag::FundsNothing], ..paid.clone() };
        assert_eq!(late.key(), paid.key(), "told again after the order was deleted it is the same payment");
        let part = spec("1", ReceiptEvent::PartlyRefunded);
        let more = PaymentReceiptSpec { amount: 2000, ..part.clone() };
        assert_ne!(part.key(), more.key());
    }

    #[test]
    fn a_name_is_one_that_objects_may_have() {
        let key = spec(&"X_y/".repeat(60), ReceiptEvent::RequestCancelled).key().unwrap();
        assert!(key.len() <= 63 && key.starts_with("payapp-request-cancelled-"), "{key}");
        assert!(key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{key}");
    }
}
