//! One rig for the whole file, with what the platform sells on it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::TypeMeta;
use kube::{Api, Client};
use moorage::api::{Plan, WorkspacePolicy};
use serde_json::{Value, json};
use testbed::progress::Progress;
use testbed::{
    Driver, FlySimOptions, OPENCLAW_LATEST, OPENCLAW_PREVIOUS, RateLimits, Rig, RigOptions, api_for, apply,
};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

/// The repository of the shipped Blueprint's image.
pub const REPOSITORY: &str = "ghcr.io/openclaw/openclaw";

/// The Plan with more memory and a larger volume.
pub const LARGE: &str = "large";
/// The Plan that has gateways made ahead.
pub const WARM: &str = "warm";

/// Gateways that may run at once: each takes up to 0.9 GB and, while it starts, a whole core.
static ROOM: Semaphore = Semaphore::const_new(2);

/// Waits until one more gateway may run.
pub async fn room() -> SemaphorePermit<'static> {
    ROOM.acquire().await.unwrap()
}

/// The rig, with its images installed.
pub async fn rig() -> &'static Rig {
    static RIG: OnceCell<Rig> = OnceCell::const_new();
    RIG.get_or_try_init(start).await.unwrap()
}

async fn start() -> Result<Rig> {
    let fly = FlySimOptions {
        driver: Driver::Process { images: images().await?.clone() },
        rate_limits: RateLimits::Off,
        ..FlySimOptions::default()
    };
    // The pause of slow retries stays as shipped: it has to be longer than a gateway takes to refuse its start.
    let config = vec![("/timing/absenceGraceSeconds", json!(2)), ("/timing/feedSeconds", json!(1))];
    let rig = Rig::start(RigOptions { fly, config, ..RigOptions::default() }).await?;
    let client = rig.client().await?;
    for tag in [OPENCLAW_PREVIOUS, "main"] {
        make_blueprint(&client, &blueprint_name(tag), tag).await?;
    }
    make_plans(&client).await?;
    Ok(rig)
}

async fn images() -> Result<&'static PathBuf> {
    static IMAGES: OnceCell<PathBuf> = OnceCell::const_new();
    let install = || testbed::openclaw_images(&[OPENCLAW_LATEST, OPENCLAW_PREVIOUS], Progress::stderr());
    IMAGES.get_or_try_init(async || tokio::task::spawn_blocking(install).await?).await
}

/// The digest by which the stand-in for a registry knows a tag.
pub async fn digest(tag: &str) -> Result<String> {
    let index: Value = serde_json::from_slice(&std::fs::read(images().await?.join("index.json"))?)?;
    let digest = index[format!("{REPOSITORY}:{tag}")]["digest"].as_str();
    digest.map(str::to_owned).with_context(|| format!("no image with the tag {tag}"))
}

/// The shipped Blueprint as `openclaw`, and the same with another tag as `openclaw-{tag}`.
pub fn blueprint_name(tag: &str) -> String {
    match tag {
        OPENCLAW_LATEST => "openclaw".to_owned(),
        tag => format!("openclaw-{}", tag.replace('.', "-")),
    }
}

/// Makes the shipped Blueprint under another name, with the image of another tag.
pub async fn make_blueprint(client: &Client, name: &str, tag: &str) -> Result<()> {
    let blueprints: Api<DynamicObject> = api_for(client, &types(), None).await?;
    let mut spec = blueprints.get("openclaw").await?.data["spec"].clone();
    spec["image"] = json!(format!("{REPOSITORY}:{tag}"));
    let types = types();
    let object = json!({"apiVersion": types.api_version, "kind": types.kind, "metadata": {"name": name}, "spec": spec});
    apply(client, &object.to_string()).await.map(drop)
}

/// Edits a Blueprint.
pub async fn edit_blueprint(client: &Client, name: &str, spec: Value) -> Result<()> {
    let blueprints: Api<DynamicObject> = api_for(client, &types(), None).await?;
    let patch = Patch::Merge(json!({"spec": spec}));
    blueprints.patch(name, &PatchParams::default(), &patch).await.map(drop).context("edit a Blueprint")
}

/// Makes a larger Plan, and one that may have gateways made ahead; both otherwise like the trial Plan.
async fn make_plans(client: &Client) -> Result<()> {
    let trial = serde_json::to_value(Api::<Plan>::all(client.clone()).get("openclaw-trial").await?.spec)?;
    let (mut large, mut warm) = (trial.clone(), trial);
    large["memoryMB"] = json!(4096);
    large["volumeGB"] = json!(5);
    warm["warmPool"] = json!({"size": 0, "regions": ["fra"]});
    for (name, spec) in [(LARGE, large), (WARM, warm)] {
        let metadata = json!({"name": name});
        let plan =
            json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Plan", "metadata": metadata, "spec": spec});
        apply(client, &plan.to_string()).await?;
    }
    let policies: Api<WorkspacePolicy> = Api::all(client.clone());
    let allowed = Patch::Merge(json!({"spec": {"allowedPlans": ["openclaw-trial", LARGE, WARM]}}));
    policies.patch("trial", &PatchParams::default(), &allowed).await.map(drop).context("allow the Plans")
}

/// Changes how many gateways are made ahead.
pub async fn keep_warm(client: &Client, size: i32) -> Result<()> {
    let patch = Patch::Merge(json!({"spec": {"warmPool": {"size": size}}}));
    Api::<Plan>::all(client.clone())
        .patch(WARM, &PatchParams::default(), &patch)
        .await
        .map(drop)
        .context("edit a Plan")
}

fn types() -> TypeMeta {
    TypeMeta { api_version: "moorage.dev/v1alpha1".into(), kind: "Blueprint".into() }
}
