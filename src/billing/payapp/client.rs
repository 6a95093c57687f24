//! Sending one command to PayApp, and what its answers mean.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::notice::Merchant;
use crate::billing::error::{Error, ErrorClass, Facts, Replay, quoted, without};
use crate::billing::exchange::{Answer, Lost, exchange};
use crate::billing::form::{CONTENT_TYPE, Form};

/// PayApp's public address.
pub const DEFAULT_URL: &str = "https://api.payapp.kr/oapi/apiLoad.html";
/// How long a command may take: PayApp calls us back meanwhile.
const DEADLINE: Duration = Duration::from_secs(30);
/// Our address for notices didn't answer as it must. Nothing was opened.
const NOTICE_NOT_TAKEN: &str = "70080";

/// How a client is made.
#[derive(Clone)]
pub struct PayAppOptions {
    /// PayApp's address; [`DEFAULT_URL`] unless it is a stand-in's.
    pub url: String,
    /// Where customers pay.
    pub pages: Pages,
    /// Our public address for notices. Its path may be known to PayApp and us alone, so nothing prints it.
    pub notice_url: String,
    /// The name of the shop, as customers read it.
    pub shop: String,
    /// How long a command may take.
    pub deadline: Duration,
}

impl fmt::Debug for PayAppOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayAppOptions")
            .field("url", &self.url)
            .field("shop", &self.shop)
            .finish_non_exhaustive()
    }
}

/// Which addresses of pages to pay at are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pages {
    /// PayApp's own, over TLS.
    PayApp,
    /// Those of a stand-in: they begin with this.
    StandIn(String),
}

impl PayAppOptions {
    /// PayApp itself, with our address for notices.
    pub fn new(notice_url: impl Into<String>, shop: impl Into<String>) -> Self {
        Self {
            url: DEFAULT_URL.to_owned(),
            pages: Pages::PayApp,
            notice_url: notice_url.into(),
            shop: shop.into(),
            deadline: DEADLINE,
        }
    }
}

/// A client of PayApp for one merchant. Cheap to make again when a key is rotated.
#[derive(Clone, Debug)]
pub struct PayApp {
    http: reqwest::Client,
    pub(super) options: PayAppOptions,
    merchant: Merchant,
}

/// What PayApp answered to a command that it accepted.
pub(super) struct Accepted(BTreeMap<String, String>);

impl Accepted {
    /// A field that isn't empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl PayApp {
    /// A client that sends with `http` (see [`crate::billing::http_client`]).
    pub fn new(http: reqwest::Client, options: PayAppOptions, merchant: Merchant) -> Self {
        Self { http, options, merchant }
    }

    /// Sends a command once. Nothing is ever repeated here: PayApp knows no idempotency keys.
    pub(super) async fn command(
        &self,
        operation: &'static str,
        command: &'static str,
        fields: Form,
    ) -> Result<Accepted, Error> {
        let linkkey: &SecretString = &self.merchant.linkkey;
        let form = Form::default()
            .with("cmd", command)
            .with("userid", &self.merchant.userid)
            .with("linkkey", linkkey.expose_secret())
            .and(fields);
        let request = self.http.post(&self.options.url).header(http::header::CONTENT_TYPE, CONTENT_TYPE);
        let answer = exchange(request.body(form.encode()), self.options.deadline).await;
        let answer = answer.map_err(|lost| {
            let class = if lost == Lost::NotSent { ErrorClass::Unreachable } else { ErrorClass::Unknown };
            Error::new(operation, class, lost.cause())
        })?;
        let secrets = [
            linkkey.expose_secret(),
            self.merchant.linkval.expose_secret(),
            self.options.notice_url.as_str(),
        ];
        understood(operation, &answer, &secrets)
            .inspect_err(|error| tracing::debug!(?error, "a command to PayApp failed"))
    }
}

/// What an answer means. Its own words may repeat what was sent, in whatever way: none of `secrets` is quoted.
fn understood(operation: &'static str, answer: &Answer, secrets: &[&str]) -> Result<Accepted, Error> {
    let fail = |class, code: Option<&str>, cause: &str| {
        let status = Some(answer.status);
        let told = |words: &str| quoted(&without(words, secrets));
        let (code, cause) = (code.map(told), told(cause));
        let replay = Replay::Fresh;
        Error::with(Facts { class, operation, status, code, request_id: None, replay, cause })
    };
    let fields: BTreeMap<String, String> = form_urlencoded::parse(&answer.body).into_owned().collect();
    let get = |name: &str| fields.get(name).map(String::as_str);
    match (answer.status, get("state")) {
        (200, Some("1")) => Ok(Accepted(fields)),
        (200, Some("0")) if get("errno") == Some(NOTICE_NOT_TAKEN) => {
            let cause = "PayApp got no SUCCESS from our address for notices, and opened nothing; check that it is reachable from outside";
            Err(fail(ErrorClass::Unavailable, Some(NOTICE_NOT_TAKEN), cause))
        }
        (200, Some("0")) => {
            let words = get("errorMessage").unwrap_or("PayApp refuses it");
            Err(fail(ErrorClass::Refused, get("errno"), words))
        }
        (429, _) => {
            Err(fail(ErrorClass::Throttled { retry_after: None }, None, "PayApp asks us to slow down"))
        }
        // A gateway may give up waiting while the command goes on.
        (408, _) => Err(fail(ErrorClass::Unknown, None, "PayApp took too long")),
        (400..500, _) => Err(fail(ErrorClass::Refused, None, &format!("PayApp answers {}", answer.status))),
        _ => Err(fail(ErrorClass::Unknown, None, "the answer isn't what was expected")),
    }
}
