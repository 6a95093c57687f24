//! What a Runtime asks for, once its references and the policy are taken into account. Pure.

use std::sync::Arc;

use super::env_marks;
use super::facts::{Facts, Refusal};
use super::sleep;
use crate::api::blueprint::EnvType;
use crate::api::label::MAX_LENGTH;
use crate::api::name_claim::{Pin, PinnedPlan};
use crate::api::runtime::{EnvVar, PowerState, SleepMode};
use crate::api::{BlueprintSpec, PlanSpec, Runtime, Workspace, annotation, reason};
use crate::control::policy::{Funding, Suspension};
use crate::control::rollout::target::pinned_content;
use crate::engine::hash::short_hash;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Its slug.
    pub slug: String,
    /// What it is made from: what was pinned, or what the references name now.
    pub pin: Pin,
    /// Regions to try, in order.
    pub regions: Vec<String>,
    /// Whether it may and should run.
    pub power: Power,
    /// What becomes of it while nobody uses it; never anything while it may not run.
    pub sleep: SleepMode,
    /// The restart request in force.
    pub restarted_at: Option<String>,
}

/// Whether a Runtime should run: the least of spec, funding and policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// It should.
    Run,
    /// It is asked to be stopped.
    Stop,
    /// No order funds it.
    Unfunded,
    /// The platform has suspended the namespace.
    Suspended,
}

/// Works out what is asked for.
///
/// # Errors
/// A refusal, if a reference leads nowhere or the policy doesn't allow it.
pub fn resolve(facts: &Facts) -> Result<Resolved, Refusal> {
    workspace(facts)?;
    let (pin, funding) = match facts.pin() {
        Some(pin) => (pin.clone(), pinned_funding(facts)),
        None => fresh_pin(facts)?,
    };
    env_literals(facts, &pin)?;
    let power = power(facts, funding, Some(&pin.plan));
    Ok(Resolved {
        slug: slug(&facts.runtime, facts.cluster.workspace.as_deref()),
        regions: regions(facts)?,
        power,
        sleep: sleep::mode(&facts.runtime.spec, power, &pin)?,
        restarted_at: restart_request(&facts.runtime),
        pin,
    })
}

/// Whether it should run, whatever else is wrong with the declaration.
pub fn power_of(facts: &Facts) -> Power {
    if let Some(pin) = facts.pin() {
        return power(facts, pinned_funding(facts), Some(&pin.plan));
    }
    let fresh = facts.cluster.plan.as_ref().map(|(name, plan)| (funding(plan), pinned_plan(name, plan)));
    power(facts, fresh.as_ref().map_or(Funding::Free, |fresh| fresh.0), fresh.as_ref().map(|fresh| &fresh.1))
}

/// The slug: as declared, or made from the Workspace's subdomain (or the namespace) and the name.
pub fn slug(runtime: &Runtime, workspace: Option<&Workspace>) -> String {
    if let Some(slug) = &runtime.spec.slug {
        return slug.clone();
    }
    let namespace = runtime.metadata.namespace.as_deref().unwrap_or_default();
    let name = runtime.metadata.name.as_deref().unwrap_or_default().replace('.', "-");
    let first = workspace.map_or(namespace, |workspace| workspace.spec.subdomain.as_str());
    let whole = format!("{first}-{name}");
    if whole.len() <= MAX_LENGTH {
        return whole;
    }
    let kept: String = whole.chars().take(MAX_LENGTH - 7).collect();
    format!("{}-{}", kept.trim_end_matches('-'), short_hash(&[&whole], 6))
}

fn restart_request(runtime: &Runtime) -> Option<String> {
    let annotations = runtime.metadata.annotations.as_ref()?;
    annotations.get(annotation::RESTARTED_AT).map(|text| text.chars().take(64).collect())
}

fn workspace(facts: &Facts) -> Result<(), Refusal> {
    let Some(wanted) = &facts.runtime.spec.workspace_ref else { return Ok(()) };
    let found = facts.cluster.workspace.as_ref().and_then(|workspace| workspace.metadata.name.as_deref());
    if found == Some(wanted.name.as_str()) {
        return Ok(());
    }
    Err(Refusal::new(
        reason::WORKSPACE_NOT_FOUND,
        format!(
            "There is no Workspace `{}` in this namespace. Create it, or leave `workspaceRef` out.",
            wanted.name
        ),
    ))
}

