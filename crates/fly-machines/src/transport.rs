//! Sending one call: budget, token, deadline, bounded body, retries where they're safe, and the error's class.

mod answer;
mod call;

use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use crate::classify::Effect;
use crate::error::{Error, ErrorClass, Outcome, Result};
use crate::limit::Limiter;
use crate::observe::{CallRecord, Observer};
use crate::token::Token;

pub(crate) use answer::Answer;
pub(crate) use call::Call;

const LEASE_NONCE: HeaderName = HeaderName::from_static("fly-machine-lease-nonce");
/// How often a call is sent at most.
const MAX_ATTEMPTS: u32 = 3;
/// How long a 429 without Retry-After holds a call back: Fly gives one token a second.
const DEFAULT_PAUSE: Duration = Duration::from_secs(1);
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// How long one request may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    pub(crate) read: Duration,
    pub(crate) write: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { read: Duration::from_secs(30), write: Duration::from_mins(1) }
    }
}

pub(crate) struct Transport {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) token: Token,
    pub(crate) limiter: Limiter,
    pub(crate) deadlines: Deadlines,
    pub(crate) max_body: usize,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

/// What is told of a call once it has finished.
#[derive(Default)]
struct Effort {
    attempts: u32,
    waited: Duration,
}

impl Transport {
    /// Sends a call and reads its answer.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T> {
        let answer = self.send(&call).await?;
        answer.decode(&call)
    }

    /// Sends a call whose answer says nothing more.
    pub(crate) async fn done(&self, call: Call<'_>) -> Result<()> {
        self.send(&call).await.map(drop)
    }

    /// Sends a call and tells the observer.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Answer> {
        let start = Instant::now();
        let mut effort = Effort::default();
        let result = self.attempts(call, &mut effort).await;
        if let Some(observer) = &self.observer {
            observer.finished(&CallRecord {
                operation: call.operation,
                outcome: result.as_ref().map_or_else(|error| error.class().as_str(), |_| "ok"),
                status: result.as_ref().map_or_else(Error::status, |answer| Some(answer.status)),
                duration: start.elapsed(),
                waited: effort.waited,
                attempts: effort.attempts,
            });
        }
        if let Err(error) = &result {
            tracing::debug!(
                operation = call.operation,
                class = error.class().as_str(),
                request_id = error.request_id(),
                status = error.status(),
                attempts = effort.attempts,
                detail = error.detail(),
                "call to the Machines API failed"
            );
        }
        result
    }

    async fn attempts(&self, call: &Call<'_>, effort: &mut Effort) -> Result<Answer> {
        let url = call.url(&self.base)?;
        let mut token = self.token.header();
        loop {
            self.wait_for_turn(call, effort).await?;
            effort.attempts += 1;
            let error = match self.exchange(call, &url, &token).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match self.next_step(call, &error, &token, effort.attempts) {
                Step::GiveUp => return Err(error),
                _ if effort.attempts >= MAX_ATTEMPTS => return Err(error),
                Step::After(pause) => sleep(pause).await,
                Step::WithToken(other) => token = other,
            }
        }
    }

    async fn wait_for_turn(&self, call: &Call<'_>, effort: &mut Effort) -> Result<()> {
        let turn = self.limiter.acquire(call.rate, call.operation, call.rate_id).await;
        match turn {
            Ok(waited) => effort.waited += waited,
            Err(wait) => {
                let class = ErrorClass::Throttled { retry_after: Some(wait) };
                return Err(Error::local(call.operation, class, "the client's own budget is used up"));
            }
        }
        Ok(())
    }

    /// Only what is safe is repeated: calls refused unread, and reads.
    fn next_step(&self, call: &Call<'_>, error: &Error, token: &HeaderValue, attempt: u32) -> Step {
        match error.class() {
            ErrorClass::Throttled { retry_after } => {
                let pause = retry_after.unwrap_or(DEFAULT_PAUSE * attempt);
                self.limiter.punish(call.rate, call.operation, call.rate_id, pause);
                if pause > self.limiter.max_wait() { Step::GiveUp } else { Step::After(pause) }
            }
            ErrorClass::Unauthorized => match self.token.other_than(token) {
                Some(other) => Step::WithToken(other),
                None => Step::GiveUp,
            },
            ErrorClass::Unavailable | ErrorClass::Unreachable
                if call.effect == Effect::Read && call.deadline.is_none() =>
            {
                Step::After(backoff(attempt))
            }
            _ => Step::GiveUp,
        }
    }

    /// One request within its deadline.
    async fn exchange(&self, call: &Call<'_>, url: &reqwest::Url, token: &HeaderValue) -> Result<Answer> {
        let deadline = call.deadline.unwrap_or(match call.effect {
            Effect::Read => self.deadlines.read,
            Effect::Write => self.deadlines.write,
        });
        match timeout(deadline, self.exchange_unbounded(call, url, token)).await {
            Ok(result) => result,
            Err(_) => Err(lost(call, "no answer within the deadline", "")),
        }
    }

    async fn exchange_unbounded(
        &self,
        call: &Call<'_>,
        url: &reqwest::Url,
        token: &HeaderValue,
    ) -> Result<Answer> {
        let mut request =
            self.http.request(call.method.clone(), url.clone()).headers(call_headers(call, token));
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        let response = request.send().await.map_err(|error| not_answered(call, &error))?;
        answer::receive(call, response, self.max_body).await
    }
}

/// What comes after a failed attempt.
enum Step {
    GiveUp,
    After(Duration),
    WithToken(HeaderValue),
}

fn call_headers(call: &Call<'_>, token: &HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(AUTHORIZATION, token.clone());
    if call.body.is_some() {
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(nonce) = call.nonce {
        headers.insert(LEASE_NONCE, nonce.header());
    }
    headers
}

/// 100 ms, then 200 ms, each up to half longer so that many clients don't return together.
fn backoff(attempt: u32) -> Duration {
    use std::hash::{BuildHasher as _, RandomState};
    let base = FIRST_BACKOFF * attempt;
    let chance = RandomState::new().hash_one(attempt) % 512;
    base + base.mul_f64(f64::from(u32::try_from(chance).unwrap_or(0)) / 1024.0)
}

/// The network's failure: before the request left, or after.
fn not_answered(call: &Call<'_>, error: &reqwest::Error) -> Error {
    let detail = chain(error);
    if error.is_connect() || error.is_builder() {
        return Error::new(crate::error::Facts {
            class: ErrorClass::Unreachable,
            outcome: Outcome::NotSent,
            operation: call.operation,
            status: None,
            request_id: None,
            message: format!("{}: the API can't be reached", call.operation),
            detail: crate::scrub::detail(&detail),
        });
    }
    lost(call, "the connection was lost before the answer", &detail)
}

/// The request left, and no answer came.
fn lost(call: &Call<'_>, cause: &str, detail: &str) -> Error {
    let (class, outcome) = match call.effect {
        Effect::Read => (ErrorClass::Unavailable, Outcome::Refused),
        Effect::Write => (ErrorClass::Ambiguous, Outcome::Unknown),
    };
    Error::new(crate::error::Facts {
        class,
        outcome,
        operation: call.operation,
        status: None,
        request_id: None,
        message: format!("{}: {cause}", call.operation),
        detail: crate::scrub::detail(detail),
    })
}

/// An error with its causes, which is where the network's own words are.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
