//! Renders, against files that show every change in review. `UPDATE_GOLDENS=1` writes them anew.

use std::fs;

use moorage::engine::config::{Config, Overrides, Timing};
use serde_json::{Value, json};
use testbed::repository;

use crate::helm::{chart, documents, full_values, helm, only, render};

fn assert_golden(name: &str, text: &str) {
    let path = repository().join("tests/package_chart").join(name);
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{name} differs from what is rendered; see the change with UPDATE_GOLDENS=1");
}

/// Rights, policies and definitions are held to the code by other tests, so the goldens leave them out.
fn own(arguments: &[&str]) -> String {
    let text = render(arguments).unwrap();
    let generated = [
        "templates/rights.yaml",
        "templates/dns-rights.yaml",
        "templates/policies.yaml",
        "templates/crds.yaml",
    ];
    let own = |part: &&str| !part.is_empty() && !generated.iter().any(|file| part.starts_with(file));
    let mark = "---\n# Source: moorage/";
    let parts: Vec<&str> = text.split(mark).filter(own).collect();
    format!("{mark}{}", parts.join(mark))
}

#[test]
fn the_default_values_render_as_reviewed() {
    assert_golden("default.golden.yaml", &own(&["--set", "crds.enabled=false"]));
}

#[test]
fn the_full_values_render_as_reviewed() {
    assert_golden("full.golden.yaml", &own(&["--values", &full_values()]));
}

#[test]
fn the_chart_passes_strict_lint() {
    let chart = chart().display().to_string();
    for extra in [vec![], vec!["--values".to_owned(), full_values()]] {
        let mut arguments = vec!["lint", "--strict", &chart];
        arguments.extend(extra.iter().map(String::as_str));
        let output = helm(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn the_definitions_are_there_unless_switched_off_and_outlive_the_release() {
    let crds: Vec<Value> =
        documents(&[]).into_iter().filter(|object| object["kind"] == "CustomResourceDefinition").collect();
    assert_eq!(crds.len(), fs::read_dir(repository().join("crds")).unwrap().count());
    for crd in &crds {
        assert_eq!(crd["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    }
    let without = documents(&["--set", "crds.enabled=false"]);
    assert!(without.iter().all(|object| object["kind"] != "CustomResourceDefinition"));
}

#[test]
fn the_program_reads_the_configuration_that_the_chart_writes() {
    let all = documents(&["--values", &full_values()]);
    let text = only(&all, "ConfigMap")["data"]["config.yaml"].as_str().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let config = Config::load(file.path(), &Overrides::default()).unwrap();
    assert_eq!(config.cluster_id, "harbour-1");
    assert_eq!(config.namespace, "moorage-system");
    assert_eq!(config.timing.tombstone_seconds, 5_184_000);
    let container = &only(&all, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    let mounts = container["volumeMounts"].as_array().unwrap();
    let token = mounts.iter().find(|mount| mount["name"] == "fly-token").unwrap();
    assert!(config.fly.token_file.starts_with(token["mountPath"].as_str().unwrap()));
}

/// Every file that the configuration names is one that is mounted.
#[test]
fn the_providers_keys_are_mounted_where_the_program_looks() {
    let all = documents(&["--values", &full_values()]);
    let pod = &only(&all, "Deployment")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let mut files = Vec::new();
    for (volume, mount) in pod["volumes"].as_array().unwrap().iter().flat_map(|volume| {
        let mounts = container["volumeMounts"].as_array().unwrap();
        mounts.iter().filter(|mount| mount["name"] == volume["name"]).map(move |mount| (volume, mount))
    }) {
        for item in volume["secret"]["items"].as_array().into_iter().flatten() {
            let folder = mount["mountPath"].as_str().unwrap();
            files.push(format!("{folder}/{}", item["path"].as_str().unwrap()));
        }
    }
    let text = only(&all, "ConfigMap")["data"]["config.yaml"].as_str().unwrap();
    let config: Config = serde_saphyr::from_str(text).unwrap();
    let (stripe, payapp) = (config.billing.stripe.unwrap(), config.billing.payapp.unwrap());
    assert_eq!((stripe.livemode, stripe.webhook_secret_files.len()), (Some(true), 2));
    let mut named = vec![stripe.secret_key_file, payapp.link_key_file, payapp.link_value_file];
    named.extend(stripe.webhook_secret_files);
    for file in named {
        assert!(files.contains(&file.display().to_string()), "{} in {files:?}", file.display());
    }
    let port = config.billing.webhook_address.rsplit_once(':').unwrap().1.to_owned();
    let ports = container["ports"].as_array().unwrap();
    let webhooks = ports.iter().find(|it| it["name"] == "webhooks").unwrap();
    assert_eq!(webhooks["containerPort"].to_string(), port);
    let http01 = config.custom_domains.http01().unwrap();
    let challenges = ports.iter().find(|it| it["name"] == "challenges").unwrap();
    assert_eq!(http01.listen, format!("0.0.0.0:{}", challenges["containerPort"]));
}

#[test]
fn a_changed_configuration_changes_the_pod() {
    let pod = |level: &str| {
        let all = documents(&["--set", &format!("config.logging.level={level}")]);
        only(&all, "Deployment")["spec"]["template"]["metadata"]["annotations"].clone()
    };
    assert_ne!(pod("info"), pod("debug"));
}

#[test]
fn no_token_is_rendered_or_told() {
    let all = documents(&["--values", &full_values()]);
    assert!(all.iter().all(|object| object["kind"] != "Secret"));
    let chart = chart().display().to_string();
    let output = helm(&["install", "moorage", &chart, "--namespace", "moorage-system", "--dry-run=client"]);
    let notes = String::from_utf8_lossy(&output.stdout);
    let (_, notes) = notes.split_once("NOTES:").unwrap();
    assert!(notes.contains("set `config.clusterID`"), "{notes}");
    assert!(!notes.contains("FlyV1") && !notes.contains("fm2_"), "{notes}");
}

/// The chart knows the program's default, since it renders without the program.
#[test]
fn the_pods_grace_period_outlasts_the_drain() {
    let drain = Timing::default().drain_seconds;
    let enough = format!("terminationGracePeriodSeconds={}", drain + 10);
    let all = documents(&["--set", &enough]);
    let pod = &only(&all, "Deployment")["spec"]["template"]["spec"];
    assert_eq!(pod["terminationGracePeriodSeconds"], json!(drain + 10));
    for too_little in
        [format!("terminationGracePeriodSeconds={}", drain + 9), "config.timing.drainSeconds=51".into()]
    {
        let error = render(&["--set", &too_little]).unwrap_err();
        assert!(error.contains("config.timing.drainSeconds"), "{too_little}: {error}");
    }
}
