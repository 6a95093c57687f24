//! Checkout Sessions: opened by a client, paid by a customer.

use axum::extract::Path;
use axum::response::Response;
use serde_json::{Value, json};

use super::call::Call;
use super::objects::text;
use super::time::period_end;
use crate::error::{Outcome, Refusal};
use crate::params::Params;
use crate::state::State;

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;
/// The parameters that are known.
const KNOWN: [&str; 11] = [
    "mode",
    "client_reference_id",
    "success_url",
    "cancel_url",
    "expires_at",
    "customer_email",
    "customer_creation",
    "metadata",
    "payment_intent_data",
    "subscription_data",
    "line_items",
];
const PRICE: &str = "line_items[0][price_data]";

/// What a customer does at a checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visit {
    /// Pays by card.
    Pay,
    /// Pays by something that takes days.
    PayLater,
    /// Tries a card that is declined.
    Fail,
}

/// Opens one.
pub async fn create(call: Call) -> Response {
    call.write(|state, params| {
        let session = opened(state, params)?;
        let id = text(&session, "id").to_owned();
        state.put(session);
        state.effect("stripe", "session.create", &id, json!({"order": params.get("client_reference_id")}));
        state.view(&id, params)
    })
}

/// Lists them.
pub async fn list(call: Call) -> Response {
    super::objects::list(call).await
}

/// Closes one that is open.
pub async fn expire(Path(id): Path<String>, call: Call) -> Response {
    call.write(|state, params| {
        if state.of_kind("checkout.session", &id)?["status"] != "open" {
            return Err(Refusal::invalid(
                "Only Checkout Sessions with a status in [\"open\"] can be expired.",
            ));
        }
        state.expire_session(&id);
        state.view(&id, params)
    })
}

fn opened(state: &mut State, params: &Params) -> Outcome {
    if let Some(other) = params.tops().find(|name| !KNOWN.contains(name)) {
        return Err(Refusal::coded("parameter_unknown", format!("Received unknown parameter: {other}")));
    }
    let mode = params.get("mode").unwrap_or_default();
    let recurring = params.get(&format!("{PRICE}[recurring][interval]"));
    let (forbidden, fits) = match mode {
        "payment" => ("subscription_data", recurring.is_none()),
        "subscription" => ("payment_intent_data", matches!(recurring, Some("month" | "year"))),
        _ => return Err(Refusal::invalid("Invalid mode: must be one of payment or subscription")),
    };
    if !fits || params.tops().any(|name| name == forbidden) {
        return Err(Refusal::invalid(format!(
            "You can not pass `{forbidden}`, or this price, in `{mode}` mode."
        )));
    }
    if mode == "subscription" && params.get("customer_creation").is_some() {
        return Err(Refusal::invalid("`customer_creation` can only be used in `payment` mode."));
    }
    if !params.get("success_url").is_some_and(|url| url.starts_with("http")) {
        return Err(Refusal::invalid("Not a valid URL: success_url"));
    }
    let now = state.now();
    let expires_at = params.number("expires_at").unwrap_or(now + DAY);
    if !(now + 30 * MINUTE - 5..=now + DAY + 5).contains(&expires_at) {
        return Err(Refusal::invalid(
            "The `expires_at` timestamp must be at least 30 minutes and at most 24 hours from Checkout Session creation.",
        ));
    }
    session(state, params, expires_at)
}

fn session(state: &mut State, params: &Params, expires_at: i64) -> Outcome {
    let need = |name: &str| {
        let name = format!("{PRICE}{name}");
        params.get(&name).ok_or_else(|| Refusal::invalid(format!("Missing required param: {name}.")))
    };
    let (amount, currency) = (need("[unit_amount]")?, need("[currency]")?);
    let amount: i64 = amount.parse().map_err(|_| Refusal::invalid("Invalid integer: unit_amount"))?;
    let name = need("[product_data][name]")?;
    let id = state.id("cs_test_");
    let data =
        if params.get("mode") == Some("payment") { "payment_intent_data" } else { "subscription_data" };
    Ok(json!({
        "id": id,
        "object": "checkout.session",
        "livemode": false,
        "mode": params.get("mode"),
        "ui_mode": "hosted_page",
        "status": "open",
        "payment_status": if amount == 0 { "no_payment_required" } else { "unpaid" },
        "url": format!("{}/checkout/{id}", state.url),
        "expires_at": expires_at,
        "amount_total": amount,
        "amount_subtotal": amount,
        "currency": currency,
        "client_reference_id": params.get("client_reference_id"),
        "metadata": params.within("metadata"),
        "customer": null,
        "customer_email": params.get("customer_email"),
        "payment_intent": null,
        "subscription": null,
        "invoice": null,
        "success_url": params.get("success_url"),
        "cancel_url": params.get("cancel_url"),
        "_name": name,
        "_interval": params.get(&format!("{PRICE}[recurring][interval]")),
        "_metadata": params.within(&format!("{data}[metadata]")),
    }))
}

