//! Subscriptions: billed, renewed, past due, changed, over.

use axum::extract::Path;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::Call;
use super::charges::Try;
use super::objects::text;
use super::sessions::Settled;
use super::time::period_end;
use crate::error::{Outcome, Refusal};
use crate::params::Params;
use crate::state::State;

const DAY: i64 = 24 * 60 * 60;
/// How long after a failed payment the next is tried.
const RETRIES: [i64; 3] = [3 * DAY, 5 * DAY, 7 * DAY];

/// What becomes of a subscription when no try is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterRetries {
    /// It ends.
    #[default]
    Cancel,
    /// It stays, unpaid.
    Unpaid,
    /// It stays past due.
    PastDue,
}

/// Changes one: its price, or that it ends.
pub async fn update(Path(id): Path<String>, call: Call) -> Response {
    call.write(|state, params| {
        state.alive(&id)?;
        if params.get("items[0][price_data][unit_amount]").is_some() {
            state.change_price(&id, params)?;
        }
        if let Some(ends) = params.get("cancel_at_period_end") {
            state.set(&id, &json!({"cancel_at_period_end": ends == "true"}));
            state.effect("stripe", "subscription.cancel_at_period_end", &id, json!({"is": ends}));
        }
        state.event("customer.subscription.updated", &id);
        state.view(&id, params)
    })
}

/// Ends one at once.
pub async fn cancel(Path(id): Path<String>, call: Call) -> Response {
    call.write(|state, params| {
        state.alive(&id)?;
        state.end_subscription(&id);
        state.view(&id, params)
    })
}

impl State {
    fn alive(&self, id: &str) -> Outcome<()> {
        match text(self.of_kind("subscription", id)?, "status") {
            "canceled" | "incomplete_expired" => {
                Err(Refusal::invalid("A canceled subscription can only update its cancellation_details."))
            }
            _ => Ok(()),
        }
    }

    /// A subscription is over.
    pub fn end_subscription(&mut self, id: &str) {
        let now = self.now();
        self.set(id, &json!({"status": "canceled", "canceled_at": now, "ended_at": now, "_retry_at": null}));
        self.effect("stripe", "subscription.end", id, Value::Null);
        self.event("customer.subscription.deleted", id);
    }

    /// The difference is paid first; if that fails nothing has changed.
    fn change_price(&mut self, id: &str, params: &Params) -> Outcome<()> {
        let subscription = self.of_kind("subscription", id)?.clone();
        let need = |name: &str| {
            let name = format!("items[0]{name}");
            params
                .get(&name)
                .map(str::to_owned)
                .ok_or_else(|| Refusal::invalid(format!("Missing required param: {name}.")))
        };
        let item = &subscription["items"]["data"][0];
        if need("[id]")? != text(item, "id") {
            return Err(Refusal::missing(
                "subscription item",
                params.get("items[0][id]").unwrap_or_default(),
            ));
        }
        let product = need("[price_data][product]")?;
        self.of_kind("product", &product)?;
        let amount: i64 =
            need("[price_data][unit_amount]")?.parse().map_err(|_| Refusal::invalid("Invalid integer"))?;
        let (currency, interval) =
            (need("[price_data][currency]")?, need("[price_data][recurring][interval]")?);
        let (start, end) = (number(item, "current_period_start"), number(item, "current_period_end"));
        let difference = amount - number(&item["price"], "unit_amount");
        let share = i128::from(difference) * i128::from(end - self.now()) / i128::from((end - start).max(1));
        let due = i64::try_from(share).unwrap_or(0).max(0);
        let customer = text(&subscription, "customer").to_owned();
        if due > 0 && !self.pays(&customer) {
            return Err(Refusal::declined());
        }
        let price = json!({"id": self.id("price_"), "object": "price", "product": product, "currency": currency, "unit_amount": amount, "recurring": {"interval": interval, "interval_count": 1}});
        let mut items = subscription["items"].clone();
        items["data"][0]["price"] = price;
        let mut metadata = subscription["metadata"].clone();
        for (key, value) in params.within("metadata").as_object().into_iter().flatten() {
            metadata[key] = value.clone();
        }
        self.set(id, &json!({"items": items, "metadata": metadata}));
        self.effect("stripe", "subscription.change", id, json!({"amount": amount}));
        if due > 0 {
            let invoice = self.bill(id, "subscription_update", &due.into(), self.now(), end);
            self.pay_invoice(&invoice);
        }
        Ok(())
    }

    /// An invoice for a period; answers its id.
    pub fn bill(&mut self, subscription: &str, reason: &str, amount: &Value, start: i64, end: i64) -> String {
        let id = self.id("in_");
        let of = self.object(subscription).cloned().unwrap_or_default();
        let count = self.all("invoice").len() + 1;
        let line = json!({"id": self.id("il_"), "object": "line_item", "amount": amount, "period": {"start": start, "end": end}});
        self.put(json!({
            "id": id,
            "object": "invoice",
            "livemode": false,
            "number": format!("SIM-{count:04}"),
            "status": "open",
            "billing_reason": reason,
            "amount_due": amount,
            "amount_paid": 0,
            "total": amount,
            "currency": of["currency"],
            "customer": of["customer"],
            "hosted_invoice_url": format!("{}/invoice/{id}", self.url),
            "period_start": start,
            "period_end": start,
            "lines": {"object": "list", "has_more": false, "data": [line]},
            "parent": {"type": "subscription_details", "subscription_details": {"subscription": subscription, "metadata": of["metadata"]}},
            "_subscription": subscription,
            "_metadata": of["metadata"],
            "_payments": {"object": "list", "has_more": false, "data": []},
        }));
        self.set(subscription, &json!({"latest_invoice": id}));
        id
    }

