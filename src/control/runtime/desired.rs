//! What a Runtime's Machine should be: configuration, secrets, and the hashes by which a difference is found. Pure.

use std::collections::BTreeMap;

use fly_machines::types as fly;
use secrecy::{ExposeSecret, SecretString};

use super::config_mark;
use super::drift;
use super::env_marks;
use super::facts::{EnvFact, Facts, Refusal, Token};
use super::hostname;
use super::names;
use super::resolve::Resolved;
use super::sleep;
use super::step::Launch;
use crate::api::blueprint::StopSignal;
use crate::api::name_claim::{PinnedPlan, RuntimeIdentity};
use crate::api::plan::CpuKind;
use crate::api::reason;
use crate::api::runtime::SleepMode;
use crate::engine::hash::short_hash;
use crate::gateway::identity::Persona;
use crate::gateway::seed::{Seed, seed};
use crate::gateway::settings::{GatewaySettings, Origin, ProxyRange};

/// Name of a Runtime's first Machine, unique in its app.
const MACHINE_NAME: &str = "gateway";
/// The variable that carries the gateway's token.
pub const TOKEN_ENV: &str = "OPENCLAW_GATEWAY_TOKEN";

/// The variable that tells the gateway's command line where the gateway listens.
pub const PORT_ENV: &str = "OPENCLAW_GATEWAY_PORT";

/// Keys of a Machine's metadata.
pub mod metadata {
    /// Owner's mark: the Runtime's identity.
    pub const IDENTITY: &str = "moorage_identity";
    /// Mark of the declared configuration.
    pub const CONFIG: &str = "moorage_config";
    /// Size in GB of the volume for which it was started anew.
    pub const GROWN: &str = "moorage_grown";
    /// Version of the files that the operator laid on it.
    pub const SEED: &str = "moorage_seed";
    /// Hash of the secrets.
    pub const SECRETS: &str = "moorage_secrets";
    /// Fly's digests of the secrets, as they were shown after they were set.
    pub const DIGESTS: &str = "moorage_digests";
    /// Hashes of the fields that were asked for.
    pub const ASKED: &str = "moorage_asked";
    /// Hashes of the fields as Fly put them then.
    pub const SPELLED: &str = "moorage_spelled";
    /// Hashes of each variable.
    pub const ENV: &str = "moorage_env";
    /// Addresses that the configuration trusts.
    pub const ADDRESSES: &str = "moorage_addresses";
    /// Present if it was meant to run once this configuration is in place.
    pub const LAUNCH: &str = "moorage_launch";
    /// What Fly's proxy does with it while nobody uses it.
    pub const IDLING: &str = "moorage_idling";
    /// Hostname under the base domain that the configuration lets browsers in by.
    pub const HOSTNAME: &str = "moorage_hostname";
    /// Mark of the customers' hostnames that the configuration lets browsers in by.
    pub const NAMES: &str = "moorage_names";
    /// For an app that was warm: the slug that it was given to. One that bears it is never given again.
    pub const OWNER: &str = "moorage_owner";
    /// The restart request that it was last begun for.
    pub const RESTARTED_AT: &str = "moorage_restarted_at";
}

/// The private network of the Runtime's app, which marks the app as its own.
pub fn network(identity: &RuntimeIdentity) -> String {
    identity.network.clone().unwrap_or_else(|| format!("m-{}", identity.identity))
}

/// Name of the Runtime's one Machine, unique in its app: that on another volume has another name, so that a lost reply
/// is found again and nothing old is mistaken for it.
pub fn machine_name(identity: &RuntimeIdentity) -> String {
    match identity.incarnation {
        0 => MACHINE_NAME.to_owned(),
        number => format!("{MACHINE_NAME}-{number}"),
    }
}

/// Name of the Runtime's volume. Volumes carry no metadata, so the name is the mark.
pub fn volume_name(identity: &RuntimeIdentity) -> String {
    named_volume(identity, identity.incarnation)
}

/// Name of the volume of an incarnation.
pub fn named_volume(identity: &RuntimeIdentity, incarnation: i32) -> String {
    match incarnation {
        0 => format!("m_{}", identity.identity),
        number => format!("m_{}_{number}", identity.identity),
    }
}

