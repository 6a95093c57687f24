//! What the process counts and measures, in the `OpenMetrics` format.
//!
//! Labels have few values by construction: kinds and operations are `&'static str`, the rest are enums, so that no
//! object's name can become one.

mod labels;
mod observed;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use labels::{
    ControllerLabel, FlyLabels, KindLabel, OperationLabel, ProviderLabel, ReconcileLabels, StateLabel,
    WebhookLabels, WithinLabel,
};
pub use labels::{ReconcileResult, Role};

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Every metric of the process. Clones share everything.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    reconcile: Family<ReconcileLabels, Counter>,
    reconcile_seconds: Histograms<ControllerLabel>,
    reconcile_panics: Family<ControllerLabel, Counter>,
    status_writes: Family<KindLabel, Counter>,
    objects_in_backoff: Family<KindLabel, Gauge>,
    watch_restarts: Family<KindLabel, Counter>,
    fly_requests: Family<FlyLabels, Counter>,
    fly_request_seconds: Histograms<OperationLabel>,
    fly: observed::Fly,
    runtimes: Family<StateLabel, Gauge>,
    runtimes_unverified: Gauge,
    deletions_held: Gauge,
    receipts_flagged: Gauge,
    orphan_apps: Gauge,
    /// Without labels; there is none until a certificate is known.
    certificate_expiry: Family<Vec<(String, String)>, Gauge>,
    hostname_certificates_ending: Family<WithinLabel, Gauge>,
    hostname_renewals_overdue: Gauge,
    warm_apps: Family<StateLabel, Gauge>,
    warm_apps_given: Counter,
    warm_cost: Gauge<f64, AtomicU64>,
    time_to_ready: Histogram,
    webhooks: Family<WebhookLabels, Counter>,
    webhook_seconds: Histograms<ProviderLabel>,
    leader: Gauge,
    preflight_faults: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// A set of its own, all at zero.
    pub fn new() -> Self {
        let mut inner = Inner {
            registry: Registry::with_prefix("moorage"),
            reconcile: Family::default(),
            reconcile_seconds: Family::new_with_constructor(work_seconds),
            reconcile_panics: Family::default(),
            status_writes: Family::default(),
            objects_in_backoff: Family::default(),
            watch_restarts: Family::default(),
            fly_requests: Family::default(),
            fly_request_seconds: Family::new_with_constructor(work_seconds),
            fly: observed::Fly::default(),
            runtimes: Family::default(),
            runtimes_unverified: Gauge::default(),
            deletions_held: Gauge::default(),
            receipts_flagged: Gauge::default(),
            orphan_apps: Gauge::default(),
            certificate_expiry: Family::default(),
            hostname_certificates_ending: Family::default(),
            hostname_renewals_overdue: Gauge::default(),
            warm_apps: Family::default(),
            warm_apps_given: Counter::default(),
            warm_cost: Gauge::default(),
            time_to_ready: Histogram::new([5.0, 10.0, 20.0, 30.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0]),
            webhooks: Family::default(),
            webhook_seconds: Family::new_with_constructor(work_seconds),
            leader: Gauge::default(),
            preflight_faults: Gauge::default(),
        };
        inner.register_work();
        inner.register_fly();
        inner.register_webhooks();
        inner.register_process();
        Self(Arc::new(inner))
    }

    /// A reconcile has ended.
    pub fn reconciled(&self, controller: &'static str, result: ReconcileResult, elapsed: Duration) {
        self.0.reconcile.get_or_create(&ReconcileLabels { controller, result }).inc();
        self.0
            .reconcile_seconds
            .get_or_create(&ControllerLabel { controller })
            .observe(elapsed.as_secs_f64());
    }

    /// A reconcile has panicked and the panic was caught.
    pub fn reconcile_panicked(&self, controller: &'static str) {
        self.0.reconcile_panics.get_or_create(&ControllerLabel { controller }).inc();
    }

    /// A status was written.
    pub fn status_written(&self, kind: &'static str) {
        self.0.status_writes.get_or_create(&KindLabel { kind }).inc();
    }

    /// How many objects of a kind wait after a failure, now.
    pub fn objects_in_backoff(&self, kind: &'static str, objects: usize) {
        self.0.objects_in_backoff.get_or_create(&KindLabel { kind }).set(gauge(objects));
    }

    /// How many apps carry our mark and have no claim, now.
    pub fn orphan_apps(&self, apps: usize) {
        self.0.orphan_apps.set(gauge(apps));
    }

    /// How many deletions wait for the platform, now.
    pub fn deletions_held(&self, deletions: usize) {
        self.0.deletions_held.set(gauge(deletions));
    }

    /// How many payments pay for nothing, and nobody has dealt with, now.
    pub fn receipts_flagged(&self, receipts: usize) {
        self.0.receipts_flagged.set(gauge(receipts));
    }

    /// When the base domain's certificate ends.
    pub fn certificate_expiry(&self, at: jiff::Timestamp) {
        self.0.certificate_expiry.get_or_create(&Vec::new()).set(at.as_second());
    }

    /// How many certificates of customers' hostnames end within each time, and how many should have been renewed, now.
    pub fn hostname_certificates(
        &self,
        ending: impl IntoIterator<Item = (&'static str, usize)>,
        overdue: usize,
    ) {
        for (within, count) in ending {
            self.0.hostname_certificates_ending.get_or_create(&WithinLabel { within }).set(gauge(count));
        }
        self.0.hostname_renewals_overdue.set(gauge(overdue));
    }

    /// How many warm apps are in each state, now. A state that isn't named keeps its number: name them all.
    pub fn warm_apps(&self, by_state: impl IntoIterator<Item = (&'static str, usize)>) {
        for (state, count) in by_state {
            self.0.warm_apps.get_or_create(&StateLabel { state }).set(gauge(count));
        }
    }

    /// What all warm apps cost at Fly in 30 days, in US dollars.
    pub fn warm_cost(&self, dollars: f64) {
        self.0.warm_cost.set(dollars);
    }

    /// A warm app was given to a Runtime.
    pub fn warm_app_given(&self) {
        self.0.warm_apps_given.inc();
    }

    /// A watch has ended in an error and begins again.
    pub fn watch_restarted(&self, kind: &'static str) {
        self.0.watch_restarts.get_or_create(&KindLabel { kind }).inc();
    }

    /// How many Runtimes are in each state, now. A state that isn't named keeps its number: name them all.
    pub fn runtimes(&self, by_state: impl IntoIterator<Item = (&'static str, usize)>) {
        for (state, count) in by_state {
            self.0.runtimes.get_or_create(&StateLabel { state }).set(gauge(count));
        }
    }

    /// Of how many Runtimes this process hasn't yet compared the Machine with what is declared.
    pub fn runtimes_unverified(&self, runtimes: usize) {
        self.0.runtimes_unverified.set(gauge(runtimes));
    }

    /// A Runtime has begun to run for the first time, this long after it was declared.
    pub fn became_ready(&self, after: Duration) {
        self.0.time_to_ready.observe(after.as_secs_f64());
    }

    /// A payment provider's webhook was answered.
    pub fn webhook_answered(&self, provider: &'static str, outcome: &'static str, elapsed: Duration) {
        self.0.webhooks.get_or_create(&WebhookLabels { provider, outcome }).inc();
        self.0.webhook_seconds.get_or_create(&ProviderLabel { provider }).observe(elapsed.as_secs_f64());
    }

    /// What this replica is.
    pub fn role(&self, role: Role) {
        self.0.leader.set(i64::from(role == Role::Leader));
    }

    /// How many of the checks at start fail.
    pub fn preflight_faults(&self, faults: usize) {
        self.0.preflight_faults.set(gauge(faults));
    }

    /// A call to Fly has ended.
    pub fn fly_called(&self, operation: &'static str, outcome: &'static str, elapsed: Duration) {
        self.0.fly_requests.get_or_create(&FlyLabels { operation, outcome }).inc();
        self.0
            .fly_request_seconds
            .get_or_create(&OperationLabel { operation })
            .observe(elapsed.as_secs_f64());
    }

    /// Shows this client's budget from now on.
    pub fn watch_budget(&self, client: fly_machines::Client) {
        self.0.fly.watch(client);
    }

    /// Everything, as text of [`CONTENT_TYPE`].
    ///
    /// # Errors
    /// None that a `String` can meet; the encoder's signature has one.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

impl fly_machines::Observer for Metrics {
    fn finished(&self, call: &fly_machines::CallRecord) {
        self.fly_called(call.operation, call.outcome, call.duration);
    }
}

// The registry appends `_total` to counters.
impl Inner {
    fn register_work(&mut self) {
        let to = &mut self.registry;
        to.register("reconcile", "Reconciles by how they ended", self.reconcile.clone());
        to.register("reconcile_seconds", "Time of a reconcile", self.reconcile_seconds.clone());
        to.register("reconcile_panics", "Panics caught in reconciles", self.reconcile_panics.clone());
        to.register("status_writes", "Statuses written", self.status_writes.clone());
        to.register(
            "objects_in_backoff",
            "Objects that wait after a failure",
            self.objects_in_backoff.clone(),
        );
        to.register("watch_restarts", "Watches begun again after an error", self.watch_restarts.clone());
        to.register("runtimes", "Runtimes in each state", self.runtimes.clone());
        to.register(
            "runtimes_unverified",
            "Runtimes whose Machine this process has not yet compared with what is declared",
            self.runtimes_unverified.clone(),
        );
        to.register(
            "orphan_apps",
            "Apps at Fly that carry our mark and that no claim names",
            self.orphan_apps.clone(),
        );
        to.register(
            "deletions_held",
            "Deletions held by the brake until the platform confirms them",
            self.deletions_held.clone(),
        );
        to.register(
            "receipts_flagged",
            "Payments that pay for nothing, and that were neither refunded nor approved by hand",
            self.receipts_flagged.clone(),
        );
        to.register("warm_apps", "Apps made ahead, in each state", self.warm_apps.clone());
        to.register("warm_apps_given", "Warm apps given to Runtimes", self.warm_apps_given.clone());
        to.register(
            "warm_apps_dollars_per_month",
            "About what all warm apps cost at Fly in 30 days, in US dollars",
            self.warm_cost.clone(),
        );
        to.register(
            "base_domain_certificate_expiry_timestamp_seconds",
            "When the base domain's certificate ends, in seconds since 1970; absent while there is none",
            self.certificate_expiry.clone(),
        );
        to.register(
            "hostname_certificates_ending",
            "Certificates of customers' hostnames that end within this time, or have ended and weren't removed",
            self.hostname_certificates_ending.clone(),
        );
        to.register(
            "hostname_renewals_overdue",
            "Certificates of customers' hostnames that the operator should have renewed more than a day ago",
            self.hostname_renewals_overdue.clone(),
        );
        to.register(
            "time_to_ready_seconds",
            "From the declaration of a Runtime to its first running",
            self.time_to_ready.clone(),
        );
    }

    fn register_fly(&mut self) {
        let to = &mut self.registry;
        to.register("fly_requests", "Calls to Fly by how they ended", self.fly_requests.clone());
        to.register(
            "fly_request_seconds",
            "Time of a call to Fly, its wait for the budget and its retries included",
            self.fly_request_seconds.clone(),
        );
        to.register_collector(Box::new(self.fly.clone()));
    }

    fn register_webhooks(&mut self) {
        let to = &mut self.registry;
        to.register(
            "webhooks",
            "Requests to the payment providers' webhooks by what became of them",
            self.webhooks.clone(),
        );
        to.register("webhook_seconds", "Time to a webhook's answer", self.webhook_seconds.clone());
    }

    fn register_process(&mut self) {
        let to = &mut self.registry;
        to.register("leader", "1 while this replica acts", self.leader.clone());
        to.register("preflight_faults", "Checks that fail at start", self.preflight_faults.clone());
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        to.register("build", "The program", Info::new(version));
        to.register_collector(Box::new(observed::Process));
    }
}

fn gauge(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// From a reconcile that finds nothing to do to a call that waits a minute for a Machine.
fn work_seconds() -> Histogram {
    Histogram::new([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
}

#[cfg(test)]
mod tests;
