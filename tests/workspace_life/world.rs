//! A rig for the whole file, and short ways to say things to its API server.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::TypeMeta;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use testbed::{Rig, RigOptions, api_for, apply, condition_is, eventually};
use tokio::sync::OnceCell;

/// Longer than anything here takes on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The rig with short pauses, so that slow looks are quick here.
pub async fn rig() -> &'static Rig {
    static RIG: OnceCell<Rig> = OnceCell::const_new();
    let start = async || {
        let config = vec![
            ("/timing/slowRetrySeconds", json!(3)),
            ("/timing/tombstoneSeconds", json!(4)),
            ("/timing/absenceGraceSeconds", json!(1)),
            // Tests delete many at once; those of the brake set their own limits.
            ("/deletionBrake/windowMinutes", json!(0)),
            ("/timing/feedSeconds", json!(1)),
        ];
        Rig::start(RigOptions { config, ..RigOptions::default() }).await
    };
    RIG.get_or_try_init(start).await.unwrap()
}

/// One namespace with short ways to its objects.
pub struct World {
    pub client: Client,
    pub namespace: String,
}

impl World {
    /// A new namespace, whose policy allows the free Plan.
    pub async fn new(namespace: &str) -> Self {
        let client = rig().await.client().await.unwrap();
        let world = Self { client, namespace: namespace.to_owned() };
        world.apply(&format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}")).await;
        world.policy("allowedPlans: [openclaw-trial]").await;
        world
    }

    /// The namespace's policy, with these fields.
    pub async fn policy(&self, fields: &str) {
        let name = &self.namespace;
        self.apply(&format!(
            "{{apiVersion: moorage.dev/v1alpha1, kind: WorkspacePolicy, metadata: {{name: {name}}}, \
             spec: {{selector: {{namespaces: [{name}]}}, {fields}}}}}"
        ))
        .await;
    }

    pub async fn apply(&self, yaml: &str) {
        apply(&self.client, yaml).await.unwrap();
    }

    /// A Workspace with this subdomain and these further fields.
    pub async fn workspace(&self, name: &str, subdomain: &str, fields: &str) {
        let namespace = &self.namespace;
        self.apply(&format!(
            "{{apiVersion: moorage.dev/v1alpha1, kind: Workspace, metadata: {{name: {name}, namespace: {namespace}}}, \
             spec: {{displayName: {name}, subdomain: {subdomain}, defaultPlanRef: {{name: openclaw-trial}}, \
             defaultRegion: fra, {fields}}}}}"
        ))
        .await;
    }

    /// A Runtime with this deletion policy.
    pub async fn runtime(&self, name: &str) {
        let namespace = &self.namespace;
        self.apply(&format!(
            "{{apiVersion: moorage.dev/v1alpha1, kind: Runtime, metadata: {{name: {name}, namespace: {namespace}}}, \
             spec: {{deletionPolicy: Delete}}}}"
        ))
        .await;
    }

    pub async fn api(&self, kind: &str) -> Api<DynamicObject> {
        let api_version = match kind {
            "Namespace" | "ServiceAccount" => "v1",
            "RoleBinding" => "rbac.authorization.k8s.io/v1",
            _ => "moorage.dev/v1alpha1",
        };
        let types = TypeMeta { api_version: api_version.into(), kind: kind.into() };
        api_for(&self.client, &types, Some(&self.namespace)).await.unwrap()
    }

    pub async fn get(&self, kind: &str, name: &str) -> Result<Value> {
        Ok(serde_json::to_value(self.api(kind).await.get(name).await?)?)
    }

    pub async fn patch(&self, kind: &str, name: &str, patch: Value) {
        let params = PatchParams::default();
        self.api(kind).await.patch(name, &params, &Patch::Merge(&patch)).await.unwrap();
    }

    pub async fn delete(&self, kind: &str, name: &str) {
        self.api(kind).await.delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until the object's state is this word.
    pub async fn state(&self, kind: &str, name: &str, state: &str) -> Value {
        self.until(kind, name, &format!("be {state}"), |object| object["status"]["state"] == state).await
    }

    /// Waits until `Ready` has this reason.
    pub async fn reason(&self, kind: &str, name: &str, reason: &str) -> Value {
        self.until(kind, name, &format!("be Ready because of {reason}"), |object| {
            condition(object, "Ready")["reason"] == reason
        })
        .await
    }

    pub async fn until(&self, kind: &str, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("{kind} {name} to {what}"), PATIENCE, async || {
            let object = self.get(kind, name).await?;
            if holds(&object) { Ok(object) } else { bail!("it is {:#}", object["status"]) }
        })
        .await
        .unwrap()
    }

    /// Waits until the object is gone.
    pub async fn gone(&self, kind: &str, name: &str) {
        eventually(&format!("{kind} {name} to go"), PATIENCE, async || {
            match self.api(kind).await.get_opt(name).await? {
                None => Ok(()),
                Some(object) => bail!("it is there: {:#}", object.data["status"]),
            }
        })
        .await
        .unwrap();
    }

    /// The namespace's objects keep the contract of conditions, and no right was refused. Other tests may have
    /// made a policy just now, so that this is asked again for a moment.
    pub async fn at_rest(&self) {
        eventually("no problems", Duration::from_secs(5), async || {
            let problems = rig().await.problems(&[&self.namespace], None).await?;
            if problems.is_empty() { Ok(()) } else { bail!("{problems:#?}") }
        })
        .await
        .unwrap();
    }

    pub async fn uid(&self, kind: &str, name: &str) -> String {
        self.api(kind).await.get(name).await.unwrap().uid().context("no uid").unwrap()
    }
}

/// One condition of an object.
pub fn condition<'o>(object: &'o Value, kind: &str) -> &'o Value {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions.and_then(|all| all.iter().find(|one| one["type"] == kind)).unwrap_or(&Value::Null)
}

pub fn is_ready(object: &Value) -> bool {
    condition_is(object, "Ready", "True")
}
