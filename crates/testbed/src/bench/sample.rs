//! What the operator writes for one Runtime, taken from a live one: the raw rate writes the same.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Map, Value, json};

use super::fleet::{claims, create_one, namespace, runtimes_in};
use crate::objects::{condition_is, eventually};

const NAME: &str = "s00000";
const READY_WITHIN: Duration = Duration::from_mins(2);

/// The writes for one Runtime, in its words.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    text: String,
}

/// The writes for one Runtime.
#[derive(Debug, Clone)]
pub(super) struct Writes {
    /// Finalizers of the Runtime.
    pub(super) finalizers: Value,
    /// Its status while it is provisioned, and at the end.
    pub(super) statuses: [Value; 2],
    /// The claim as it is created.
    pub(super) claim: Value,
    /// What is then patched into the claim: volume and Machine.
    pub(super) record: Value,
    /// The token's Secret.
    pub(super) secret: Value,
}

/// Brings one Runtime to Ready and keeps what was written for it.
pub(super) async fn take(client: &Client) -> Result<Sample> {
    let (namespace, api) = (namespace(0), runtimes_in(client, &namespace(0)));
    create_one(client, &namespace, NAME, 0).await?;
    let mut first = Value::Null;
    let runtime = eventually("a first Runtime Ready", READY_WITHIN, async || {
        let seen = api.get(NAME).await?;
        if first.is_null() && seen.data["status"]["external"]["app"].is_string() {
            first = seen.data["status"].clone();
        }
        if condition_is(&seen.data, "Ready", "True") {
            return Ok(seen);
        }
        bail!("{}", seen.data["status"])
    })
    .await?;
    let claim = claim_of(client, &runtime).await?;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let secret = secrets.get(&format!("{NAME}-gateway-token")).await?;
    let mut secret = serde_json::to_value(&secret)?;
    trim(&mut secret);
    let sample = json!({
        "uid": runtime.uid(),
        "finalizers": runtime.finalizers(),
        "first": first,
        "last": runtime.data["status"],
        "claim": {"metadata": {"name": claim.name_any(), "labels": claim.labels()}, "spec": claim.data["spec"]},
        "secret": secret,
    });
    Ok(Sample { text: sample.to_string() })
}

async fn claim_of(client: &Client, runtime: &DynamicObject) -> Result<DynamicObject> {
    let all = claims(client).list(&ListParams::default()).await?;
    let held =
        |claim: &DynamicObject| claim.data["spec"]["holder"]["uid"].as_str() == runtime.uid().as_deref();
    all.items.into_iter().find(held).context("a Runtime that is Ready and holds no claim")
}

/// Leaves what its writer sent.
fn trim(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"] {
            metadata.remove(field);
        }
    }
}

impl Sample {
    /// The same for another Runtime, whose namespace and name are as long.
    pub(super) fn writes(&self, to: &str, name: &str, uid: &str) -> Result<Writes> {
        let taken: Value = serde_json::from_str(&self.text)?;
        let old = taken["uid"].as_str().context("a sample without a uid")?.to_owned();
        let text = self.text.replace(&old, uid).replace(&namespace(0), to).replace(NAME, name);
        let mut new: Map<String, Value> = serde_json::from_str(&text)?;
        let mut part = |key: &str| new.remove(key).with_context(|| format!("a sample without {key}"));
        let claim = part("claim")?;
        let record = json!({"spec": {"runtime": claim["spec"]["runtime"]}});
        let mut created = claim;
        remove(&mut created["spec"]["runtime"], &["volumeID", "region", "machineID"]);
        remove(&mut created["spec"]["runtime"]["pin"], &["imageDigest"]);
        created["apiVersion"] = json!("moorage.dev/v1alpha1");
        created["kind"] = json!("NameClaim");
        Ok(Writes {
            finalizers: part("finalizers")?,
            statuses: [part("first")?, part("last")?],
            claim: created,
            record,
            secret: part("secret")?,
        })
    }
}

fn remove(object: &mut Value, fields: &[&str]) {
    if let Some(object) = object.as_object_mut() {
        object.retain(|key, _| !fields.contains(&key.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_runtime_gets_the_same_writes_in_its_own_names() {
        let pin = json!({"blueprint": "openclaw", "imageDigest": "sha256:1"});
        let runtime = json!({"app": "bench-00-s00000-x", "volumeID": "v", "region": "fra", "machineID": "m",
            "pin": pin});
        let taken = json!({
            "uid": "1f6b-1", "finalizers": ["f"], "first": {"state": "provisioning"}, "last": {"state": "running"},
            "claim": {"metadata": {"name": "label.bench-00-s00000"}, "spec": {"holder": {"uid": "1f6b-1"},
                "runtime": runtime}},
            "secret": {"metadata": {"name": "s00000-gateway-token", "namespace": "bench-00"}},
        });
        let sample = Sample { text: taken.to_string() };
        let writes = sample.writes("bench-07", "x00042", "1f6b-2").unwrap();
        assert_eq!(writes.claim["metadata"]["name"], "label.bench-07-x00042");
        assert_eq!(writes.claim["spec"]["holder"]["uid"], "1f6b-2");
        assert_eq!(writes.secret["metadata"]["namespace"], "bench-07");
        let made = |claim: &Value| {
            let runtime = &claim["spec"]["runtime"];
            [&runtime["volumeID"], &runtime["machineID"], &runtime["pin"]["imageDigest"]]
                .map(Value::is_string)
        };
        assert_eq!(made(&writes.claim), [false; 3]);
        assert_eq!(made(&writes.record), [true; 3]);
    }
}
