//! The simulator's state, its clock and its ledger.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use fly_sim::clock::{Clock, Millis, RealClock};
use fly_sim::faults::Faults;
use fly_sim::ids::Ids;
use fly_sim::ledger::{Entry, Kind, Ledger};
use serde_json::Value;

use crate::cli::Serve;
use crate::payapp::PayApp;
use crate::stripe::Stripe;

/// Both providers, and what is turned from outside.
pub struct Sim {
    state: Mutex<State>,
    url: OnceLock<String>,
    /// What notices are sent with.
    pub http: reqwest::Client,
}

/// What changes.
pub struct State {
    /// Rules on calls.
    pub faults: Faults,
    /// Every effect and every call.
    pub ledger: Ledger,
    /// Identifiers and chance.
    pub ids: Ids,
    /// Where pages are, without a final slash.
    pub url: String,
    /// Stripe's side.
    pub stripe: Stripe,
    /// PayApp's side.
    pub payapp: PayApp,
    ahead: Millis,
    requests: u64,
}

impl Sim {
    /// An empty one.
    pub fn new(options: &Serve, http: reqwest::Client) -> Arc<Self> {
        let state = State {
            faults: Faults::default(),
            ledger: Ledger::new(Vec::new()),
            ids: Ids::new(options.seed, 0),
            url: String::new(),
            stripe: Stripe::new(options),
            payapp: PayApp::new(options),
            ahead: 0,
            requests: 0,
        };
        Arc::new(Self { state: Mutex::new(state), url: OnceLock::new(), http })
    }

    /// Says where pages are.
    pub fn at(&self, url: String) {
        self.enter().url.clone_from(&url);
        let _told_once = self.url.set(url);
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        self.url.get().map_or("", String::as_str)
    }

    /// The state, with everything done that was due by now.
    pub fn enter(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.catch_up();
        state
    }
}

impl State {
    /// Milliseconds since the epoch: the machine's clock, and what it was moved by.
    pub fn now_ms(&self) -> Millis {
        RealClock.now() + self.ahead
    }

    /// Seconds since the epoch.
    pub fn now(&self) -> i64 {
        self.now_ms() / 1000
    }

    /// Lets time pass.
    pub fn advance(&mut self, by: Millis) {
        self.ahead += by;
        self.catch_up();
    }

    /// Lets go the replies that a rule holds; how many, if there is such a rule.
    pub fn release(&mut self, rule: u64) -> Option<usize> {
        let released = self.faults.rule_mut(rule)?.release();
        self.stripe.in_flight.clear();
        Some(released)
    }

    /// A number for a request.
    pub fn number(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    /// Records an effect.
    pub fn effect(&mut self, provider: &str, effect: &'static str, id: &str, detail: Value) {
        let entry = Entry {
            seq: 0,
            at: self.now_ms(),
            kind: Kind::Effect,
            request: None,
            app: provider.to_owned(),
            effect: effect.into(),
            id: id.to_owned(),
            detail,
            call: None,
        };
        self.ledger.append(entry);
    }
}
