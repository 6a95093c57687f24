//! A customer: a namespace with Runtimes and hostnames, and somebody who sets records.

use anyhow::{Context, Result, ensure};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use moorage::api::{CustomDomain, NameClaim, Workspace};
use serde_json::{Value, json};
use testbed::{Moment, RecordSet, check_conditions, condition_is, eventually};

use super::Scene;
use crate::support::{SOON, Tenant, condition, merge, text};

/// A customer.
pub struct Customer<'s> {
    pub scene: &'s Scene,
    pub tenant: Tenant<'s>,
}

impl<'s> Customer<'s> {
    /// Makes the namespace and its Workspace.
    pub async fn new(scene: &'s Scene, namespace: &str) -> Result<Self> {
        let tenant = Tenant::new(&scene.rig.cluster, &scene.rig.fly, namespace).await?;
        let spec = json!({"displayName": namespace, "subdomain": namespace, "members": []});
        tenant.apply("moorage.dev/v1alpha1", "Workspace", "team", json!({"spec": spec})).await?;
        let workspaces: Api<Workspace> = Api::namespaced(tenant.client.clone(), namespace);
        eventually(&format!("the Workspace of {namespace}"), SOON, async || {
            let object = serde_json::to_value(workspaces.get("team").await?)?;
            ensure!(condition_is(&object, "Ready", "True"), "{}", object["status"]);
            Ok(())
        })
        .await?;
        Ok(Self { scene, tenant })
    }

    /// Declares a Runtime, and waits until it serves.
    pub async fn runtime(&self, name: &str) -> Result<Value> {
        self.tenant.declare(name, json!({})).await?;
        self.tenant.wait_ready(name, "running").await
    }

    /// Declares a hostname for the Runtime of this name, with `more` in its spec.
    pub async fn declare(&self, name: &str, host: &str, runtime: &str, more: Value) -> Result<()> {
        let mut spec = json!({"hostname": host, "runtimeRef": {"name": runtime}});
        merge(&mut spec, more);
        self.tenant.apply("moorage.dev/v1alpha1", "CustomDomain", name, json!({"spec": spec})).await
    }

    pub fn domains(&self) -> Api<CustomDomain> {
        Api::namespaced(self.tenant.client.clone(), &self.tenant.namespace)
    }

    /// A CustomDomain as JSON.
    pub async fn get(&self, name: &str) -> Result<Value> {
        let found = self.domains().get(name).await.with_context(|| format!("get {name}"))?;
        Ok(serde_json::to_value(found)?)
    }

    /// A merge patch of one.
    pub async fn patch(&self, name: &str, change: Value) -> Result<()> {
        let patch = self.domains().patch(name, &PatchParams::default(), &Patch::Merge(change)).await;
        patch.map(drop).with_context(|| format!("patch {name}"))
    }

    /// Waits until it is as `is` wants it.
    pub async fn wait(&self, name: &str, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
        eventually(&format!("{}/{name}: {what}", self.tenant.namespace), SOON, async || {
            let object = self.get(name).await?;
            ensure!(is(&object), "{}", object["status"]);
            Ok(object)
        })
        .await
    }

    /// Waits until it is in this state, told of its newest spec, with sound conditions.
    pub async fn wait_state(&self, name: &str, state: &str) -> Result<Value> {
        let object = self
            .wait(name, state, |object| {
                object["status"]["state"] == state
                    && object["status"]["observedGeneration"] == object["metadata"]["generation"]
            })
            .await?;
        let problems = check_conditions(&object, Moment::AtRest);
        ensure!(problems.is_empty(), "{problems:?} in {}", object["status"]);
        Ok(object)
    }

    /// Waits until it serves.
    pub async fn wait_active(&self, name: &str) -> Result<Value> {
        let object = self.wait_state(name, "active").await?;
        ensure!(condition_is(&object, "Ready", "True"), "{}", object["status"]);
        Ok(object)
    }

