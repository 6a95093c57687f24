//! What every call of a client goes through: faults, and the ledger.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use fly_sim::faults::Action;
use fly_sim::faults::rule::When;
use fly_sim::http::spoil;
use fly_sim::ledger::{AppliedFault, Call, Entry, Kind};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::state::Sim;

/// Tells a handler which fault its answer will meet.
#[derive(Clone, Debug)]
pub struct Fault(pub Option<Action>);

/// Passes a call on to its handler. What has begun is finished even if the client gives up.
pub async fn pass(State(sim): State<Arc<Sim>>, request: Request, next: Next) -> Response {
    let running = tokio::spawn(run(sim, request, next));
    running.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn run(sim: Arc<Sim>, mut request: Request, next: Next) -> Response {
    let (mut entry, fault, number) = begin(&sim, &request);
    let action = fault.as_ref().map(|(_, action)| action.clone());
    let early = early(action.as_ref()).await;
    let response = if let Some(response) = early {
        response
    } else {
        request.extensions_mut().insert(Fault(action.clone()));
        next.run(request).await
    };
    if let Some(call) = &mut entry.call {
        call.status = response.status().as_u16();
    }
    sim.enter().ledger.append(entry);
    crate::stripe::deliver::flush(&sim);
    let mut response = match fault {
        Some((rule, Action::Hold)) => hold(&sim, rule, number, response).await,
        Some((_, action)) => spoil::after(response, &action).await,
        None => response,
    };
    if let Ok(id) = HeaderValue::from_str(&format!("req_sim{number:06}")) {
        response.headers_mut().insert("request-id", id);
    }
    response
}

fn begin(sim: &Sim, request: &Request) -> (Entry, Option<(u64, Action)>, u64) {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let path = request.uri().path_and_query().map_or("", |path| path.as_str()).to_owned();
    let method = request.method().as_str().to_owned();
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let detail = match header("stripe-version") {
        Some(version) => json!({"version": version, "idempotencyKey": header("idempotency-key")}),
        None => Value::Null,
    };
    let mut state = sim.enter();
    let state = &mut *state;
    let fault = state.faults.apply(&method, &route, "", &mut state.ids);
    let applied =
        fault.as_ref().map(|(rule, action)| AppliedFault { rule: *rule, action: action.name().into() });
    let call = Call { method, route, path, fault: applied, ..Call::default() };
    let number = state.number();
    let entry = Entry {
        seq: 0,
        at: state.now_ms(),
        kind: Kind::Request,
        request: Some(number),
        app: String::new(),
        effect: "".into(),
        id: String::new(),
        detail,
        call: Some(call),
    };
    (entry, fault, number)
}

/// The answer of a rule that lets nothing happen.
async fn early(action: Option<&Action>) -> Option<Response> {
    match action? {
        Action::Refuse => Some(spoil::cut()),
        Action::Status { status, body, headers, when: When::Before } => {
            Some(spoil::answer(*status, body, headers))
        }
        Action::Latency { ms, when: When::Before } => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            None
        }
        _ => None,
    }
}

async fn hold(sim: &Sim, rule: u64, number: u64, response: Response) -> Response {
    let gate = sim.enter().faults.rule_mut(rule).map(|rule| {
        rule.held.push(number);
        rule.gate()
    });
    if let Some(mut gate) = gate {
        let _rule_taken_away = gate.changed().await;
    }
    response
}
