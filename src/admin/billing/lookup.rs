//! `moorage billing lookup`: everything about a tenant's money, from claims and receipts alone.

use clap::Args;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use serde::Serialize;
use serde_json::Value;

use super::books::{self, Claimed};
use super::import;
use super::told::{money, time, time_or_dash};
use crate::admin::output::{self, Output, Table, wrapped};
use crate::admin::{AdminError, claims};
use crate::api::NameClaim;
use crate::api::name_claim::ClaimType;
use crate::api::payment_receipt::ReceiptType;
use crate::control::order::account::{Account, OddityKind, account};
use crate::control::order::truth::{Receipt, truth};
use crate::engine::config::Config;
use crate::rights;

/// Whose money is looked at.
#[derive(Debug, Args)]
pub struct Lookup {
    /// Id of the tenant, as the claim of its namespace has it.
    #[arg(long, required_unless_present = "namespace")]
    pub tenant: Option<String>,
    /// The tenant's namespace, in place of its id.
    #[arg(long, short, conflicts_with = "tenant")]
    pub namespace: Option<String>,
    /// Namespace of the operator, for its configuration.
    #[arg(long, default_value = rights::NAMESPACE)]
    pub operator_namespace: String,
    /// How it is shown.
    #[arg(long, short, value_enum, default_value_t)]
    pub output: Output,
}

/// A tenant's book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Book {
    /// Id of the tenant.
    pub tenant: String,
    /// Its namespace.
    pub namespace: String,
    /// Every order, those that were deleted among them.
    pub orders: Vec<Order>,
    /// Every Runtime, with why it may run.
    pub runtimes: Vec<Funding>,
    /// What was paid before Moorage.
    pub past: Vec<Entry>,
    /// Payments that name an order of which nothing is recorded: nobody knows whose they are.
    pub strangers: Vec<Entry>,
    /// The billing configuration in force, or why it isn't known.
    pub configuration: Result<Value, String>,
}

/// One order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Its name.
    pub name: String,
    /// UID of the first of its name.
    pub uid: String,
    /// What is recorded on its claim: price, what it funds, and where that stands.
    pub record: Value,
    /// When it was deleted, if it was.
    pub deleted: Option<Timestamp>,
    /// What was left to say of it then.
    pub last_words: Option<String>,
    /// Its receipts, the oldest first.
    pub receipts: Vec<Entry>,
}

/// One receipt, and what it counts for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// When it was written.
    pub created: Timestamp,
    /// What it says.
    pub spec: Value,
    /// What it counts for.
    pub counts: String,
    #[serde(skip)]
    line: [String; 4],
}

/// One Runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Funding {
    /// Its name.
    pub name: String,
    /// Its Plan.
    pub plan: String,
    /// UID of the order that it was last funded by.
    pub order: Option<String>,
    /// Why it may run, or not.
    pub why: String,
}

/// Looks, and shows.
///
/// # Errors
/// If there is no such tenant, or its claims and receipts can't be read.
pub async fn run(client: Client, lookup: &Lookup, print: impl Fn(String)) -> Result<(), AdminError> {
    let (tenant, namespace) = tenant(&client, lookup).await?;
    let mine = books::claims_in(&client, &namespace).await?;
    let mut orders = Vec::new();
    for order in mine.iter().cloned().filter_map(books::claimed) {
        let receipts = books::receipts(&client, &order.record.uid).await?;
        orders.push((order, receipts));
    }
    let past = books::receipts(&client, &import::order_uid(&tenant)).await?;
    let strangers = books::strangers(&client).await?;
    let configuration = configuration(&client, &lookup.operator_namespace).await;
    let book = book((tenant, namespace), orders, &mine, &past, &strangers, configuration);
    match lookup.output {
        Output::Json => print(output::json(&book)?),
        Output::Table => lines(&book).into_iter().for_each(print),
    }
    Ok(())
}

/// The tenant's id and namespace.
async fn tenant(client: &Client, lookup: &Lookup) -> Result<(String, String), AdminError> {
    let all = claims(client).await?;
    let found = all.into_iter().map(|claim| claim.spec).find(|claim| {
        claim.type_ == ClaimType::Namespace
            && lookup.tenant.as_ref().is_none_or(|id| claim.tenant_id.as_ref() == Some(id))
            && lookup.namespace.as_ref().is_none_or(|namespace| claim.name == *namespace)
    });
    let Some(claim) = found else {
        let whom = lookup.tenant.as_ref().or(lookup.namespace.as_ref()).cloned().unwrap_or_default();
        return Err(AdminError::Refused(format!(
            "there is no tenant `{whom}`: `kubectl get nameclaims -o custom-columns=NAMESPACE:.spec.holder.namespace,TENANT:.spec.tenantID` lists them"
        )));
    };
    Ok((claim.tenant_id.unwrap_or_default(), claim.name))
}

