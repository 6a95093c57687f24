//! A namespace with Runtimes in it.

use anyhow::{Context, Result, ensure};
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, TypeMeta};
use kube::{Api, Client};
use moorage::api::{NameClaim, Runtime};
use serde_json::{Value, json};
use testbed::ledger::{Change, Expectation, Intent, changes, check_ledger};
use testbed::{
    ControlPlane, FlySim, Identity, Moment, api_for, apply, check_conditions, condition_is, eventually,
};

use super::{Fly, SOON};

/// A tenant's namespace, seen by the administrator.
pub struct Tenant<'r> {
    pub fly: Fly<'r>,
    pub cluster: &'r ControlPlane,
    pub client: Client,
    pub namespace: String,
}

impl<'r> Tenant<'r> {
    /// Makes the namespace, and lets it use the Plan `small`.
    pub async fn new(cluster: &'r ControlPlane, fly: &'r FlySim, namespace: &str) -> Result<Self> {
        let client = cluster.client(&Identity::Admin).await?;
        let labels = json!({"policy.moorage.dev/tier": "test"});
        let manifest = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": namespace, "labels": labels}});
        apply(&client, &manifest.to_string()).await?;
        Ok(Self { fly: Fly(fly), cluster, client, namespace: namespace.to_owned() })
    }

    /// The same namespace, seen by somebody who may do everything in it, and nothing elsewhere.
    pub async fn owner(&self) -> Result<Self> {
        let (namespace, user) = (&self.namespace, format!("{}-owner", self.namespace));
        let group = "rbac.authorization.k8s.io";
        let rules = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
        let role = json!({"apiGroup": group, "kind": "Role", "name": "all"});
        let subjects = json!([{"kind": "User", "name": user, "apiGroup": group}]);
        self.apply("rbac.authorization.k8s.io/v1", "Role", "all", json!({"rules": rules})).await?;
        let binding = json!({"roleRef": role, "subjects": subjects});
        self.apply("rbac.authorization.k8s.io/v1", "RoleBinding", "all", binding).await?;
        let client = self.cluster.client(&Identity::user(&user, &[])).await?;
        Ok(Self { fly: self.fly, cluster: self.cluster, client, namespace: namespace.clone() })
    }

    /// Runtimes of the namespace.
    pub fn runtimes(&self) -> Api<Runtime> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Declares a Runtime whose slug is `{namespace}-{name}`, with `more` in its spec.
    pub async fn declare(&self, name: &str, more: Value) -> Result<()> {
        let mut spec = json!({"planRef": {"name": "small"}, "slug": self.slug(name), "regions": ["fra"]});
        merge(&mut spec, more);
        self.apply("moorage.dev/v1alpha1", "Runtime", name, json!({"spec": spec})).await
    }

    /// The slug of a Runtime of this name.
    pub fn slug(&self, name: &str) -> String {
        format!("{}-{name}", self.namespace)
    }

