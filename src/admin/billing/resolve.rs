//! `moorage billing resolve`: a person of the platform vouches for a payment, or for money that went back.
//!
//! It is written as a receipt that is never changed or removed, with who, when and why in its note; the API server's
//! audit log has the same from its own side. First it is shown what it comes to, and the API server is asked whether
//! it would be let through.

use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};

use super::books::{self, Claimed, OrderName};
use super::told::{money, time, time_or_dash};
use crate::admin::AdminError;
use crate::api::order_record::OrderRecord;
use crate::api::payment_receipt::{Period, Provider, ReceiptType};
use crate::api::{NameClaim, PaymentReceipt, PaymentReceiptSpec};
use crate::billing::Money;
use crate::control::order::account::{Account, account};
use crate::control::order::truth::{Receipt, truth};
use crate::engine::clock::{Clock, SystemClock};
use crate::engine::hash::short_hash;

/// Time for which it is waited that the operator takes a receipt in.
const PATIENCE: Duration = Duration::from_mins(1);
/// Longest reason, in characters: who and when have to fit into the note too.
const MAX_REASON: usize = 300;

/// What is vouched for.
#[derive(Debug, Args)]
pub struct Resolve {
    /// The order, as NAMESPACE/NAME or by its UID.
    pub order: OrderName,
    /// The platform's own reference, such as an invoice's number; of a payment that its provider has, the id there. The
    /// same reference counts once.
    #[arg(long)]
    pub reference: String,
    /// The registration at PayApp that it was paid for, by its `rebill_no`: it goes on. Left out: none.
    #[arg(long, value_name = "NUMBER", conflicts_with = "refunds")]
    pub registration: Option<String>,
    /// Why: what was seen, and where.
    #[arg(long)]
    pub reason: String,
    /// How much, such as `29.00 USD`. Left out: the order's price, or all of the payment that went back.
    #[arg(long)]
    pub amount: Option<Money>,
    /// Money went back: the reference of the payment that was vouched for by hand.
    #[arg(long, value_name = "REFERENCE")]
    pub refunds: Option<String>,
    /// The time that it pays for ends then. Left out: one interval of the Plan.
    #[arg(long, value_name = "TIME", conflicts_with = "refunds")]
    pub until: Option<Timestamp>,
    /// Writes it.
    #[arg(long)]
    pub yes: bool,
}

/// A receipt that would be written, and what it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The receipt's name.
    pub name: String,
    /// What it says.
    pub spec: PaymentReceiptSpec,
    /// Until when the order is paid without it.
    pub before: Option<Timestamp>,
    /// Until when it is paid with it; `None` where that depends on what Stripe says of the order.
    pub after: Option<Option<Timestamp>>,
}

/// Shows it, and with `--yes` writes it.
///
/// # Errors
/// If it would come to nothing, or the API server refuses it.
pub async fn run(client: Client, resolve: &Resolve, print: impl Fn(String)) -> Result<(), AdminError> {
    let order = books::order(&client, &resolve.order).await?;
    let standing = books::receipts(&client, &order.record.uid).await?;
    let who = books::who(&client).await?;
    let made =
        resolution(SystemClock.now(), &who, resolve, &order, &standing).map_err(AdminError::Refused)?;
    if let Some(same) = standing.iter().find(|receipt| receipt.name == made.name) {
        return there_already(&made, same, print);
    }
    shown(&order, &made).into_iter().for_each(&print);
    let dry_run = if resolve.yes { DryRun::No } else { DryRun::Yes };
    write(&client, &made, dry_run).await?;
    if !resolve.yes {
        print("Nothing was written. The API server would let it through; --yes writes it.".into());
        return Ok(());
    }
    print(format!("written: PaymentReceipt {}", made.name));
    taken_in(&client, &order, &made, print).await
}

/// The receipt, and what it comes to.
///
/// # Errors
/// Why it would come to nothing, and what to do instead.
pub fn resolution(
    now: Timestamp,
    who: &str,
    resolve: &Resolve,
    claimed: &Claimed,
    standing: &[Receipt],
) -> Result<Resolution, String> {
    let order = &claimed.record;
    let spec = spec(now, who, resolve, claimed, standing)?;
    let kind = if spec.type_ == ReceiptType::Refund { "refund" } else { "payment" };
    let name = format!("manual-{}", short_hash(&[&order.uid, kind, &resolve.reference], 20));
    let mut all = standing.to_vec();
    let before = folded(order, &all).map_or(order.paid_until, |account| account.paid_until);
    let is_new = !all.iter().any(|receipt| receipt.name == name);
    if is_new {
        all.push(Receipt { name: name.clone(), created: last(now, standing), spec: spec.clone() });
    }
    let folded = folded(order, &all);
    let odd = |account: &Account| {
        account.oddities.iter().find(|oddity| oddity.payment == resolve.reference).cloned()
    };
    let oddity = folded.as_ref().and_then(odd);
    if is_new && is_told(&spec, standing) {
        return Err(format!(
            "it would pay for nothing more: {} told of `{}` itself, and it counts already",
            order.provider.name(),
            resolve.reference
        ));
    }
    match oddity {
        Some(oddity) if is_new => Err(format!(
            "it would pay for nothing ({:?}): the order is paid until {} already, or `{}` was vouched for under another name",
            oddity.kind,
            time_or_dash(before),
            resolve.reference
        )),
        _ => Ok(Resolution { name, spec, before, after: folded.map(|account| account.paid_until) }),
    }
}

