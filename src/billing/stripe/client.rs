//! Sending one call to Stripe, and what its answers mean.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::key::{Key, Mode};
use crate::billing::error::{Error, ErrorClass, Facts, Replay, quoted};
use crate::billing::exchange::{Answer, Lost, exchange};
use crate::billing::form::{CONTENT_TYPE, Form};
use crate::billing::pace::Pace;

/// The version of Stripe's API that the requests and answers are written for.
pub const API_VERSION: &str = "2026-08-26.dahlia";
/// Stripe's public address.
pub const DEFAULT_URL: &str = "https://api.stripe.com";

const VERSION: HeaderName = HeaderName::from_static("stripe-version");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// A Retry-After beyond this is taken as this.
const LONGEST_RETRY_AFTER: u64 = 3600;
/// Pause after Stripe asked us to slow down without saying for how long.
const SLOWER: Duration = Duration::from_secs(1);
/// Calls a second, and at once: Stripe takes 25 a second of an account in test mode, and 100 of one in live mode.
const CALLS: u32 = 16;
const AT_ONCE: u32 = 8;
/// The longest idempotency key that Stripe takes.
const LONGEST_KEY: usize = 255;

/// How a client is made.
#[derive(Clone, Debug)]
pub struct StripeOptions {
    /// Stripe's address, without a path; [`DEFAULT_URL`] unless it is a stand-in's.
    pub url: String,
    /// How long a call may take.
    pub deadline: Duration,
    /// How often Stripe is called; all clients of one account should share it.
    pub pace: Arc<Pace>,
}

impl Default for StripeOptions {
    fn default() -> Self {
        let pace = Arc::new(Pace::per_second(CALLS, AT_ONCE));
        Self { url: DEFAULT_URL.to_owned(), deadline: DEADLINE, pace }
    }
}

/// A client of Stripe's API with one key. Cheap to make again when the key is rotated.
#[derive(Clone)]
pub struct Stripe {
    http: reqwest::Client,
    options: StripeOptions,
    key: Key,
}

impl std::fmt::Debug for Stripe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stripe")
            .field("options", &self.options)
            .field("mode", &self.key.mode)
            .finish_non_exhaustive()
    }
}

/// Says what kind of call it is.
#[derive(Clone, Copy, Debug)]
enum Effect<'a> {
    Read,
    /// With the idempotency key; none for what may happen twice.
    Write(Option<&'a str>),
    /// It removes, and does nothing the second time.
    Remove,
}

impl Stripe {
    /// A client that sends with `http` (see [`crate::billing::http_client`]).
    ///
    /// # Errors
    /// `Credentials` if the key can't be one.
    pub fn new(http: reqwest::Client, options: StripeOptions, key: &SecretString) -> Result<Self, Error> {
        let key =
            Key::new(key).map_err(|cause| Error::new("stripe.client", ErrorClass::Credentials, cause))?;
        Ok(Self { http, options, key })
    }

    /// Whether money is real.
    pub fn mode(&self) -> Mode {
        self.key.mode
    }

    /// An object of the other mode isn't ours.
    pub(super) fn same_mode(&self, operation: &'static str, mode: Mode) -> Result<(), Error> {
        if mode == self.key.mode {
            return Ok(());
        }
        let cause = "what was answered is of the other mode: live for a test key, or test for a live one";
        Err(Error::new(operation, ErrorClass::BadAnswer, cause))
    }

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &[&str],
        query: &Form,
    ) -> Result<T, Error> {
        self.call(operation, Effect::Read, path, query).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &[&str],
        form: &Form,
        idempotency_key: Option<&str>,
    ) -> Result<T, Error> {
        self.call(operation, Effect::Write(idempotency_key), path, form).await
    }

    pub(super) async fn delete<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &[&str],
    ) -> Result<T, Error> {
        self.call(operation, Effect::Remove, path, &Form::default()).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        effect: Effect<'_>,
        path: &[&str],
        form: &Form,
    ) -> Result<T, Error> {
        let request = self.request(operation, effect, path, form)?;
        let turn = self.options.pace.turn().await;
        turn.map_err(|wait| {
            let class = ErrorClass::Throttled { retry_after: Some(wait) };
            Error::new(operation, class, "too many calls wait for their turn at Stripe")
        })?;
        let answer = exchange(request, self.options.deadline).await;
        let answer = answer.map_err(|lost| not_answered(operation, effect, lost))?;
        if !(200..300).contains(&answer.status) {
            let error = refusal(operation, effect, &answer);
            if matches!(error.class(), ErrorClass::Throttled { .. }) {
                self.options.pace.slow_down(error.retry_after().unwrap_or(SLOWER));
            }
            tracing::debug!(?error, "a call to Stripe failed");
            return Err(error);
        }
        serde_json::from_slice(&answer.body).map_err(|_| not_understood(operation, effect, &answer))
    }

    fn request(
        &self,
        operation: &'static str,
        effect: Effect<'_>,
        path: &[&str],
        form: &Form,
    ) -> Result<reqwest::RequestBuilder, Error> {
        let invalid = |cause| Error::new(operation, ErrorClass::Refused, cause);
        let url = self.url(path, effect, form).ok_or_else(|| invalid("an id that can't be one"))?;
        let method = match effect {
            Effect::Read => Method::GET,
            Effect::Write(_) => Method::POST,
            Effect::Remove => Method::DELETE,
        };
        let mut request = self.http.request(method, url).header(VERSION, API_VERSION);
        request = request.header(http::header::AUTHORIZATION, self.key.header());
        if let Effect::Write(key) = effect {
            request = request.header(http::header::CONTENT_TYPE, CONTENT_TYPE).body(form.encode());
            if let Some(key) = key {
                let fits = !key.is_empty() && key.len() <= LONGEST_KEY;
                let value = HeaderValue::from_str(key).ok().filter(|_| fits);
                request = request.header(
                    IDEMPOTENCY_KEY,
                    value.ok_or_else(|| invalid("an idempotency key that can't be one"))?,
                );
            }
        }
        Ok(request)
    }

    /// The address; `None` if a part of the path isn't a plain id, which could lead elsewhere.
    fn url(&self, path: &[&str], effect: Effect<'_>, form: &Form) -> Option<reqwest::Url> {
        let plain = |part: &&str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        if !path.iter().all(plain) {
            return None;
        }
        let base = self.options.url.trim_end_matches('/');
        let mut url = reqwest::Url::parse(&format!("{base}/v1/{}", path.join("/"))).ok()?;
        if matches!(effect, Effect::Read) && !form.pairs().is_empty() {
            url.query_pairs_mut().extend_pairs(form.pairs());
        }
        Some(url)
    }
}

