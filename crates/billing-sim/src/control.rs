//! The control side, `/_sim/…`: what a test asks and turns. No key is needed.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State as Shared};
use axum::routing::{get, post};
use bytes::Bytes;
use fly_sim::error::ApiError;
use fly_sim::faults::RuleSpec;
use fly_sim::http::answer::{Answer, empty, ok, with};
use fly_sim::ledger;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Refusal;
use crate::payapp::notices::{self, Notice, RequestNotice, Urgency};
use crate::payapp::requests::{Card, Customer};
use crate::state::{Sim, State};
use crate::stripe::charges::Verdict;
use crate::stripe::deliver::{self, Delivery};
use crate::stripe::events::signature;
use crate::stripe::sessions::{Settled, Visit};
use crate::stripe::subscriptions::AfterRetries;

/// The routes.
pub fn routes() -> Router<Arc<Sim>> {
    Router::new()
        .route("/_sim/ledger", get(query_ledger))
        .route("/_sim/faults", post(add_fault).delete(clear_faults))
        .route("/_sim/faults/{id}/release", post(release_fault))
        .route("/_sim/clock", post(move_clock))
        .route("/_sim/settings", post(change_settings))
        .route("/_sim/act", post(act))
        .route("/_sim/stripe/events", get(list_events))
        .route("/_sim/stripe/events/send", post(send_events))
        .route("/_sim/stripe/events/forge", post(forge_event))
        .route("/_sim/stripe/{kind}", get(list_objects))
        .route("/_sim/payapp", get(show_payapp))
        .route("/_sim/payapp/notices", get(list_notices))
        .route("/_sim/payapp/notices/send", post(send_notices))
        .route("/_sim/payapp/notices/forge", post(forge_notice))
        .route("/_sim/payapp/notices/drop", post(drop_notices))
        .route("/_sim/card/{id}/{card}", post(set_card))
}

fn read<T: for<'de> Deserialize<'de>>(body: &Bytes) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(ApiError::invalid)
}

async fn query_ledger(Shared(sim): Shared<Arc<Sim>>, Query(query): Query<ledger::Query>) -> Answer {
    let state = sim.enter();
    let entries = state.ledger.query(&query);
    let shown: Vec<&ledger::Entry> = entries.iter().map(AsRef::as_ref).collect();
    ok(&json!({"entries": shown, "head": state.ledger.head()}))
}

/// A rule on calls, as `fly-sim` takes it.
async fn add_fault(Shared(sim): Shared<Arc<Sim>>, body: Bytes) -> Answer {
    let spec: RuleSpec = read(&body)?;
    let id = sim.enter().faults.add_rule(spec);
    with(StatusCode::CREATED, &json!({"id": id}))
}

async fn clear_faults(Shared(sim): Shared<Arc<Sim>>) -> Answer {
    let mut state = sim.enter();
    state.faults.clear();
    state.stripe.in_flight.clear();
    empty(StatusCode::NO_CONTENT)
}

async fn release_fault(Shared(sim): Shared<Arc<Sim>>, Path(id): Path<u64>) -> Answer {
    let released = sim.enter().release(id).ok_or_else(|| ApiError::not_found("no such fault"))?;
    ok(&json!({"released": released}))
}

