//! RuntimeOrder: one checkout. Each completed payment funds exactly one Runtime.

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Conditions;
use super::label;
use super::payment_receipt::Provider;
use super::refs::NameRef;
use super::state::OrderState;

/// The longest address that a status holds, in bytes.
pub const LONGEST_URL: usize = 2048;

/// One checkout. It never changes: another Plan, Runtime or way to pay is another order.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "moorage.dev",
    version = "v1alpha1",
    kind = "RuntimeOrder",
    plural = "runtimeorders",
    shortname = "mord",
    category = "moorage",
    namespaced,
    status = "RuntimeOrderStatus",
    derive = "PartialEq",
    doc = "One checkout: once paid it funds exactly one Runtime, for as long as it is paid. Its status follows the six steps from the account to the ready Runtime.",
    selectable = ".status.state",
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.state",
        description = "Where it stands, in the portal's word."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the order is fulfilled and paid."
    ),
    printcolumn(
        name = "Plan",
        type_ = "string",
        json_path = ".spec.planRef.name",
        description = "Its Plan."
    ),
    printcolumn(
        name = "Runtime",
        type_ = "string",
        json_path = ".status.runtimeRef.name",
        description = "The Runtime that it funds."
    ),
    printcolumn(
        name = "Provider",
        type_ = "string",
        json_path = ".spec.payment.provider",
        description = "Who takes the payment.",
        priority = "1"
    ),
    printcolumn(
        name = "Paid Until",
        type_ = "string",
        json_path = ".status.subscription.paidUntil",
        description = "Until when it is paid."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is as it is.",
        priority = "1"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        description = "Cause and remedy.",
        priority = "1"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[kube(validation = Rule::new("self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')").message("`metadata.name` must be at most 63 characters of a-z, 0-9 and `-`, so that it can be referred to"))]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("must not change: an order is one checkout; create another"))]
#[x_kube(validation = Rule::new("has(self.runtime) != has(self.runtimeRef)").message("must have exactly one of `runtime`, which is made once it is paid, and `runtimeRef`, an unfunded one that is declared already"))]
pub struct RuntimeOrderSpec {
    /// What is bought: size and price. The price is taken over when the checkout begins.
    pub plan_ref: NameRef,
    /// The Runtime that is made once the order is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<OrderedRuntime>,
    /// A Runtime that is declared already, in this namespace, and that no order funds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_ref: Option<NameRef>,
    /// How it is paid.
    pub payment: Payment,
}

/// The Runtime that an order makes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderedRuntime {
    /// Its name.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// First label of its default hostname, unique in the cluster. Left out: made from the Workspace's subdomain and
    /// the name.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = Rule::new(label::not_reserved_rule()).message("must not be a reserved word, nor begin with `xn--`"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
}

/// How an order is paid.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// Who takes it: `Stripe`, `PayApp`, or `Manual`, by a PaymentReceipt that the platform creates.
    pub provider: Provider,
    /// `Subscription`: each interval of the Plan is paid when it is due. `OneTime`: one interval is paid, and then it
    /// ends.
    #[serde(default)]
    pub mode: PaymentMode,
}

/// Whether an order is paid once or again and again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum PaymentMode {
    /// Each interval is paid when it is due.
    #[default]
    Subscription,
    /// One interval is paid.
    OneTime,
}

/// What is observed of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeOrderStatus {
    /// Generation that was last brought to an end; -1 before the first visit.
    #[schemars(range(min = -1))]
    #[serde(default)]
    pub observed_generation: i64,
    /// Where it stands, in the portal's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<OrderState>,
    /// The six steps from the account to the ready Runtime, in order.
    #[schemars(length(max = 6))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<OrderStep>,
    /// What it costs, as the Plan had it when the checkout began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// Where it can be paid now; none while there is nothing to pay there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout: Option<CheckoutStatus>,
    /// What it is paid for, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionStatus>,
    /// The Runtime that it funds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_ref: Option<NameRef>,
    /// What is known about it. `Ready` says whether it is paid and fulfilled; `Reconciling` and `Stalled` are there
    /// only while true.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Conditions,
}

/// One step of the way to a ready Runtime.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderStep {
    /// Which one.
    pub name: StepName,
    /// How far it is. A step never completes before those in front of it.
    pub state: StepState,
    /// What was reached, or what is waited for.
    #[schemars(length(max = 512))]
    pub message: String,
}

