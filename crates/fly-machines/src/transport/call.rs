//! A call before it is sent.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use reqwest::Url;
use serde::Serialize;

use crate::classify::Effect;
use crate::error::{Error, ErrorClass, Result};
use crate::limit::RateClass;
use crate::path::Path;
use crate::types::LeaseNonce;

pub(crate) struct Call<'a> {
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    pub(crate) effect: Effect,
    pub(crate) rate: RateClass,
    /// The Machine or app that the rate is counted for.
    pub(crate) rate_id: &'a str,
    pub(crate) body: Option<Bytes>,
    pub(crate) nonce: Option<&'a LeaseNonce>,
    /// A deadline of its own. Such calls wait by themselves, and are never repeated here.
    pub(crate) deadline: Option<Duration>,
    path: Path,
    query: Vec<(Cow<'static, str>, String)>,
    fault: Option<&'static str>,
}

impl<'a> Call<'a> {
    fn new(method: Method, effect: Effect, operation: &'static str, path: Path) -> Self {
        Self {
            operation,
            method,
            effect,
            rate: RateClass::Action,
            rate_id: "",
            body: None,
            nonce: None,
            deadline: None,
            path,
            query: Vec::new(),
            fault: None,
        }
    }

    pub(crate) fn get(operation: &'static str, path: Path) -> Self {
        Self::new(Method::GET, Effect::Read, operation, path)
    }

    pub(crate) fn post(operation: &'static str, path: Path) -> Self {
        Self::new(Method::POST, Effect::Write, operation, path)
    }

    pub(crate) fn put(operation: &'static str, path: Path) -> Self {
        Self::new(Method::PUT, Effect::Write, operation, path)
    }

    pub(crate) fn delete(operation: &'static str, path: Path) -> Self {
        Self::new(Method::DELETE, Effect::Write, operation, path)
    }

    /// Whether its body holds what nobody may see.
    pub(crate) fn sends_secrets(&self) -> bool {
        matches!(self.operation, "secrets.update" | "secrets.set")
    }

    /// Says that a POST changes nothing.
    pub(crate) fn reads(mut self) -> Self {
        self.effect = Effect::Read;
        self
    }

    /// Counts the call for this Machine or app.
    pub(crate) fn counted_for(mut self, id: &'a str) -> Self {
        self.rate_id = id;
        self
    }

    pub(crate) fn rate(mut self, rate: RateClass) -> Self {
        self.rate = rate;
        self
    }

    pub(crate) fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    pub(crate) fn nonce(mut self, nonce: Option<&'a LeaseNonce>) -> Self {
        self.nonce = nonce;
        self
    }

    pub(crate) fn query(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.query.push((key.into(), value.into()));
        self
    }

    pub(crate) fn query_opt(self, key: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.query(key, value),
            None => self,
        }
    }

    /// Adds `key=true` to the query, or nothing.
    pub(crate) fn query_if(self, key: &'static str, on: bool) -> Self {
        if on { self.query(key, "true") } else { self }
    }

    pub(crate) fn body<T: Serialize>(mut self, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.body = Some(bytes.into()),
            Err(_) => self.fault = Some("a body that can't be written as JSON"),
        }
        self
    }

    /// The whole address, or why the call can't be sent.
    pub(crate) fn url(&self, base: &str) -> Result<Url> {
        let invalid = |cause: &str| Error::local(self.operation, ErrorClass::Invalid, cause);
        if let Some(fault) = self.fault {
            return Err(invalid(fault));
        }
        let path = self.path.finish().map_err(invalid)?;
        let mut url = Url::parse(&format!("{base}{path}")).map_err(|_| invalid("a path that isn't one"))?;
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }
}
