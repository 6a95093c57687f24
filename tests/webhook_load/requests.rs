//! What is sent: five in a hundred are payments at PayApp, twenty are events of Stripe's, the rest is forged or too large.

use crate::support::{completed, paid, signature};

/// Keys that the replicas are given, and what forgers guess.
pub const STRIPE_SECRET: &str = "whsec_load";
pub const LINKKEY: &str = "load-linkkey";
pub const LINKVAL: &str = "load-linkval";
/// Orders that events are about.
pub const ORDERS: usize = 50;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A payment at PayApp.
    Payment,
    /// An event of Stripe's.
    Event,
    /// An event that somebody else signed.
    ForgedEvent,
    /// A notice without the merchant's keys.
    ForgedNotice,
    /// A body that no provider sends.
    Oversized,
}

/// One request.
pub struct Request {
    pub kind: Kind,
    /// The payment's number, or the order's UID.
    pub about: String,
    pub bytes: Vec<u8>,
}

pub fn payapp_order() -> String {
    "00000000-0000-4000-8000-00000000aaaa".to_owned()
}

pub fn stripe_order(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// The request with this number. The run keeps numbers of one run from another's.
pub fn request(run: u64, number: u64) -> Request {
    match number % 100 {
        0..5 => payment(run, number),
        5..25 => event(Kind::Event, STRIPE_SECRET, run, number),
        25..60 => event(Kind::ForgedEvent, "whsec_guessed", run, number),
        60..97 => notice(Kind::ForgedNotice, "guessed", format!("9{run:03}{number:09}")),
        _ => oversized(),
    }
}

fn payment(run: u64, number: u64) -> Request {
    notice(Kind::Payment, LINKVAL, format!("3{run:03}{number:09}"))
}

fn notice(kind: Kind, linkval: &str, about: String) -> Request {
    let body = paid(&payapp_order(), &about, LINKKEY, linkval);
    let head = head("/webhooks/payapp", "application/x-www-form-urlencoded", body.len(), "");
    Request { kind, about, bytes: [head.as_bytes(), body.as_bytes()].concat() }
}

fn event(kind: Kind, secret: &str, run: u64, number: u64) -> Request {
    let about = stripe_order(number as usize / 5 % ORDERS);
    let body = completed(&about, &format!("{run}_{number}"));
    let signature = format!("stripe-signature: {}\r\n", signature(secret, &body));
    let head = head("/webhooks/stripe", "application/json; charset=utf-8", body.len(), &signature);
    Request { kind, about, bytes: [head.as_bytes(), body.as_bytes()].concat() }
}

/// It says how large it is: only its beginning is ever sent, since nobody reads on.
fn oversized() -> Request {
    let mut bytes = head("/webhooks/stripe", "application/json", 10 << 20, "").into_bytes();
    bytes.resize(bytes.len() + 4096, b'{');
    Request { kind: Kind::Oversized, about: String::new(), bytes }
}

fn head(path: &str, content_type: &str, length: usize, more: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: hooks.example\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n{more}\r\n"
    )
}