/// Whether the provider told of this very payment, and nothing is wrong with it.
fn is_told(wanted: &PaymentReceiptSpec, standing: &[Receipt]) -> bool {
    standing.iter().map(|receipt| &receipt.spec).any(|told| {
        let is_same = (told.type_, &told.provider_id) == (wanted.type_, &wanted.provider_id);
        is_same && told.provider != Provider::Manual && told.flags.is_empty()
    })
}

/// It is written after all that stand, whatever this machine's clock says.
fn last(now: Timestamp, standing: &[Receipt]) -> Timestamp {
    let newest = standing.iter().map(|receipt| receipt.created).max();
    let after = newest.and_then(|at| at.checked_add(SignedDuration::from_secs(1)).ok());
    after.map_or(now, |after| after.max(now))
}

/// What the receipts come to; `None` of an order that Stripe has to be asked about.
fn folded(order: &OrderRecord, receipts: &[Receipt]) -> Option<Account> {
    Some(account(order, &truth(order, receipts, None)?))
}

fn spec(
    now: Timestamp,
    who: &str,
    resolve: &Resolve,
    claimed: &Claimed,
    standing: &[Receipt],
) -> Result<PaymentReceiptSpec, String> {
    let order = &claimed.record;
    let reason = resolve.reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON {
        return Err(format!("--reason must say why, in at most {MAX_REASON} characters"));
    }
    if resolve.reference.is_empty() || resolve.reference.len() > 255 {
        return Err("--reference must have 1 to 255 characters".to_owned());
    }
    let (type_, amount, currency) = match &resolve.refunds {
        Some(payment) => refunded(payment, resolve, standing)?,
        None => paid(resolve, claimed)?,
    };
    let who: String = who.chars().take(120).collect();
    Ok(PaymentReceiptSpec {
        type_,
        provider: Provider::Manual,
        provider_id: resolve.reference.clone(),
        order_uid: order.uid.clone(),
        amount,
        currency,
        period: period(now, resolve, order.paid_until)?,
        refunds: resolve.refunds.clone(),
        note: Some(format!("resolved by {who} on {}: {reason}", time(now))),
        event: None,
        attempt: None,
        subscription_id: registration(resolve, order)?,
        pay_time: None,
        flags: Vec::new(),
    })
}

/// The registration that it was paid for is one of the order's.
fn registration(resolve: &Resolve, order: &OrderRecord) -> Result<Option<String>, String> {
    let Some(named) = &resolve.registration else { return Ok(None) };
    let mut known = order.attempts.iter().filter(|_| order.provider == Provider::PayApp);
    if known.any(|attempt| attempt.subscription_id.as_ref() == Some(named)) {
        return Ok(Some(named.clone()));
    }
    Err(format!(
        "the order has no registration `{named}` at PayApp; `moorage billing lookup -o json` shows its attempts"
    ))
}

/// It begins at the end of what is paid for, or now.
fn period(now: Timestamp, resolve: &Resolve, paid: Option<Timestamp>) -> Result<Option<Period>, String> {
    let start = paid.map_or(now, |paid| paid.max(now));
    match resolve.until {
        None => Ok(None),
        Some(until) if until <= now => Err("--until must be in the future".to_owned()),
        Some(end) if end <= start => Err(format!("the order is paid until {} already", time(start))),
        Some(end) => Ok(Some(Period { start, end })),
    }
}

/// A payment pays for something only if it is the order's price.
fn paid(resolve: &Resolve, claimed: &Claimed) -> Result<(ReceiptType, i64, String), String> {
    if let Some(why) = funds_nothing(claimed) {
        return Err(format!(
            "{why}; give back at its provider what was paid for it, or place another order, and vouch for the money there"
        ));
    }
    // A dearer Plan is registered at its own price.
    let order = &claimed.record;
    let named = order
        .attempts
        .iter()
        .find(|it| resolve.registration.is_some() && it.subscription_id == resolve.registration);
    let price = named.map_or(&order.price, |attempt| order.asked_by(attempt));
    match &resolve.amount {
        Some(given) if (given.minor, given.currency.code()) != (price.amount, price.currency.as_str()) => {
            Err(format!(
                "{given} would pay for nothing: the order's price is {}; leave --amount out for it",
                money(price.amount, &price.currency)
            ))
        }
        _ => Ok((ReceiptType::Payment, price.amount, price.currency.clone())),
    }
}

