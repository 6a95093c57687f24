//! What is written down: on claims and as receipts, read and written without a cache, since a replica that doesn't
//! lead has none.

use jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::plan::Numbers;
use crate::api::order_record::OrderRecord;
use crate::api::payment_receipt::{Provider, ReceiptEvent};
use crate::api::{FIELD_MANAGER, NameClaim, PaymentReceipt, PaymentReceiptSpec};

/// Calls to the API server at once, so that a flood here doesn't starve the controllers there.
const CALLS: usize = 32;
/// Beside those, calls that ask for orders to be read: a flood of them doesn't hold up payments.
const NOTES: usize = 8;
/// How often a change is tried over others' changes.
const TRIES: usize = 5;
/// The longest UID.
const LONGEST_UID: usize = 64;

/// The API server didn't do it. It may later.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// It refuses, or can't be asked.
    #[error("the API server refuses or can't be asked: {0}")]
    Api(#[from] kube::Error),
    /// Others kept changing the claim.
    #[error("the claim kept changing")]
    Contended,
    /// A receipt without a name, which is a fault of the program.
    #[error("the receipt tells nothing")]
    Nameless,
}

/// Whether there is such an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// There is.
    Found,
    /// There isn't.
    Unknown,
}

/// Whether a receipt is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is.
    New,
    /// It stood already.
    Before,
}

/// Claims and receipts at the API server.
pub struct Book {
    claims: Api<NameClaim>,
    receipts: Api<PaymentReceipt>,
    calls: Semaphore,
    notes: Semaphore,
}

impl Book {
    /// By this client, which should have short time limits.
    pub fn new(client: &Client) -> Self {
        let (claims, receipts) = (Api::all(client.clone()), Api::all(client.clone()));
        Self { claims, receipts, calls: Semaphore::new(CALLS), notes: Semaphore::new(NOTES) }
    }

    /// What is recorded of an order, and whether it was given up.
    pub async fn claim(&self, order: &str) -> Result<Option<NameClaim>, Failed> {
        if !is_uid(order) {
            return Ok(None);
        }
        let _call = self.call().await;
        let claim = self.claims.get_opt(&NameClaim::order_key(order)).await?;
        Ok(claim.filter(|claim| claim.spec.order.is_some()))
    }

    /// Asks for an order to be read again at its provider.
    pub async fn note(&self, order: &str, now: Timestamp) -> Result<Order, Failed> {
        if !is_uid(order) {
            return Ok(Order::Unknown);
        }
        // The semaphore is never closed.
        let _call = self.notes.acquire().await.ok();
        let patch = json!({"spec": {"order": {"noticeTime": now}}});
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let key = NameClaim::order_key(order);
        match self.claims.patch_metadata(&key, &params, &Patch::Merge(&patch)).await {
            Ok(_) => Ok(Order::Found),
            // 422: it is a claim, and not of an order.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 422) => Ok(Order::Unknown),
            Err(error) => Err(error.into()),
        }
    }

    /// Records numbers on the attempt with this mark, unless they stand there.
    pub async fn record(&self, order: &str, mark: &str, numbers: &Numbers) -> Result<Order, Failed> {
        for _ in 0..TRIES {
            let Some(claim) = self.claim(order).await? else { return Ok(Order::Unknown) };
            let Some(record) = claim.spec.order.as_deref() else { return Ok(Order::Unknown) };
            let patch = match change(record, mark, numbers) {
                Change::None => return Ok(Order::Found),
                Change::NoSuchAttempt => return Ok(Order::Unknown),
                Change::Patch(patch) => serde_json::from_value(patch).map_err(kube::Error::SerdeError)?,
            };
            let _call = self.call().await;
            let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
            let key = NameClaim::order_key(order);
            match self.claims.patch_metadata(&key, &params, &Patch::<()>::Json(patch)).await {
                Ok(_) => return Ok(Order::Found),
                // It was changed meanwhile, or is gone: what stands now is looked at again.
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409 | 422) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Contended)
    }

    /// Stores a receipt. The same told twice is one receipt.
    pub async fn store(&self, spec: PaymentReceiptSpec) -> Result<Stored, Failed> {
        let receipt = PaymentReceipt::of(spec).ok_or(Failed::Nameless)?;
        let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        let _call = self.call().await;
        match self.receipts.create(&params, &receipt).await {
            Ok(_) => Ok(Stored::New),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(Stored::Before),
            Err(error) => Err(error.into()),
        }
    }

    /// The order of the first of these payments that a receipt is known of.
    pub async fn order_of(&self, provider: Provider, payments: &[String]) -> Result<Option<String>, Failed> {
        for payment in payments {
            let name = PaymentReceipt::key(provider, payment, ReceiptEvent::Paid);
            let _call = self.call().await;
            if let Some(receipt) = self.receipts.get_opt(&name).await? {
                return Ok(Some(receipt.spec.order_uid));
            }
        }
        Ok(None)
    }

    /// The semaphore is never closed.
    async fn call(&self) -> Option<SemaphorePermit<'_>> {
        self.calls.acquire().await.ok()
    }
}

/// Only what can be a UID becomes a part of a path.
pub fn is_uid(text: &str) -> bool {
    (1..=LONGEST_UID).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

enum Change {
    None,
    NoSuchAttempt,
    Patch(Value),
}

/// A patch that holds only while the attempt stands where it stood.
fn change(record: &OrderRecord, mark: &str, numbers: &Numbers) -> Change {
    let found = record.attempts.iter().enumerate().find(|(_, attempt)| attempt.mark() == mark);
    let Some((place, attempt)) = found else { return Change::NoSuchAttempt };
    let fields = [
        ("checkoutID", &attempt.checkout_id, Some(&numbers.request)),
        ("subscriptionID", &attempt.subscription_id, numbers.registration.as_ref()),
    ];
    let path = format!("/spec/order/attempts/{place}");
    let new = fields.into_iter().filter(|(_, known, value)| value.is_some() && known.as_ref() != *value);
    let new: Vec<Value> = new
        .map(|(field, _, value)| json!({"op": "add", "path": format!("{path}/{field}"), "value": value}))
        .collect();
    if new.is_empty() {
        return Change::None;
    }
    let stands = [
        json!({"op": "test", "path": format!("{path}/nonce"), "value": attempt.nonce}),
        json!({"op": "test", "path": format!("{path}/number"), "value": attempt.number}),
    ];
    Change::Patch(stands.into_iter().chain(new).collect())
}