/// The identity with the volume that stands, recorded already or not.
pub fn with_volume(facts: &Facts, identity: &RuntimeIdentity) -> RuntimeIdentity {
    let standing = facts.known.volume.present();
    RuntimeIdentity {
        volume_id: identity.volume_id.clone().or_else(|| standing.map(|volume| volume.id.clone())),
        region: identity.region.clone().or_else(|| standing.map(|volume| volume.region.clone())),
        ..identity.clone()
    }
}

/// Where Fly serves the Runtime, whatever else leads to it.
pub fn url(identity: &RuntimeIdentity) -> String {
    format!("https://{}.fly.dev", identity.app)
}

/// Name of the Secret with the gateway's token.
pub fn token_secret(runtime: &str) -> String {
    format!("{runtime}-gateway-token")
}

/// Hash of the token and the environment's secret values; `None` while they aren't known. The token is random, so
/// the hash tells nothing about the others.
pub fn secrets_hash(facts: &Facts) -> Option<String> {
    let values = secret_values(facts)?;
    let parts: Vec<&str> =
        values.iter().flat_map(|(name, value)| [name.as_str(), value.expose_secret()]).collect();
    Some(short_hash(&parts, 16))
}

/// Size in GB of the volume for which the Machine has to be started anew.
pub fn grown_gb(facts: &Facts) -> Option<i32> {
    facts.own_claim()?.runtime.as_ref()?.resizing.as_ref()?.grown_gb
}

/// The app's secrets, by name; `None` while they aren't known.
pub fn secret_values(facts: &Facts) -> Option<BTreeMap<String, SecretString>> {
    let (Token::Known(token), EnvFact::Known(env)) = (&facts.known.token, &facts.known.env) else {
        return None;
    };
    // What was read for a spec that was edited since may be of a variable that isn't declared any more.
    let declared = |name: &str| facts.runtime.spec.env.iter().any(|env| env.name == name);
    let read = env.iter().filter(|(name, _)| declared(name));
    let mut values: BTreeMap<String, SecretString> =
        read.map(|(name, value)| (name.clone(), value.clone())).collect();
    values.insert(TOKEN_ENV.into(), token.clone());
    Some(values)
}

/// The Machine's whole configuration.
///
/// # Errors
/// A refusal, if a value of the Blueprint can't stand in a gateway's configuration.
pub fn machine_config(
    facts: &Facts,
    resolved: &Resolved,
    identity: &RuntimeIdentity,
) -> Result<fly::MachineConfig, Refusal> {
    let addresses = facts.known.addresses();
    let seed = seed(
        &checked_settings(facts, resolved, &addresses, origins(facts, identity)?)?,
        &resolved.pin.spec.command,
    );
    let blueprint = &resolved.pin.spec;
    let mut config = fly::MachineConfig {
        image: image(resolved),
        env: env(facts, resolved),
        metadata: marks(facts, resolved, identity, &addresses),
        init: Some(fly::Init { cmd: seed.command.clone(), ..fly::Init::default() }),
        guest: Some(guest(&resolved.pin.plan)),
        services: vec![service(resolved)],
        restart: Some(fly::Restart {
            policy: Some(fly::RestartPolicy::OnFailure),
            ..fly::Restart::default()
        }),
        stop_config: Some(fly::StopConfig {
            timeout: Some(fly::WireDuration::from_secs(seconds(blueprint.stop.timeout_seconds))),
            signal: Some(signal(blueprint.stop.signal).into()),
            ..fly::StopConfig::default()
        }),
        files: files(&seed),
        ..fly::MachineConfig::default()
    };
    config.checks.insert("gateway".into(), check(resolved));
    if let Some(volume) = &identity.volume_id {
        config.mounts = vec![fly::Mount {
            volume: volume.clone(),
            path: blueprint.mount_path.clone(),
            ..fly::Mount::default()
        }];
    }
    let asked = drift::mark(&config);
    config.metadata.insert(metadata::ASKED.into(), asked);
    Ok(config)
}

