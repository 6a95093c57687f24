//! Hostnames of customers': how fast they come into service, what that costs, and what those cost that wait.
//!
//! DNS is Knot with the platform's zone and the customers', the authority is Pebble, and the edge is the simulator's. What
//! a hostname's records are is only known once its CustomDomain is there, and the same each time: so they are declared,
//! what they ask for is read, they are deleted, the records are set, and only then they are declared to be measured.

mod acme;
mod crowd;
mod hosts;
mod pending;
pub(super) mod report;
mod single;

use anyhow::Result;
use kube::Client;
use serde::Serialize;
use serde_json::json;

use self::crowd::Crowd;
use self::pending::Pending;
use self::single::Single;
use super::run::Parts;
use super::{BenchOptions, fleet};
use crate::control_plane::Audit;
use crate::fly_sim::{FlySimOptions, RateLimits};
use crate::progress::Progress;
use crate::rig::{Rig, RigOptions};
use crate::surroundings::Surroundings;

/// The platform's own domain.
const BASE: &str = "moorage.test";
/// Hostnames of one Runtime.
const OF_ONE: usize = 10;

/// Where certificates come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Source {
    /// From Pebble.
    #[serde(rename = "ACME")]
    Acme,
    /// From the simulator.
    Fly,
}

impl Source {
    const ALL: [Self; 2] = [Self::Acme, Self::Fly];

    /// As a spec has it.
    fn word(self) -> &'static str {
        match self {
            Self::Acme => "ACME",
            Self::Fly => "Fly",
        }
    }
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Measured {
    /// Those whose records are missing.
    pending: Option<Pending>,
    /// What was measured by each source.
    sources: Vec<OfSource>,
}

/// What was measured by one source.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfSource {
    /// The source.
    source: Source,
    /// Many at once.
    crowd: Crowd,
    /// One after the other.
    single: Option<Single>,
}

/// What runs.
struct Stage {
    // Fields drop in this order: who uses a server goes before it.
    rig: Rig,
    around: Surroundings,
    client: Client,
    namespaces: usize,
    progress: Progress,
}

impl Stage {
    async fn start(options: &BenchOptions, progress: Progress) -> Result<Self> {
        let around = Surroundings::start(BASE, &[hosts::ZONE]).await?;
        let mut rig = Rig::start(rig_options(options, &around)).await?;
        rig.fly.resolve_at(around.internet.resolver()).await?;
        let client = rig.client().await?;
        let runtimes =
            options.domains.max(options.pending).div_ceil(OF_ONE * options.namespaces) * options.namespaces;
        fleet::prepare(&client, options.namespaces, runtimes).await?;
        let places = fleet::places('r', options.namespaces, runtimes);
        fleet::create_and_wait(&client, places, 0, || rig.operator.process().check_running()).await?;
        super::run::settled(&client).await?;
        Ok(Self { rig, around, client, namespaces: options.namespaces, progress })
    }

    /// Everything that works for the hostnames.
    fn parts(&self) -> Parts<'_> {
        let beside =
            vec![("pebble", self.around.authority.process()), ("knot", self.around.server().process())];
        Parts { rig: &self.rig, beside }
    }

    fn check(&self) -> Result<()> {
        self.rig.operator.process().check_running()?;
        self.rig.fly.process().check_running()
    }
}

/// Measures all of it.
pub(super) async fn measure(options: &BenchOptions, progress: Progress) -> Result<Measured> {
    progress.note(&format!("{} CustomDomains", options.domains));
    let stage = Stage::start(options, progress).await?;
    let pending = match options.pending {
        0 => None,
        count => Some(pending::measure(&stage, count).await?),
    };
    let mut sources = Vec::new();
    for source in Source::ALL {
        let crowd = crowd::measure(&stage, source, options.domains).await?;
        let single = match options.single {
            0 => None,
            count => Some(single::measure(&stage, source, count).await?),
        };
        sources.push(OfSource { source, crowd, single });
    }
    Ok(Measured { pending, sources })
}

fn rig_options(options: &BenchOptions, around: &Surroundings) -> RigOptions {
    let mut config = vec![
        ("/taskHistory/perRuntime", json!(0)),
        ("/deletionBrake/windowMinutes", json!(0)),
        ("/concurrency", json!(options.concurrency)),
        ("/logging/level", json!("warn")),
    ];
    config.extend(around.config());
    config.push(("/customDomains/perNamespace", json!(1_000)));
    config.extend(options.set.clone());
    let fly = FlySimOptions { rate_limits: RateLimits::Off, ..FlySimOptions::default() };
    RigOptions { audit: Audit::Off, fly, config, env: options.env.clone() }
}
