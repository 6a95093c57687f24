//! `moorage adopt`: an app that was made by hand becomes a Runtime. Nothing is made at Fly.
//!
//! The Runtime is made first, held by the annotation `moorage.dev/paused`, so that it makes nothing of its own; then
//! the claim, which says what stands; then the hold is taken off. A command that dies between is run again.

use clap::Args;
use fly_machines::types::{ListMachines, Machine, Volume};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::{AdminError, FlyFile, claims};
use crate::api::name_claim::{ClaimType, Holder, Pin, PinnedPlan, RuntimeIdentity};
use crate::api::{Blueprint, FIELD_MANAGER, NameClaim, NameClaimSpec, Plan, Runtime, annotation, label_key};
use crate::control::runtime::resolve::pin;
use crate::engine::hash::short_hash;

/// Which app becomes which Runtime.
#[derive(Debug, Args)]
pub struct Adopt {
    /// How Fly is reached.
    #[command(flatten)]
    pub fly: FlyFile,
    /// The app at Fly.
    #[arg(long)]
    pub app: String,
    /// Namespace of the Runtime.
    #[arg(long, short)]
    pub namespace: String,
    /// Name of the Runtime.
    #[arg(long)]
    pub name: String,
    /// Its slug; left out, the app's name.
    #[arg(long)]
    pub slug: Option<String>,
    /// Its Plan.
    #[arg(long)]
    pub plan: String,
    /// Its Blueprint.
    #[arg(long, default_value = "openclaw")]
    pub blueprint: String,
}

/// What stands in the app.
struct Found {
    network: String,
    machine: Machine,
    volume: Volume,
}

/// Adopts, and says what it did.
///
/// # Errors
/// Why the app can't be adopted; then nothing has changed.
pub async fn run(client: Client, adopt: &Adopt, print: impl Fn(String)) -> Result<(), AdminError> {
    let (config, fly) = adopt.fly.connect()?;
    if let Some(claim) = claims(&client).await?.iter().find(|claim| names(claim, &adopt.app)) {
        let holder = &claim.spec.holder;
        return Err(refused(format!(
            "the app `{}` is the Runtime {}/{} already (NameClaim {})",
            adopt.app,
            holder.namespace,
            holder.name,
            claim.name_any()
        )));
    }
    let found = look(&fly, &config.fly.organization, &adopt.app).await?;
    let pin = pinned(&client, adopt, &found).await?;
    let runtime = held(&client, adopt).await?;
    print(format!("made: Runtime {}/{}, held", adopt.namespace, adopt.name));
    let identity = identity(&config.cluster_id, adopt, &found, &runtime, pin);
    claim(&client, adopt, &runtime, identity).await?;
    print(format!("claimed: {} is what stands under it", adopt.app));
    let free = json!({"metadata": {"annotations": {annotation::PAUSED: null}}});
    runtimes(&client, adopt)
        .patch(&adopt.name, &PatchParams::default(), &Patch::Merge(free))
        .await
        .map_err(AdminError::kubernetes("let the Runtime go on"))?;
    print(format!(
        "adopted: Machine {} is restarted once into the Blueprint's configuration; volume {} and the app's own secrets are kept",
        found.machine.id, found.volume.id
    ));
    Ok(())
}

fn refused(message: impl Into<String>) -> AdminError {
    AdminError::Refused(message.into())
}

fn names(claim: &NameClaim, app: &str) -> bool {
    claim.spec.runtime.as_ref().is_some_and(|runtime| runtime.app == app)
}

fn runtimes(client: &Client, adopt: &Adopt) -> Api<Runtime> {
    Api::namespaced(client.clone(), &adopt.namespace)
}

/// What stands in the app: one Machine, on its only volume. Another volume would go with the app when that is removed.
async fn look(fly: &fly_machines::Client, organization: &str, name: &str) -> Result<Found, AdminError> {
    let app = fly.apps().get(name).await.map_err(AdminError::fly("read the app"))?;
    let foreign = app.organization.as_ref().is_some_and(|it| !it.slug.is_empty() && it.slug != organization);
    if foreign {
        return Err(refused(format!("the app `{name}` is of another organisation than `{organization}`")));
    }
    let machines = fly.machines(name).list(&ListMachines::default()).await;
    let machines = machines.map_err(AdminError::fly("list its Machines"))?;
    let mut machines: Vec<Machine> = machines.into_iter().filter(|it| !it.state.is_gone()).collect();
    let (Some(machine), true) = (machines.pop(), machines.is_empty()) else {
        return Err(refused(format!(
            "the app `{name}` must have one Machine; leave the one that is to be kept, and remove the others"
        )));
    };
    let mounted = machine.config.as_ref().and_then(|config| config.mounts.first());
    let mounted = mounted.map(|mount| mount.volume.clone()).unwrap_or_default();
    let volumes = fly.volumes(name).list().await.map_err(AdminError::fly("list its volumes"))?;
    let standing = volumes.into_iter().filter(|it| !it.state.is_gone());
    let (own, others): (Vec<Volume>, Vec<Volume>) = standing.partition(|it| it.id == mounted);
    let Some(volume) = own.into_iter().next() else {
        return Err(refused(format!(
            "the Machine of `{name}` mounts no volume; a Runtime keeps its data on one"
        )));
    };
    if let Some(other) = others.first() {
        return Err(refused(format!(
            "the app `{name}` has other volumes than the one that its Machine mounts, which no Runtime would know of; save what is on them, then remove them: `fly volumes destroy {} -a {name}`",
            other.id
        )));
    }
    Ok(Found { network: app.network, machine, volume })
}

