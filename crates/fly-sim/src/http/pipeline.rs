//! What every call goes through: a number, faults, latency, the token, limits, and the ledger.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode};

use super::answer::{Caller, nonce_of};
use super::spoil;
use crate::error::{ApiError, ApiResult};
use crate::faults::Action;
use crate::faults::rule::When;
use crate::ledger::{AppliedFault, Call, Entry, Kind};
use crate::limiter::Class;
use crate::settings::RateLimits;
use crate::tokens::Grant;
use crate::world::Sim;

/// Marks an answer that is never sent: the connection is closed instead.
#[derive(Clone, Copy, Debug)]
pub struct Cut;

/// One call on its way through.
struct Passage {
    sim: Arc<Sim>,
    number: u64,
    app: String,
    call: Call,
    fault: Option<(u64, Action)>,
    latency: Duration,
    recorded: bool,
}

/// Passes a call on to its handler.
pub async fn pass(State(sim): State<Arc<Sim>>, request: Request, next: Next) -> Response {
    let passage = Passage::begin(sim, &request);
    if passage.fault.is_none() && passage.latency.is_zero() {
        return passage.run(request, next).await;
    }
    // What is slow is committed even if the client gives up meanwhile, as at Fly.
    if matches!(passage.fault, Some((_, Action::Hold))) {
        return passage.run(request, next).await;
    }
    let running = tokio::spawn(passage.run(request, next));
    running.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// The answer to a path that isn't part of the API.
pub async fn no_route() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}

impl Passage {
    fn begin(sim: Arc<Sim>, request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
        let path = request.uri().path_and_query().map_or("", |path| path.as_str()).to_owned();
        let (app, method) = (app_in(&path), request.method().as_str().to_owned());
        let (number, request_id, fault, latency) = {
            let mut state = sim.enter();
            let state = &mut *state;
            let fault = state.faults.apply(&method, &route, &app, &mut state.ids);
            let id = format!("{}-sim", state.ids.ulid(state.now));
            (state.number(), id, fault, Duration::from_millis(state.settings.latency_ms))
        };
        let applied =
            fault.as_ref().map(|(rule, action)| AppliedFault { rule: *rule, action: action.name().into() });
        let call = Call { method, route, path, status: 0, org: None, request_id, fault: applied };
        Self { sim, number, app, call, fault, latency, recorded: false }
    }

