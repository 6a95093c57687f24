//! The pages that a customer sees: checkouts, invoices, the portal. A browser or a test presses their buttons.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::StatusCode;
use serde_json::Value;

use crate::payapp::requests::Customer;
use crate::state::Sim;
use crate::stripe::objects::text;
use crate::stripe::sessions::Visit;

/// The pages.
pub fn routes() -> Router<Arc<Sim>> {
    Router::new()
        .route("/checkout/{id}", get(checkout))
        .route("/checkout/{id}/{visit}", post(visit))
        .route("/invoice/{id}", get(invoice))
        .route("/invoice/{id}/pay", post(pay_invoice))
        .route("/portal/{id}", get(portal))
        .route("/portal/{id}/{card}", post(change_card))
        .route("/payapp/{number}", get(payapp))
        .route("/payapp/{number}/{what}", post(pay_payapp))
}

fn page(title: &str, text: &str, buttons: &[(&str, &str)]) -> Response {
    let buttons: Vec<String> = buttons
        .iter()
        .map(|(action, label)| {
            format!("<form method=\"post\" action=\"{action}\"><button>{label}</button></form>")
        })
        .collect();
    let buttons = buttons.concat();
    let (title, text) = (escaped(title), escaped(text));
    Html(format!(
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>body{{font:16px sans-serif;max-width:24rem;margin:4rem auto}}\
         button{{font:inherit;padding:.5rem 1rem;margin:.25rem 0;width:100%}}</style>\
         <h1>{title}</h1><p>{text}</p>{buttons}<p><small>A stand-in: no money moves.</small></p>"
    ))
    .into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn gone() -> Response {
    (StatusCode::NOT_FOUND, page("Not found", "There is no such page.", &[])).into_response()
}

/// Currencies that have no smaller unit, as Stripe lists them.
const WHOLE: [&str; 16] = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof",
    "xpf",
];

/// An amount as a customer reads it.
fn price(object: &Value, field: &str) -> String {
    let (minor, currency) = (object[field].as_i64().unwrap_or_default(), text(object, "currency"));
    let named = currency.to_uppercase();
    if WHOLE.contains(&currency) {
        return format!("{minor} {named}");
    }
    format!("{}.{:02} {named}", minor / 100, minor % 100)
}

async fn checkout(Shared(sim): Shared<Arc<Sim>>, Path(id): Path<String>) -> Response {
    let state = sim.enter();
    let Ok(session) = state.of_kind("checkout.session", &id) else { return gone() };
    if session["status"] != "open" {
        return page("Checkout", &format!("This checkout is {}.", text(session, "status")), &[]);
    }
    let buttons = [
        (format!("/checkout/{id}/pay"), "Pay by card"),
        (format!("/checkout/{id}/pay_later"), "Pay by bank transfer"),
        (format!("/checkout/{id}/fail"), "Pay by a card that is declined"),
    ];
    let buttons: Vec<(&str, &str)> =
        buttons.iter().map(|(action, label)| (action.as_str(), *label)).collect();
    page(text(session, "_name"), &price(session, "amount_total"), &buttons)
}

async fn visit(Shared(sim): Shared<Arc<Sim>>, Path((id, visit)): Path<(String, Visit)>) -> Response {
    let mut state = sim.enter();
    let success = state.object(&id).map(|session| text(session, "success_url").to_owned());
    match state.visit(&id, visit) {
        Err(refusal) => {
            (refusal.status, page("Checkout", text(&refusal.error, "message"), &[])).into_response()
        }
        Ok(()) if visit == Visit::Fail => Redirect::to(&format!("/checkout/{id}")).into_response(),
        Ok(()) => {
            Redirect::to(&success.unwrap_or_default().replace("{CHECKOUT_SESSION_ID}", &id)).into_response()
        }
    }
}

async fn invoice(Shared(sim): Shared<Arc<Sim>>, Path(id): Path<String>) -> Response {
    let state = sim.enter();
    let Ok(invoice) = state.of_kind("invoice", &id) else { return gone() };
    let pay = format!("/invoice/{id}/pay");
    let is_open = invoice["status"] == "open";
    let buttons: &[(&str, &str)] = if is_open { &[(&pay, "Pay by a good card")] } else { &[] };
    let state = format!("{}, {}", price(invoice, "total"), text(invoice, "status"));
    page(&format!("Invoice {}", text(invoice, "number")), &state, buttons)
}

async fn pay_invoice(Shared(sim): Shared<Arc<Sim>>, Path(id): Path<String>) -> Response {
    let mut state = sim.enter();
    let Ok(invoice) = state.of_kind("invoice", &id).cloned() else { return gone() };
    let _has_a_customer = state.set_card(text(&invoice, "customer"), "good");
    state.pay_invoice(&id);
    Redirect::to(&format!("/invoice/{id}")).into_response()
}

async fn portal(Shared(sim): Shared<Arc<Sim>>, Path(id): Path<String>) -> Response {
    let state = sim.enter();
    let Ok(customer) = state.of_kind("customer", &id) else { return gone() };
    let (good, bad) = (format!("/portal/{id}/good"), format!("/portal/{id}/declined"));
    let card = format!("Your card: {}", text(customer, "_card"));
    page("Your account", &card, &[(&good, "Use a good card"), (&bad, "Use a card that is declined")])
}

async fn change_card(Shared(sim): Shared<Arc<Sim>>, Path((id, card)): Path<(String, String)>) -> Response {
    match sim.enter().set_card(&id, &card) {
        Ok(()) => Redirect::to(&format!("/portal/{id}")).into_response(),
        Err(_) => gone(),
    }
}

async fn payapp(Shared(sim): Shared<Arc<Sim>>, Path(number): Path<String>) -> Response {
    let state = sim.enter();
    let Some(request) = state.payapp.request(&number) else { return gone() };
    if !request.is_open() {
        return page(&request.title, "This request is closed.", &[]);
    }
    let (pay, wait) = (format!("/payapp/{number}/pay"), format!("/payapp/{number}/wait"));
    let text = format!("{} KRW", request.price);
    page(&request.title, &text, &[(&pay, "Pay by card"), (&wait, "Pay to a virtual account")])
}

async fn pay_payapp(
    Shared(sim): Shared<Arc<Sim>>,
    Path((number, what)): Path<(String, Customer)>,
) -> Response {
    let mut state = sim.enter();
    let after = state.payapp.request(&number).map(|request| request.return_url.clone());
    match (state.payapp_visit(&number, what), after) {
        (Ok(()), Some(after)) if after.starts_with("http") => Redirect::to(&after).into_response(),
        (Ok(()), _) => Redirect::to(&format!("/payapp/{number}")).into_response(),
        (Err(_), _) => gone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_told_as_customers_read_them() {
        let told = |minor: i64, currency: &str| price(&json!({"it": minor, "currency": currency}), "it");
        assert_eq!(told(2905, "usd"), "29.05 USD");
        assert_eq!(told(19900, "krw"), "19900 KRW");
        assert_eq!(told(0, "eur"), "0.00 EUR");
    }
}
