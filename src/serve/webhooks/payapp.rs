//! PayApp's notices: each is checked in full, and stored as a receipt before it is answered, since it is the only
//! proof of a payment that there ever is.

use std::sync::Arc;

use axum::extract::Request;

use super::book::{Book, Failed, Order, Stored, is_uid};
use super::gate::{Gate, Shape};
use super::outcome::Outcome;
use super::plan::{Numbers, Plan, plan};
use crate::api::PaymentReceiptSpec;
use crate::billing::KeyFile;
use crate::billing::payapp::{MAX_NOTICE, Merchant, Notice};
use crate::engine::config::PayAppMerchant;

const NOTICE: Shape = Shape { content_type: "application/x-www-form-urlencoded", largest: MAX_NOTICE };

/// Takes PayApp's notices.
pub struct PayApp {
    userid: String,
    linkkey: KeyFile,
    linkval: KeyFile,
    book: Arc<Book>,
}

impl PayApp {
    /// For this merchant.
    pub fn new(merchant: &PayAppMerchant, book: Arc<Book>) -> Self {
        let (linkkey, linkval) =
            (KeyFile::new(&merchant.link_key_file), KeyFile::new(&merchant.link_value_file));
        Self { userid: merchant.user_id.clone(), linkkey, linkval, book }
    }

    /// Says in the log what is wrong with the keys, if anything is.
    pub fn tell_of_keys(&self) {
        if let Err(error) = self.merchant() {
            tracing::error!(error, "no notice of PayApp's can be taken until this is mended");
        }
    }

    /// Takes one notice.
    pub async fn take(&self, gate: &Gate, request: Request) -> Outcome {
        let notice = gate.take(NOTICE, request, |_, body| {
            let merchant = self.merchant().map_err(|_| Outcome::Unavailable)?;
            merchant.check(body).map_err(|reason| {
                tracing::debug!(%reason, "a notice wasn't taken");
                Outcome::Rejected
            })
        });
        let notice = match notice.await {
            Ok(notice) => notice,
            Err(outcome) => return outcome,
        };
        self.follow(&notice).await.unwrap_or_else(|error| {
            tracing::warn!(order = shown(&notice), %error, "a notice of PayApp's couldn't be stored; it comes again");
            Outcome::Unavailable
        })
    }

    /// It carries the merchant's keys: what it says is compared with what was stored before PayApp was called.
    async fn follow(&self, notice: &Notice) -> Result<Outcome, Failed> {
        let claim = self.book.claim(&notice.order).await?;
        match plan(notice, claim.as_ref().map(|claim| &claim.spec)) {
            Plan::Record(numbers) => self.record(notice, &numbers).await,
            Plan::Store(receipt) => self.store(*receipt).await,
            Plan::Learn(numbers, receipt) => match self.record(notice, &numbers).await? {
                Outcome::Taken => self.store(*receipt).await,
                // The attempt was forgotten meanwhile: it comes again, and is looked at anew.
                _ => Ok(Outcome::Unavailable),
            },
            Plan::Ignore => Ok(Outcome::Ignored),
            Plan::Leave(why) => {
                tracing::warn!(order = shown(notice), state = ?notice.state, why, "a notice of PayApp's wasn't taken");
                Ok(Outcome::Unmatched)
            }
        }
    }

    async fn record(&self, notice: &Notice, numbers: &Numbers) -> Result<Outcome, Failed> {
        Ok(match self.book.record(&notice.order, &notice.attempt, numbers).await? {
            Order::Found => Outcome::Taken,
            Order::Unknown => Outcome::Unmatched,
        })
    }

    async fn store(&self, receipt: PaymentReceiptSpec) -> Result<Outcome, Failed> {
        let (order, event, flags) = (receipt.order_uid.clone(), receipt.event, receipt.flags.clone());
        let stored = self.book.store(receipt).await?;
        if stored == Stored::New {
            tracing::info!(order, ?event, ?flags, "a notice of PayApp's is stored");
        }
        Ok(if stored == Stored::New { Outcome::Taken } else { Outcome::Duplicate })
    }

    fn merchant(&self) -> Result<Merchant, String> {
        let read = |key: &KeyFile| key.read().map_err(|error| error.to_string());
        let (linkkey, linkval) = (read(&self.linkkey)?, read(&self.linkval)?);
        Ok(Merchant { userid: self.userid.clone(), linkkey, linkval })
    }
}

/// The order for the log: what can't be one isn't repeated there.
fn shown(notice: &Notice) -> &str {
    if is_uid(&notice.order) { &notice.order } else { "not a UID" }
}