/// The billing part of the operator's configuration. It names files, and holds no secret.
async fn configuration(client: &Client, namespace: &str) -> Result<Value, String> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map = maps
        .get(rights::NAME)
        .await
        .map_err(|error| format!("the ConfigMap {namespace}/{} can't be read: {error}", rights::NAME))?;
    let text = map.data.unwrap_or_default().remove("config.yaml").unwrap_or_default();
    let config: Config = serde_saphyr::from_str(&text).map_err(|error| format!("config.yaml: {error}"))?;
    serde_json::to_value(config.billing).map_err(|error| error.to_string())
}

/// The book, from what was read. Pure.
pub fn book(
    (tenant, namespace): (String, String),
    orders: Vec<(Claimed, Vec<Receipt>)>,
    claims: &[NameClaim],
    past: &[Receipt],
    strangers: &[Receipt],
    configuration: Result<Value, String>,
) -> Book {
    let runtimes = claims.iter().filter_map(|claim| funding(claim, &orders)).collect();
    let mut orders: Vec<Order> =
        orders.into_iter().map(|(claimed, receipts)| order(&claimed, &receipts)).collect();
    orders.sort_by(|a, b| (&a.name, &a.uid).cmp(&(&b.name, &b.uid)));
    let past =
        past.iter().map(|receipt| entry(receipt, "kept for the record, funds nothing".into())).collect();
    let strangers = strangers.iter().map(|receipt| {
        let named = format!("names the order {}, of which nothing is recorded", receipt.spec.order_uid);
        entry(receipt, format!("{named}: funds nothing, refund it"))
    });
    Book { tenant, namespace, orders, runtimes, past, strangers: strangers.collect(), configuration }
}

fn order(claimed: &Claimed, receipts: &[Receipt]) -> Order {
    let account = truth(&claimed.record, receipts, None).map(|truth| account(&claimed.record, &truth));
    let counts = |receipt: &Receipt| counts(account.as_ref(), receipt);
    let entries = receipts.iter().map(|receipt| entry(receipt, counts(receipt).to_owned()));
    Order {
        name: claimed.claim.spec.holder.name.clone(),
        uid: claimed.record.uid.clone(),
        record: serde_json::to_value(&claimed.record).unwrap_or_default(),
        deleted: claimed.claim.spec.tombstone.as_ref().map(|stone| stone.release_time),
        last_words: claimed.claim.spec.tombstone.as_ref().map(|stone| stone.message.clone()),
        receipts: entries.collect(),
    }
}

/// What a receipt counts for. An order that Stripe is asked about isn't judged by receipts, but for those by hand.
fn counts(account: Option<&Account>, receipt: &Receipt) -> &'static str {
    let spec = &receipt.spec;
    if spec.type_ == ReceiptType::Notice {
        return "no money moved";
    }
    if !spec.flags.is_empty() {
        return "flagged: funds nothing, look at it";
    }
    let Some(account) = account else { return "Stripe itself is asked what it counts for" };
    if spec.type_ == ReceiptType::Refund {
        return "counts";
    }
    let oddity = account.oddities.iter().find(|oddity| oddity.payment == spec.provider_id);
    match oddity.map(|oddity| oddity.kind) {
        Some(OddityKind::AmountMismatch) => "another amount than the price: funds nothing, refund it",
        Some(OddityKind::TooLate) => "its Runtime was gone: funds nothing, refund it",
        Some(OddityKind::Duplicate) => "paid for already: funds nothing, refund it",
        Some(OddityKind::PartialRefund) => "funds; a part of it went back",
        Some(OddityKind::Disputed) => "funds until the customer's bank has decided",
        Some(OddityKind::Returned | OddityKind::DifferenceReturned | OddityKind::PlanReturned) => "went back",
        None => "counts",
    }
}

