//! PaymentReceipt: one payment, refund or manual approval. Append-only.

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One payment, as a fact that outlives orders and Runtimes. It has no status: a restore would lose it.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "moorage.dev",
    version = "v1alpha1",
    kind = "PaymentReceipt",
    plural = "paymentreceipts",
    shortname = "mpay",
    category = "moorage",
    derive = "PartialEq",
    doc = "One payment, refund or manual approval. Append-only; written by the operator, or by the platform as Manual.",
    selectable = ".spec.orderUID",
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type", description = "What happened."),
    printcolumn(
        name = "Provider",
        type_ = "string",
        json_path = ".spec.provider",
        description = "Who says so."
    ),
    printcolumn(
        name = "Amount",
        type_ = "integer",
        json_path = ".spec.amount",
        description = "Amount in the currency's smallest unit."
    ),
    printcolumn(
        name = "Currency",
        type_ = "string",
        json_path = ".spec.currency",
        description = "Currency of the amount."
    ),
    printcolumn(
        name = "Order",
        type_ = "string",
        json_path = ".spec.orderUID",
        description = "UID of the order that it is for.",
        priority = "1"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("must not change: a correction is another receipt"))]
#[x_kube(validation = Rule::new("has(self.refunds) == (self.type == 'Refund')").message("`refunds` must name the payment that a Refund takes back, and stand on no other type"))]
#[x_kube(validation = Rule::new("self.provider != 'Manual' || has(self.note)").message("`note` must say who approved a Manual receipt, when and why"))]
#[x_kube(validation = Rule::new("!has(self.event) || (self.event == 'Paid' ? 'Payment' : self.event in ['Refunded', 'PartlyRefunded'] ? 'Refund' : 'Notice') == self.type").message("`event` must be one of its type: `Paid` of a Payment, `Refunded` and `PartlyRefunded` of a Refund, the others of a Notice"))]
#[x_kube(validation = Rule::new("self.type != 'Notice' || (has(self.event) && self.provider != 'Manual')").message("a Notice is what a payment provider told, and must say it in `event`"))]
pub struct PaymentReceiptSpec {
    /// What happened: `Payment`, money came in or the platform approves as if it had; `Refund`, money went back;
    /// `Notice`, the provider told of something by which no money moved.
    #[serde(rename = "type")]
    pub type_: ReceiptType,
    /// Who says so: `Stripe`, `PayApp`, or `Manual`, a person of the platform.
    pub provider: Provider,
    /// The provider's id of the payment; for `Manual` the platform's own reference.
    #[serde(rename = "providerID")]
    #[schemars(length(min = 1, max = 255))]
    pub provider_id: String,
    /// UID of the order that it is for.
    #[serde(rename = "orderUID")]
    #[schemars(length(min = 1, max = 64))]
    pub order_uid: String,
    /// Amount in the currency's smallest unit.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub amount: i64,
    /// ISO 4217 code of the currency.
    #[schemars(length(min = 3, max = 3), regex(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
    /// For a payment: the time that it pays for. Left out: one interval of the Plan, from the end of what is paid for
    /// already, or from the receipt's creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// For a refund: `providerID` of the payment that it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub refunds: Option<String>,
    /// For `Manual`: who approved it, when and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub note: Option<String>,
    /// What exactly the provider told. Left out: `Paid` of a Payment, `Refunded` of a Refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<ReceiptEvent>,
    /// The order's attempt to be paid that the provider named, as the provider knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub attempt: Option<String>,
    /// The provider's id of the subscription that it belongs to: Stripe's `sub_…`, PayApp's `rebill_no`.
    #[serde(rename = "subscriptionID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub subscription_id: Option<String>,
    /// When the money moved, as the provider says. Left out: when the receipt was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    pub pay_time: Option<Timestamp>,
    /// What is wrong with it. One with a flag pays for nothing, and a person has to look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub flags: Vec<ReceiptFlag>,
}

/// What a provider told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum ReceiptEvent {
    /// Money came in.
    Paid,
    /// A payment went back, all of it.
    Refunded,
    /// A part of a payment went back.
    PartlyRefunded,
    /// The customer was given an account to pay to.
    AwaitingDeposit,
    /// The request to pay was withdrawn before anybody paid.
    RequestCancelled,
    /// The next payment of a subscription failed.
    RenewalFailed,
}

/// What is wrong with a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum ReceiptFlag {
    /// The amount isn't the one that was asked for.
    AmountMismatch,
    /// It names an attempt, or carries a number, that the order doesn't know.
    UnknownAttempt,
    /// What it pays for was paid already when it came.
    Duplicate,
    /// It names an order of which nothing is recorded any more, or never was.
    UnknownOrder,
    /// It came when nothing was to be paid any more: the order was deleted, or is over.
    FundsNothing,
}

/// A time that is paid for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.start < self.end").message("`start` must be before `end`"))]
pub struct Period {
    /// Its first moment.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub start: Timestamp,
    /// The moment at which it is over.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub end: Timestamp,
}

/// What a receipt records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ReceiptType {
    /// Money came in, or the platform approves as if it had.
    Payment,
    /// Money went back.
    Refund,
    /// A provider told of something by which no money moved.
    Notice,
}

impl ReceiptEvent {
    /// The type of a receipt that records it.
    pub const fn receipt_type(self) -> ReceiptType {
        match self {
            Self::Paid => ReceiptType::Payment,
            Self::Refunded | Self::PartlyRefunded => ReceiptType::Refund,
            Self::AwaitingDeposit | Self::RequestCancelled | Self::RenewalFailed => ReceiptType::Notice,
        }
    }
}

/// Who took the payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Provider {
    /// Stripe.
    Stripe,
    /// PayApp.
    PayApp,
    /// A person of the platform.
    Manual,
}

impl Provider {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stripe => "Stripe",
            Self::PayApp => "PayApp",
            Self::Manual => "Manual",
        }
    }
}