/// What it will run: the Plan's size with the volume that stands, and the Blueprint.
async fn pinned(client: &Client, adopt: &Adopt, found: &Found) -> Result<Pin, AdminError> {
    let plan: Plan = Api::all(client.clone())
        .get(&adopt.plan)
        .await
        .map_err(AdminError::kubernetes(format!("read the Plan `{}`", adopt.plan)))?;
    let blueprint: Blueprint = Api::all(client.clone())
        .get(&adopt.blueprint)
        .await
        .map_err(AdminError::kubernetes(format!("read the Blueprint `{}`", adopt.blueprint)))?;
    let path = found.machine.config.as_ref().and_then(|config| config.mounts.first());
    let path = path.map(|mount| mount.path.clone()).unwrap_or_default();
    if path != blueprint.spec.mount_path {
        return Err(refused(format!(
            "its volume is mounted at `{path}`, and the Blueprint `{}` wants it at `{}`; choose another Blueprint",
            adopt.blueprint, blueprint.spec.mount_path
        )));
    }
    let generation = blueprint.metadata.generation.unwrap_or_default();
    let made = pin(&adopt.plan, &plan.spec, &adopt.blueprint, generation, &blueprint.spec);
    let volume_gb = i32::try_from(found.volume.size_gb).unwrap_or(made.plan.volume_gb);
    Ok(Pin { plan: PinnedPlan { volume_gb, ..made.plan.clone() }, ..made })
}

/// The Runtime, made or found, that is held and has nothing of its own.
async fn held(client: &Client, adopt: &Adopt) -> Result<Runtime, AdminError> {
    let manifest = json!({
        "apiVersion": "moorage.dev/v1alpha1",
        "kind": "Runtime",
        "metadata": {
            "name": adopt.name,
            "namespace": adopt.namespace,
            "annotations": {annotation::PAUSED: "true"},
        },
        "spec": {
            "slug": slug(adopt),
            "planRef": {"name": adopt.plan},
            "blueprintRef": {"name": adopt.blueprint},
        },
    });
    let runtime: Runtime =
        serde_json::from_value(manifest).map_err(|error| refused(format!("the Runtime: {error}")))?;
    let api = runtimes(client, adopt);
    match api.create(&PostParams::default(), &runtime).await {
        Ok(made) => Ok(made),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            let standing = api.get(&adopt.name).await.map_err(AdminError::kubernetes("read the Runtime"))?;
            let is_held = standing.annotations().get(annotation::PAUSED).is_some_and(|it| it == "true");
            let empty = standing.status.as_ref().is_none_or(|status| status.external.is_none());
            if is_held && empty && standing.spec.slug.as_deref() == Some(slug(adopt)) {
                return Ok(standing);
            }
            Err(refused(format!("the Runtime {}/{} exists already", adopt.namespace, adopt.name)))
        }
        Err(error) => Err(AdminError::kubernetes("make the Runtime")(error)),
    }
}

fn slug(adopt: &Adopt) -> &str {
    adopt.slug.as_deref().unwrap_or(&adopt.app)
}

fn identity(cluster_id: &str, adopt: &Adopt, found: &Found, runtime: &Runtime, pin: Pin) -> RuntimeIdentity {
    let minted = short_hash(&[cluster_id, &adopt.app], 10);
    let mut identity = RuntimeIdentity::new(minted, adopt.app.clone(), runtime.spec.deletion_policy, pin);
    identity.network = Some(found.network.clone());
    identity.machine_id = Some(found.machine.id.clone());
    identity.volume_id = Some(found.volume.id.clone());
    identity.volume_gb = i32::try_from(found.volume.size_gb).ok();
    identity.region = Some(found.volume.region.clone());
    identity
}

async fn claim(
    client: &Client,
    adopt: &Adopt,
    runtime: &Runtime,
    identity: RuntimeIdentity,
) -> Result<(), AdminError> {
    let spec = NameClaimSpec {
        runtime: Some(identity),
        ..NameClaimSpec::new(
            ClaimType::Slug,
            slug(adopt).to_owned(),
            Holder {
                namespace: adopt.namespace.clone(),
                name: adopt.name.clone(),
                uid: runtime.uid().unwrap_or_default(),
            },
        )
    };
    let mut claim = NameClaim::new(&NameClaim::label_key(slug(adopt)), spec);
    claim.labels_mut().insert(label_key::MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned());
    let made = Api::all(client.clone()).create(&PostParams::default(), &claim).await;
    made.map(drop).map_err(AdminError::kubernetes(format!(
        "claim the slug `{}` (if it is taken, delete the held Runtime and choose another with --slug)",
        slug(adopt)
    )))
}
