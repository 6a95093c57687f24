//! What is recorded of a hostname on its claim: who proved that it is theirs, where it leads, and its certificate.
//! Decisions about whose a name is are made from this and from DNS, never from a CustomDomain's status.

use jiff::Timestamp;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::custom_domain::CertificateSource;
use super::name_claim::Holder;

/// Most times of each kind that are kept, save those of orders that were placed.
pub const MAX_ORDERS: usize = 16;
/// Most times of orders that were placed that are kept.
pub const MAX_PLACED: usize = 24;

/// A hostname that was proved to be a tenant's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DomainRecord {
    /// Id of the tenant whose it is.
    #[serde(rename = "tenantID")]
    #[schemars(length(min = 8, max = 64))]
    pub tenant_id: String,
    /// How that was shown.
    pub method: OwnershipMethod,
    /// First label of the name in the platform's zone that it leads to.
    #[schemars(length(min = 12, max = 12), regex(pattern = "^[0-9a-f]{12}$"))]
    pub label: String,
    /// When it was shown.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub verify_time: Timestamp,
    /// Since when the record that shows it has been missing.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Timestamp>,
    /// Since when it has led elsewhere, while the record that shows whose it is stands.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub astray_since: Option<Timestamp>,
    /// Another tenant that showed the same, while this one's record is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contest: Option<Contest>,
    /// Where it leads. Recorded before anything is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<RouteRecord>,
    /// The certificate that is in service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateRecord>,
    /// Since when it serves: browsers are let in under it.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_time: Option<Timestamp>,
    /// Orders for certificates, each counted before it is placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering: Option<OrderingRecord>,
}

/// How it was shown whose a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum OwnershipMethod {
    /// By a CNAME to the name that only this tenant was given.
    #[serde(rename = "CNAME")]
    Cname,
    /// By a text that only this tenant was given.
    #[serde(rename = "TXT")]
    Txt,
}

/// Another tenant's claim to a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contest {
    /// Who.
    pub holder: Holder,
    /// Since when its own record has stood while the holder's is missing.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub since: Timestamp,
    /// When it was decided that the name changes hands. From then on nothing is done for the holder but to take away
    /// what stands.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decide_time: Option<Timestamp>,
}

/// Where a hostname leads.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteRecord {
    /// The app at Fly.
    #[schemars(length(min = 1, max = 63))]
    pub app: String,
    /// Addresses that the name in the platform's zone has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 45)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub addresses: Vec<String>,
}

/// A certificate that is in service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateRecord {
    /// Where it came from.
    pub source: CertificateSource,
    /// Names this very certificate, if it is one that was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub fingerprint: Option<String>,
    /// Until when it is good.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub expire_time: Timestamp,
    /// When it is renewed: two thirds of its life, or a moment drawn from what its authority suggests.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal_time: Option<Timestamp>,
    /// Its serial number, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub serial: Option<String>,
    /// Who signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub issuer: Option<String>,
}

/// Orders for certificates of one name, and how they went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderingRecord {
    /// When first certificates were ordered in the last three hours, the newest last; also orders that became none.
    #[schemars(with = "Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>", length(max = MAX_PLACED))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order_times: Vec<Timestamp>,
    /// When first certificates were ordered in the last week, the newest last. An order that ended without one is none of
    /// them.
    #[schemars(with = "Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>", length(max = MAX_ORDERS))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_times: Vec<Timestamp>,
    /// The same of renewals, save those that the authority knew as such.
    #[schemars(with = "Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>", length(max = MAX_ORDERS))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renewal_times: Vec<Timestamp>,
    /// When the authority didn't find a proof in the last week.
    #[schemars(with = "Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>", length(max = MAX_ORDERS))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failure_times: Vec<Timestamp>,
    /// Failures in a row.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 1000))]
    pub failures: i32,
    /// When to try again at the earliest.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_time: Option<Timestamp>,
    /// Generation of the CustomDomain that failed: another is tried at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub generation: Option<i64>,
    /// Why the last one failed, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub reason: Option<String>,
    /// The last failure's cause and remedy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub message: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &i32) -> bool {
    *number == 0
}
