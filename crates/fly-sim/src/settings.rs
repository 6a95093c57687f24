//! What can be turned while the simulator runs: delays, limits, lag, the shape of answers.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::ids::Ids;

/// A delay: a number drawn from this range of milliseconds each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span(pub Millis, pub Millis);

impl Span {
    const fn just(ms: Millis) -> Self {
        Self(ms, ms)
    }

    /// Draws one.
    pub fn draw(self, ids: &mut Ids) -> Millis {
        ids.between(self.0, self.1)
    }
}

/// How long things take, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Delays {
    /// The host fetches the image; the Machine reads `created` meanwhile.
    pub image: Span,
    /// From `starting` to `started`, cold.
    pub start: Span,
    /// From `starting` to `started`, from a snapshot.
    pub resume: Span,
    /// From `stopping` to `stopped`.
    pub stop: Span,
    /// How long a stopped Machine refuses to start because it is still active.
    pub settle: Span,
    /// An update without a new image.
    pub replace: Span,
    /// An update with a new image.
    pub replace_image: Span,
    /// From `destroying` to `destroyed`.
    pub destroy: Span,
    /// How long a volume stays bound after its Machine is destroyed.
    pub unbind: Span,
    /// How long a volume stays claimed after its Machine is destroyed.
    pub unclaim: Span,
    /// A fork or a restored snapshot until it is `created`.
    pub hydrate: Span,
    /// A snapshot until it is `created`.
    pub snapshot: Span,
    /// From the start of a program to passing checks (instant driver only).
    pub checks: Span,
    /// Issuing a certificate once it is validated.
    pub issue: Span,
}

impl Default for Delays {
    fn default() -> Self {
        Profile::Instant.delays()
    }
}

/// A named set of delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// No delay at all.
    Instant,
    /// As measured on live Fly with the image on the host.
    Warm,
    /// As measured on live Fly with an image that must be pulled.
    Cold,
}

impl Profile {
    /// The delays of this profile.
    pub const fn delays(self) -> Delays {
        match self {
            Self::Instant => INSTANT,
            Self::Warm => WARM,
            Self::Cold => COLD,
        }
    }
}

const INSTANT: Delays = Delays {
    image: Span::just(0),
    start: Span::just(0),
    resume: Span::just(0),
    stop: Span::just(0),
    settle: Span::just(0),
    replace: Span::just(0),
    replace_image: Span::just(0),
    destroy: Span::just(0),
    unbind: Span::just(0),
    unclaim: Span::just(0),
    hydrate: Span::just(0),
    snapshot: Span::just(0),
    checks: Span::just(0),
    issue: Span::just(0),
};

const WARM: Delays = Delays {
    image: Span(6_000, 9_000),
    start: Span(1_400, 2_000),
    resume: Span(200, 600),
    stop: Span(800, 1_500),
    settle: Span(2_000, 10_000),
    replace: Span(3_000, 3_500),
    replace_image: Span(6_000, 9_000),
    destroy: Span(1_000, 3_000),
    unbind: Span(5_000, 20_000),
    unclaim: Span(10_000, 30_000),
    hydrate: Span(10_000, 30_000),
    snapshot: Span(5_000, 15_000),
    checks: Span(1_000, 2_000),
    issue: Span(5_000, 15_000),
};

const COLD: Delays = Delays {
    image: Span(40_000, 70_000),
    replace_image: Span(39_000, 64_000),
    unbind: Span(60_000, 120_000),
    unclaim: Span(90_000, 180_000),
    ..WARM
};

/// Which oddities of the live API the answers show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quirks {
    /// None.
    Off,
    /// Those that no tolerant client minds.
    #[default]
    Light,
    /// Nulls where maps, lists and strings may be, and unknown fields.
    Full,
}

/// Whether requests are counted against Fly's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum RateLimits {
    /// As on Fly.
    #[default]
    On,
    /// Any number of requests.
    Off,
}

/// Everything that can be changed at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// How long things take.
    pub delays: Delays,
    /// Real milliseconds before each request is looked at.
    pub latency_ms: u64,
    /// How far lists are behind, in milliseconds.
    pub consistency_lag_ms: Millis,
    /// How long a GET of a thing just made answers 404, in milliseconds.
    pub appear_lag_ms: Millis,
    /// How long a destroyed Machine can still be read, in milliseconds.
    pub destroyed_readable_ms: Millis,
    /// Whether requests are limited.
    pub rate_limits: RateLimits,
    /// Which oddities answers show.
    pub quirks: Quirks,
    /// How long a Machine must be idle before the proxy stops it, in milliseconds.
    pub autostop_idle_ms: Millis,
    /// The time between two passes of the autostop loop, in milliseconds.
    pub autostop_pass_ms: Millis,
    /// The DNS server that hostnames are looked up at; the fake DNS when there is none.
    pub resolver: Option<SocketAddr>,
    /// How often Fly looks by itself at the DNS of a hostname that isn't through yet, in milliseconds.
    pub certificate_recheck_ms: Millis,
    /// How long a certificate holds that Fly has issued, in milliseconds.
    pub certificate_lifetime_ms: Millis,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            delays: INSTANT,
            latency_ms: 0,
            consistency_lag_ms: 0,
            appear_lag_ms: 0,
            destroyed_readable_ms: 60_000,
            rate_limits: RateLimits::On,
            quirks: Quirks::Light,
            autostop_idle_ms: 300_000,
            autostop_pass_ms: 60_000,
            resolver: None,
            certificate_recheck_ms: 60_000,
            certificate_lifetime_ms: 90 * 24 * 3_600_000,
        }
    }
}
