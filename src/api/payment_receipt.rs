//! PaymentReceipt: one payment, refund or manual approval. Append-only.

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
pub struct PaymentReceiptSpec {
    /// What happened: `Payment`, money came in or the platform approves as if it had; `Refund`, money went back.
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
}

/// What a receipt records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ReceiptType {
    /// Money came in, or the platform approves as if it had.
    Payment,
    /// Money went back.
    Refund,
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
