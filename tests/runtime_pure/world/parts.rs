//! What the platform offers.

use super::*;

pub fn plan(requires_order: bool) -> PlanSpec {
    PlanSpec {
        display_name: None,
        cpu_kind: CpuKind::Shared,
        cpus: 2,
        memory_mb: 2048,
        volume_gb: 10,
        amount: 0,
        currency: "EUR".into(),
        interval: Interval::Month,
        requires_order,
        warm_pool: None,
    }
}

pub(super) fn blueprint() -> BlueprintSpec {
    BlueprintSpec {
        image: "ghcr.io/openclaw/openclaw:2026.9.6".into(),
        command: vec!["node".into(), "dist/index.js".into(), "gateway".into()],
        port: 3000,
        mount_path: "/data".into(),
        minimum_memory_mb: 2048,
        env: Vec::new(),
        env_schema: Vec::new(),
        health_check: HealthCheck {
            path: "/healthz".into(),
            interval_seconds: 15,
            timeout_seconds: 5,
            grace_period_seconds: 60,
        },
        stop: Stop { signal: StopSignal::Term, timeout_seconds: 300 },
        gateway: Gateway { adapter: GatewayAdapter::OpenClaw, trusted_proxies: vec!["172.16.0.0/12".into()] },
        rollout: None,
    }
}

pub(super) fn settings() -> Settings {
    Settings {
        cluster_id: "test".into(),
        app_prefix: "".into(),
        default_blueprint: "openclaw".into(),
        default_regions: vec!["iad".to_owned()].into(),
        mode: Mode::ReadWrite,
        readiness: Readiness::ChecksAndURL,
        deletion_brake: DeletionBrake::default(),
        absence_grace: second(30),
        start_deadline: second(600),
        stop_deadline: second(420),
        destroy_deadline: second(1800),
        slow_retry: second(600),
        keep_displaced: second(3600),
        seed: 1,
    }
}

/// What the text of an image stands for.
pub(super) fn digest(image: &str) -> String {
    match image.split_once('@') {
        Some((_, digest)) => digest.to_owned(),
        None if image == blueprint().image => "sha256:abc".to_owned(),
        None => format!("sha256:of {image}"),
    }
}