async fn move_clock(Shared(sim): Shared<Arc<Sim>>, body: Bytes) -> Answer {
    let body: Value = read(&body)?;
    let by = body["advanceMs"].as_i64().filter(|by| *by >= 0);
    let by = by.ok_or_else(|| ApiError::invalid("advanceMs must be a number of milliseconds, 0 or more"))?;
    let now = {
        let mut state = sim.enter();
        state.advance(by);
        state.now_ms()
    };
    deliver::flush(&sim);
    notices::flush(&sim);
    ok(&json!({"nowMs": now}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Change {
    webhook: Option<String>,
    secrets: Option<Vec<String>>,
    events: Option<Delivery>,
    notices: Option<Delivery>,
    lost_answers: Option<u32>,
    request_notice: Option<RequestNotice>,
    after_retries: Option<AfterRetries>,
}

/// Changes the settings that are given.
async fn change_settings(Shared(sim): Shared<Arc<Sim>>, body: Bytes) -> Answer {
    let change: Change = read(&body)?;
    let mut state = sim.enter();
    state.stripe.webhook = change.webhook.or(state.stripe.webhook.take());
    state.stripe.secrets = change.secrets.unwrap_or_else(|| std::mem::take(&mut state.stripe.secrets));
    state.stripe.delivery = change.events.unwrap_or(state.stripe.delivery);
    state.payapp.delivery = change.notices.unwrap_or(state.payapp.delivery);
    state.payapp.request_notice = change.request_notice.unwrap_or(state.payapp.request_notice);
    state.payapp.lost_answers = change.lost_answers.unwrap_or(state.payapp.lost_answers);
    state.stripe.after_retries = change.after_retries.unwrap_or(state.stripe.after_retries);
    empty(StatusCode::NO_CONTENT)
}

/// What a customer, a bank or the platform does outside of the API.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Act {
    /// A customer at a Stripe checkout.
    Visit { session: String, how: Visit },
    /// A payment that takes days.
    Settle { session: String, how: Settled },
    /// A refund in Stripe's dashboard.
    Refund { payment: String, amount: Option<i64> },
    /// A bank asks for a payment back.
    Dispute { payment: String },
    /// A dispute is settled.
    CloseDispute { dispute: String, how: Verdict },
    /// A subscription is ended in Stripe's dashboard.
    EndSubscription { subscription: String },
    /// A customer with a PayApp request.
    PayApp { request: String, how: Customer },
    /// A refund in PayApp's admin page.
    PayAppRefund { request: String, amount: Option<i64> },
}

async fn act(Shared(sim): Shared<Arc<Sim>>, body: Bytes) -> Answer {
    let act: Act = read(&body)?;
    let done = perform(&mut sim.enter(), act).map_err(ApiError::invalid)?;
    deliver::flush(&sim);
    notices::flush(&sim);
    ok(&done)
}

fn perform(state: &mut State, act: Act) -> Result<Value, String> {
    let words = |refusal: Refusal| refusal.error["message"].to_string();
    let id = match act {
        Act::Visit { session, how } => state.visit(&session, how).map(|()| session).map_err(words)?,
        Act::Settle { session, how } => state.settle(&session, how).map(|()| session).map_err(words)?,
        Act::Refund { payment, amount } => state.refund(&payment, amount, &json!({})).map_err(words)?,
        Act::Dispute { payment } => state.dispute(&payment).map_err(words)?,
        Act::CloseDispute { dispute, how } => {
            state.settle_dispute(&dispute, how).map(|()| dispute).map_err(words)?
        }
        Act::EndSubscription { subscription } => {
            state.of_kind("subscription", &subscription).map_err(words)?;
            state.end_subscription(&subscription);
            subscription
        }
        Act::PayApp { request, how } => state.payapp_visit(&request, how).map(|()| request)?,
        Act::PayAppRefund { request, amount } => {
            state.payapp_refund(&request, amount, [9, 70]).map(|()| request)?
        }
    };
    Ok(json!({"id": id}))
}

async fn list_events(Shared(sim): Shared<Arc<Sim>>) -> Answer {
    let state = sim.enter();
    let kind = |id: &String| json!({"id": id, "type": state.object(id).map(|event| event["type"].clone())});
    ok(&json!({"waiting": state.waiting().iter().map(kind).collect::<Vec<_>>()}))
}

/// Sends these events now, in this order; one that is named twice is sent twice.
async fn send_events(Shared(sim): Shared<Arc<Sim>>, body: Bytes) -> Answer {
    let ids: Vec<String> = read(&body)?;
    let mut statuses = Vec::new();
    for id in &ids {
        sim.enter().take_one(id);
        statuses.push(deliver::send(&sim, id).await);
    }
    ok(&json!({"statuses": statuses}))
}

#[derive(Deserialize)]
struct Forgery {
    body: Value,
    secret: String,
    #[serde(default)]
    age: i64,
}

/// Sends a body of somebody's own making.
async fn forge_event(Shared(sim): Shared<Arc<Sim>>, body: Bytes) -> Answer {
    let forgery: Forgery = read(&body)?;
    let (url, now) = {
        let state = sim.enter();
        (state.stripe.webhook.clone(), state.now())
    };
    let url = url.ok_or_else(|| ApiError::precondition("no webhook is set"))?;
    let body = forgery.body.to_string();
    let header = signature(&[forgery.secret], now - forgery.age, &body);
    ok(&json!({"status": deliver::post(&sim, &url, body, &header).await}))
}

async fn list_objects(Shared(sim): Shared<Arc<Sim>>, Path(kind): Path<String>) -> Answer {
    let state = sim.enter();
    ok(&json!({"data": state.all(&kind)}))
}

async fn show_payapp(Shared(sim): Shared<Arc<Sim>>) -> Answer {
    let state = sim.enter();
    let requests: Vec<_> = state.payapp.requests().collect();
    ok(&json!({"requests": requests, "rebills": state.payapp.rebills().collect::<Vec<_>>()}))
}

/// The notices that wait, without what opens something.
async fn list_notices(Shared(sim): Shared<Arc<Sim>>) -> Answer {
    let state = sim.enter();
    let shown = |notice: &Notice| json!({"mul_no": notice.fields.get("mul_no"), "pay_state": notice.fields.get("pay_state"), "url": notice.url});
    ok(&json!({"waiting": state.payapp.waiting.iter().map(shown).collect::<Vec<_>>()}))
}

/// Sends the waiting notices of these places now, in this order; they stay where they are.
async fn send_notices(Shared(sim): Shared<Arc<Sim>>, body: Bytes) -> Answer {
    let places: Vec<usize> = read(&body)?;
    let all = sim.enter().payapp.waiting.clone();
    let mut taken = Vec::new();
    for place in places {
        let notice = all.get(place).ok_or_else(|| ApiError::not_found("no such notice"))?;
        taken.push(notices::send(&sim, notice).await);
    }
    ok(&json!({"taken": taken}))
}

/// All waiting notices are lost.
async fn drop_notices(Shared(sim): Shared<Arc<Sim>>) -> Answer {
    sim.enter().payapp.waiting.clear();
    empty(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NoticeForgery {
    request: String,
    pay_state: u32,
    #[serde(default)]
    fields: std::collections::BTreeMap<String, String>,
}

/// Sends a notice about a request with other fields.
async fn forge_notice(Shared(sim): Shared<Arc<Sim>>, body: Bytes) -> Answer {
    let forgery: NoticeForgery = read(&body)?;
    let notice = sim.enter().notice(&forgery.request, forgery.pay_state);
    let mut notice = notice.ok_or_else(|| ApiError::not_found("no such request"))?;
    notice.fields.extend(forgery.fields);
    notice.urgency = Urgency::Once;
    ok(&json!({"taken": notices::send(&sim, &notice).await}))
}

/// The card of a Stripe customer, or of a PayApp registration.
async fn set_card(Shared(sim): Shared<Arc<Sim>>, Path((id, card)): Path<(String, Card)>) -> Answer {
    let mut state = sim.enter();
    let word = if card == Card::Good { "good" } else { "declined" };
    let at_stripe = state.set_card(&id, word).is_ok();
    if !at_stripe {
        state.set_payapp_card(&id, card).map_err(ApiError::not_found)?;
    }
    empty(StatusCode::NO_CONTENT)
}
