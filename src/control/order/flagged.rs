//! Payments that pay for nothing: money that a person of the platform has to look at. Pure.

use std::collections::HashSet;

use crate::api::PaymentReceiptSpec;
use crate::api::payment_receipt::{Provider, ReceiptEvent, ReceiptType};

/// Payments with a flag that nobody has dealt with: the money didn't go back, and wasn't approved by hand under the
/// payment's id.
pub fn unsettled<'r>(
    receipts: impl Iterator<Item = &'r PaymentReceiptSpec> + Clone,
) -> Vec<&'r PaymentReceiptSpec> {
    let settles = |spec: &'r PaymentReceiptSpec| match (spec.type_, spec.provider) {
        (ReceiptType::Refund, _) if spec.event == Some(ReceiptEvent::PartlyRefunded) => None,
        (ReceiptType::Refund, _) => spec.refunds.as_deref(),
        (ReceiptType::Payment, Provider::Manual) => Some(spec.provider_id.as_str()),
        _ => None,
    };
    let settled: HashSet<&str> = receipts.clone().filter_map(settles).collect();
    let is_odd = |spec: &&PaymentReceiptSpec| spec.type_ == ReceiptType::Payment && !spec.flags.is_empty();
    receipts.filter(is_odd).filter(|spec| !settled.contains(spec.provider_id.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn receipt(type_: &str, provider: &str, id: &str, more: &serde_json::Value) -> PaymentReceiptSpec {
        let mut spec = json!({"type": type_, "provider": provider, "providerID": id, "orderUID": "order-1",
            "amount": 2900, "currency": "USD"});
        json_patch::merge(&mut spec, more);
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn what_went_back_or_was_approved_isnt_told_any_more() {
        let flagged = json!({"flags": ["FundsNothing"]});
        let all = [
            receipt("Payment", "Stripe", "pi_good", &json!({})),
            receipt("Payment", "Stripe", "pi_odd", &flagged),
            receipt("Payment", "PayApp", "1001", &flagged),
            receipt("Payment", "PayApp", "1002", &flagged),
            receipt("Payment", "PayApp", "1003", &json!({"flags": ["UnknownOrder"]})),
            receipt("Refund", "PayApp", "1001", &json!({"refunds": "1001", "event": "Refunded"})),
            receipt("Refund", "Stripe", "pi_odd", &json!({"refunds": "pi_odd", "event": "PartlyRefunded"})),
            receipt("Payment", "Manual", "1002", &json!({"note": "approved"})),
        ];
        let left: Vec<&str> = unsettled(all.iter()).iter().map(|spec| spec.provider_id.as_str()).collect();
        assert_eq!(left, ["pi_odd", "1003"]);
    }
}
