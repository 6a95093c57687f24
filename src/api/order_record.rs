//! What is recorded of an order on its claim: price, what it funds, and where that stands. Decisions about money are
//! made from this and from PaymentReceipts, never from an order's status.

use jiff::Timestamp;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::name_claim::PinnedPlan;
use super::payment_receipt::Provider;
use super::plan::Interval;
use super::runtime_order::{FundingPhase, PaymentMode};

/// What is recorded of an order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderRecord {
    /// UID of the first order of this name: receipts and the provider know the order by it, also after a restore.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("must not change: receipts and the provider know the order by it"))]
    pub uid: String,
    /// Who takes the payment.
    pub provider: Provider,
    /// Whether it is paid once or again and again.
    pub mode: PaymentMode,
    /// What is bought, as the Plan had it.
    pub price: Price,
    /// The Runtime that it funds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funds: Option<FundedRuntime>,
    /// Where the funding stands.
    #[serde(default)]
    pub phase: FundingPhase,
    /// Until when it is paid.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_until: Option<Timestamp>,
    /// When the Runtime that it funded was seen to be gone: it is never made again.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_gone_time: Option<Timestamp>,
}

/// What is bought, as the Plan had it. It holds whatever becomes of the Plan.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// Size.
    pub plan: PinnedPlan,
    /// Price for one interval, in the currency's smallest unit.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub amount: i64,
    /// ISO 4217 code of the currency.
    #[schemars(length(min = 3, max = 3), regex(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
    /// How often it is due.
    pub interval: Interval,
}

/// A Runtime that an order funds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct FundedRuntime {
    /// Its name, in the order's namespace.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
    /// Its UID, once it exists.
    #[schemars(length(min = 1, max = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}
