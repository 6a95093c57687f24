//! `moorage billing import`: payments from before Moorage, kept so that `lookup` shows them.
//!
//! Each is a Manual PaymentReceipt for an order that never was: `tenant.<id>` is no UID, so nothing is ever funded by
//! it. Receipts are cluster-scoped, are never changed or removed, and are in every backup of what is believed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use futures::StreamExt;
use jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use serde::Deserialize;

use super::books;
use super::told::time;
use crate::admin::{AdminError, claims};
use crate::api::condition::whole_seconds;
use crate::api::name_claim::ClaimType;
use crate::api::payment_receipt::{Period, Provider, ReceiptType};
use crate::api::{PaymentReceipt, PaymentReceiptSpec};
use crate::billing::Money;
use crate::engine::clock::{Clock, SystemClock};
use crate::engine::hash::short_hash;

/// Largest file, in bytes.
const MAX_BYTES: u64 = 4 << 20;
/// Most payments in one file.
const MAX_PAYMENTS: usize = 10_000;
/// Writes at once.
const CONCURRENCY: usize = 8;

/// What is imported.
#[derive(Debug, Args)]
pub struct Import {
    /// A YAML or JSON file with `payments`.
    pub file: PathBuf,
    /// Writes them.
    #[arg(long)]
    pub yes: bool,
}

/// A file of payments.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Past {
    /// Them.
    pub payments: Vec<Payment>,
}

/// One payment from before Moorage.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Payment {
    /// Id of the tenant, as the claim of its namespace has it.
    pub tenant: String,
    /// Who took it, in one word.
    pub provider: String,
    /// That one's id of it.
    pub id: String,
    /// Whether money came or went back.
    #[serde(rename = "type", default = "payment")]
    pub type_: ReceiptType,
    /// For money that went back: the `id` of the payment.
    #[serde(default)]
    pub refunds: Option<String>,
    /// How much, such as `29.00 USD`.
    pub amount: String,
    /// When.
    pub time: Timestamp,
    /// What time it paid for.
    #[serde(default)]
    pub period: Option<Period>,
    /// What else is to be known.
    #[serde(default)]
    pub note: Option<String>,
}

fn payment() -> ReceiptType {
    ReceiptType::Payment
}

/// The order that a tenant's payments from before Moorage are kept under. It is no UID: it never comes to be.
pub fn order_uid(tenant: &str) -> String {
    format!("tenant.{tenant}")
}

/// Reads, checks all, and with `--yes` writes what isn't there.
///
/// # Errors
/// If the file can't be read or holds something that can't be kept; then nothing was written.
pub async fn run(client: Client, import: &Import, print: impl Fn(String)) -> Result<(), AdminError> {
    let past = read(import)?;
    let known = claims(&client).await?.into_iter().map(|claim| claim.spec);
    let tenants: Vec<String> = known
        .filter(|claim| claim.type_ == ClaimType::Namespace)
        .filter_map(|claim| claim.tenant_id)
        .collect();
    let who = books::who(&client).await?;
    let made = receipts(&past, &tenants, &who, SystemClock.now()).map_err(AdminError::Refused)?;
    if !import.yes {
        let one = made.iter().next().map(|(name, spec)| PaymentReceipt::new(name, spec.clone()));
        if let Some(one) = one {
            let params = PostParams { dry_run: true, ..PostParams::default() };
            create(&client, &one, &params).await?;
        }
        print(format!("{} can be kept. Nothing was written; --yes writes them.", made.len()));
        return Ok(());
    }
    write(&client, made, print).await
}

fn read(import: &Import) -> Result<Past, AdminError> {
    let file = import.file.display();
    let refused = |why: String| AdminError::Refused(format!("{file}: {why}"));
    let size = std::fs::metadata(&import.file).map_err(|error| refused(error.to_string()))?.len();
    if size > MAX_BYTES {
        return Err(refused(format!("larger than {MAX_BYTES} bytes; split it")));
    }
    let text = std::fs::read_to_string(&import.file).map_err(|error| refused(error.to_string()))?;
    serde_saphyr::from_str(&text).map_err(|error| refused(error.to_string()))
}

/// The receipts by name.
///
/// # Errors
/// The first payment that can't be kept, and why.
pub fn receipts(
    past: &Past,
    tenants: &[String],
    who: &str,
    now: Timestamp,
) -> Result<BTreeMap<String, PaymentReceiptSpec>, String> {
    if past.payments.len() > MAX_PAYMENTS {
        return Err(format!("more than {MAX_PAYMENTS} payments; split the file"));
    }
    let mut made = BTreeMap::new();
    for (index, payment) in past.payments.iter().enumerate() {
        let at = |why: String| format!("payment {} ({} {}): {why}", index + 1, payment.provider, payment.id);
        if !tenants.contains(&payment.tenant) {
            return Err(at(format!("there is no tenant `{}`; make its Workspace first", payment.tenant)));
        }
        let kind = format!("{:?}", payment.type_);
        let name =
            format!("past-{}", short_hash(&[&payment.tenant, &payment.provider, &kind, &payment.id], 20));
        if made.insert(name, spec(payment, who, now).map_err(at)?).is_some() {
            return Err(at("it stands twice in the file".into()));
        }
    }
    Ok(made)
}