/// Why an order funds nothing, whatever is paid for it.
fn funds_nothing(claimed: &Claimed) -> Option<&'static str> {
    match claimed.claim.spec.funds_nothing() {
        true if claimed.record.is_over() => Some("the order is over, and paying it brings nothing back"),
        true => Some("the order was deleted before it had a Runtime, and funds none"),
        false => None,
    }
}

/// Only what was vouched for by hand is taken back by hand.
fn refunded(
    payment: &str,
    resolve: &Resolve,
    standing: &[Receipt],
) -> Result<(ReceiptType, i64, String), String> {
    let found = standing.iter().map(|receipt| &receipt.spec).find(|spec| {
        spec.type_ == ReceiptType::Payment && spec.provider == Provider::Manual && spec.provider_id == payment
    });
    let Some(found) = found else {
        return Err(format!(
            "no payment of this order was vouched for under `{payment}`; what came by a provider is refunded at that provider"
        ));
    };
    let amount = match &resolve.amount {
        Some(given)
            if given.currency.code() != found.currency || !(1..=found.amount).contains(&given.minor) =>
        {
            return Err(format!("at most {} can go back", money(found.amount, &found.currency)));
        }
        Some(given) => given.minor,
        None => found.amount,
    };
    Ok((ReceiptType::Refund, amount, found.currency.clone()))
}

fn shown(order: &Claimed, made: &Resolution) -> Vec<String> {
    let holder = &order.claim.spec.holder;
    let amount = money(made.spec.amount, &made.spec.currency);
    let what = match made.spec.type_ {
        ReceiptType::Payment => format!("{amount} is vouched for as paid"),
        ReceiptType::Refund | ReceiptType::Notice => format!("{amount} is vouched for as gone back"),
    };
    vec![
        format!("Order {}/{} ({}): {what}.", holder.namespace, holder.name, order.record.uid),
        format!("Receipt {}, reference {}.", made.name, made.spec.provider_id),
        format!("Note: {}", made.spec.note.as_deref().unwrap_or_default()),
        match made.after {
            Some(after) => {
                format!("Paid until: {}, then {}.", time_or_dash(made.before), time_or_dash(after))
            }
            None => {
                format!("Paid until: {}; then it counts beside what Stripe says.", time_or_dash(made.before))
            }
        },
    ]
}

/// The same was asked before.
fn there_already(made: &Resolution, same: &Receipt, print: impl Fn(String)) -> Result<(), AdminError> {
    let says =
        |spec: &PaymentReceiptSpec| (spec.type_, spec.amount, spec.currency.clone(), spec.refunds.clone());
    if says(&same.spec) != says(&made.spec) {
        return Err(AdminError::Refused(format!(
            "the reference `{}` was used for {} already (PaymentReceipt {}); choose another",
            made.spec.provider_id,
            money(same.spec.amount, &same.spec.currency),
            same.name
        )));
    }
    print(format!(
        "It was resolved before: PaymentReceipt {}; {}",
        same.name,
        same.spec.note.as_deref().unwrap_or("")
    ));
    Ok(())
}

/// Whether the API server only says what it would do.
#[derive(Clone, Copy)]
enum DryRun {
    Yes,
    No,
}

async fn write(client: &Client, made: &Resolution, dry_run: DryRun) -> Result<(), AdminError> {
    let receipt = PaymentReceipt::new(&made.name, made.spec.clone());
    let params = PostParams { dry_run: matches!(dry_run, DryRun::Yes), ..PostParams::default() };
    let written = Api::all(client.clone()).create(&params, &receipt).await;
    written.map(drop).map_err(AdminError::kubernetes("write the receipt"))
}

/// Waits until the operator has taken the receipt in, and tells what came of it.
async fn taken_in(
    client: &Client,
    order: &Claimed,
    made: &Resolution,
    print: impl Fn(String),
) -> Result<(), AdminError> {
    let claims: Api<NameClaim> = Api::all(client.clone());
    let name = order.claim.name_any();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while tokio::time::Instant::now() < deadline {
        let claim = claims.get(&name).await.map_err(AdminError::kubernetes("read the order's claim"))?;
        let record = claim.spec.order.as_deref();
        let moved = record
            .is_some_and(|now| now.paid_until != order.record.paid_until || now.phase != order.record.phase);
        if let Some(record) = record.filter(|_| moved || made.after == Some(made.before)) {
            print(format!(
                "The order is {:?}, paid until {}.",
                record.phase,
                time_or_dash(record.paid_until)
            ));
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    print("The receipt stands, and the operator hasn't taken it in yet: see `moorage status`.".into());
    Ok(())
}

#[cfg(test)]
mod tests;
