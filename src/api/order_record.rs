//! What is recorded of an order on its claim: price, what it funds, and where that stands. Decisions about money are
//! made from this and from PaymentReceipts, never from an order's status.

use jiff::Timestamp;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::name_claim::PinnedPlan;
use super::payment_receipt::Provider;
use super::plan::Interval;
use super::runtime_order::{FundingPhase, PaymentMode};

/// Most tries to be paid for an order at first: each checkout that wasn't paid in time is followed by another, so many
/// times. So many are kept, too.
pub const MAX_ATTEMPTS: usize = 8;
/// The last number of a try that there can be.
pub const LAST_ATTEMPT: u32 = 1000;

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
    /// When it was seen that the money went back for the time that it is now, for which nothing else is paid.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_time: Option<Timestamp>,
    /// Every try to be paid, each stored before its provider is called.
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["number".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<AttemptRecord>,
    /// The provider's id of the customer.
    #[serde(rename = "customerID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub customer_id: Option<String>,
    /// The provider's id of what is paid again and again.
    #[serde(rename = "subscriptionID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub subscription_id: Option<String>,
    /// The ends of subscriptions that the operator asks for, each stored before its provider is called.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["subscriptionID".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endings: Vec<EndingRecord>,
    /// Another Plan that is asked for, stored before its provider is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeRecord>,
    /// What was bought before the last change of the Plan: it funds the earlier size until the new one is in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<FormerPrice>,
    /// When it was seen that the difference for a dearer Plan went back: what was bought before is funded, until the dearer
    /// one's whole price is paid.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference_return_time: Option<Timestamp>,
    /// When a notice of the provider's last asked for the order to be read again. Any replica writes it.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice_time: Option<Timestamp>,
}

/// One try to be paid.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.nonce == oldSelf.nonce && self.idempotencyKey == oldSelf.idempotencyKey").message("`nonce` and `idempotencyKey` must not change: the provider knows the attempt by them"))]
pub struct AttemptRecord {
    /// Its number, from 1.
    #[schemars(with = "i32", range(min = 1, max = 1000))]
    pub number: u32,
    /// A random text that only the operator and the provider know.
    #[schemars(length(min = 1, max = 64))]
    pub nonce: String,
    /// Under which the provider knows the call that opens it, where it knows such keys.
    #[schemars(length(min = 1, max = 255))]
    pub idempotency_key: String,
    /// When it was stored.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub create_time: Timestamp,
    /// Until when it can be paid. Left out: it doesn't end by itself.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_time: Option<Timestamp>,
    /// What it asks for, in the currency's smallest unit.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub amount: i64,
    /// ISO 4217 code of the currency.
    #[schemars(length(min = 3, max = 3), regex(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
    /// How far it is: `Opening`, stored and being opened; `Open`, its provider has it; `Held`, sent, and nobody knows
    /// what came of it, so it is never sent again; `Closed`, nobody can pay it any more; `Expired`, nobody can, and
    /// nobody ever did.
    pub state: AttemptState,
    /// The provider's id of the checkout: a session, a request to pay, or a registration.
    #[serde(rename = "checkoutID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub checkout_id: Option<String>,
    /// Where the customer pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub url: Option<String>,
    /// The provider's id of what is paid again and again, where it is known this early.
    #[serde(rename = "subscriptionID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub subscription_id: Option<String>,
}

/// How far a try to be paid is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum AttemptState {
    /// Stored, and being opened.
    Opening,
    /// Its provider has it.
    Open,
    /// Sent, and nobody knows what came of it: it is never sent again.
    Held,
    /// Nobody can pay it any more.
    Closed,
    /// Nobody can pay it any more, and nobody did: its provider isn't asked about it again.
    Expired,
}

impl AttemptState {
    /// Whether nobody can pay it any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Expired)
    }
}

impl AttemptRecord {
    /// How the provider knows it: another nonce is another attempt, even if a restored cluster counts from 1 again.
    pub fn mark(&self) -> String {
        format!("{}-{}", self.number, self.nonce)
    }
}