/// The mounts of a Machine that stands, each at the path where its volume is wanted now. Fly's documents say that an
/// update can't change a mount's volume, and nothing of its path: should that be refused, the status tells so.
pub fn mounts(standing: Vec<fly::Mount>, wanted: &[fly::Mount]) -> Vec<fly::Mount> {
    let moved = |mut mount: fly::Mount| {
        if let Some(same) = wanted.iter().find(|wanted| wanted.volume == mount.volume) {
            mount.path.clone_from(&same.path);
        }
        mount
    };
    standing.into_iter().map(moved).collect()
}

/// What is asked of Fly when the Machine is made or changed; the Machine keeps whether it is meant to run.
pub fn launch(launch: Launch, config: &mut fly::MachineConfig) -> fly::Launch {
    match launch {
        Launch::Start => {
            config.metadata.insert(metadata::LAUNCH.into(), "start".into());
            fly::Launch::Start
        }
        Launch::Skip => fly::Launch::Skip,
    }
}

/// The size, for the Machine and as a hint for the volume's host.
pub fn guest(plan: &PinnedPlan) -> fly::Guest {
    let (cpus, memory) = (plan.cpus.unsigned_abs(), plan.memory_mb.unsigned_abs());
    match plan.cpu_kind {
        CpuKind::Shared => fly::Guest::shared(cpus, memory),
        CpuKind::Performance => fly::Guest::performance(cpus, memory),
    }
}

/// A tag is pinned to the digest that Fly reported for it.
fn image(resolved: &Resolved) -> String {
    let image = &resolved.pin.spec.image;
    match &resolved.pin.image_digest {
        Some(digest) if !image.contains('@') => format!("{image}@{digest}"),
        _ => image.clone(),
    }
}

fn env(facts: &Facts, resolved: &Resolved) -> BTreeMap<String, String> {
    let fixed = resolved.pin.spec.env.iter().map(|env| (env.name.clone(), env.value.clone()));
    let literal =
        facts.runtime.spec.env.iter().filter_map(|env| Some((env.name.clone(), env.value.clone()?)));
    // By it the gateway's own command line finds it inside the Machine.
    let port = (PORT_ENV.to_owned(), resolved.pin.spec.port.to_string());
    literal.chain(fixed).chain([port]).collect()
}

fn marks(
    facts: &Facts,
    resolved: &Resolved,
    identity: &RuntimeIdentity,
    addresses: &[String],
) -> BTreeMap<String, String> {
    let mut marks = BTreeMap::from([
        (metadata::IDENTITY.to_owned(), identity.identity.clone()),
        (metadata::CONFIG.to_owned(), config_mark::mark(facts, resolved)),
        (metadata::SEED.to_owned(), facts.cluster.settings.seed.to_string()),
        (metadata::ADDRESSES.to_owned(), addresses.join(",")),
        (metadata::ENV.to_owned(), env_marks::mark(facts)),
        (metadata::IDLING.to_owned(), sleep::mark(resolved.sleep).to_owned()),
    ]);
    marks.extend(grown_gb(facts).map(|size| (metadata::GROWN.to_owned(), size.to_string())));
    marks.extend(hostname::wanted(facts).map(|host| (metadata::HOSTNAME.to_owned(), host.to_owned())));
    marks.extend(names::mark(&facts.cluster.names).map(|mark| (metadata::NAMES.to_owned(), mark)));
    marks.extend(super::warm::owner(facts, identity).map(|slug| (metadata::OWNER.to_owned(), slug)));
    // What was marked of secrets holds until others are set.
    let secrets = secrets_hash(facts);
    let same = facts.known.machine.present().filter(|machine| machine.secrets_hash == secrets);
    let digests = same.and_then(|machine| machine.digests.as_deref());
    marks.extend(digests.map(|digests| (metadata::DIGESTS.to_owned(), digests.to_owned())));
    marks.extend(secrets.map(|hash| (metadata::SECRETS.to_owned(), hash)));
    marks.extend(resolved.restarted_at.clone().map(|at| (metadata::RESTARTED_AT.to_owned(), at)));
    marks
}

