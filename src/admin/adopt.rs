//! `moorage adopt`: an app that was made by hand becomes a Runtime. Nothing is made at Fly.
//!
//! The Runtime is made first, held by the annotation `moorage.dev/paused`, so that it makes nothing of its own; then
//! the claim, which says what stands; then the hold is taken off. A command that dies between is run again, and goes on
//! from there. Where the Plan needs an order, it ends before the claim: a claimed Runtime that nothing funds is stopped.

use clap::Args;
use fly_machines::types::{ListMachines, Machine, Volume};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::{AdminError, FlyFile, claims};
use crate::api::name_claim::{ClaimType, Holder, Pin, RuntimeIdentity};
use crate::api::{
    Blueprint, BlueprintSpec, FIELD_MANAGER, NameClaim, NameClaimSpec, Plan, PlanSpec, Runtime, annotation,
    label_key,
};
use crate::control::runtime::desired::{PORT_ENV, TOKEN_ENV};
use crate::control::runtime::resolve::pin;
use crate::engine::config::Config;
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
    /// Lets go of the Machine's own variables, which a Runtime's configuration doesn't have.
    #[arg(long)]
    pub drop_env: bool,
}

/// What stands in the app.
struct Found {
    network: String,
    machine: Machine,
    volume: Volume,
}

/// What it will run.
struct Wanted {
    plan: PlanSpec,
    blueprint: BlueprintSpec,
    blueprint_generation: i64,
}

/// Adopts, and says what it did.
///
/// # Errors
/// Why the app can't be adopted, or not yet; then nothing has changed at Fly, and nothing is claimed.
pub async fn run(client: Client, adopt: &Adopt, print: impl Fn(String)) -> Result<(), AdminError> {
    let (config, fly) = adopt.fly.connect()?;
    let claims = claims(&client).await?;
    let standing = claims.iter().find(|claim| names(claim, &adopt.app));
    let identity = match standing {
        Some(claim) => begun(&client, adopt, claim).await,
        None => claimed(&client, adopt, (&config, &fly), &claims, &print).await,
    }?;
    let free = json!({"metadata": {"annotations": {annotation::PAUSED: null}}});
    runtimes(&client, adopt)
        .patch(&adopt.name, &PatchParams::default(), &Patch::Merge(free))
        .await
        .map_err(AdminError::kubernetes("let the Runtime go on"))?;
    print(format!(
        "adopted: Machine {} is restarted once into the Blueprint's configuration, on the image that it runs; volume {} and the app's own secrets are kept",
        identity.machine_id.unwrap_or_default(),
        identity.volume_id.unwrap_or_default()
    ));
    Ok(())
}

/// Makes the Runtime, held, and claims for it what stands in the app.
async fn claimed(
    client: &Client,
    adopt: &Adopt,
    (config, fly): (&Config, &fly_machines::Client),
    claims: &[NameClaim],
    print: &impl Fn(String),
) -> Result<RuntimeIdentity, AdminError> {
    let found = look(fly, &config.fly.organization, &adopt.app).await?;
    let wanted = wanted(client, adopt, &found).await?;
    let runtime = held(client, adopt).await?;
    print(format!("made: Runtime {}/{}, held", adopt.namespace, adopt.name));
    funded(adopt, &wanted.plan, &runtime, claims)?;
    let pin = pinned(adopt, &wanted, &found);
    let identity = identity(&config.cluster_id, adopt, &found, &runtime, pin);
    claim(client, adopt, &runtime, identity.clone()).await?;
    print(format!("claimed: {} is what stands under it", adopt.app));
    Ok(identity)
}

/// What an earlier run of this command claimed, whose Runtime is still held.
async fn begun(client: &Client, adopt: &Adopt, claim: &NameClaim) -> Result<RuntimeIdentity, AdminError> {
    let holder = &claim.spec.holder;
    let runtime = runtimes(client, adopt).get_opt(&adopt.name).await;
    let runtime = runtime.map_err(AdminError::kubernetes("read the Runtime"))?;
    let is_its = runtime.as_ref().is_some_and(|runtime| runtime.uid().as_ref() == Some(&holder.uid));
    match &claim.spec.runtime {
        Some(identity) if is_its && runtime.as_ref().is_some_and(is_held) => {
            Ok(RuntimeIdentity::clone(identity))
        }
        _ => Err(refused(format!(
            "the app `{}` is the Runtime {}/{} already (NameClaim {})",
            adopt.app,
            holder.namespace,
            holder.name,
            claim.name_any()
        ))),
    }
}