fn not_answered(operation: &'static str, effect: Effect<'_>, lost: Lost) -> Error {
    let class = match (lost, effect) {
        (Lost::NotSent, _) => ErrorClass::Unreachable,
        (_, Effect::Read) => ErrorClass::Unavailable,
        (_, Effect::Write(_) | Effect::Remove) => ErrorClass::Unknown,
    };
    Error::new(operation, class, lost.cause())
}

/// A change was answered well, so it most likely happened: its caller has to look.
fn not_understood(operation: &'static str, effect: Effect<'_>, answer: &Answer) -> Error {
    let class = match effect {
        Effect::Read => ErrorClass::BadAnswer,
        Effect::Write(_) | Effect::Remove => ErrorClass::Unknown,
    };
    Error::with(facts(operation, class, answer, "the answer isn't what was expected"))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Problem,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    #[serde(rename = "type")]
    kind: Option<String>,
    code: Option<String>,
    decline_code: Option<String>,
    message: Option<String>,
}

fn refusal(operation: &'static str, effect: Effect<'_>, answer: &Answer) -> Error {
    let problem = serde_json::from_slice::<Body>(&answer.body).unwrap_or_default().error;
    let class = classify(effect, answer, &problem);
    let words = match (&problem.message, class) {
        // It would quote the key.
        (_, ErrorClass::Credentials) => "Stripe refuses the key".to_owned(),
        (Some(message), _) => quoted(message),
        (None, _) => format!("Stripe answers {}", answer.status),
    };
    let mut facts = facts(operation, class, answer, &words);
    facts.code = problem.decline_code.or(problem.code).map(|code| quoted(&code));
    Error::with(facts)
}

fn facts(operation: &'static str, class: ErrorClass, answer: &Answer, cause: &str) -> Facts {
    let is_replayed = answer.header("idempotent-replayed") == Some("true");
    Facts {
        class,
        operation,
        status: Some(answer.status),
        code: None,
        request_id: answer.header("request-id").map(quoted),
        replay: if is_replayed { Replay::Repeated } else { Replay::Fresh },
        cause: cause.to_owned(),
    }
}

fn classify(effect: Effect<'_>, answer: &Answer, problem: &Problem) -> ErrorClass {
    let (kind, code) = (problem.kind.as_deref(), problem.code.as_deref());
    match (answer.status, kind, code) {
        (_, Some("idempotency_error"), Some("idempotency_key_in_use")) | (409, ..) => ErrorClass::Busy,
        (_, Some("idempotency_error"), _) => ErrorClass::KeyReused,
        (_, _, Some("lock_timeout")) => ErrorClass::Busy,
        (429, ..) => ErrorClass::Throttled { retry_after: retry_after(answer) },
        (401 | 403, ..) => ErrorClass::Credentials,
        (402, ..) | (_, Some("card_error"), _) => ErrorClass::Declined,
        (404, ..) | (_, _, Some("resource_missing")) => ErrorClass::NotFound,
        (400, _, Some("charge_already_refunded" | "payment_intent_unexpected_state")) => {
            ErrorClass::WrongState
        }
        (500.., ..) if matches!(effect, Effect::Read) => ErrorClass::Unavailable,
        (500.., ..) => ErrorClass::Unknown,
        _ => ErrorClass::Refused,
    }
}

fn retry_after(answer: &Answer) -> Option<Duration> {
    let seconds: u64 = answer.header("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(LONGEST_RETRY_AFTER)))
}
