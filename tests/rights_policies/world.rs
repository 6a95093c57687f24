//! One cluster with the policies in force, the people in it, and what they try.
//!
//! What is tried is a server-side dry run, which passes every admission policy and changes nothing, so that the
//! cases don't depend on each other.

use std::time::Duration;

use anyhow::{Result, ensure};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, TypeMeta,
};
use kube::core::GroupVersionKind;
use kube::{Client, Error};
use moorage::rights::{Installation, Platform, yaml};
use serde_json::{Value, json};
use testbed::{ControlPlane, Identity, apply, eventually};
use tokio::sync::OnceCell;

/// Who tries. All but the tenant and the helper hold every right, so that what stops them is a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The operator's ServiceAccount.
    Operator,
    /// On the platform's list by name.
    PlatformUser,
    /// On the platform's list by group.
    PlatformGroup,
    /// On the platform's list, with the right to write and without the verbs `confirm` and `resolve`.
    Helper,
    /// `*` on `*` in the namespace `acme`, and nothing else.
    Tenant,
    /// Bound to `cluster-admin`, and not on the list.
    ClusterAdmin,
    /// Member of `system:masters`, which isn't on this installation's list.
    Masters,
}

/// Everybody who is refused although they hold the right.
pub const OUTSIDERS: [Who; 2] = [Who::ClusterAdmin, Who::Masters];
/// Both ways of being on the list.
pub const PLATFORM: [Who; 2] = [Who::PlatformUser, Who::PlatformGroup];

impl Who {
    fn identity(self) -> Identity {
        match self {
            Self::Operator => Identity::service_account("moorage-system", "moorage"),
            Self::PlatformUser => Identity::user("paula", &[]),
            Self::PlatformGroup => Identity::user("pat", &["platform-team"]),
            Self::Helper => Identity::user("hana", &[]),
            Self::Tenant => Identity::user("tess", &[]),
            Self::ClusterAdmin => Identity::user("adam", &[]),
            Self::Masters => Identity::Admin,
        }
    }

    pub async fn client(self) -> Client {
        cluster().await.client(&self.identity()).await.unwrap()
    }
}

/// What is tried.
#[derive(Clone, Debug)]
pub enum Try {
    Create(Value),
    /// A merge patch of the object of this name.
    Change(&'static str, Value),
    /// A merge patch of a subresource of the object of this name.
    ChangeSub(&'static str, &'static str, Value),
    /// The whole object, read, changed at this pointer and put back.
    Replace(&'static str, &'static str, Value),
    Delete(&'static str),
    DeleteAll,
}

/// How it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// Refused by the policy of this name.
    Policy(String),
    /// Refused by RBAC.
    Rights,
    /// Refused for another reason, which no case expects.
    Other(String),
}

/// A kind, in a namespace if it has one.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub api_version: &'static str,
    pub name: &'static str,
    pub plural: &'static str,
    pub namespace: Option<&'static str>,
}

pub const fn moorage(name: &'static str, plural: &'static str) -> Kind {
    Kind { api_version: "moorage.dev/v1alpha1", name, plural, namespace: None }
}

pub fn policy(name: &str) -> Verdict {
    Verdict::Policy(name.to_owned())
}

impl Kind {
    pub fn api(&self, client: Client) -> Api<DynamicObject> {
        let types = TypeMeta { api_version: self.api_version.into(), kind: self.name.into() };
        let gvk = GroupVersionKind::try_from(&types).unwrap();
        let resource = ApiResource::from_gvk_with_plural(&gvk, self.plural);
        match self.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        }
    }

    /// An object of this kind.
    pub fn object(&self, name: &str, spec: &Value) -> Value {
        json!({"apiVersion": self.api_version, "kind": self.name,
            "metadata": {"name": name, "namespace": self.namespace}, "spec": spec})
    }

    /// Tries something without changing anything.
    pub async fn attempt(&self, who: Who, what: &Try) -> Verdict {
        let api = self.api(who.client().await);
        let patch = PatchParams { dry_run: true, ..PatchParams::default() };
        let post = PostParams { dry_run: true, ..PostParams::default() };
        let delete = DeleteParams::default().dry_run();
        let outcome = match what {
            Try::Create(object) => {
                let object = serde_json::from_value(object.clone()).unwrap();
                api.create(&post, &object).await.map(drop)
            }
            Try::Change(name, change) => api.patch(name, &patch, &Patch::Merge(change)).await.map(drop),
            Try::ChangeSub(name, sub, change) => {
                api.patch_subresource(sub, name, &patch, &Patch::Merge(change)).await.map(drop)
            }
            Try::Replace(name, pointer, value) => replace(&api, name, &post, pointer, value).await,
            Try::Delete(name) => api.delete(name, &delete).await.map(drop),
            Try::DeleteAll => api.delete_collection(&delete, &ListParams::default()).await.map(drop),
        };
        verdict(outcome)
    }

    /// Each of `who` tries, and each must end like this.
    pub async fn expect(&self, who: &[Who], what: Try, expected: &Verdict) {
        for one in who {
            let seen = self.attempt(*one, &what).await;
            assert_eq!(&seen, expected, "{one:?} tries {what:?} on {}", self.plural);
        }
    }
}