    async fn run(mut self, request: Request, next: Next) -> Response {
        tokio::time::sleep(self.latency).await;
        let action = self.fault.as_ref().map(|(_, action)| action.clone());
        let early = match &action {
            Some(Action::Refuse) => Some(spoil::cut()),
            Some(Action::Status { status, body, headers, when: When::Before }) => {
                Some(spoil::answer(*status, body, headers))
            }
            Some(Action::Latency { ms, when: When::Before }) => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                None
            }
            _ => None,
        };
        let response = match early {
            Some(response) => response,
            None => self.handle(request, next, action.as_ref()).await,
        };
        self.finish(response, action).await
    }

    async fn handle(&mut self, mut request: Request, next: Next, action: Option<&Action>) -> Response {
        let caller = match self.admit(&request, action) {
            Ok(caller) => caller,
            Err(refusal) => return refusal.into_response(),
        };
        request.extensions_mut().insert(caller);
        next.run(request).await
    }

    /// Who calls, and whether they may, and not too often.
    fn admit(&mut self, request: &Request, action: Option<&Action>) -> ApiResult<Caller> {
        let header = request.headers().get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let mut state = self.sim.enter();
        let open = self.call.route == "/v1/platform/regions";
        let grant = match state.tokens.check(header) {
            Err(_) if open => Grant { org: String::new(), app: None },
            checked => checked?,
        };
        self.call.org = Some(grant.org.clone());
        self.may_touch(&state, &grant)?;
        if state.settings.rate_limits == RateLimits::On {
            let now = state.now;
            self.within_limits(&mut state.limiter, request.method(), &grant, now)?;
        }
        let lag = match action {
            Some(Action::Stale { ms }) => *ms,
            _ => state.settings.consistency_lag_ms,
        };
        Ok(Caller { request: self.number, grant, lag, nonce: nonce_of(request.headers()) })
    }

    fn may_touch(&self, state: &crate::world::State, grant: &Grant) -> ApiResult<()> {
        let of_org = self.call.path.strip_prefix("/v1/orgs/").map(first_segment);
        let foreign_org = of_org.is_some_and(|org| org != grant.org);
        let foreign_app = state.apps.get(&self.app).is_some_and(|app| app.org != grant.org);
        let other_app = grant
            .app
            .as_ref()
            .is_some_and(|only| *only != self.app && self.call.route != "/v1/tokens/current");
        if foreign_org || foreign_app || other_app { Err(ApiError::forbidden()) } else { Ok(()) }
    }

    fn within_limits(
        &self,
        limiter: &mut crate::limiter::Limiter,
        method: &Method,
        grant: &Grant,
        now: i64,
    ) -> ApiResult<()> {
        if self.app.is_empty() {
            return Ok(());
        }
        let (class, id) = match (method.as_str(), self.call.route.as_str()) {
            ("GET", "/v1/apps/{app}/machines/{machine}") => (Class::GetMachine, machine_in(&self.call.path)),
            ("DELETE", "/v1/apps/{app}") => (Class::DeleteApp, grant.org.as_str()),
            (_, route) if route.contains("{machine}") => (Class::Other, machine_in(&self.call.path)),
            _ => (Class::Other, self.app.as_str()),
        };
        if limiter.take((method.as_str(), &self.call.route), id, class, now) {
            return Ok(());
        }
        Err(ApiError::text(StatusCode::TOO_MANY_REQUESTS, "rate limit exceeded"))
    }

    async fn finish(mut self, mut response: Response, action: Option<Action>) -> Response {
        self.call.status = response.status().as_u16();
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&self.call.request_id) {
            headers.insert("fly-request-id", id);
        }
        headers.insert("server", HeaderValue::from_static("Fly/sim"));
        headers.insert("via", HeaderValue::from_static("1.1 fly.io"));
        let entry = self.record();
        if let Err(error) = self.sim.commit() {
            tracing::error!(%error, "the state can't be written");
        }
        match action {
            Some(Action::Hold) => self.hold(entry, response).await,
            Some(action) => spoil::after(response, &action).await,
            None => response,
        }
    }

    fn record(&mut self) -> u64 {
        self.recorded = true;
        let mut state = self.sim.enter();
        let entry = Entry {
            seq: 0,
            at: state.now,
            kind: Kind::Request,
            request: Some(self.number),
            app: self.app.clone(),
            effect: "".into(),
            id: String::new(),
            detail: serde_json::Value::Null,
            call: Some(std::mem::take(&mut self.call)),
        };
        state.ledger.append(entry)
    }

    async fn hold(&self, entry: u64, response: Response) -> Response {
        let Some((rule, _)) = self.fault else { return response };
        let gate = self.sim.enter().faults.rule_mut(rule).map(|rule| {
            rule.held.push(self.number);
            rule.gate()
        });
        let mut held = spoil::Held::new(&self.sim, rule, self.number, entry);
        if let Some(mut gate) = gate {
            let _rule_taken_away = gate.changed().await;
        }
        held.released();
        response
    }
}

impl Drop for Passage {
    /// A client that went away before its answer is on record too.
    fn drop(&mut self) {
        if !self.recorded {
            self.call.status = 499;
            self.record();
        }
    }
}

fn app_in(path: &str) -> String {
    let app = path.strip_prefix("/v1/apps/").map(first_segment);
    app.unwrap_or_default().to_owned()
}

fn machine_in(path: &str) -> &str {
    path.split_once("/machines/").map_or("", |(_, rest)| first_segment(rest))
}

fn first_segment(rest: &str) -> &str {
    rest.split(['/', '?']).next().unwrap_or_default()
}
