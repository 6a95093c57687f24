//! The providers' webhooks under load, on two replicas against a real API server: nothing valid is lost, nothing forged
//! is taken, and neither time nor memory grows.
//!
//! By itself a few seconds at what a busy machine can carry. The whole measurement, in a release build:
//! `make bench-webhooks`, or with the environment variables `MOORAGE_WEBHOOK_RATE` (requests a second),
//! `MOORAGE_WEBHOOK_SECONDS`, `MOORAGE_WEBHOOK_ORDERS` (different orders that they are about) and `MOORAGE_WEBHOOK_SLOW`
//! (senders a second whose bodies never come).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::pedantic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test may fail loudly"
)]

mod load;
mod requests;
mod scene;
#[path = "../webhook_support/mod.rs"]
mod support;
mod wire;

use std::time::Duration;

use load::{Load, Report};
use requests::Kind;
use scene::Scene;

/// The longest that a hundredth of the valid requests may take.
const P99: Duration = Duration::from_secs(2);
/// What a replica's memory may grow by between the first third and the end, in bytes.
const GROWTH: u64 = 24 << 20;

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_valid_is_lost_and_nothing_forged_is_taken() {
    let rate = from_environment("MOORAGE_WEBHOOK_RATE", 120);
    let slow = from_environment("MOORAGE_WEBHOOK_SLOW", 40);
    let lasts = Duration::from_secs(from_environment("MOORAGE_WEBHOOK_SECONDS", 6));
    let scene = Scene::start(from_environment("MOORAGE_WEBHOOK_ORDERS", 40) as usize).await.unwrap();
    // Connections, caches and the allocator's first pages are there before memory is compared.
    Load::new(&scene, (rate, slow), lasts / 3, 0).run().await;
    let before = scene.resident_bytes();
    let report = Load::new(&scene, (rate, slow), lasts, 1).run().await;
    let after = scene.resident_bytes();
    println!("{}", report.table(rate, lasts, before, after));
    judge(&scene, &report, before, after).await;
}

async fn judge(scene: &Scene, report: &Report, before: [u64; 2], after: [u64; 2]) {
    assert_eq!(report.lost(), [""; 0], "valid requests that weren't taken");
    assert_eq!(report.told(), [""; 0], "what a forged one was told");
    let stored = scene.receipts().await.unwrap();
    let missing: Vec<_> = report.payments().filter(|payment| !stored.contains(*payment)).collect();
    assert!(missing.is_empty(), "answered SUCCESS and not stored: {missing:?}");
    assert_eq!(stored.iter().filter(|payment| payment.starts_with('9')).count(), 0, "a forged one is stored");
    scene.wait_noticed(&report.last_events()).await.unwrap();
    if std::env::var_os("MOORAGE_WEBHOOK_RATE").is_none() {
        // How long things take among other tests is the machine's affair.
        return;
    }
    for kind in [Kind::Payment, Kind::Event] {
        let slow = report.percentile(kind, 99);
        assert!(slow <= P99, "{kind:?}: {slow:?} for one in a hundred");
    }
    for (before, after) in before.iter().zip(after) {
        assert!(after.saturating_sub(*before) <= GROWTH, "from {before} to {after} bytes");
    }
}
