//! The mark by which a Machine that isn't as declared is found: a hash of what people declare, in its metadata. Pure.
//!
//! Nothing that the operator itself brings is in it, neither its files nor a default that it knows: a newer operator
//! would restart everything (ADR 16). So every declared field is named here, and one that is added goes in only where
//! somebody has set it.

use serde_json::{Value, json};

use super::desired;
use super::facts::{Facts, MachineFact};
use super::resolve::Resolved;
use crate::api::BlueprintSpec;
use crate::api::name_claim::PinnedPlan;
use crate::engine::hash::short_hash;
use crate::gateway::seed::seed;

/// Begins a mark of the present kind.
const KIND: &str = "2-";
/// Characters of the hash.
const LENGTH: usize = 16;

/// How a Machine's configuration stands to what is declared, variables and addresses apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is what is declared.
    AsDeclared,
    /// It is what is declared, by a mark of the earlier kind, which also knew the operator's own files.
    ByEarlierMark,
    /// It is something else.
    Otherwise,
}

/// The mark of what is declared now. Of the Plan only what the Machine is made of is in it: one with another name, or
/// another volume, and the same size changes nothing.
pub fn mark(facts: &Facts, resolved: &Resolved) -> String {
    let declared = json!([
        size(&resolved.pin.plan),
        blueprint(&resolved.pin.spec),
        facts.runtime.spec.persona.as_ref().map(|persona| &persona.name),
        resolved.restarted_at,
    ]);
    format!("{KIND}{}", hash(&declared))
}

/// How the Machine stands to what is declared.
pub fn standing(facts: &Facts, resolved: &Resolved, machine: &MachineFact) -> Standing {
    match machine.config_hash.as_deref() {
        Some(have) if have.starts_with(KIND) && have == mark(facts, resolved) => Standing::AsDeclared,
        Some(have) if !have.starts_with(KIND) && have == earlier(facts, resolved) => Standing::ByEarlierMark,
        _ => Standing::Otherwise,
    }
}

fn hash(declared: &Value) -> String {
    short_hash(&[&declared.to_string()], LENGTH)
}

fn size(plan: &PinnedPlan) -> Value {
    json!([plan.cpu_kind, plan.cpus, plan.memory_mb])
}

/// Lists whose order means nothing are sorted.
fn blueprint(spec: &BlueprintSpec) -> Value {
    let mut env: Vec<[&str; 2]> =
        spec.env.iter().map(|env| [env.name.as_str(), env.value.as_str()]).collect();
    env.sort_unstable();
    let mut proxies: Vec<&str> = spec.gateway.trusted_proxies.iter().map(String::as_str).collect();
    proxies.sort_unstable();
    let (health, stop) = (&spec.health_check, &spec.stop);
    json!([
        spec.image,
        spec.command,
        spec.port,
        spec.mount_path,
        env,
        [json!(health.path), json!(health.interval_seconds), json!(health.timeout_seconds)],
        health.grace_period_seconds,
        [json!(stop.signal), json!(stop.timeout_seconds)],
        spec.gateway.adapter,
        proxies,
    ])
}

/// The mark as it was before there were kinds. It holds for as long as the operator's own files are those of seed
/// version 1.
fn earlier(facts: &Facts, resolved: &Resolved) -> String {
    let (spec, plan) = (&facts.runtime.spec, &resolved.pin.plan);
    let own = seed(&desired::settings(facts, &[], Vec::new()), &resolved.pin.spec.command).hash;
    hash(&json!([
        [json!(plan.cpu_kind), json!(plan.cpus), json!(plan.memory_mb), json!(plan.volume_gb)],
        resolved.pin.spec,
        spec.persona,
        resolved.restarted_at,
        own,
    ]))
}