fn spec(payment: &Payment, who: &str, now: Timestamp) -> Result<PaymentReceiptSpec, String> {
    let word = |text: &str| {
        let fits = (1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric());
        fits.then(|| text.to_owned())
            .ok_or_else(|| "`provider` must be one word of at most 32 letters".to_owned())
    };
    let provider = word(&payment.provider)?;
    let named = |id: &str| {
        let fits = (1..=200).contains(&id.len()) && !id.contains(char::is_control);
        fits.then(|| format!("{provider}/{id}"))
            .ok_or_else(|| "an id must have 1 to 200 characters".to_owned())
    };
    let amount: Money = payment.amount.parse().map_err(|error| format!("`amount`: {error}"))?;
    if !(0..=1_000_000_000).contains(&amount.minor) {
        return Err("`amount` must be at least 0, and at most 1000000000 of the smallest unit".into());
    }
    if payment.type_ == ReceiptType::Notice {
        return Err("`type` must be Payment or Refund".into());
    }
    if payment.refunds.is_some() != (payment.type_ == ReceiptType::Refund) {
        return Err("`refunds` must stand on a Refund, and on nothing else".into());
    }
    if payment.time > now {
        return Err("`time` is in the future".into());
    }
    if payment.period.as_ref().is_some_and(|period| period.start >= period.end) {
        return Err("`period.start` must be before `period.end`".into());
    }
    let order_uid = order_uid(&payment.tenant);
    if order_uid.len() > 64 {
        return Err("the tenant's id is too long".into());
    }
    Ok(PaymentReceiptSpec {
        type_: payment.type_,
        provider: Provider::Manual,
        provider_id: named(&payment.id)?,
        order_uid,
        amount: amount.minor,
        currency: amount.currency.code().to_owned(),
        period: payment.period.clone(),
        refunds: payment.refunds.as_deref().map(named).transpose()?,
        note: Some(note(payment, who, now)),
        event: None,
        attempt: None,
        subscription_id: None,
        pay_time: Some(whole_seconds(payment.time)),
        flags: Vec::new(),
    })
}

fn note(payment: &Payment, who: &str, now: Timestamp) -> String {
    let told = payment.note.as_deref().map(|note| format!("; {note}")).unwrap_or_default();
    let who: String = who.chars().take(120).collect();
    let note = format!("before Moorage; imported by {who} on {}{told}", time(now));
    note.chars().take(512).collect()
}

async fn write(
    client: &Client,
    made: BTreeMap<String, PaymentReceiptSpec>,
    print: impl Fn(String),
) -> Result<(), AdminError> {
    let mut counts = (0, 0);
    let mut writes = futures::stream::iter(made)
        .map(|(name, spec)| {
            let (client, receipt) = (client.clone(), PaymentReceipt::new(&name, spec));
            async move { keep(&client, &receipt).await }
        })
        .buffered(CONCURRENCY);
    while let Some(kept) = writes.next().await {
        match kept? {
            Kept::Written => counts.0 += 1,
            Kept::ThereAlready => counts.1 += 1,
        }
    }
    print(format!("{} kept, {} were there already.", counts.0, counts.1));
    Ok(())
}

/// What became of one.
enum Kept {
    Written,
    ThereAlready,
}

async fn keep(client: &Client, receipt: &PaymentReceipt) -> Result<Kept, AdminError> {
    match create(client, receipt, &PostParams::default()).await {
        Ok(()) => Ok(Kept::Written),
        Err(AdminError::Kubernetes { source, .. }) if matches!(source.as_ref(), kube::Error::Api(status) if status.is_already_exists()) => {
            there_already(client, receipt).await
        }
        Err(error) => Err(error),
    }
}

/// What says the same is the same, whenever it was imported.
async fn there_already(client: &Client, receipt: &PaymentReceipt) -> Result<Kept, AdminError> {
    let name = receipt.metadata.name.clone().unwrap_or_default();
    let standing: PaymentReceipt =
        Api::all(client.clone()).get(&name).await.map_err(AdminError::kubernetes(format!("read {name}")))?;
    let same =
        PaymentReceiptSpec { note: standing.spec.note.clone(), ..receipt.spec.clone() } == standing.spec;
    if same {
        return Ok(Kept::ThereAlready);
    }
    Err(AdminError::Refused(format!(
        "{} was imported before and says something else (PaymentReceipt {name}); a correction is another payment or refund",
        receipt.spec.provider_id
    )))
}

async fn create(client: &Client, receipt: &PaymentReceipt, params: &PostParams) -> Result<(), AdminError> {
    let created = Api::all(client.clone()).create(params, receipt).await;
    created.map(drop).map_err(AdminError::kubernetes(format!("write {}", receipt.spec.provider_id)))
}

#[cfg(test)]
mod tests;