    /// Takes the money for an open invoice, if the customer's card is good.
    pub fn pay_invoice(&mut self, id: &str) {
        let Some(invoice) = self.object(id).filter(|invoice| invoice["status"] == "open").cloned() else {
            return;
        };
        let customer = text(&invoice, "customer").to_owned();
        if invoice["amount_due"] != 0 {
            let good = self.pays(&customer);
            let intent = self.charge(&invoice, &customer, if good { Try::Good } else { Try::Declined });
            self.paid_with(id, &intent);
            if !good {
                self.failed(&invoice);
                return;
            }
        }
        self.invoice_paid(id);
    }

    /// Begins a payment for an invoice that takes days.
    pub fn pay_invoice_slowly(&mut self, id: &str) {
        let Some(invoice) = self.object(id).cloned() else { return };
        let customer = text(&invoice, "customer").to_owned();
        let intent = self.charge(&invoice, &customer, Try::Slow);
        self.paid_with(id, &intent);
    }

    /// That payment comes in, or doesn't.
    pub fn settle_invoice(&mut self, id: &str, came: Settled) {
        let Some(invoice) = self.object(id).cloned() else { return };
        let intent = text(&invoice["_payments"]["data"][0]["payment"], "payment_intent").to_owned();
        self.settle_intent(&intent, came);
        match came {
            Settled::Came => self.invoice_paid(id),
            Settled::Failed => self.failed(&invoice),
        }
    }

    fn paid_with(&mut self, invoice: &str, intent: &str) {
        let payment = json!({"id": self.id("inpay_"), "object": "invoice_payment", "invoice": invoice, "payment": {"type": "payment_intent", "payment_intent": intent}});
        let mut payments =
            self.object(invoice).map(|invoice| invoice["_payments"].clone()).unwrap_or_default();
        if let Some(data) = payments["data"].as_array_mut() {
            data.push(payment);
        }
        self.set(invoice, &json!({"_payments": payments}));
    }

    fn invoice_paid(&mut self, id: &str) {
        let Some(invoice) = self.object(id).cloned() else { return };
        let paid = json!({"status": "paid", "amount_paid": invoice["amount_due"], "status_transitions": {"paid_at": self.now()}});
        self.set(id, &paid);
        self.event("invoice.paid", id);
        let subscription = text(&invoice, "_subscription").to_owned();
        let status = self.object(&subscription).map(|it| text(it, "status").to_owned()).unwrap_or_default();
        self.set(&subscription, &json!({"_tries": 0, "_retry_at": null}));
        if matches!(status.as_str(), "past_due" | "unpaid") {
            self.set(&subscription, &json!({"status": "active"}));
            self.event("customer.subscription.updated", &subscription);
        }
    }

    fn failed(&mut self, invoice: &Value) {
        self.event("invoice.payment_failed", text(invoice, "id"));
        let id = text(invoice, "_subscription").to_owned();
        let tries = self.object(&id).and_then(|it| it["_tries"].as_u64()).unwrap_or(0);
        let next = usize::try_from(tries).ok().and_then(|tries| RETRIES.get(tries));
        let now = self.now();
        if let Some(pause) = next {
            let retry = json!({"status": "past_due", "_tries": tries + 1, "_retry_at": now + pause});
            self.set(&id, &retry);
        } else {
            self.set(&id, &json!({"_retry_at": null}));
            match self.stripe.after_retries {
                AfterRetries::Cancel => return self.end_subscription(&id),
                AfterRetries::Unpaid => self.set(&id, &json!({"status": "unpaid"})),
                AfterRetries::PastDue => {}
            }
        }
        self.event("customer.subscription.updated", &id);
    }

    /// The next period begins, or the subscription ends with the last.
    pub fn renew(&mut self, id: &str) {
        let Some(subscription) = self.object(id).cloned() else { return };
        if subscription["cancel_at_period_end"] == true {
            return self.end_subscription(id);
        }
        let item = &subscription["items"]["data"][0];
        let start = number(item, "current_period_end");
        let end = period_end(
            number(&subscription, "_anchor"),
            text(&item["price"]["recurring"], "interval"),
            start,
        );
        let mut items = subscription["items"].clone();
        items["data"][0]["current_period_start"] = start.into();
        items["data"][0]["current_period_end"] = end.into();
        self.set(id, &json!({"items": items}));
        self.event("customer.subscription.updated", id);
        let invoice = self.bill(id, "subscription_cycle", &item["price"]["unit_amount"], start, end);
        // What isn't paid for isn't charged for further periods either.
        if subscription["status"] == "active" {
            self.pay_invoice(&invoice);
        }
    }

    /// The last invoice is tried again.
    pub fn retry(&mut self, id: &str) {
        let invoice = self.object(id).map(|it| text(it, "latest_invoice").to_owned()).unwrap_or_default();
        self.set(id, &json!({"_retry_at": null}));
        self.pay_invoice(&invoice);
    }
}

fn number(object: &Value, name: &str) -> i64 {
    object[name].as_i64().unwrap_or(0)
}