fn fresh_pin(facts: &Facts) -> Result<(Pin, Funding), Refusal> {
    let (plan_name, plan) = plan(facts)?;
    let (blueprint_name, generation, blueprint) = blueprint(facts)?;
    let funding = funding(plan);
    let policy = &facts.cluster.policy;
    if !policy.allows_plan(plan_name, funding) {
        return Err(plan_not_allowed(plan_name));
    }
    if !policy.allows_blueprint(blueprint_name) {
        return Err(Refusal::new(
            reason::BLUEPRINT_NOT_ALLOWED,
            format!(
                "The Blueprint `{blueprint_name}` is not allowed in this namespace. Choose another, or ask the platform for a WorkspacePolicy that lists it."
            ),
        ));
    }
    if !policy.allows_deletion(facts.runtime.spec.deletion_policy) {
        return Err(Refusal::new(
            reason::DELETION_POLICY_NOT_ALLOWED,
            format!(
                "The deletion policy {:?} is not allowed in this namespace. Choose another, or ask the platform.",
                facts.runtime.spec.deletion_policy
            ),
        ));
    }
    if plan.memory_mb < blueprint.minimum_memory_mb {
        return Err(plan_too_small(plan_name, plan, blueprint_name, blueprint));
    }
    Ok((pin(plan_name, plan, blueprint_name, generation, blueprint), funding))
}

/// No policy allows the Plan.
pub(in crate::control) fn plan_not_allowed(plan: &str) -> Refusal {
    Refusal::new(
        reason::PLAN_NOT_ALLOWED,
        format!(
            "The Plan `{plan}` is not allowed in this namespace. Choose one that `kubectl get mws` shows under limits, or ask the platform for a WorkspacePolicy that lists it."
        ),
    )
}

/// The Plan has less memory than the Blueprint needs.
pub(super) fn plan_too_small(
    plan_name: &str,
    plan: &PlanSpec,
    blueprint_name: &str,
    blueprint: &BlueprintSpec,
) -> Refusal {
    Refusal::new(
        reason::PLAN_TOO_SMALL,
        format!(
            "The Plan `{plan_name}` has {} MB of memory, and the Blueprint `{blueprint_name}` needs {}. Choose a larger Plan.",
            plan.memory_mb, blueprint.minimum_memory_mb
        ),
    )
}

/// There is no such Plan.
pub(in crate::control) fn plan_not_found(name: &str) -> Refusal {
    Refusal::new(
        reason::PLAN_NOT_FOUND,
        format!("There is no Plan `{name}`. See `kubectl get plans` for those that there are."),
    )
}

/// The size of a Plan, to be kept whatever becomes of the Plan.
pub(in crate::control) fn pinned_plan(name: &str, plan: &PlanSpec) -> PinnedPlan {
    PinnedPlan {
        name: name.to_owned(),
        cpu_kind: plan.cpu_kind,
        cpus: plan.cpus,
        memory_mb: plan.memory_mb,
        volume_gb: plan.volume_gb,
    }
}

/// What a Runtime is made from.
pub fn pin(
    plan_name: &str,
    plan: &PlanSpec,
    blueprint_name: &str,
    generation: i64,
    blueprint: &BlueprintSpec,
) -> Pin {
    Pin {
        plan: pinned_plan(plan_name, plan),
        blueprint: blueprint_name.to_owned(),
        blueprint_generation: generation,
        spec: Arc::new(pinned_content(blueprint)),
        image_digest: None,
        image_seen_time: None,
    }
}

fn plan(facts: &Facts) -> Result<(&str, &PlanSpec), Refusal> {
    match (&facts.cluster.plan, plan_name(facts)) {
        (Some((name, plan)), _) => Ok((name, plan)),
        (None, Some(name)) => Err(plan_not_found(name)),
        (None, None) => Err(Refusal::new(
            reason::PLAN_NOT_SET,
            "No Plan is named. Set `spec.planRef`, or `spec.defaultPlanRef` of the Workspace.",
        )),
    }
}

/// The Plan that the spec or the Workspace names.
pub fn plan_name(facts: &Facts) -> Option<&str> {
    plan_of(&facts.runtime, facts.cluster.workspace.as_deref())
}

/// The Plan that the spec or the Workspace names.
pub fn plan_of<'r>(runtime: &'r Runtime, workspace: Option<&'r Workspace>) -> Option<&'r str> {
    let default = || workspace.and_then(|workspace| workspace.spec.default_plan_ref.as_ref());
    runtime.spec.plan_ref.as_ref().or_else(default).map(|reference| reference.name.as_str())
}

