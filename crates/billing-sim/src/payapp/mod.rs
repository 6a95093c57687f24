//! PayApp: requests to pay, what customers do with them, and the notices that it sends.
//!
//! It has no call by which anything could be asked later: a notice that is never taken is lost.

pub mod commands;
pub mod notices;
pub mod requests;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::routing::post;

use crate::cli::Serve;
use crate::state::Sim;
use crate::stripe::deliver::Delivery;
use notices::{Notice, RequestNotice};
use requests::{Rebill, Request};

/// What PayApp keeps.
pub struct PayApp {
    userid: String,
    linkkey: String,
    linkval: String,
    requests: BTreeMap<String, Request>,
    rebills: BTreeMap<String, Rebill>,
    /// When notices are sent.
    pub delivery: Delivery,
    /// Those that wait, the oldest first.
    pub waiting: Vec<Notice>,
    /// What the notice of a request says of a registration.
    pub request_notice: RequestNotice,
    /// How many answers to the next notices are lost on the way.
    pub lost_answers: u32,
    last: u64,
}

impl PayApp {
    /// A merchant without requests.
    pub fn new(options: &Serve) -> Self {
        Self {
            userid: options.payapp_userid.clone(),
            linkkey: options.payapp_linkkey.clone(),
            linkval: options.payapp_linkval.clone(),
            requests: BTreeMap::new(),
            rebills: BTreeMap::new(),
            delivery: Delivery::default(),
            waiting: Vec::new(),
            request_notice: RequestNotice::default(),
            lost_answers: 0,
            last: 31_000_000,
        }
    }

    /// A request by its `mul_no`.
    pub fn request(&self, number: &str) -> Option<&Request> {
        self.requests.get(number)
    }

    /// All requests.
    pub fn requests(&self) -> impl Iterator<Item = &Request> {
        self.requests.values()
    }

    /// All registrations.
    pub fn rebills(&self) -> impl Iterator<Item = &Rebill> {
        self.rebills.values()
    }

    fn number(&mut self) -> String {
        self.last += 1;
        self.last.to_string()
    }
}

/// PayApp's one route.
pub fn routes() -> Router<Arc<Sim>> {
    Router::new().route("/oapi/apiLoad.html", post(commands::command))
}
