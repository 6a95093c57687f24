//! One customer with one Runtime, seen by its own platform.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client};
use moorage::api::{Runtime, RuntimeTask};
use serde_json::{Value, json};
use testbed::ledger::{Expectation, Intent, changes, check_ledger};
use testbed::{Moment, apply, check_conditions, condition_is, eventually};
use tokio::sync::SemaphorePermit;

use crate::machine::Host;
use crate::platform::{blueprint_name, rig, room};

/// Longest time for one gateway's start. Quiet it takes 11 s; one of two at once on a slow and busy machine was seen to
/// say `ready` after three minutes. How long a start may take is asked elsewhere, of a gateway that is known.
pub const PATIENCE: Duration = Duration::from_mins(8);

/// The one Runtime's name.
const RUNTIME: &str = "ops";

/// A namespace with a Workspace and a Runtime. As long as it lives it takes one gateway's room.
pub struct Customer {
    pub client: Client,
    pub namespace: String,
    _room: SemaphorePermit<'static>,
}

impl Customer {
    /// Declares a customer whose gateway is that of an image tag, and waits until it runs.
    pub async fn running(namespace: &str, tag: &str) -> Result<Self> {
        Self::running_on(namespace, &blueprint_name(tag)).await
    }

    /// Declares a customer whose gateway is that of a Blueprint, and waits until it runs.
    pub async fn running_on(namespace: &str, blueprint: &str) -> Result<Self> {
        let spec = json!({
            "blueprintRef": {"name": blueprint},
            "persona": {"name": "Ada"},
            "env": [{"name": "LLM_MODEL", "value": "claude-sonnet-4-20250514"}],
        });
        let customer = Self::with_workspace(namespace).await?;
        customer.declare(spec).await?;
        customer.reach("running").await?;
        Ok(customer)
    }

    /// A customer who has a Workspace so far.
    pub async fn with_workspace(namespace: &str) -> Result<Self> {
        let room = room().await;
        let client = rig().await.client().await?;
        let manifest = format!(
            "
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}, labels: {{policy.moorage.dev/tier: trial}}}}
---
apiVersion: moorage.dev/v1alpha1
kind: Workspace
metadata: {{name: {namespace}, namespace: {namespace}}}
spec:
  displayName: {namespace}
  subdomain: {namespace}
  defaultPlanRef: {{name: openclaw-trial}}
  defaultRegion: fra