async fn replace(
    api: &Api<DynamicObject>,
    name: &str,
    post: &PostParams,
    pointer: &str,
    value: &Value,
) -> kube::Result<()> {
    let mut object = serde_json::to_value(api.get(name).await?).unwrap();
    *object.pointer_mut(pointer).unwrap() = value.clone();
    let object = serde_json::from_value(object).unwrap();
    api.replace(name, post, &object).await.map(drop)
}

pub fn verdict(outcome: kube::Result<()>) -> Verdict {
    let error = match outcome {
        Ok(()) => return Verdict::Allowed,
        Err(Error::Api(status)) if status.code == 403 => status.message.clone(),
        Err(error) => return Verdict::Other(error.to_string()),
    };
    match error.split_once("ValidatingAdmissionPolicy '").and_then(|(_, rest)| rest.split_once('\'')) {
        Some((name, _)) => Verdict::Policy(name.to_owned()),
        None => Verdict::Rights,
    }
}

/// The cluster that all tests of this program share.
pub async fn cluster() -> &'static ControlPlane {
    static READY: OnceCell<()> = OnceCell::const_new();
    let cluster = ControlPlane::shared().await.unwrap();
    READY.get_or_init(|| async { prepare(cluster).await.unwrap() }).await;
    cluster
}

/// Objects first, since the one who makes them isn't on the list; then rights and policies.
async fn prepare(cluster: &ControlPlane) -> Result<()> {
    let admin = cluster.client(&Identity::Admin).await?;
    apply(&admin, include_str!("objects.yaml")).await?;
    let platform =
        Platform { users: vec!["paula".into(), "hana".into()], groups: vec!["platform-team".into()] };
    let installation = Installation { platform, ..Installation::default() };
    let manifests = yaml(&installation).map_err(|error| anyhow::anyhow!("{error}"))?;
    apply(&admin, &manifests).await?;
    for (kind, what, policy) in in_force() {
        eventually(&format!("{policy} in force"), Duration::from_secs(20), async || {
            let api = kind.api(admin.clone());
            let patch = PatchParams { dry_run: true, ..PatchParams::default() };
            let outcome = match &what {
                Try::Change(name, change) => api.patch(name, &patch, &Patch::Merge(change)).await.map(drop),
                Try::Delete(name) => api.delete(name, &DeleteParams::default().dry_run()).await.map(drop),
                Try::Create(object) => {
                    let post = PostParams { dry_run: true, ..PostParams::default() };
                    api.create(&post, &serde_json::from_value(object.clone())?).await.map(drop)
                }
                _ => Ok(()),
            };
            let seen = verdict(outcome);
            ensure!(seen == Verdict::Policy(policy.to_owned()), "{seen:?}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// For each policy something that it refuses to the administrator: a policy is in force a moment after it is made.
fn in_force() -> Vec<(Kind, Try, &'static str)> {
    let note = json!({"metadata": {"annotations": {"note": "x"}}});
    let label = json!({"metadata": {"labels": {"policy.moorage.dev/tier": "none"}}});
    let task = super::runtime_tasks::TASKS;
    vec![
        (moorage("NameClaim", "nameclaims"), Try::Change("label.acme", note.clone()), "moorage-nameclaims"),
        (super::payment_receipts::RECEIPTS, Try::Delete("stripe-1"), "moorage-paymentreceipts"),
        (moorage("Plan", "plans"), Try::Change("small", note), "moorage-catalog"),
        (super::namespace_labels::NAMESPACES, Try::Change("acme", label), "moorage-namespace-labels"),
        (task, Try::Create(super::runtime_tasks::task("probe")), "moorage-runtimetasks"),
        (super::definitions::CRDS, Try::Delete("plans.moorage.dev"), "moorage-definitions"),
    ]
}
