use super::*;

fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn what_happened_is_shown_under_the_documented_names() {
    let metrics = Metrics::new();
    let shared = metrics.clone();
    shared.reconciled("runtime", ReconcileResult::Success, Duration::from_millis(3));
    shared.reconciled("runtime", ReconcileResult::Success, Duration::from_millis(3));
    shared.reconciled("runtime", ReconcileResult::User, Duration::from_millis(3));
    shared.reconcile_panicked("runtime");
    shared.status_written("Workspace");
    shared.objects_in_backoff("Runtime", 4);
    shared.watch_restarted("Plan");
    shared.runtimes([("running", 7), ("error", 0)]);
    shared.became_ready(Duration::from_secs(42));
    shared.fly_called("machines.create", "capacity_region", Duration::from_secs(1));
    shared.webhook_answered("stripe", "taken", Duration::from_millis(3));
    shared.role(Role::Leader);
    shared.preflight_faults(2);
    let text = metrics.render().unwrap();
    for (series, expected) in [
        (r#"moorage_reconcile_total{controller="runtime",result="success"}"#, 2.0),
        (r#"moorage_reconcile_total{controller="runtime",result="error_user"}"#, 1.0),
        (r#"moorage_reconcile_seconds_count{controller="runtime"}"#, 3.0),
        (r#"moorage_reconcile_panics_total{controller="runtime"}"#, 1.0),
        (r#"moorage_status_writes_total{kind="Workspace"}"#, 1.0),
        (r#"moorage_objects_in_backoff{kind="Runtime"}"#, 4.0),
        (r#"moorage_watch_restarts_total{kind="Plan"}"#, 1.0),
        (r#"moorage_runtimes{state="running"}"#, 7.0),
        (r#"moorage_runtimes{state="error"}"#, 0.0),
        ("moorage_time_to_ready_seconds_sum", 42.0),
        (r#"moorage_fly_requests_total{operation="machines.create",outcome="capacity_region"}"#, 1.0),
        (r#"moorage_fly_request_seconds_count{operation="machines.create"}"#, 1.0),
        (r#"moorage_webhooks_total{provider="stripe",outcome="taken"}"#, 1.0),
        (r#"moorage_webhook_seconds_count{provider="stripe"}"#, 1.0),
        ("moorage_leader", 1.0),
        ("moorage_preflight_faults", 2.0),
    ] {
        assert_eq!(value(&text, series), Some(expected), "{series} in\n{text}");
    }
    assert!(text.contains("# TYPE moorage_reconcile counter"), "{text}");
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn the_process_shows_its_own_memory_and_processor_time() {
    let until = std::time::Instant::now() + Duration::from_millis(50);
    while std::time::Instant::now() < until {}
    let text = Metrics::new().render().unwrap();
    assert!(value(&text, "moorage_process_resident_memory_bytes").unwrap() > 1e6, "{text}");
    assert!(value(&text, "moorage_process_cpu_seconds_total").unwrap() > 0.0, "{text}");
}

#[test]
fn the_budget_shows_once_there_is_a_client() {
    let metrics = Metrics::new();
    assert!(!metrics.render().unwrap().contains("fly_budget"));
    let token = fly_machines::TokenSource::fixed("fm2_x".to_owned());
    metrics.watch_budget(fly_machines::Client::builder(token).build().unwrap());
    let text = metrics.render().unwrap();
    assert!(value(&text, "moorage_fly_budget_remaining").unwrap() > 0.0, "{text}");
    assert_eq!(value(&text, "moorage_fly_throttled_total"), Some(0.0));
}

#[test]
fn the_documentation_names_every_metric() {
    let metrics = Metrics::new();
    let token = fly_machines::TokenSource::fixed("fm2_x".to_owned());
    metrics.watch_budget(fly_machines::Client::builder(token).build().unwrap());
    let text = metrics.render().unwrap();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = std::fs::read_to_string(path).unwrap();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        let end = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        assert!(page.contains(&format!("| {name}{end} |")), "docs/configuration.md lacks {name}{end}");
    }
}
