//! Upgrades: to an image that works, and to one whose gateway ends by itself. Each Runtime has a Blueprint, and is
//! upgraded to an image, of its own: what the tag of an image stands for is recorded only when it is seen first.

use anyhow::Result;
use serde_json::json;

use crate::effects::History;
use crate::support::{Tenant, condition};

fn blueprint(tenant: &Tenant<'_>, name: &str) -> String {
    format!("{}-{name}", tenant.namespace)
}

async fn apply(tenant: &Tenant<'_>, name: &str, image: Option<&str>) -> Result<()> {
    let blueprints = tenant.api("moorage.dev/v1alpha1", "Blueprint").await?;
    let mut spec = serde_json::to_value(blueprints.get("openclaw").await?)?["spec"].take();
    if let Some(image) = image {
        spec["image"] = json!(image);
    }
    let manifest = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Blueprint",
        "metadata": {"name": blueprint(tenant, name)}, "spec": spec});
    testbed::apply(&tenant.client, &manifest.to_string()).await.map(drop)
}

/// Declares one with the image as it is shipped.
pub async fn declare(tenant: &Tenant<'_>, name: &str) {
    apply(tenant, name, None).await.unwrap();
    tenant.declare(name, json!({"blueprintRef": {"name": blueprint(tenant, name)}})).await.unwrap();
}

/// Has it upgraded.
pub async fn begin(tenant: &Tenant<'_>, history: History, name: &str) -> Result<()> {
    let image = format!("ghcr.io/openclaw/openclaw:next-{}", tenant.slug(name));
    if history == History::Rollback {
        tenant.fly.world(json!({"kind": "image_failure", "image": image, "how": "exits"})).await?;
    }
    apply(tenant, name, Some(&image)).await?;
    // Asked for before the operator has seen the edit, it would find that nothing is to be done.
    tenant.wait(name, "an update", |object| condition(object, "UpdateAvailable")["status"] == "True").await?;
    tenant.ask(name, "Upgrade").await
}