"
        );
        apply(&client, &manifest).await?;
        Ok(Self { client, namespace: namespace.to_owned(), _room: room })
    }

    /// Declares the Runtime.
    pub async fn declare(&self, mut spec: Value) -> Result<()> {
        spec["deletionPolicy"] = json!("Delete");
        let metadata = json!({"name": RUNTIME, "namespace": self.namespace});
        let runtime = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Runtime", "metadata": metadata, "spec": spec});
        apply(&self.client, &runtime.to_string()).await.map(drop)
    }

    /// Asks for an operation, and waits until it has come to an end.
    pub async fn ask(&self, task: &str, operation: &str) -> Result<Value> {
        let metadata = json!({"name": task, "namespace": self.namespace});
        let spec = json!({"runtimeRef": {"name": RUNTIME}, "type": operation});
        let object = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "RuntimeTask", "metadata": metadata, "spec": spec});
        apply(&self.client, &object.to_string()).await?;
        let tasks: Api<RuntimeTask> = Api::namespaced(self.client.clone(), &self.namespace);
        eventually(&format!("{}/{task} to end", self.namespace), PATIENCE * 2, async || {
            let status = serde_json::to_value(tasks.get(task).await?.status)?;
            let ended = ["completed", "failed"].iter().any(|state| status["state"] == *state);
            ensure!(ended, "{status:#}\n{:#}", self.runtime().await?["status"]);
            Ok(status)
        })
        .await
    }

    fn runtimes(&self) -> Api<Runtime> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The Runtime as it is.
    pub async fn runtime(&self) -> Result<Value> {
        Ok(serde_json::to_value(self.runtimes().get(RUNTIME).await?)?)
    }

    /// A merge patch of the Runtime.
    pub async fn patch(&self, patch: Value) -> Result<()> {
        self.runtimes().patch(RUNTIME, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Asks for a restart, under a name that no other request has.
    pub async fn restart(&self, request: &str) -> Result<()> {
        self.patch(json!({"metadata": {"annotations": {"moorage.dev/restarted-at": request}}})).await
    }

    /// Waits until the Runtime is at rest in a state of the portal's that is Ready.
    pub async fn reach(&self, state: &str) -> Result<Value> {
        let what = format!("{}/{RUNTIME}: {state}", self.namespace);
        self.settle(&what, |object| {
            object["status"]["state"] == state && condition_is(object, "Ready", "True")
        })
        .await
    }

    /// Waits until a restart request is carried out and the Runtime runs again.
    pub async fn restarted(&self, request: &str) -> Result<Value> {
        let what = format!("{}/{RUNTIME}: restarted for {request}", self.namespace);
        self.settle(&what, |object| {
            object["status"]["lastHandledRestartAt"] == request
                && object["status"]["state"] == "running"
                && condition_is(object, "Ready", "True")
        })
        .await
    }

    /// Waits until the Runtime is in `error` for this reason.
    pub async fn fails(&self, reason: &str) -> Result<Value> {
        let what = format!("{}/{RUNTIME}: {reason}", self.namespace);
        self.settle(&what, |object| {
            let ready = condition(object, "Ready");
            object["status"]["state"] == "error" && ready["reason"] == reason && ready["status"] == "False"
        })
        .await
    }

    /// Waits until what the Runtime is now holds, for its newest generation, and by the contract of conditions.
    async fn settle(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        let reached = eventually(what, PATIENCE, async || {
            let object = self.runtime().await?;
            let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
            ensure!(current && holds(&object), "{}", object["status"]);
            Ok(object)
        })
        .await;
        let object = match reached {
            Ok(object) => object,
            Err(error) => {
                let console = Host::of(self).await?.last_words().await?;
                bail!("{error:?}\n{console}")
            }
        };
        let broken = check_conditions(&object, Moment::AtRest);
        ensure!(broken.is_empty(), "{broken:?}");
        Ok(object)
    }

    /// The gateway's token, from the Secret that the status names.
    pub async fn token(&self) -> Result<String> {
        let data = self.secrets().get(&self.token_secret().await?).await?.data.unwrap_or_default();
        let token = data.get("token").context("a Secret without the key `token`")?;
        Ok(String::from_utf8(token.0.clone())?)
    }

    /// Deletes the Secret with the gateway's token.
    pub async fn forget_token(&self) -> Result<()> {
        let name = self.token_secret().await?;
        self.secrets().delete(&name, &DeleteParams::default()).await.map(drop).context("delete a Secret")
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn token_secret(&self) -> Result<String> {
        let runtime = self.runtime().await?;
        let name = runtime["status"]["gateway"]["tokenSecretRef"]["name"].as_str();
        name.map(str::to_owned).context("the status names no Secret")
    }

    /// Deletes the Runtime and holds what happened at Fly against it: everything went, in order, and nothing twice.
    pub async fn leave(self) -> Result<()> {
        self.leave_from(&[]).await
    }

    /// The same, of one that had these volumes and Machines before.
    pub async fn leave_from(self, displaced: &[String]) -> Result<()> {
        let app = crate::machine::app(&self.runtime().await?)?;
        self.runtimes().delete(RUNTIME, &DeleteParams::background()).await?;
        eventually("the Runtime to go", PATIENCE, async || {
            let gone = self.runtimes().get_opt(RUNTIME).await?.is_none();
            ensure!(gone, "{:#}", self.runtime().await?["status"]);
            Ok(())
        })
        .await?;
        let mut history = changes(&rig().await.fly.read("ledger").await?)?;
        history.retain(|change| change.app == app);
        let expected = Expectation {
            intents: [(app, Intent::Delete)].into(),
            displaced: displaced.iter().cloned().collect(),
            ..Expectation::default()
        };
        assert_eq!(check_ledger(&history, &expected), [""; 0]);
        Ok(())
    }
}

/// One condition of an object, or null.
pub fn condition<'o>(object: &'o Value, kind: &str) -> &'o Value {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions.and_then(|all| all.iter().find(|one| one["type"] == kind)).unwrap_or(&Value::Null)
}