impl State {
    /// An open session ends.
    pub fn expire_session(&mut self, id: &str) {
        self.set(id, &json!({"status": "expired", "url": null}));
        self.effect("stripe", "session.expire", id, Value::Null);
        self.event("checkout.session.expired", id);
    }

    /// A customer does something at an open session.
    ///
    /// # Errors
    /// If it isn't open.
    pub fn visit(&mut self, id: &str, visit: Visit) -> Outcome<()> {
        let session = self.of_kind("checkout.session", id)?.clone();
        if session["status"] != "open" {
            return Err(Refusal::invalid("This checkout isn't open any more."));
        }
        let customer = self.id("cus_");
        if visit == Visit::Fail {
            self.charge(&session, &customer, super::charges::Try::Declined);
            return Ok(());
        }
        let good = if visit == Visit::Pay { "good" } else { "slow" };
        self.put(
            json!({"id": customer, "object": "customer", "email": session["customer_email"], "_card": good}),
        );
        self.set(id, &json!({"customer": customer}));
        if session["mode"] == "payment" {
            self.pay_once(id, visit);
        } else {
            self.subscribe(id, visit);
        }
        self.set(id, &json!({"status": "complete", "url": null}));
        self.event("checkout.session.completed", id);
        Ok(())
    }

    fn pay_once(&mut self, id: &str, visit: Visit) {
        let Some(session) = self.object(id).cloned() else { return };
        if session["amount_total"] == 0 {
            return;
        }
        let how = if visit == Visit::Pay { super::charges::Try::Good } else { super::charges::Try::Slow };
        let customer = text(&session, "customer").to_owned();
        let intent = self.charge(&session, &customer, how);
        let status = if visit == Visit::Pay { "paid" } else { "unpaid" };
        self.set(id, &json!({"payment_intent": intent, "payment_status": status}));
    }

    fn subscribe(&mut self, id: &str, visit: Visit) {
        let Some(session) = self.object(id).cloned() else { return };
        let (start, interval) = (self.now(), text(&session, "_interval").to_owned());
        let end = period_end(start, &interval, start);
        let (subscription, item, product) = (self.id("sub_"), self.id("si_"), self.id("prod_"));
        self.put(json!({"id": product, "object": "product", "name": session["_name"]}));
        let price = json!({"id": self.id("price_"), "object": "price", "product": product, "currency": session["currency"], "unit_amount": session["amount_total"], "recurring": {"interval": interval, "interval_count": 1}});
        self.put(json!({
            "id": subscription,
            "object": "subscription",
            "livemode": false,
            "status": "active",
            "customer": session["customer"],
            "currency": session["currency"],
            "cancel_at_period_end": false,
            "cancel_at": null,
            "canceled_at": null,
            "ended_at": null,
            "default_payment_method": null,
            "metadata": session["_metadata"],
            "items": {"object": "list", "has_more": false, "data": [{"id": item, "object": "subscription_item", "current_period_start": start, "current_period_end": end, "quantity": 1, "price": price}]},
            "_anchor": start,
            "_tries": 0,
        }));
        self.effect("stripe", "subscription.create", &subscription, json!({"session": id}));
        self.set(id, &json!({"subscription": subscription}));
        self.event("customer.subscription.created", &subscription);
        let invoice = self.bill(&subscription, "subscription_create", &session["amount_total"], start, end);
        self.set(id, &json!({"invoice": invoice}));
        match visit {
            Visit::Pay => {
                self.pay_invoice(&invoice);
                let free = session["amount_total"] == 0;
                let status = if free { "no_payment_required" } else { "paid" };
                self.set(id, &json!({"payment_status": status}));
            }
            Visit::PayLater => self.pay_invoice_slowly(&invoice),
            Visit::Fail => {}
        }
    }

    /// A payment that takes days comes in, or doesn't.
    ///
    /// # Errors
    /// If nothing is on its way.
    pub fn settle(&mut self, id: &str, came: Settled) -> Outcome<()> {
        let session = self.of_kind("checkout.session", id)?.clone();
        if session["status"] != "complete" || session["payment_status"] != "unpaid" {
            return Err(Refusal::invalid("Nothing is on its way for this checkout."));
        }
        if session["mode"] == "payment" {
            self.settle_intent(text(&session, "payment_intent"), came);
        } else {
            self.settle_invoice(text(&session, "invoice"), came);
        }
        match came {
            Settled::Came => {
                self.set(id, &json!({"payment_status": "paid"}));
                self.event("checkout.session.async_payment_succeeded", id);
            }
            Settled::Failed => self.event("checkout.session.async_payment_failed", id),
        }
        Ok(())
    }
}

/// What became of a payment that takes days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// It came in.
    Came,
    /// It didn't.
    Failed,
}