    /// Waits until a condition has this reason.
    pub async fn wait_reason(&self, name: &str, kind: &str, reason: &str) -> Result<Value> {
        self.wait(name, reason, |object| text(&condition(object, kind), "/reason") == reason).await
    }

    /// Waits until records are listed of these purposes.
    pub async fn listed(&self, name: &str, purposes: &[&str]) -> Result<Vec<Value>> {
        let object = self
            .wait(name, "its records", |object| {
                purposes.iter().all(|purpose| record(object, purpose).is_some())
            })
            .await?;
        Ok(object["status"]["records"].as_array().cloned().unwrap_or_default())
    }

    /// Sets every record that is listed.
    pub async fn set_listed(&self, name: &str, purposes: &[&str]) -> Result<()> {
        let records = self.listed(name, purposes).await?;
        self.set(&records).await
    }

    /// Does what the portal says until it serves: sets whatever is listed and isn't found.
    pub async fn follow(&self, name: &str) -> Result<Value> {
        let what = format!("{}/{name} serves", self.tenant.namespace);
        eventually(&what, SOON, async || {
            let object = self.get(name).await?;
            let all = object.pointer("/status/records").and_then(Value::as_array).cloned();
            let open: Vec<Value> =
                all.unwrap_or_default().into_iter().filter(|it| it["state"] != "Found").collect();
            self.set(&open).await?;
            ensure!(object["status"]["state"] == "active", "{}", object["status"]);
            Ok(())
        })
        .await?;
        self.wait_active(name).await
    }

    /// Sets these records.
    async fn set(&self, records: &[Value]) -> Result<()> {
        let mut sets: Vec<RecordSet> = Vec::new();
        for record in records {
            let (at, kind, value) = (text(record, "/name"), text(record, "/type"), text(record, "/value"));
            match sets.iter_mut().find(|set| set.name == at && set.kind == kind) {
                Some(set) => set.values.push(value.to_owned()),
                None => sets.push(RecordSet::new(at, kind, &[value])),
            }
        }
        self.scene.set(&sets).await
    }

    /// Removes every record that was listed.
    pub async fn unset_listed(&self, object: &Value) -> Result<()> {
        let records = object["status"]["records"].as_array().cloned().unwrap_or_default();
        let sets: Vec<RecordSet> =
            records.iter().map(|it| RecordSet::new(text(it, "/name"), text(it, "/type"), &[])).collect();
        self.scene.set(&sets).await
    }

    /// Asks for its deletion.
    pub async fn delete(&self, name: &str) -> Result<()> {
        self.domains().delete(name, &DeleteParams::default()).await.map(drop)?;
        Ok(())
    }

    /// Waits until the object has gone.
    pub async fn wait_gone(&self, name: &str) -> Result<()> {
        eventually(&format!("{}/{name} gone", self.tenant.namespace), SOON, async || {
            let found = self.domains().get_opt(name).await?;
            ensure!(found.is_none(), "{}", serde_json::to_string(&found.and_then(|it| it.status))?);
            Ok(())
        })
        .await
    }

    /// The claim on a hostname, if there is one.
    pub async fn claim(&self, host: &str) -> Result<Option<Value>> {
        let claims: Api<NameClaim> = Api::all(self.tenant.client.clone());
        let found = claims.get_opt(&NameClaim::hostname_key(host)).await?;
        Ok(found.map(serde_json::to_value).transpose()?)
    }
}

/// The first record of a purpose that is listed.
pub fn record(object: &Value, purpose: &str) -> Option<Value> {
    let all = object.pointer("/status/records").and_then(Value::as_array)?;
    all.iter().find(|record| record["purpose"] == purpose).cloned()
}

/// A condition's status and reason.
pub fn condition_of(object: &Value, kind: &str) -> (String, String) {
    let condition = condition(object, kind);
    (text(&condition, "/status").to_owned(), text(&condition, "/reason").to_owned())
}