    /// Applies one object to the namespace.
    pub async fn apply(&self, version: &str, kind: &str, name: &str, more: Value) -> Result<()> {
        let mut object = json!({"apiVersion": version, "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace}});
        merge(&mut object, more);
        apply(&self.client, &object.to_string()).await.map(drop)
    }

    /// A merge patch of a Runtime.
    pub async fn patch(&self, name: &str, change: Value) -> Result<()> {
        let patch = self.runtimes().patch(name, &PatchParams::default(), &Patch::Merge(change)).await;
        patch.map(drop).with_context(|| format!("patch {name}"))
    }

    /// Asks for something by a RuntimeTask of the Runtime's own name.
    pub async fn ask(&self, name: &str, what: &str) -> Result<()> {
        let spec = json!({"runtimeRef": {"name": name}, "type": what});
        self.apply("moorage.dev/v1alpha1", "RuntimeTask", name, json!({"spec": spec})).await
    }

    /// A RuntimeTask as JSON.
    pub async fn task(&self, name: &str) -> Result<Value> {
        let tasks = self.api("moorage.dev/v1alpha1", "RuntimeTask").await?;
        Ok(serde_json::to_value(tasks.get(name).await.with_context(|| format!("get task {name}"))?)?)
    }

    /// Waits until a RuntimeTask is in this state, and its conditions are sound.
    pub async fn wait_task(&self, name: &str, state: &str) -> Result<Value> {
        let what = format!("task {}/{name}: {state}", self.namespace);
        let task = eventually(&what, SOON, async || {
            let task = self.task(name).await?;
            ensure!(task["status"]["state"] == state, "{}", task["status"]);
            Ok(task)
        })
        .await?;
        let problems = check_conditions(&task, Moment::AtRest);
        ensure!(problems.is_empty(), "{problems:?}");
        Ok(task)
    }

    /// Asks for a deletion under a policy.
    pub async fn delete(&self, name: &str, policy: &str) -> Result<()> {
        self.patch(name, json!({"spec": {"deletionPolicy": policy}})).await?;
        self.runtimes().delete(name, &DeleteParams::background()).await?;
        Ok(())
    }

    /// A Runtime as JSON.
    pub async fn get(&self, name: &str) -> Result<Value> {
        let found = self.runtimes().get(name).await.with_context(|| format!("get {name}"))?;
        Ok(serde_json::to_value(found)?)
    }

    /// The names of all Runtimes of the namespace.
    pub async fn names(&self) -> Result<Vec<String>> {
        let all = self.runtimes().list(&ListParams::default()).await?;
        Ok(all.into_iter().filter_map(|runtime| runtime.metadata.name).collect())
    }

    /// An object of any kind in the namespace.
    pub async fn api(&self, version: &str, kind: &str) -> Result<Api<DynamicObject>> {
        let types = TypeMeta { api_version: version.into(), kind: kind.into() };
        api_for(&self.client, &types, Some(&self.namespace)).await
    }

    /// The claim on the slug of a Runtime.
    pub async fn claim(&self, name: &str) -> Result<Value> {
        let claims: Api<NameClaim> = Api::all(self.client.clone());
        Ok(serde_json::to_value(claims.get(&NameClaim::label_key(&self.slug(name))).await?)?)
    }

    /// The name of a Runtime's app, as the claim has it.
    pub async fn app(&self, name: &str) -> Result<String> {
        Ok(text(&self.claim(name).await?, "/spec/runtime/app").to_owned())
    }

    /// Waits until a Runtime is as `is` wants it.
    pub async fn wait(&self, name: &str, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
        eventually(&format!("{}/{name}: {what}", self.namespace), SOON, async || {
            let object = self.get(name).await?;
            ensure!(is(&object), "{}", object["status"]);
            Ok(object)
        })
        .await
    }

    /// Waits until a Runtime is ready, in this state, and its conditions are sound.
    pub async fn wait_ready(&self, name: &str, state: &str) -> Result<Value> {
        let object = self.wait(name, state, |object| is_ready(object, state)).await?;
        let problems = check_conditions(&object, Moment::AtRest);
        ensure!(problems.is_empty(), "{problems:?}");
        Ok(object)
    }

    /// Waits until a Runtime is stalled, or waits for a person, for this reason.
    pub async fn wait_reason(&self, name: &str, wanted: &str) -> Result<Value> {
        // What an edit comes to, and not what stood before it.
        let is_stale = |object: &Value| {
            condition_is(object, "Stalled", "True")
                && object["status"]["observedGeneration"] != object["metadata"]["generation"]
        };
        let object = self.wait(name, wanted, |object| reason(object) == wanted && !is_stale(object)).await?;
        let problems = check_conditions(&object, Moment::AtRest);
        ensure!(problems.is_empty(), "{problems:?}");
        Ok(object)
    }

    /// Waits until the object has gone.
    pub async fn wait_gone(&self, name: &str) -> Result<()> {
        eventually(&format!("{}/{name} gone", self.namespace), SOON, async || {
            let found = self.runtimes().get_opt(name).await?;
            ensure!(found.is_none(), "{}", serde_json::to_string(&found.and_then(|it| it.status))?);
            Ok(())
        })
        .await
    }

    /// What happened at Fly to the apps of this namespace.
    pub async fn changes(&self) -> Result<Vec<Change>> {
        let prefix = format!("{}-", self.namespace);
        let mut all = changes(&self.fly.ledger(0).await?)?;
        all.retain(|change| change.app.starts_with(&prefix));
        Ok(all)
    }

    /// What is wrong with the history of this namespace's apps, given those that stay and what became of others.
    pub async fn problems(&self, kept: &[&str], intents: &[(&str, Intent)]) -> Result<Vec<String>> {
        let mut expected = Expectation::default();
        for name in kept {
            expected.kept.insert(self.app(name).await?);
        }
        for (app, intent) in intents {
            expected.intents.insert((*app).to_owned(), *intent);
        }
        Ok(check_ledger(&self.changes().await?, &expected))
    }
}

/// Whether the newest spec is realised, and the state is this.
pub fn is_ready(object: &Value, state: &str) -> bool {
    object["status"]["state"] == state
        && condition_is(object, "Ready", "True")
        && object["status"]["observedGeneration"] == object["metadata"]["generation"]
}

/// The text at a pointer, empty if there is none.
pub fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A condition of the object, or null.
pub fn condition(object: &Value, kind: &str) -> Value {
    let all = object.pointer("/status/conditions").and_then(Value::as_array);
    let found = all.and_then(|all| all.iter().find(|one| one["type"] == kind));
    found.cloned().unwrap_or_default()
}

/// Why `Ready` is as it is.
pub fn reason(object: &Value) -> String {
    text(&condition(object, "Ready"), "/reason").to_owned()
}

/// What `more` has goes over what `base` has, objects field by field.
pub fn merge(base: &mut Value, more: Value) {
    match (base, more) {
        (Value::Object(fields), Value::Object(more)) => {
            for (name, value) in more {
                merge(fields.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, more) => *base = more,
    }
}