fn is_held(runtime: &Runtime) -> bool {
    runtime.annotations().get(annotation::PAUSED).is_some_and(|it| it == "true")
}

/// The Plan needs no order, or one funds the Runtime.
fn funded(adopt: &Adopt, plan: &PlanSpec, runtime: &Runtime, claims: &[NameClaim]) -> Result<(), AdminError> {
    let funds = |claim: &NameClaim| {
        let order = claim.spec.order.as_ref().filter(|order| order.phase.funds());
        let funded = order.and_then(|order| order.funds.as_ref()).and_then(|funds| funds.uid.as_ref());
        funded.is_some() && funded == runtime.metadata.uid.as_ref()
    };
    if !plan.requires_order || claims.iter().any(funds) {
        return Ok(());
    }
    Err(refused(format!(
        "not adopted yet: the Plan `{plan}` needs an order, and without one the Machine would be stopped. The Runtime {namespace}/{name} stands, held, and the app is as it was. Place a RuntimeOrder in `{namespace}` with `spec.planRef.name: {plan}` and `spec.runtimeRef.name: {name}`; once it is paid, run this command again",
        plan = adopt.plan,
        namespace = adopt.namespace,
        name = adopt.name,
    )))
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

/// Plan and Blueprint, if what stands fits them.
async fn wanted(client: &Client, adopt: &Adopt, found: &Found) -> Result<Wanted, AdminError> {
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
    let own = own_env(&found.machine, &blueprint.spec);
    if !own.is_empty() && !adopt.drop_env {
        return Err(refused(format!(
            "its Machine has variables that a Runtime's configuration doesn't have: {}. Set those that are needed as secrets of the app (`fly secrets set --stage -a {}`), which are kept, or later in the Runtime's `spec.env`; then run this command with --drop-env",
            own.join(", "),
            adopt.app
        )));
    }
    let blueprint_generation = blueprint.metadata.generation.unwrap_or_default();
    Ok(Wanted { plan: plan.spec, blueprint: blueprint.spec, blueprint_generation })
}

/// Names of the variables of its configuration that nobody would set any more.
fn own_env<'m>(machine: &'m Machine, blueprint: &BlueprintSpec) -> Vec<&'m str> {
    let names = machine.config.iter().flat_map(|config| config.env.keys());
    let is_set = |name: &str| {
        [PORT_ENV, TOKEN_ENV].contains(&name) || blueprint.env.iter().any(|env| env.name == name)
    };
    names.map(String::as_str).filter(|name| !is_set(name)).collect()
}

/// The Plan's size, to which a smaller volume grows, and the Blueprint with the image that runs. The Blueprint's own image is
/// an upgrade like any other, with a snapshot before it and a way back: an older gateway can't be trusted with what a
/// newer one wrote.
fn pinned(adopt: &Adopt, wanted: &Wanted, found: &Found) -> Pin {
    let mut blueprint = wanted.blueprint.clone();
    if let Some(config) = &found.machine.config {
        blueprint.image.clone_from(&config.image);
    }
    let made = pin(&adopt.plan, &wanted.plan, &adopt.blueprint, wanted.blueprint_generation, &blueprint);
    Pin { image_digest: found.machine.image_digest().map(str::to_owned), ..made }
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
            let empty = standing.status.as_ref().is_none_or(|status| status.external.is_none());
            if is_held(&standing) && empty && standing.spec.slug.as_deref() == Some(slug(adopt)) {
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
    match Api::all(client.clone()).create(&PostParams::default(), &claim).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_already_exists() => Err(refused(format!(
            "the slug `{}` is taken; delete the held Runtime {}/{}, and choose another slug with --slug",
            slug(adopt),
            adopt.namespace,
            adopt.name
        ))),
        Err(error) => {
            let what = format!("claim the slug `{}` (then run this command again)", slug(adopt));
            Err(AdminError::kubernetes(what)(error))
        }
    }
}
