//! A rig with short timings, and what the platform allows in the tests' namespaces.

use anyhow::Result;
use kube::Client;
use serde_json::{Value, json};
use testbed::{Audit, FlySimOptions, RateLimits, Rig, RigOptions, apply};
use tokio::sync::OnceCell;

/// Plans that need no order, and a policy for namespaces with the label `policy.moorage.dev/tier: test`.
const PLATFORM: &str = r"
apiVersion: moorage.dev/v1alpha1
kind: Plan
metadata: {name: small}
spec:
  {displayName: Small, cpuKind: Shared, cpus: 2, memoryMB: 2048, volumeGB: 3, amount: 0, currency: USD,
   interval: Month, requiresOrder: false}
---
apiVersion: moorage.dev/v1alpha1
kind: Plan
metadata: {name: medium}
spec:
  {displayName: Medium, cpuKind: Shared, cpus: 4, memoryMB: 4096, volumeGB: 5, amount: 0, currency: USD,
   interval: Month, requiresOrder: false}
---
apiVersion: moorage.dev/v1alpha1
kind: WorkspacePolicy
metadata: {name: tests}
spec:
  selector: {matchLabels: {policy.moorage.dev/tier: test}}
  allowedPlans: [small, medium, openclaw-basic, tiny, late, sold, sold-more]
  maxRuntimes: 500
";

/// The operator's configuration for tests: pauses of seconds where the defaults take minutes.
pub fn config() -> Vec<(&'static str, Value)> {
    vec![
        ("/leaderElection", json!("Off")),
        ("/timing/absenceGraceSeconds", json!(2)),
        // Tests delete many at once; those of the brake set their own limits.
        ("/deletionBrake/windowMinutes", json!(0)),
        ("/timing/feedSeconds", json!(1)),
        ("/timing/slowRetrySeconds", json!(3)),
        // Tests count requests; those of what somebody else does at Fly set their own pause.
        ("/timing/surveySeconds", json!(3600)),
    ]
}

/// A rig of one's own.
pub async fn start(more: Vec<(&'static str, Value)>) -> Result<Rig> {
    let fly = FlySimOptions { rate_limits: RateLimits::Off, ..FlySimOptions::default() };
    let config = config().into_iter().chain(more).collect();
    let rig = Rig::start(RigOptions { audit: Audit::Requests, fly, config, env: Vec::new() }).await?;
    prepare(&rig.client().await?).await?;
    Ok(rig)
}

/// What the platform sells and allows to the tests' tenants.
pub async fn prepare(client: &Client) -> Result<()> {
    apply(client, PLATFORM).await.map(drop)
}

/// One rig for the whole test binary, for tests that take a namespace each and disturb nobody else.
pub async fn shared() -> &'static Rig {
    static SHARED: OnceCell<Rig> = OnceCell::const_new();
    SHARED.get_or_init(|| async { start(Vec::new()).await.expect("a rig") }).await
}
