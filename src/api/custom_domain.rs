//! CustomDomain: a hostname of the customer's, bound to a Runtime, with its certificate.

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Conditions;
use super::refs::NameRef;
use super::state::DomainState;

/// Most records that a customer has to set for one hostname.
pub const MAX_RECORDS: usize = 8;

/// A hostname of the customer's.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "moorage.dev",
    version = "v1alpha1",
    kind = "CustomDomain",
    plural = "customdomains",
    shortname = "mdom",
    category = "moorage",
    namespaced,
    status = "CustomDomainStatus",
    derive = "PartialEq",
    doc = "A hostname of the customer's, bound to a Runtime: who owns it, whether DNS leads here, and its certificate. Its status lists the records that the customer has to set.",
    selectable = ".status.state",
    selectable = ".spec.hostname",
    printcolumn(
        name = "Hostname",
        type_ = "string",
        json_path = ".spec.hostname",
        description = "The customer's hostname."
    ),
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
        description = "Whether the Runtime serves at it, with a certificate."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is as it is."
    ),
    printcolumn(
        name = "Runtime",
        type_ = "string",
        json_path = ".spec.runtimeRef.name",
        description = "The Runtime that serves at it.",
        priority = "1"
    ),
    printcolumn(
        name = "Certificate",
        type_ = "string",
        json_path = ".spec.certificate.source",
        description = "Where its certificate comes from.",
        priority = "1"
    ),
    printcolumn(
        name = "Expires",
        type_ = "string",
        json_path = ".status.certificate.expireTime",
        description = "Until when its certificate is good.",
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
pub struct CustomDomainSpec {
    /// The Runtime that serves at it.
    pub runtime_ref: NameRef,
    /// The hostname, such as `ai.example.com`, or `*.example.com` for every name one label below. Letters of other
    /// scripts may be written as they are; `status.hostname` has it as DNS knows it.
    #[schemars(length(min = 3, max = 254))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("must not change: another hostname is another CustomDomain"))]
    #[x_kube(validation = Rule::new("!isIP(self)").message("must be a hostname, not an IP address"))]
    #[x_kube(validation = Rule::new("self.matches('[^.][.][^.]')").message("must be a full name of at least two labels, such as `ai.example.com`"))]
    #[x_kube(validation = Rule::new("!self.contains('*') || (self.startsWith('*.') && self.lastIndexOf('*') == 0)").message("must have a `*` as its whole first label only, such as `*.example.com`"))]
    #[x_kube(validation = Rule::new("!self.matches('[ /:@?#%_\\\\\\\\]')").message("must be a hostname alone, without scheme, port, path or `_`"))]
    pub hostname: String,
    /// Where its certificate comes from.
    #[serde(default)]
    pub certificate: CertificateSpec,
}

/// Where a certificate comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.source == 'Secret') == has(self.secretRef)").message("must have `secretRef` with source Secret, and with no other"))]
#[x_kube(validation = Rule::new("self.source == 'ACME' || !has(self.challenge)").message("must have `challenge` with source ACME only"))]
pub struct CertificateSpec {
    /// `Fly` has it issued and renewed; `ACME`: the operator orders it from the platform's certificate authority; `Secret`:
    /// you, or cert-manager, keep it in a Secret.
    #[serde(default)]
    pub source: CertificateSource,
    /// For source Secret: a Secret of type `kubernetes.io/tls` in this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretName>,
    /// For source ACME: how the certificate authority is shown that the name is yours. `DNS01` if left out; `HTTP01` only
    /// where the platform has an ingress for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Challenge>,
}

/// Where a certificate comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum CertificateSource {
    /// Fly has it issued, and renews it.
    #[default]
    Fly,
    /// The operator orders it, and renews it.
    #[serde(rename = "ACME")]
    Acme,
    /// Somebody else keeps it in a Secret.
    Secret,
}

/// How a certificate authority is shown that a name is its owner's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Challenge {
    /// By a text in DNS, which the operator sets once `_acme-challenge` leads into the platform's zone.
    #[default]
    #[serde(rename = "DNS01")]
    Dns01,
    /// By an answer of the platform's ingress, to which the name has to lead.
    #[serde(rename = "HTTP01")]
    Http01,
}

/// Names a Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretName {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
}

/// What is observed of a hostname.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomDomainStatus {
    /// Generation that was last brought to an end; -1 before the first visit.
    #[schemars(range(min = -1))]
    #[serde(default)]
    pub observed_generation: i64,
    /// Where it stands, in the portal's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DomainState>,
    /// The hostname as DNS knows it.
    #[schemars(length(min = 1, max = 253))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Where the Runtime serves at it; there once it does.
    #[schemars(length(min = 1, max = 261))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What the customer has to set in DNS, and keep there.
    #[schemars(length(max = MAX_RECORDS))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordStatus>,
    /// How the name was found to lead here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routed_by: Option<RoutedBy>,
    /// Its certificate, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateStatus>,
    /// When it stops serving, because a record that proves whose it is has gone, or because it leads elsewhere.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_end_time: Option<Timestamp>,
    /// What is known about it. `Ready` says whether the Runtime serves at it; `Reconciling` and `Stalled` are there only
    /// while true.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Conditions,
}

/// A record that the customer has to set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordStatus {
    /// Its type.
    #[serde(rename = "type")]
    pub type_: RecordType,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its value.
    #[schemars(length(min = 1, max = 512))]
    pub value: String,
    /// What it is for.
    pub purpose: RecordPurpose,
    /// Whether it is there.
    pub state: RecordState,
    /// What was found instead.
    #[schemars(length(max = 8), inner(length(max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<String>,
}

/// Type of a record in DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// Another name.
    Cname,
    /// A text.
    Txt,
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
}

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum RecordPurpose {
    /// It shows whose the name is.
    Ownership,
    /// It leads visitors here.
    Routing,
    /// It does both.
    OwnershipAndRouting,
    /// It lets a certificate be issued.
    Certificate,
}

/// Whether a record is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum RecordState {
    /// It wasn't looked for yet.
    Unknown,
    /// It isn't.
    Missing,
    /// Another is there in its place.
    Wrong,
    /// It is.
    Found,
}

/// How a name was found to lead here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum RoutedBy {
    /// By a CNAME to the name that it was given.
    #[serde(rename = "CNAME")]
    Cname,
    /// By its addresses, which are the Runtime's.
    Address,
    /// Through a proxy of the customer's, as Fly's own check found.
    Proxied,
}

/// A certificate in service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateStatus {
    /// Where it comes from.
    pub source: CertificateSource,
    /// Who signed it.
    #[schemars(length(min = 1, max = 128))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Until when it is good.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_time: Option<Timestamp>,
    /// When it is renewed.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal_time: Option<Timestamp>,
    /// Its serial number, in hexadecimal.
    #[schemars(length(min = 1, max = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The Secret that holds it, of type `kubernetes.io/tls`.
    #[schemars(length(min = 1, max = 253))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,
}
