//! Stripe's events: each verified one has its order read again, and says nothing else.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::HeaderName;
use secrecy::SecretString;

use super::book::{Book, Order};
use super::gate::{Gate, Shape, one};
use super::index::Index;
use super::notes::Notes;
use super::outcome::Outcome;
use super::seen::Seen;
use crate::api::payment_receipt::Provider;
use crate::billing::stripe::webhook::{Hint, MAX_EVENT, Verifier};
use crate::billing::stripe::{Mode, mode_of};
use crate::billing::{KeyError, KeyFile};
use crate::engine::clock::Clock;
use crate::engine::config::StripeAccount;

const SIGNATURE: HeaderName = HeaderName::from_static("stripe-signature");
const EVENT: Shape = Shape { content_type: "application/json", largest: MAX_EVENT };

/// Kinds of events about what has no mark of ours: refunds and disputes.
const MONEY_BACK: [&str; 2] = ["charge.", "refund."];

/// Takes Stripe's events.
pub struct Stripe {
    secrets: Vec<KeyFile>,
    key: KeyFile,
    livemode: Option<bool>,
    seen: Seen,
    notes: Notes,
    index: Index,
    book: Arc<Book>,
    clock: Arc<dyn Clock>,
}

impl Stripe {
    /// For this account; none if it takes no events.
    pub fn new(
        account: &StripeAccount,
        notes: Notes,
        index: Index,
        book: Arc<Book>,
        clock: Arc<dyn Clock>,
    ) -> Option<Self> {
        let secrets: Vec<KeyFile> = account.webhook_secret_files.iter().map(KeyFile::new).collect();
        let key = KeyFile::new(&account.secret_key_file);
        let (livemode, seen) = (account.livemode, Seen::default());
        (!secrets.is_empty()).then_some(Self { secrets, key, livemode, seen, notes, index, book, clock })
    }

    /// Says in the log what is wrong with the keys, if anything is.
    pub fn tell_of_keys(&self) {
        if let Err(error) = self.verifier() {
            tracing::error!(error, "no event of Stripe's can be taken until this is mended");
        }
    }

    /// Takes one event.
    pub async fn take(&self, gate: &Gate, request: Request) -> Outcome {
        let hint = gate.take(EVENT, request, |headers, body| {
            let verifier = self.verifier().map_err(|_| Outcome::Unavailable)?;
            let hint = verifier.verify(one(headers, &SIGNATURE), body, self.clock.now());
            hint.map_err(|reason| {
                tracing::debug!(%reason, "an event wasn't taken");
                Outcome::Rejected
            })
        });
        match hint.await {
            Ok(hint) => self.follow(&hint).await,
            Err(outcome) => outcome,
        }
    }

    async fn follow(&self, hint: &Hint) -> Outcome {
        if self.seen.has(&hint.event) {
            return Outcome::Duplicate;
        }
        let outcome = match self.order(hint).await {
            Ok(Some(order)) => match self.notes.ask(&order).await {
                Ok(Order::Found) => Outcome::Taken,
                Ok(Order::Unknown) => Outcome::Unmatched,
                Err(()) => Outcome::Unavailable,
            },
            Ok(None) => Outcome::Unmatched,
            Err(()) => Outcome::Unavailable,
        };
        if outcome == Outcome::Taken {
            self.seen.note(&hint.event);
        }
        outcome
    }

    /// The order that it is about. What has no mark of ours names something that a claim records, or, such as a refund, a
    /// payment that is known.
    async fn order(&self, hint: &Hint) -> Result<Option<String>, ()> {
        let known = hint.order.clone().or_else(|| self.index.order_of(&hint.ids));
        let is_about_money_back = MONEY_BACK.iter().any(|kind| hint.kind.starts_with(kind));
        if known.is_some() || !is_about_money_back {
            return Ok(known);
        }
        self.book.order_of(Provider::Stripe, &hint.ids).await.map_err(|error| {
            tracing::debug!(%error, "the order of a payment can't be looked up");
        })
    }

    fn verifier(&self) -> Result<Verifier, String> {
        let secrets: Result<Vec<SecretString>, KeyError> = self.secrets.iter().map(KeyFile::read).collect();
        let secrets = secrets.map_err(|error| error.to_string())?;
        Ok(Verifier::new(&secrets, self.mode()?))
    }

    fn mode(&self) -> Result<Mode, String> {
        if let Some(livemode) = self.livemode {
            return Ok(Mode::from(livemode));
        }
        let key = self.key.read().map_err(|error| error.to_string())?;
        mode_of(&key).map_err(str::to_owned)
    }
}
