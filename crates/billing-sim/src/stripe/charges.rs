//! Payment intents and charges, and how their money goes back.

use axum::response::Response;
use serde_json::{Value, json};

use super::call::Call;
use super::objects::text;
use super::sessions::Settled;
use crate::error::{Outcome, Refusal};
use crate::state::State;

/// How an attempt to be paid goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Try {
    /// The money is there.
    Good,
    /// It takes days.
    Slow,
    /// The bank says no.
    Declined,
}

/// How a dispute is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// For the merchant.
    Won,
    /// For the customer.
    Lost,
}

/// Pays money back.
pub async fn refund(call: Call) -> Response {
    call.write(|state, params| {
        let intent = params.get("payment_intent").unwrap_or_default().to_owned();
        let id = state.refund(&intent, params.number("amount"), &params.within("metadata"))?;
        state.view(&id, params)
    })
}

impl State {
    /// An intent with its charge, for what `source` asks (a session or an invoice); answers the intent's id.
    pub fn charge(&mut self, source: &Value, customer: &str, how: Try) -> String {
        let (intent, charge) = (self.id("pi_"), self.id("ch_"));
        let amount =
            if source["amount_total"].is_null() { &source["amount_due"] } else { &source["amount_total"] };
        let metadata = if source["_metadata"].is_null() { json!({}) } else { source["_metadata"].clone() };
        let (status, charged) = match how {
            Try::Good => ("succeeded", "succeeded"),
            Try::Slow => ("processing", "pending"),
            Try::Declined => ("requires_payment_method", "failed"),
        };
        let customer = if how == Try::Declined && self.object(customer).is_none() {
            Value::Null
        } else {
            customer.into()
        };
        self.put(json!({
            "id": intent, "object": "payment_intent", "livemode": false, "status": status, "amount": amount,
            "currency": source["currency"], "customer": customer, "metadata": metadata, "latest_charge": charge,
        }));
        let card = json!({"brand": "visa", "last4": if how == Try::Declined { "0002" } else { "4242" }});
        let method = if how == Try::Slow {
            json!({"type": "sepa_debit"})
        } else {
            json!({"type": "card", "card": card})
        };
        self.put(json!({
            "id": charge, "object": "charge", "livemode": false, "status": charged, "amount": amount,
            "amount_captured": if how == Try::Good { amount.clone() } else { 0.into() }, "amount_refunded": 0,
            "refunded": false, "disputed": false, "currency": source["currency"], "customer": customer,
            "payment_intent": intent, "metadata": metadata, "payment_method_details": method,
        }));
        match how {
            Try::Good => self.succeeded(&intent, &charge),
            Try::Slow => self.event("payment_intent.processing", &intent),
            Try::Declined => self.event("payment_intent.payment_failed", &intent),
        }
        intent
    }

    /// The money is there: the one place where any comes in.
    fn succeeded(&mut self, intent: &str, charge: &str) {
        let shown = self.object(charge).cloned().unwrap_or_default();
        let transaction = self.id("txn_");
        self.put(json!({"id": transaction, "object": "balance_transaction", "amount": shown["amount"], "currency": shown["currency"], "source": charge}));
        self.set(charge, &json!({"balance_transaction": transaction}));
        let detail = json!({"amount": shown["amount"], "currency": shown["currency"], "order": shown["metadata"]["order"]});
        self.effect("stripe", "charge", intent, detail);
        self.event("charge.succeeded", charge);
        self.event("payment_intent.succeeded", intent);
    }

    /// A payment that takes days comes in, or doesn't.
    pub fn settle_intent(&mut self, intent: &str, came: Settled) {
        let Some(charge) = self.charge_of(intent) else { return };
        let id = text(&charge, "id").to_owned();
        match came {
            Settled::Came => {
                self.set(intent, &json!({"status": "succeeded"}));
                self.set(&id, &json!({"status": "succeeded", "amount_captured": charge["amount"]}));
                self.succeeded(intent, &id);
            }
            Settled::Failed => {
                self.set(intent, &json!({"status": "requires_payment_method"}));
                self.set(&id, &json!({"status": "failed"}));
                self.event("payment_intent.payment_failed", intent);
            }
        }
    }

