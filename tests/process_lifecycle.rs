//! The process as seen from outside: what it waits for at start, who acts, and how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Api;
use kube::api::{Patch, PatchParams};
use moorage::rights::{self, Installation};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{ControlPlane, ControlPlaneOptions, Identity, Operator, OperatorOptions, apply, eventually};

/// Longest time to readiness: the checks take well under a second, a mended fault is found within some more.
const SOON: Duration = Duration::from_secs(30);

/// As much of Fly as the checks ask for: who a token is.
async fn fly() -> String {
    let current = get(|headers: HeaderMap| async move {
        let token = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let org = match token {
            "FlyV1 fm2_good" => "acme",
            "FlyV1 fm2_other" => "other",
            _ => {
                let body = json!({"error": "Authenticate: token validation error"});
                return (StatusCode::UNAUTHORIZED, axum::Json(body));
            }
        };
        (StatusCode::OK, axum::Json(json!({"tokens": [{"token_id": "1", "org_slug": org, "apps": []}]})))
    });
    let machines = get(|| async { axum::Json(json!({"machines": [], "next_cursor": null})) });
    let router = Router::new().route("/v1/tokens/current", current).route("/v1/orgs/acme/machines", machines);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// A control plane's operators: one namespace, and so one lease, for each test.
struct Place {
    kubeconfig: PathBuf,
    namespace: String,
    fly: String,
    dir: TempDir,
}

impl Place {
    async fn new(namespace: &str) -> Self {
        let cluster = ControlPlane::shared().await.unwrap();
        let admin = cluster.client(&Identity::Admin).await.unwrap();
        let manifest = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        apply(&admin, &manifest.to_string()).await.unwrap();
        Self::with(cluster.kubeconfig(&Identity::Admin).await.unwrap(), namespace).await
    }

    async fn with(kubeconfig: PathBuf, namespace: &str) -> Self {
        let place = Self {
            kubeconfig,
            namespace: namespace.into(),
            fly: fly().await,
            dir: tempfile::tempdir().unwrap(),
        };
        place.write_token("fm2_good");
        place
    }

    fn write_token(&self, token: &str) {
        std::fs::write(self.dir.path().join("token"), token).unwrap();
    }

    fn options(&self) -> OperatorOptions {
        let config = json!({
            "clusterID": self.namespace,
            "namespace": self.namespace,
            "fly": {"apiURL": self.fly, "organization": "acme", "tokenFile": self.dir.path().join("token")},
            "logging": {"level": "info"},
        });
        OperatorOptions {
            program: Some(env!("CARGO_BIN_EXE_moorage").into()),
            kubeconfig: self.kubeconfig.clone(),
            config,
            fly_token: String::new(),
            env: Vec::new(),
        }
    }

    fn start(&self) -> Operator {
        Operator::start(self.options()).unwrap()
    }

    async fn lease(&self) -> LeaseSpec {
        let admin = ControlPlane::shared().await.unwrap().client(&Identity::Admin).await.unwrap();
        let api: Api<Lease> = Api::namespaced(admin, &self.namespace);
        api.get("moorage").await.unwrap().spec.unwrap()
    }
}

async fn readyz(operator: &Operator) -> String {
    match operator.get("/readyz").await {
        Ok(text) => text,
        Err(error) => format!("{error:#}"),
    }
}

async fn says(operator: &Operator, words: &str) {
    eventually(&format!("readyz with `{words}`"), SOON, async || {
        let text = readyz(operator).await;
        ensure!(text.contains(words), "{text}\n{}", operator.log());
        Ok(())
    })
    .await
    .unwrap();
}

fn signal(operator: &Operator, name: &str) {
    let pid = operator.process().pid().to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
}

fn log_lines(operator: &Operator) -> Vec<Value> {
    operator.log().lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[tokio::test]
async fn a_bad_token_keeps_it_unready_with_the_cause_and_a_mended_one_needs_no_restart() {
    let place = Place::new("token").await;
    place.write_token("fm2_canary");
    let operator = place.start();
    says(&operator, "fly-token: tokens.current").await;
    says(&operator, "fly tokens create org").await;
    assert_eq!(operator.get("/healthz").await.unwrap(), "ok\n");

    place.write_token("fm2_other");
    says(&operator, "the token is for organisation `other`, not for `acme`").await;
    std::fs::remove_file(place.dir.path().join("token")).unwrap();
    place.write_token("fm2_good");
    operator.wait_ready(SOON).await.unwrap();

    let errors: Vec<Value> =
        log_lines(&operator).into_iter().filter(|line| line["level"] == "ERROR").collect();
    let checks = errors.iter().filter(|line| line["check"] == "fly-token").count();
    assert_eq!(checks, 2, "each cause is logged once: {errors:?}");
    assert!(!operator.log().contains("canary"));
    assert!(operator.stop(SOON).await.unwrap().success());
}

#[tokio::test]
async fn a_missing_token_file_is_a_fault_like_any_other() {
    let place = Place::new("no-token").await;
    std::fs::remove_file(place.dir.path().join("token")).unwrap();
    let operator = place.start();
    says(&operator, "the token file can't be read").await;
    place.write_token("fm2_good");
    operator.wait_ready(SOON).await.unwrap();
}

#[tokio::test]
async fn missing_definitions_and_rights_are_named_with_their_remedies() {
    let cluster = ControlPlane::start(&ControlPlaneOptions::default()).await.unwrap();
    let admin = cluster.client(&Identity::Admin).await.unwrap();
    apply(&admin, &rights::yaml(&Installation::default()).unwrap()).await.unwrap();
    let nobody = cluster.kubeconfig(&Identity::user("nobody", &["system:authenticated"])).await.unwrap();
    let operator = Place::with(nobody, rights::NAMESPACE).await.start();
    says(&operator, "custom-resources: moorage.dev/v1alpha1 is not served; remedy: install").await;
    says(&operator, "rights: may not ").await;
    says(&operator, "moorage manifests | kubectl apply").await;

    let account = Identity::service_account(rights::NAMESPACE, rights::NAME);
    let account = cluster.kubeconfig(&account).await.unwrap();
    let place = Place::with(account, rights::NAMESPACE).await;
    let operator = place.start();
    says(&operator, "custom-resources: ").await;
    let text = readyz(&operator).await;
    assert!(!text.contains("rights: "), "the shipped rights suffice: {text}");

    for (file, text) in moorage::generate::crds().unwrap() {
        let text = if file.starts_with("plans.") { text.replace("requiresOrder", "oldField") } else { text };
        apply(&admin, &text).await.unwrap();
    }
    says(&operator, "Plan as served lacks plan.spec.requiresOrder").await;
    for (_, text) in moorage::generate::crds().unwrap() {
        apply(&admin, &text).await.unwrap();
    }
    operator.wait_ready(SOON).await.unwrap();
}

#[tokio::test]
async fn it_acts_under_the_lease_and_gives_it_back_at_its_end() {
    let place = Place::new("lifecycle").await;
    let operator = place.start();
    operator.wait_ready(SOON).await.unwrap();
    says(&operator, "ready: acts").await;
    let held = place.lease().await;
    assert!(held.holder_identity.is_some_and(|holder| !holder.is_empty()));
    let metrics = operator.metrics().await.unwrap();
    for series in ["moorage_leader 1", "moorage_preflight_faults 0", "moorage_fly_budget_remaining"] {
        assert!(metrics.contains(series), "{series} in {metrics}");
    }
    assert!(metrics.contains(r#"moorage_fly_requests_total{operation="tokens.current",outcome="ok"}"#));

    let status = operator.stop(SOON).await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", operator.log());
    assert_eq!(place.lease().await.holder_identity.filter(|holder| !holder.is_empty()), None);
}

#[tokio::test]
async fn a_standby_takes_over_at_once_after_a_clean_end_and_in_time_after_a_crash() {
    let place = Place::new("failover").await;
    let (first, second) = (place.start(), place.start());
    for operator in [&first, &second] {
        operator.wait_ready(SOON).await.unwrap();
    }
    let (leader, standby) =
        if readyz(&first).await.contains("ready: acts") { (first, second) } else { (second, first) };
    says(&standby, "ready: standby").await;
    assert!(standby.metrics().await.unwrap().contains("moorage_leader 0"));

    assert!(leader.stop(SOON).await.unwrap().success());
    let ended = Instant::now();
    says(&standby, "ready: acts").await;
    assert!(ended.elapsed() < Duration::from_secs(6), "{:?}", ended.elapsed());

    let third = place.start();
    says(&third, "ready: standby").await;
    standby.kill().unwrap();
    let killed = Instant::now();
    says(&third, "ready: acts").await;
    let waited = killed.elapsed();
    assert!(waited > Duration::from_secs(10) && waited < Duration::from_secs(25), "{waited:?}");
}

#[tokio::test]
async fn a_frozen_leader_that_wakes_after_its_time_ends_with_an_error() {
    let place = Place::new("frozen").await;
    let leader = place.start();
    says(&leader, "ready: acts").await;
    let standby = place.start();
    says(&standby, "ready: standby").await;
    leader.process().pause().unwrap();
    says(&standby, "ready: acts").await;
    leader.process().resume().unwrap();
    let status = leader.process().wait(SOON).await.unwrap();
    assert_eq!(status.code(), Some(1), "{}", leader.log());
    assert!(leader.log().contains("may not act any more"), "{}", leader.log());
    says(&standby, "ready: acts").await;
}

#[tokio::test]
async fn a_leader_whose_lease_another_takes_ends_and_leaves_it_alone() {
    let place = Place::new("taken").await;
    let leader = place.start();
    says(&leader, "ready: acts").await;
    let admin = ControlPlane::shared().await.unwrap().client(&Identity::Admin).await.unwrap();
    let api: Api<Lease> = Api::namespaced(admin, &place.namespace);
    let taken = json!({"spec": {"holderIdentity": "another"}});
    api.patch("moorage", &PatchParams::default(), &Patch::Merge(taken)).await.unwrap();
    let began = Instant::now();
    let status = leader.process().wait(SOON).await.unwrap();
    assert_eq!(status.code(), Some(1), "{}", leader.log());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(leader.log().contains("another replica holds the lease: another"), "{}", leader.log());
    assert_eq!(place.lease().await.holder_identity.as_deref(), Some("another"));
}

#[tokio::test]
async fn when_the_api_server_stops_answering_a_leader_ends_and_a_second_signal_ends_at_once() {
    let crds = Some(testbed::repository().join("crds"));
    let options = ControlPlaneOptions { crds, ..ControlPlaneOptions::default() };
    let cluster = ControlPlane::start(&options).await.unwrap();
    let kubeconfig = cluster.kubeconfig(&Identity::Admin).await.unwrap();
    let (left, asked) =
        (Place::with(kubeconfig.clone(), "default").await, Place::with(kubeconfig, "kube-system").await);
    let (left, asked) = (left.start(), asked.start());
    says(&left, "ready: acts").await;
    says(&asked, "ready: acts").await;

    cluster.api_server().pause().unwrap();
    let paused = Instant::now();
    signal(&asked, "TERM");
    tokio::time::sleep(Duration::from_secs(1)).await;
    asked.process().check_running().expect("it still tries to give the lease back");
    signal(&asked, "INT");
    let status = asked.process().wait(Duration::from_secs(1)).await.unwrap();
    assert_eq!(status.code(), Some(130), "{}", asked.log());

    let status = left.process().wait(SOON).await.unwrap();
    assert_eq!(status.code(), Some(1), "{}", left.log());
    let waited = paused.elapsed();
    assert!(waited < Duration::from_secs(16), "another could have taken over by now: {waited:?}");
    assert!(left.log().contains("could not be renewed in time"), "{}", left.log());
}

#[tokio::test]
async fn the_log_level_follows_the_file() {
    let place = Place::new("level").await;
    let operator = place.start();
    operator.wait_ready(SOON).await.unwrap();
    assert!(!log_lines(&operator).iter().any(|line| line["level"] == "DEBUG"));

    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", operator.process().pid())).unwrap();
    let file = PathBuf::from(arguments.trim_end_matches('\0').rsplit('\0').next().unwrap());
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("level: info", "level: loud=quiet")).unwrap();
    signal(&operator, "HUP");
    logged(&operator, |line| line["level"] == "ERROR" && line["error"].to_string().contains("logging.level"))
        .await;
    std::fs::write(&file, text.replace("level: info", "level: debug")).unwrap();
    signal(&operator, "HUP");
    logged(&operator, |line| line["level"] == "DEBUG").await;
    operator.wait_ready(SOON).await.unwrap();
}

async fn logged(operator: &Operator, wanted: impl Fn(&Value) -> bool) {
    eventually("a line in the log", SOON, async || {
        ensure!(log_lines(operator).iter().any(&wanted), "{}", operator.log());
        Ok(())
    })
    .await
    .unwrap();
}

#[test]
fn what_is_wrong_with_the_arguments_is_said_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.yaml");
    std::fs::write(&file, "clusterID: demo\nfly: {organization: acme, tokenFile: /nowhere}\n").unwrap();
    let run = |env: &[(&str, &str)], arguments: &[&str]| -> Result<(i32, String)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moorage"));
        let clean: BTreeMap<_, _> = env.iter().copied().collect();
        let output = command.arg("run").args(arguments).envs(clean).output()?;
        Ok((output.status.code().unwrap(), String::from_utf8(output.stderr)?))
    };
    let config = ["--config", file.to_str().unwrap()];
    let (code, text) = run(&[], &["--config", "/nowhere.yaml"]).unwrap();
    assert!(code == 1 && text.contains("can't read the configuration file /nowhere.yaml"), "{text}");
    let (code, text) = run(&[("MOORAGE_ADDRESS", "everywhere")], &config).unwrap();
    assert!(code == 1 && text.contains("`address` must be"), "{text}");
    let (code, text) = run(&[("MOORAGE_MODE", "Sideways")], &config).unwrap();
    assert!(code == 2 && text.contains("ReadOnly"), "{text}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let arguments = [&config[..], &["--address", &address, "--log-format", "pretty"]].concat();
    let (code, text) = run(&[], &arguments).unwrap();
    assert!(code == 1 && text.contains("can't listen on `address`"), "{text}");
}