fn blueprint(facts: &Facts) -> Result<(&str, i64, &Arc<BlueprintSpec>), Refusal> {
    if let Some((name, generation, blueprint)) = &facts.cluster.blueprint {
        return Ok((name, *generation, blueprint));
    }
    let named = facts.runtime.spec.blueprint_ref.as_ref().map(|reference| reference.name.as_str());
    let name = named.unwrap_or(&facts.cluster.settings.default_blueprint);
    Err(Refusal::new(
        reason::BLUEPRINT_NOT_FOUND,
        format!("There is no Blueprint `{name}`. See `kubectl get blueprints` for those that there are."),
    ))
}

/// Whether a Plan has to be paid for.
pub(in crate::control) fn funding(plan: &PlanSpec) -> Funding {
    if plan.requires_order { Funding::Order } else { Funding::Free }
}

/// A pinned Runtime is funded as its Plan says. Where the Plan has gone, it needs an order if it ever had one, and else
/// it was allowed without when it was pinned.
fn pinned_funding(facts: &Facts) -> Funding {
    let once =
        facts.own_claim().and_then(|claim| claim.runtime.as_ref()).is_some_and(|it| it.order.is_some());
    let gone = if once { Funding::Order } else { Funding::Free };
    facts.cluster.pinned_plan.as_ref().map_or(gone, funding)
}

/// Whether an order funds this size: paid, or in its grace.
pub(super) fn is_funded(facts: &Facts, plan: &PinnedPlan) -> bool {
    facts.cluster.order.as_ref().is_some_and(|order| order.phase.funds() && order.pays_for(plan))
}

fn power(facts: &Facts, funding: Funding, plan: Option<&PinnedPlan>) -> Power {
    let is_funded = plan.is_some_and(|plan| is_funded(facts, plan));
    match (facts.cluster.policy.suspension, funding, facts.runtime.spec.power_state) {
        (Suspension::Suspended, _, _) => Power::Suspended,
        (Suspension::Active, Funding::Order, _) if !is_funded => Power::Unfunded,
        (Suspension::Active, _, PowerState::Stopped) => Power::Stop,
        (Suspension::Active, _, PowerState::Running) => Power::Run,
    }
}

fn regions(facts: &Facts) -> Result<Vec<String>, Refusal> {
    let default =
        || facts.cluster.workspace.as_ref().and_then(|workspace| workspace.spec.default_region.clone());
    let recorded =
        facts.own_claim().and_then(|claim| claim.runtime.as_ref()).and_then(|it| it.region.clone());
    let regions = if facts.runtime.spec.regions.is_empty() {
        let named: Vec<String> = default().or(recorded).into_iter().collect();
        if named.is_empty() { facts.cluster.settings.default_regions.to_vec() } else { named }
    } else {
        facts.runtime.spec.regions.clone()
    };
    if regions.is_empty() {
        return Err(Refusal::new(
            reason::REGION_NOT_SET,
            "No region is named. Set `spec.regions`, or `spec.defaultRegion` of the Workspace.",
        ));
    }
    if let Some(region) = regions.iter().find(|region| !facts.cluster.policy.allows_region(region)) {
        return Err(Refusal::new(
            reason::REGION_NOT_ALLOWED,
            format!(
                "The region `{region}` is not allowed in this namespace. Choose another, or ask the platform."
            ),
        ));
    }
    Ok(regions)
}

/// A literal for a variable that the Blueprint marks secret is refused: it would stand in manifests and in Fly's
/// plain configuration. One that the Machine was given before the Blueprint marked it goes on: an edit of the Blueprint
/// stalls nobody.
fn env_literals(facts: &Facts, pin: &Pin) -> Result<(), Refusal> {
    let Some((_, _, blueprint)) = &facts.cluster.blueprint else { return Ok(()) };
    let secret = |name: &str| {
        blueprint.env_schema.iter().any(|rule| rule.name == name && rule.type_ == EnvType::Secret)
    };
    let is_news = |env: &&EnvVar| env.value.is_some() && !env_marks::was_given(facts, env);
    let literal = facts.runtime.spec.env.iter().filter(is_news).find(|env| secret(&env.name));
    match literal {
        Some(env) => Err(Refusal::new(
            reason::SECRET_LITERAL,
            format!(
                "`{}` is a secret and must not be written into a manifest (Blueprint `{}`). Put it into a Secret labelled `moorage.dev/use: runtime-env` and refer to it by `valueFrom.secretKeyRef`.",
                env.name, pin.blueprint
            ),
        )),
        None => Ok(()),
    }
}