    /// The last charge of an intent.
    pub fn charge_of(&self, intent: &str) -> Option<Value> {
        let charge = self.object(intent)?["latest_charge"].as_str()?;
        self.object(charge).cloned()
    }

    /// Pays back a part, or all that is left.
    ///
    /// # Errors
    /// If there is nothing of that payment left, or not as much.
    pub fn refund(&mut self, intent: &str, amount: Option<i64>, metadata: &Value) -> Outcome<String> {
        self.of_kind("payment_intent", intent)?;
        let charge = self.charge_of(intent).filter(|charge| charge["status"] == "succeeded");
        let charge = charge.ok_or_else(|| Refusal::invalid("This payment has no successful charge."))?;
        let number = |name: &str| charge[name].as_i64().unwrap_or(0);
        let left = number("amount_captured") - number("amount_refunded");
        let amount = amount.unwrap_or(left);
        if left == 0 {
            return Err(Refusal::coded("charge_already_refunded", "The charge has already been refunded."));
        }
        if !(1..=left).contains(&amount) {
            return Err(Refusal::invalid("Refund amount is greater than unrefunded amount on charge."));
        }
        let (refund, id) = (self.id("re_"), text(&charge, "id").to_owned());
        self.put(json!({"id": refund, "object": "refund", "amount": amount, "currency": charge["currency"], "charge": id, "payment_intent": intent, "status": "succeeded", "metadata": metadata}));
        let refunded = number("amount_refunded") + amount;
        self.set(&id, &json!({"amount_refunded": refunded, "refunded": amount == left}));
        self.effect("stripe", "refund", intent, json!({"amount": amount, "currency": charge["currency"]}));
        self.event("charge.refunded", &id);
        self.event("refund.created", &refund);
        Ok(refund)
    }

    /// The customer's bank asks for a payment back; answers the dispute's id.
    ///
    /// # Errors
    /// If there is no such payment.
    pub fn dispute(&mut self, intent: &str) -> Outcome<String> {
        self.of_kind("payment_intent", intent)?;
        let charge = self.charge_of(intent).ok_or_else(|| Refusal::missing("charge", intent))?;
        let (dispute, id) = (self.id("du_"), text(&charge, "id").to_owned());
        self.put(json!({"id": dispute, "object": "dispute", "livemode": false, "amount": charge["amount"], "currency": charge["currency"], "charge": id, "payment_intent": intent, "reason": "fraudulent", "status": "needs_response"}));
        self.set(&id, &json!({"disputed": true}));
        self.effect("stripe", "dispute.open", intent, Value::Null);
        self.event("charge.dispute.created", &dispute);
        Ok(dispute)
    }

    /// A dispute is settled.
    ///
    /// # Errors
    /// If there is no such dispute.
    pub fn settle_dispute(&mut self, id: &str, verdict: Verdict) -> Outcome<()> {
        self.of_kind("dispute", id)?;
        let status = if verdict == Verdict::Won { "won" } else { "lost" };
        self.set(id, &json!({"status": status}));
        self.effect("stripe", "dispute.close", id, json!({"status": status}));
        self.event("charge.dispute.closed", id);
        Ok(())
    }

    /// A customer whose cards are good, or are declined from now on.
    ///
    /// # Errors
    /// If there is no such customer.
    pub fn set_card(&mut self, customer: &str, card: &str) -> Outcome<()> {
        self.of_kind("customer", customer)?;
        self.set(customer, &json!({"_card": card}));
        Ok(())
    }

    /// Whether a customer's card is good.
    pub fn pays(&self, customer: &str) -> bool {
        self.object(customer).is_some_and(|customer| customer["_card"] != "declined")
    }
}
