//! What a platform puts into a cluster before its customers come: rights, policies, Plans and Blueprints.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use kube::Client;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::{objects, programs, repository};

/// The operator's namespace.
pub const NAMESPACE: &str = "moorage-system";

/// The operator's `ServiceAccount`, which is also the name of its Deployment.
pub const SERVICE_ACCOUNT: &str = "moorage";

/// The operator as the API server names it.
pub const OPERATOR_USER: &str = "system:serviceaccount:moorage-system:moorage";

/// Applies rights and admission policies exactly as `moorage manifests` prints them, with these users added
/// to the platform's list. The CRDs must be there.
pub async fn install_rights(client: &Client, platform_users: &[&str]) -> Result<Vec<DynamicObject>> {
    let users = platform_users.iter().flat_map(|user| ["--platform-user", user]);
    apply_manifests(client, &users.collect::<Vec<_>>()).await
}

/// The same with the Role that is needed only where external-dns keeps records.
pub async fn install_external_dns_rights(client: &Client) -> Result<Vec<DynamicObject>> {
    apply_manifests(client, &["--external-dns"]).await
}

async fn apply_manifests(client: &Client, more: &[&str]) -> Result<Vec<DynamicObject>> {
    let mut command = Command::new(programs::program("moorage")?);
    command.args(["manifests", "--namespace", NAMESPACE]).args(more);
    let output = command.output().context("run `moorage manifests`")?;
    if !output.status.success() {
        bail!("`moorage manifests` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let manifests = String::from_utf8(output.stdout).context("`moorage manifests` printed no text")?;
    objects::apply(client, &manifests).await.context("apply rights and policies")
}

/// Applies the shipped Plans, Blueprint and policies from `examples/platform`.
pub async fn install_catalogue(client: &Client) -> Result<Vec<DynamicObject>> {
    let mut applied = Vec::new();
    for document in read_kustomization(&repository().join("examples/platform"))? {
        applied
            .extend(objects::apply(client, &document.to_string()).await.context("apply examples/platform")?);
    }
    Ok(applied)
}

/// The documents of a folder, in the order of its `kustomization.yaml`.
pub fn read_kustomization(dir: &Path) -> Result<Vec<Value>> {
    let read = |file: &str| {
        let path = dir.join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        objects::documents(&text).with_context(|| format!("in {}", path.display()))
    };
    let mut all = Vec::new();
    for kustomization in read("kustomization.yaml")? {
        let resources = kustomization["resources"].as_array().context("a kustomization without resources")?;
        for file in resources.iter().filter_map(Value::as_str) {
            all.extend(read(file)?);
        }
    }
    Ok(all)
}