/// The steps, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
pub enum StepName {
    /// A person is a member of the Workspace.
    Account,
    /// The Workspace can be used.
    Workspace,
    /// The order is paid.
    Checkout,
    /// The Runtime's gateway serves.
    Runtime,
    /// The gateway is signed in to its model provider.
    Codex,
    /// A first conversation with the agent worked.
    Ready,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not begun.
    #[default]
    Pending,
    /// Under way.
    Running,
    /// Done.
    Completed,
    /// Not needed.
    Skipped,
    /// It can't go on as it stands.
    Failed,
}

/// A sum of money.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Amount {
    /// In the currency's smallest unit (cents; won).
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub value: i64,
    /// ISO 4217 code of the currency.
    #[schemars(length(min = 3, max = 3), regex(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
}

/// What an order is paid for, and what comes next.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionStatus {
    /// Where the funding stands.
    pub state: FundingPhase,
    /// Until when it is paid.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_until: Option<Timestamp>,
    /// When the Runtime is stopped, its data kept, unless it is paid by then.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend_time: Option<Timestamp>,
    /// When the Runtime is deleted, as its deletion policy says, unless it is paid by then.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_time: Option<Timestamp>,
    /// When it ends, once that is agreed: nothing is collected after that.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Timestamp>,
    /// The last invoices, the newest first.
    #[schemars(length(max = 6))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invoices: Vec<InvoiceStatus>,
    /// What the customer pays with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<PaymentMethodStatus>,
    /// The customer's own page at the provider, for 15 minutes after it was asked for by the annotation
    /// `moorage.dev/portal-requested-at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal: Option<PortalStatus>,
}

/// The customer's own page at the provider, where cards and invoices are managed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortalStatus {
    /// The request that it answers.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub request_time: Timestamp,
    /// Its address. It opens the page for whoever has it.
    #[schemars(length(min = 1, max = LONGEST_URL))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Why there is none.
    #[schemars(length(max = 1024))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Where an order can be paid.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckoutStatus {
    /// The provider's page.
    #[schemars(length(min = 1, max = LONGEST_URL))]
    pub url: String,
    /// Until when; none if it doesn't end by itself.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_time: Option<Timestamp>,
    /// Which try it is, from 1. Each that wasn't paid in time is followed by another.
    #[schemars(with = "i32", range(min = 1, max = 1000))]
    pub attempt: u32,
}

/// One invoice.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvoiceStatus {
    /// Its number; none while it is a draft.
    #[schemars(length(min = 1, max = 255))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The sum, in the currency's smallest unit. Below zero: a credit.
    #[schemars(range(min = -1_000_000_000, max = 1_000_000_000))]
    pub amount: i64,
    /// ISO 4217 code of the currency.
    #[schemars(length(min = 3, max = 3), regex(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
    /// How it stands.
    pub state: InvoiceState,
    /// Where the customer sees and pays it.
    #[schemars(length(min = 1, max = LONGEST_URL))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// How an invoice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum InvoiceState {
    /// Not sent yet.
    Draft,
    /// To be paid.
    Open,
    /// Paid.
    Paid,
    /// Given up.
    Uncollectible,
    /// Taken back.
    Void,
    /// A word that this operator doesn't know.
    Unknown,
}

/// What a customer pays with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentMethodStatus {
    /// The card's brand, or the kind of method, such as `visa` or `sepa_debit`.
    #[schemars(length(min = 1, max = 64))]
    pub brand: String,
    /// The last four digits, if it has digits.
    #[schemars(length(min = 1, max = 8))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last4: Option<String>,
}

/// Where the funding of a Runtime stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum FundingPhase {
    /// Nothing was paid yet.
    #[default]
    Unpaid,
    /// It is paid.
    Paid,
    /// The next interval isn't paid: a while of grace, in which it runs on.
    PastDue,
    /// The grace is over: the Runtime is stopped, its data kept.
    Suspended,
    /// It is over: the Runtime was deleted, or the time for which its data was kept has passed.
    Ended,
    /// The money went back.
    Refunded,
}

impl FundingPhase {
    /// Whether a Runtime may run on it.
    pub fn funds(self) -> bool {
        matches!(self, Self::Paid | Self::PastDue)
    }
}