/// The end of a subscription, as the operator asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndingRecord {
    /// The provider's id of the subscription.
    #[serde(rename = "subscriptionID")]
    #[schemars(length(min = 1, max = 255))]
    pub subscription_id: String,
    /// When it is to end: `AtPeriodEnd`, when what is paid is used up, or `Now`.
    pub when: EndingTime,
    /// Under which the provider knows the call.
    #[schemars(length(min = 1, max = 255))]
    pub idempotency_key: String,
    /// When the provider agreed.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_time: Option<Timestamp>,
    /// When a provider that can't be asked first refused it, no earlier call having an unknown outcome: it goes on to
    /// collect.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuse_time: Option<Timestamp>,
}

/// A change of the Plan, as the operator asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeRecord {
    /// What is to be bought from now on.
    pub price: Price,
    /// Under which the provider knows the call.
    #[schemars(length(min = 1, max = 255))]
    pub idempotency_key: String,
    /// When the customer's bank declined the difference: nothing has changed, and it is tried again after a day.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decline_time: Option<Timestamp>,
}

/// What was bought before the Plan changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct FormerPrice {
    /// What it was.
    pub price: Price,
    /// When it changed.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub end_time: Timestamp,
}

impl OrderRecord {
    /// The end of a subscription, as it is asked for.
    pub fn ending(&self, subscription: &str) -> Option<&EndingRecord> {
        self.endings.iter().find(|ending| ending.subscription_id == subscription)
    }

    /// Whether an attempt asks for the dearer Plan that is to be bought from now on.
    pub fn is_for_change(&self, attempt: &AttemptRecord) -> bool {
        self.change.as_ref().is_some_and(|change| change.price.asks(attempt.amount, &attempt.currency))
    }

    /// What is bought at the page of an attempt: the dearer Plan, if it asks for that.
    pub fn asked_by(&self, attempt: &AttemptRecord) -> &Price {
        let dearer = self.change.as_ref().filter(|_| self.is_for_change(attempt));
        dearer.map_or(&self.price, |change| &change.price)
    }

    /// Whether what an attempt asks for is bought, is to be bought, or was bought just before. A page that asks for
    /// anything else was withdrawn.
    pub fn still_asks(&self, attempt: &AttemptRecord) -> bool {
        let before = self.former.as_ref().map(|former| &former.price);
        let asks = |price: &Price| price.asks(attempt.amount, &attempt.currency);
        self.is_for_change(attempt) || asks(&self.price) || before.is_some_and(asks)
    }

    /// Whether it funds nothing any more, whatever is paid.
    pub fn is_over(&self) -> bool {
        self.runtime_gone_time.is_some() || self.phase == FundingPhase::Ended
    }

    /// Whether nothing was paid for it, and something may still be.
    pub fn is_open(&self) -> bool {
        let last = self.attempts.iter().map(|attempt| attempt.number).max().unwrap_or_default();
        let spent = usize::try_from(last).is_ok_and(|last| last >= MAX_ATTEMPTS)
            && self.attempts.iter().all(|attempt| attempt.state.is_over());
        self.phase == FundingPhase::Unpaid && !spent
    }

    /// Whether it pays for this size: the one that is bought, or the smaller one before it, until that is changed. Once the
    /// difference went back it pays for the smaller alone.
    pub fn pays_for(&self, plan: &PinnedPlan) -> bool {
        let former = self.former.as_ref().map(|former| &former.price.plan);
        match self.reduced_to() {
            Some(reduced) => reduced == plan,
            None => self.price.plan == *plan || former == Some(plan),
        }
    }

    /// The smaller size that is left of what is bought, once the difference went back.
    pub fn reduced_to(&self) -> Option<&PinnedPlan> {
        let former = self.former.as_ref().filter(|_| self.difference_return_time.is_some());
        former.map(|former| &former.price.plan)
    }
}

/// When a subscription is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
pub enum EndingTime {
    /// When what is paid is used up.
    AtPeriodEnd,
    /// At once.
    Now,
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
    /// What is bought, as the customer reads it. Left out: the Plan's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub title: Option<String>,
}

impl Price {
    /// Whether it is this amount, in the smallest unit of this currency.
    pub fn asks(&self, amount: i64, currency: &str) -> bool {
        self.amount == amount && self.currency == currency
    }
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
