//! What is sent: five in a hundred are payments at PayApp, twenty are events of Stripe's, the rest is forged or too large.

use crate::support::{completed, paid, signature};

/// Keys that the replicas are given, and what forgers guess.
pub const STRIPE_SECRET: &str = "whsec_load";
pub const LINKKEY: &str = "load-linkkey";
pub const LINKVAL: &str = "load-linkval";
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
    /// A head whose body never comes.
    Slow,
}

/// One request.
pub struct Request {
    pub kind: Kind,
    /// The payment's number, or the order's UID.
    pub about: String,
    pub bytes: Vec<u8>,
}

/// UIDs of the orders that requests are about.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    pub stripe: Vec<String>,
    pub payapp: Vec<String>,
}

impl Orders {
    /// The request with this number. The run keeps numbers of one run from another's.
    pub fn request(&self, run: u64, number: u64) -> Request {
        // Requests of one kind come one after the other: each is about another order.
        let place = (number / 100 * 20 + number % 100) as usize;
        let (stripe, payapp) =
            (&self.stripe[place % self.stripe.len()], &self.payapp[place % self.payapp.len()]);
        match number % 100 {
            0..5 => notice(Kind::Payment, LINKVAL, payapp, format!("3{run:03}{number:09}")),
            5..25 => event(Kind::Event, STRIPE_SECRET, stripe, &format!("{run}_{number}")),
            25..60 => event(Kind::ForgedEvent, "whsec_guessed", stripe, &format!("{run}_{number}")),
            60..97 => notice(Kind::ForgedNotice, "guessed", payapp, format!("9{run:03}{number:09}")),
            _ => oversized(),
        }
    }
}

fn notice(kind: Kind, linkval: &str, order: &str, about: String) -> Request {
    let body = paid(order, &about, LINKKEY, linkval);
    let head = head("/webhooks/payapp", "application/x-www-form-urlencoded", body.len(), "");
    Request { kind, about, bytes: [head.as_bytes(), body.as_bytes()].concat() }
}

fn event(kind: Kind, secret: &str, order: &str, id: &str) -> Request {
    let about = order.to_owned();
    let body = completed(order, id);
    let signature = format!("stripe-signature: {}\r\n", signature(secret, &body));
    let head = head("/webhooks/stripe", "application/json; charset=utf-8", body.len(), &signature);
    Request { kind, about, bytes: [head.as_bytes(), body.as_bytes()].concat() }
}

/// It says that a body comes, which never does.
pub fn slow() -> Request {
    let bytes = head("/webhooks/payapp", "application/x-www-form-urlencoded", 400, "").into_bytes();
    Request { kind: Kind::Slow, about: String::new(), bytes }
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