fn entry(receipt: &Receipt, counts: String) -> Entry {
    let spec = &receipt.spec;
    let line = [
        time(receipt.created),
        format!("{} {:?}", spec.provider.name(), spec.type_),
        money(spec.amount, &spec.currency),
        [Some(spec.provider_id.clone()), spec.note.clone()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; "),
    ];
    Entry {
        name: receipt.name.clone(),
        created: receipt.created,
        spec: serde_json::to_value(spec).unwrap_or_default(),
        counts,
        line,
    }
}

/// Why a Runtime may run: its claim names the order that it was last funded by.
fn funding(claim: &NameClaim, orders: &[(Claimed, Vec<Receipt>)]) -> Option<Funding> {
    let identity = claim.spec.runtime.as_ref().filter(|_| claim.spec.type_ == ClaimType::Slug)?;
    let funds = |order: &&(Claimed, Vec<Receipt>)| Some(&order.0.record.uid) == identity.order.as_ref();
    let why = match (&identity.order, orders.iter().find(funds)) {
        (None, _) => "no order was ever recorded: its Plan needs none, or it never ran".to_owned(),
        (Some(uid), None) => format!("last funded by the order {uid}, of which nothing is left"),
        (Some(_), Some((order, _))) => {
            let (name, record) = (&order.claim.spec.holder.name, &order.record);
            let holds = if record.phase.funds() { "funded" } else { "NOT funded" };
            format!(
                "{holds} by the order {name}: {:?}, paid until {}",
                record.phase,
                time_or_dash(record.paid_until)
            )
        }
    };
    Some(Funding {
        name: claim.spec.holder.name.clone(),
        plan: identity.pin.plan.name.clone(),
        order: identity.order.clone(),
        why,
    })
}

fn lines(book: &Book) -> Vec<String> {
    let mut lines = vec![format!("Tenant {} in the namespace {}", book.tenant, book.namespace)];
    for order in &book.orders {
        lines.push(String::new());
        lines.extend(wrapped(0, &heading(order)));
        lines.extend(order.last_words.iter().flat_map(|words| wrapped(2, words)));
        entries(&mut lines, &order.receipts);
    }
    if book.orders.is_empty() {
        lines.extend([String::new(), "No order was ever placed here.".to_owned()]);
    }
    if !book.past.is_empty() {
        lines.extend([String::new(), "Before Moorage:".to_owned()]);
        entries(&mut lines, &book.past);
    }
    if !book.strangers.is_empty() {
        lines.extend([String::new(), "Of no known order, whoever paid it:".to_owned()]);
        entries(&mut lines, &book.strangers);
    }
    let mut runtimes = Table::new(&["RUNTIME", "PLAN", "WHY IT MAY RUN"]);
    book.runtimes.iter().for_each(|it| runtimes.row([it.name.clone(), it.plan.clone(), it.why.clone()]));
    lines.push(String::new());
    lines.extend(runtimes.lines());
    lines.extend([String::new(), "Billing configuration in force:".to_owned()]);
    match &book.configuration {
        Ok(value) => lines.extend(settings("", value)),
        Err(why) => lines.extend(wrapped(2, &format!("not known: {why}"))),
    }
    lines
}

fn heading(order: &Order) -> String {
    let field = |pointer: &str| order.record.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
    let amount = order.record.pointer("/price/amount").and_then(Value::as_i64).unwrap_or_default();
    let deleted = order.deleted.map(|at| format!(", deleted {}", time(at))).unwrap_or_default();
    format!(
        "Order {} ({}): {} by {}, {}, paid until {}; Plan {} at {} a {}; for the Runtime {}{deleted}",
        order.name,
        order.uid,
        field("/phase"),
        field("/provider"),
        field("/mode"),
        field("/paidUntil"),
        field("/price/plan/name"),
        money(amount, field("/price/currency")),
        field("/price/interval").to_lowercase(),
        field("/funds/name"),
    )
}

fn entries(lines: &mut Vec<String>, entries: &[Entry]) {
    if entries.is_empty() {
        return lines.push("  no receipt".to_owned());
    }
    let mut table = Table::new(&["  WRITTEN", "WHAT", "AMOUNT", "REFERENCE; WHAT IT COUNTS FOR"]);
    for entry in entries {
        let [created, what, amount, reference] = entry.line.clone();
        table.row([format!("  {created}"), what, amount, format!("{reference}; {}", entry.counts)]);
    }
    lines.extend(table.lines());
}

/// The settings as `path: value`.
fn settings(path: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                settings(&path, value)
            })
            .collect(),
        value => wrapped(2, &format!("{path}: {value}")),
    }
}

#[cfg(test)]
mod tests;
