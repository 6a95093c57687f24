//! Holds the invariants of docs/ARCHITECTURE.md against the sources.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test may fail loudly"
)]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the checkout.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

fn collect(path: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Lines of code that hold one of the words, comments left aside.
fn offenders(files: &[(PathBuf, String)], words: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, text) in files {
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|word| code.contains(word)) {
                lines.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    lines
}

fn pure() -> Vec<(PathBuf, String)> {
    const NAMES: [&str; 9] = [
        "facts.rs",
        "resolve.rs",
        "step.rs",
        "view.rs",
        "conditions.rs",
        "desired.rs",
        "machine_fact.rs",
        "hostname.rs",
        "names.rs",
    ];
    const DOMAIN: [&str; 9] = [
        "certificate.rs",
        "edge.rs",
        "ordering.rs",
        "overdue.rs",
        "ownership.rs",
        "records.rs",
        "schedule.rs",
        "sighting.rs",
        "verdict.rs",
    ];
    const DOMAINS: [&str; 4] = ["budget.rs", "judge.rs", "renewal.rs", "setback.rs"];
    let mut files = sources("src/control/runtime/decide");
    files.extend(
        sources("src/control/base_domain/acme").into_iter().filter(|(path, _)| path.ends_with("decide.rs")),
    );
    files.extend(sources("src/control/runtime").into_iter().filter(|(path, _)| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        NAMES.contains(&name.as_str()) && !path.to_string_lossy().contains("/act/")
    }));
    files.extend(sources("src/control/domain").into_iter().filter(|(path, _)| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        DOMAIN.contains(&name.as_str()) && !path.to_string_lossy().contains("/act/")
    }));
    files.extend(sources("src/control/order").into_iter().filter(|(path, _)| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        ["account.rs", "flagged.rs", "notices.rs", "reading.rs", "steps.rs"].contains(&name.as_str())
    }));
    files.extend(
        sources("src/domains")
            .into_iter()
            .filter(|(path, _)| DOMAINS.contains(&&*path.file_name().unwrap().to_string_lossy())),
    );
    files.extend(sources("src/domains").into_iter().filter(|(path, _)| {
        let path = path.to_string_lossy();
        let pure = ["look/answer.rs", "look/agree.rs", "domains/caa.rs", "domains/name.rs", "name/script.rs"];
        pure.iter().any(|name| path.ends_with(name))
    }));
    for kind in ["workspace", "order", "domain"] {
        files.extend(sources(&format!("src/control/{kind}/decide")));
        files.extend(sources(&format!("src/control/{kind}")).into_iter().filter(|(path, _)| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            NAMES.contains(&name.as_str()) && !path.to_string_lossy().contains("/act/")
        }));
    }
    files
}

#[test]
fn decisions_do_nothing_know_no_clock_and_roll_no_dice() {
    let banned = [
        "kube::Client",
        "kube::Api",
        "reqwest",
        "tokio",
        "fly_machines::Client",
        "rand::",
        "SystemTime",
        "Timestamp::now",
        "Instant::now",
        "async fn",
        ".await",
        "Context",
        "std::fs",
        "std::env",
    ];
    assert_eq!(offenders(&pure(), &banned), Vec::<String>::new());
}

#[test]
fn the_api_depends_on_nothing_else_in_the_crate() {
    let banned = [
        "crate::control",
        "crate::engine",
        "crate::gateway",
        "crate::process",
        "crate::serve",
        "crate::rights",
    ];
    assert_eq!(offenders(&sources("src/api"), &banned), Vec::<String>::new());
}

#[test]
fn one_place_writes_a_runtimes_status() {
    let elsewhere: Vec<_> =
        sources("src/control/runtime").into_iter().filter(|(path, _)| !path.ends_with("record.rs")).collect();
    assert_eq!(offenders(&elsewhere, &["patch_status", "replace_status"]), Vec::<String>::new());
}

#[test]
fn effects_at_fly_are_performed_in_one_place() {
    let elsewhere: Vec<_> = sources("src/control")
        .into_iter()
        .filter(|(path, _)| !path.to_string_lossy().contains("runtime/act/"))
        .collect();
    let mutations = [
        "apps().create",
        "apps().delete",
        ".assign(",
        ".release(ip",
        "MachineDeletion",
        "create_snapshot",
        "StopMachine::",
        "CreateVolume::",
    ];
    assert_eq!(offenders(&elsewhere, &mutations), Vec::<String>::new());
}

#[test]
fn the_client_and_the_simulator_know_neither_kubernetes_nor_each_other() {
    for (folder, other) in [
        ("crates/fly-machines/src", "fly_sim"),
        ("crates/fly-sim/src", "fly_machines"),
        ("crates/billing-sim/src", "fly_machines"),
    ] {
        assert_eq!(
            offenders(&sources(folder), &["kube::", "k8s_openapi", "moorage::", other]),
            Vec::<String>::new()
        );
    }
}

#[test]
fn payments_know_no_kubernetes_and_none_of_the_resources() {
    let banned = [
        "kube::",
        "k8s_openapi",
        "crate::api",
        "crate::control",
        "crate::engine",
        "crate::serve",
        "f64",
        "f32",
    ];
    assert_eq!(offenders(&sources("src/billing"), &banned), Vec::<String>::new());
}

#[test]
fn no_reference_carries_a_namespace() {
    let references: Vec<_> =
        sources("src/api").into_iter().filter(|(path, _)| path.ends_with("refs.rs")).collect();
    assert_eq!(offenders(&references, &["namespace:"]), Vec::<String>::new());
}

/// The names of the reasons that something is refused with, or waits by, in the sources.
fn refusals() -> Vec<String> {
    let mut found = Vec::new();
    for (_, text) in sources("src/control") {
        for part in text.split("Refusal::new(").skip(1) {
            let Some(rest) = part.trim_start().strip_prefix("reason::") else { continue };
            found.push(rest.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect());
        }
    }
    found
}

#[test]
fn whatever_is_refused_stands_in_the_runbook() {
    use moorage::api::{reason, runbook};
    let plain = |word: &str| word.replace('_', "").to_lowercase();
    let told: Vec<String> =
        runbook::ENTRIES.iter().chain(runbook::MORE).map(|entry| plain(entry.reason)).collect();
    let passes = "While an object isn't at rest";
    let passing: Vec<String> =
        reason::ALL.iter().filter(|it| it.group == passes).map(|it| plain(it.word)).collect();
    let all = refusals();
    assert!(all.len() > 40, "{} were found", all.len());
    let missing: Vec<&String> =
        all.iter().filter(|name| !told.contains(&plain(name)) && !passing.contains(&plain(name))).collect();
    assert!(missing.is_empty(), "src/api/runbook.rs doesn't say what to do about {missing:?}");
}

#[test]
fn files_stay_small() {
    let mut long = Vec::new();
    for folder in [
        "src",
        "crates/fly-machines/src",
        "crates/fly-sim/src",
        "crates/billing-sim/src",
        "crates/testbed/src",
    ] {
        for (path, text) in sources(folder) {
            let lines = text.split("#[cfg(test)]").next().unwrap_or_default().lines().count();
            if lines > 500 {
                long.push(format!("{} has {lines} lines", path.display()));
            }
        }
    }
    assert_eq!(long, Vec::<String>::new());
}
