//! Stripe's events: whether one is Stripe's, and what it is about. Nothing in it is believed beyond that: what it is
//! about is read again.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::key::Mode;
use super::sessions::ORDER;

/// The largest event that is looked at, in bytes.
pub const MAX_EVENT: usize = 256 * 1024;
/// How far an event's time may be from ours.
pub const TOLERANCE: Duration = Duration::from_mins(5);
/// The longest header, and the most signatures in it: Stripe sends one for each secret that is being rolled.
const MAX_HEADER: usize = 4096;
const MAX_SIGNATURES: usize = 8;
/// The longest id that is taken out of an event.
const MAX_ID: usize = 255;

/// What events are checked with.
pub struct Verifier {
    keys: Vec<hmac::Key>,
    mode: Mode,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// Why an event isn't taken. None of it is told to whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is larger than [`MAX_EVENT`].
    #[error("the event is too large")]
    TooLarge,
    /// The header is missing, or isn't one.
    #[error("the event has no proper signature header")]
    Unsigned,
    /// It was signed too long ago, or in the future.
    #[error("the event was signed too long ago or in the future; check the clock")]
    OutOfTime,
    /// No signature is right.
    #[error("the event's signature isn't right for any configured secret")]
    Forged,
    /// It is signed, and isn't an event that can be read.
    #[error("the event isn't one of the kind that the endpoint takes: snapshot events of the API")]
    NotAnEvent,
    /// It is of the other mode.
    #[error("the event is of the other mode: live for a test key, or test for a live one")]
    WrongMode,
}

/// What an event is about. It says where to look, and never what is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The event's id, under which it is seen to be a duplicate.
    pub event: String,
    /// What has happened, such as `invoice.paid`; for logs and metrics.
    pub kind: String,
    /// The ids by which an order may know it: the object's own, its subscription's, its payment's, its
    /// customer's.
    pub ids: Vec<String>,
    /// The order's UID that the object was given when it was made, where it has one.
    pub order: Option<String>,
}

impl Verifier {
    /// Takes events that are signed with any of these secrets (two while one is rolled), and of this mode.
    pub fn new(secrets: &[SecretString], mode: Mode) -> Self {
        // The whole text is the key, `whsec_` with it.
        let key = |secret: &SecretString| {
            hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().trim().as_bytes())
        };
        let is_set = |secret: &&SecretString| !secret.expose_secret().trim().is_empty();
        Self { keys: secrets.iter().filter(is_set).map(key).collect(), mode }
    }

    /// Checks an event as it came, and says what it is about.
    ///
    /// # Errors
    /// If it isn't Stripe's, or not for us.
    pub fn verify(&self, header: Option<&str>, body: &[u8], now: Timestamp) -> Result<Hint, Rejection> {
        if body.len() > MAX_EVENT {
            return Err(Rejection::TooLarge);
        }
        let header = header.filter(|header| header.len() <= MAX_HEADER).ok_or(Rejection::Unsigned)?;
        let signed = Signed::parse(header).ok_or(Rejection::Unsigned)?;
        let age = now.as_second().abs_diff(signed.at);
        if age > TOLERANCE.as_secs() {
            return Err(Rejection::OutOfTime);
        }
        if !self.is_right(&signed, body) {
            return Err(Rejection::Forged);
        }
        self.hint(body)
    }

    /// All signatures are tried with all keys, each in constant time.
    fn is_right(&self, signed: &Signed<'_>, body: &[u8]) -> bool {
        let text = [signed.stamp.as_bytes(), b".", body].concat();
        let mut pairs = self.keys.iter().flat_map(|key| signed.signatures.iter().map(move |it| (key, it)));
        pairs.any(|(key, signature)| hmac::verify(key, &text, signature).is_ok())
    }

    fn hint(&self, body: &[u8]) -> Result<Hint, Rejection> {
        let event: Event = serde_json::from_slice(body).map_err(|_| Rejection::NotAnEvent)?;
        // A thin event (`v2.core.event`) is of another kind of endpoint.
        if event.object != "event" || event.id.is_empty() || event.id.len() > MAX_ID {
            return Err(Rejection::NotAnEvent);
        }
        if event.mode != self.mode {
            return Err(Rejection::WrongMode);
        }
        let object = event.data.object;
        let details = &object["parent"]["subscription_details"];
        let ids = [
            &object["id"],
            &object["subscription"],
            &object["payment_intent"],
            &details["subscription"],
            &object["customer"],
        ];
        let orders =
            [&object["metadata"][ORDER], &details["metadata"][ORDER], &object["client_reference_id"]];
        let order = orders.into_iter().find_map(id);
        Ok(Hint { event: event.id, kind: event.kind, ids: ids.into_iter().filter_map(id).collect(), order })
    }
}

fn id(value: &Value) -> Option<String> {
    let text = value.as_str().or_else(|| value["id"].as_str())?;
    (!text.is_empty() && text.len() <= MAX_ID).then(|| text.to_owned())
}

/// The header, taken apart.
struct Signed<'h> {
    stamp: &'h str,
    at: i64,
    signatures: Vec<Vec<u8>>,
}

impl<'h> Signed<'h> {
    fn parse(header: &'h str) -> Option<Self> {
        let mut stamp = None;
        let mut signatures = Vec::new();
        for part in header.split(',') {
            match part.trim().split_once('=') {
                Some(("t", text)) if stamp.is_none() => stamp = Some(text),
                // Two times would be two readings.
                Some(("t", _)) => return None,
                Some(("v1", text)) if signatures.len() < MAX_SIGNATURES => signatures.extend(hex(text)),
                _ => {}
            }
        }
        let stamp =
            stamp.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))?;
        let at = stamp.parse().ok()?;
        (!signatures.is_empty()).then_some(Self { stamp, at, signatures })
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[derive(Deserialize)]
struct Event {
    id: String,
    object: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(rename = "livemode")]
    mode: Mode,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