fn service(resolved: &Resolved) -> fly::Service {
    fly::Service {
        protocol: Some(fly::Protocol::Tcp),
        internal_port: u16::try_from(resolved.pin.spec.port).ok(),
        ports: vec![fly::ServicePort::http_redirect(), fly::ServicePort::https()],
        autostop: Some(sleep::autostop(resolved.sleep)),
        autostart: Some(resolved.sleep != SleepMode::Never),
        min_machines_running: (resolved.sleep != SleepMode::Never).then_some(0),
        ..fly::Service::default()
    }
}

fn check(resolved: &Resolved) -> fly::Check {
    let health = &resolved.pin.spec.health_check;
    let wire = |secs| Some(fly::WireDuration::from_secs(seconds(secs)));
    fly::Check {
        interval: wire(health.interval_seconds),
        timeout: wire(health.timeout_seconds),
        grace_period: wire(health.grace_period_seconds),
        method: Some("GET".into()),
        ..fly::Check::http(u16::try_from(resolved.pin.spec.port).unwrap_or_default(), health.path.clone())
    }
}

fn files(seed: &Seed) -> Vec<fly::File> {
    seed.files
        .iter()
        .map(|file| fly::File { mode: Some(file.mode), ..fly::File::raw(file.guest_path, file.raw_value()) })
        .collect()
}

/// The names under which browsers may open the gateway. The platform's own hostname is none of what is compared: one
/// that comes or changes later is taken up with the next start, and restarts nothing. Customers' own names are: nobody
/// would get in by one before, and whoever has it after them would.
fn origins(facts: &Facts, identity: &RuntimeIdentity) -> Result<Vec<Origin>, Refusal> {
    let hostname = hostname::wanted(facts).map(|host| format!("https://{host}"));
    let all = [url(identity)].into_iter().chain(hostname).chain(names::origins(&facts.cluster.names));
    all.map(|url| Origin::parse(&url).map_err(invalid)).collect()
}

fn checked_settings(
    facts: &Facts,
    resolved: &Resolved,
    addresses: &[String],
    origins: Vec<Origin>,
) -> Result<GatewaySettings, Refusal> {
    let ranges = resolved.pin.spec.gateway.trusted_proxies.iter().chain(addresses);
    let proxies =
        ranges.map(|range| ProxyRange::parse(range).map_err(invalid)).collect::<Result<Vec<_>, _>>()?;
    Ok(GatewaySettings { workspace: workspace(resolved), ..settings(facts, &proxies, origins) })
}

pub(super) fn settings(facts: &Facts, proxies: &[ProxyRange], origins: Vec<Origin>) -> GatewaySettings {
    let spec = &facts.runtime.spec;
    GatewaySettings {
        allowed_origins: origins,
        trusted_proxies: proxies.to_vec(),
        persona: spec.persona.as_ref().and_then(|persona| Persona::named(&persona.name)),
        model: spec.env.iter().find(|env| env.name == "LLM_MODEL").and_then(|env| env.value.clone()),
        workspace: String::new(),
    }
}

fn workspace(resolved: &Resolved) -> String {
    format!("{}/workspace", resolved.pin.spec.mount_path.trim_end_matches('/'))
}

#[allow(clippy::needless_pass_by_value, reason = "it is a map_err target")]
fn invalid(error: crate::gateway::settings::InvalidSetting) -> Refusal {
    Refusal::new(reason::INVALID, format!("The Blueprint can't be used: {error}."))
}

fn signal(signal: StopSignal) -> &'static str {
    match signal {
        StopSignal::Term => "SIGTERM",
        StopSignal::Int => "SIGINT",
    }
}

fn seconds(seconds: i32) -> u64 {
    u64::try_from(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(volume: &str, path: &str, name: Option<&str>) -> fly::Mount {
        let name = name.map(str::to_owned);
        fly::Mount { volume: volume.into(), path: path.into(), name, ..fly::Mount::default() }
    }

    #[test]
    fn a_volume_is_mounted_where_the_command_looks_for_it() {
        let wanted = [mount("vol_1", "/data", None)];
        let own = vec![mount("vol_1", "/home/node", Some("kept"))];
        assert_eq!(mounts(own, &wanted), [mount("vol_1", "/data", Some("kept"))]);
        let foreign = vec![mount("vol_2", "/home/node", None)];
        assert_eq!(mounts(foreign.clone(), &wanted), foreign, "a mount's volume can't be changed");
    }
}
