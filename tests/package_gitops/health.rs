//! Each kind's script, and kstatus, on each situation that an object can be in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use moorage::api::state::WORDS;
use serde_json::{Value, json};
use testbed::{Kstatus, Moment, check_conditions, repository};

use crate::tools::{argo, kstatuses, text, yaml};

const SCRIPTS: &str = "deploy/argocd/resource_customizations/moorage.dev";
/// A fact is whole once it stands.
const FACTS: [&str; 2] = ["NameClaim", "PaymentReceipt"];

fn script(kind: &str) -> PathBuf {
    repository().join(SCRIPTS).join(kind).join("health.lua")
}

/// Every kind that is defined.
fn kinds() -> BTreeSet<String> {
    let definitions = fs::read_dir(repository().join("crds")).unwrap();
    definitions
        .flat_map(|entry| yaml(&entry.unwrap().path()))
        .map(|crd| text(&crd["spec"]["names"]["kind"]))
        .collect()
}

/// An object of generation 3, each of its conditions at the generation beside it.
fn object(kind: &str, conditions: &[(&str, &str, &str, i64)]) -> Value {
    let conditions: Vec<Value> = conditions
        .iter()
        .map(|(type_, status, reason, seen)| {
            json!({"type": type_, "status": status, "reason": reason, "observedGeneration": seen,
                "message": format!("{type_} says why."), "lastTransitionTime": "2026-11-21T08:00:00Z"})
        })
        .collect();
    // The root moves on only once there is an end.
    let ended = ["Ready", "Stalled"].map(|type_| json!([type_, "True"]));
    let ended = conditions.iter().any(|it| ended.contains(&json!([it["type"], it["status"]])));
    let observed = if ended { 3 } else { 2 };
    json!({"apiVersion": "moorage.dev/v1alpha1", "kind": kind,
        "metadata": {"name": "a", "generation": 3},
        "status": {"observedGeneration": observed, "conditions": conditions}})
}

type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, Kstatus);

/// The table of situations: kind, word, Ready, its reason, and what Argo CD and kstatus themselves say.
const ROWS: &[Row] = {
    use Kstatus::{Current, Failed, InProgress};
    &[
        ("Runtime", "provisioning", "Unknown", "Provisioning", "Progressing", InProgress),
        ("Runtime", "starting", "Unknown", "Starting", "Progressing", InProgress),
        ("Runtime", "stopping", "Unknown", "Stopping", "Progressing", InProgress),
        ("Runtime", "destroying", "Unknown", "Destroying", "Progressing", InProgress),
        ("Runtime", "waking", "Unknown", "Waking", "Progressing", InProgress),
        ("Runtime", "running", "True", "Running", "Healthy", Current),
        ("Runtime", "sleeping", "True", "Sleeping", "Healthy", Current),
        ("Runtime", "stopped", "True", "Stopped", "Healthy", Current),
        ("Runtime", "stopped", "False", "AwaitingOrder", "Suspended", InProgress),
        ("Runtime", "stopped", "False", "AwaitingResume", "Suspended", InProgress),
        ("Runtime", "error", "False", "PlanNotFound", "Degraded", Failed),
        ("Runtime", "error", "False", "DeadlineExceeded", "Degraded", Failed),
        ("Workspace", "pending", "Unknown", "Pending", "Progressing", InProgress),
        ("Workspace", "active", "True", "Active", "Healthy", Current),
        ("Workspace", "suspended", "False", "AwaitingResume", "Suspended", InProgress),
        ("Workspace", "error", "False", "NameTaken", "Degraded", Failed),
        ("RuntimeOrder", "pending_payment", "False", "AwaitingPayment", "Suspended", InProgress),
        ("RuntimeOrder", "paid", "Unknown", "Pending", "Progressing", InProgress),
        ("RuntimeOrder", "provisioning", "Unknown", "Provisioning", "Progressing", InProgress),
        ("RuntimeOrder", "auth_required", "True", "Fulfilled", "Healthy", Current),
        ("RuntimeOrder", "running", "True", "Fulfilled", "Healthy", Current),
        ("RuntimeOrder", "ready", "True", "Fulfilled", "Healthy", Current),
        ("RuntimeOrder", "past_due", "True", "PastDue", "Healthy", Current),
        ("RuntimeOrder", "cancelled", "True", "Ended", "Healthy", Current),
        ("RuntimeOrder", "refunded", "True", "Refunded", "Healthy", Current),
        ("RuntimeOrder", "ended", "True", "Ended", "Healthy", Current),
        ("RuntimeOrder", "suspended", "False", "AwaitingPayment", "Suspended", InProgress),
        ("RuntimeOrder", "expired", "False", "Ended", "Degraded", Failed),
        ("RuntimeOrder", "payment_failed", "False", "Ended", "Degraded", Failed),
        ("CustomDomain", "pending_dns", "False", "AwaitingDNS", "Suspended", InProgress),
        ("CustomDomain", "pending_cert", "Unknown", "PendingCert", "Progressing", InProgress),
        ("CustomDomain", "active", "True", "Active", "Healthy", Current),
        ("CustomDomain", "active", "True", "RecordGone", "Healthy", Current),
        ("CustomDomain", "error", "False", "CertificateInvalid", "Degraded", Failed),
        ("RuntimeTask", "pending", "Unknown", "InProgress", "Progressing", InProgress),
        ("RuntimeTask", "running", "Unknown", "InProgress", "Progressing", InProgress),
        ("RuntimeTask", "completed", "True", "Completed", "Healthy", Current),
        ("RuntimeTask", "failed", "False", "Capacity", "Degraded", Failed),
        ("RuntimeTask", "cancelled", "False", "Superseded", "Degraded", Failed),
        ("Plan", "", "True", "Valid", "Healthy", Current),
        ("Plan", "", "False", "Invalid", "Degraded", Failed),
        ("Blueprint", "", "True", "Valid", "Healthy", Current),
        ("Blueprint", "", "False", "Invalid", "Degraded", Failed),
        ("WorkspacePolicy", "", "True", "Valid", "Healthy", Current),
        ("WorkspacePolicy", "", "False", "Invalid", "Degraded", Failed),
    ]
};

/// What stands beside `Ready`: nothing if True; Stalled if False, unless it awaits something; else Reconciling.
fn conditions(
    ready: &'static str,
    reason: &'static str,
) -> Vec<(&'static str, &'static str, &'static str, i64)> {
    let abnormal = match ready {
        "True" => None,
        "False" if !reason.starts_with("Awaiting") => Some("Stalled"),
        _ => Some("Reconciling"),
    };
    let mut all: Vec<_> = abnormal.map(|type_| (type_, "True", reason, 3)).into_iter().collect();
    all.push(("Ready", ready, reason, 3));
    all
}

#[test]
fn every_situation_is_read_right() {
    let objects: Vec<Value> = ROWS.iter().map(|row| object(row.0, &conditions(row.2, row.3))).collect();
    let verdicts = kstatuses(&objects);
    for ((row, object), verdict) in ROWS.iter().zip(&objects).zip(verdicts) {
        let (kind, .., health, expected) = row;
        assert_eq!(check_conditions(object, Moment::AtRest), Vec::<String>::new(), "{object}");
        assert_eq!(argo(&script(kind), object), ((*health).into(), "Ready says why.".into()), "{object}");
        assert_eq!(verdict, *expected, "{object}");
    }
}

#[test]
fn the_situations_hold_every_word_and_every_kind() {
    let tried: BTreeSet<_> = ROWS.iter().map(|row| (row.0, row.1)).collect();
    let missing: Vec<_> =
        WORDS.iter().map(|it| (it.kind, it.word)).filter(|word| !tried.contains(word)).collect();
    assert!(missing.is_empty(), "ROWS lacks {missing:?}");
    let with_status: BTreeSet<String> =
        kinds().into_iter().filter(|kind| !FACTS.contains(&kind.as_str())).collect();
    assert_eq!(tried.iter().map(|(kind, _)| (*kind).to_owned()).collect::<BTreeSet<_>>(), with_status);
}

/// Each condition that is behind the generation is as if it weren't there; a root that is behind means nothing.
#[test]
fn what_was_said_of_an_earlier_generation_does_not_count() {
    let says = |conditions: &[_]| argo(&script("Runtime"), &object("Runtime", conditions)).0;
    assert_eq!(says(&[("Ready", "True", "Running", 2)]), "Progressing");
    assert_eq!(says(&[("Stalled", "True", "Invalid", 2), ("Ready", "False", "Invalid", 2)]), "Progressing");
    assert_eq!(says(&[("Stalled", "True", "Invalid", 2), ("Ready", "True", "Running", 3)]), "Healthy");
    let await_then =
        |seen| [("Reconciling", "True", "AwaitingOrder", seen), ("Ready", "False", "AwaitingOrder", 3)];
    assert_eq!((says(&await_then(2)).as_str(), says(&await_then(3)).as_str()), ("Progressing", "Suspended"));
    let mut lagging = object("Runtime", &[("Ready", "True", "Running", 3)]);
    lagging["status"]["observedGeneration"] = json!(2);
    assert_eq!(argo(&script("Runtime"), &lagging).0, "Healthy");
}

#[test]
fn only_reasons_that_begin_with_awaiting_suspend() {
    for (reason, health) in [
        ("Awaiting", "Suspended"),
        ("AwaitingZ", "Suspended"),
        ("AwaitingUnpause", "Suspended"),
        ("Awaitin", "Progressing"),
        ("Awaitinh", "Progressing"),
        ("Await", "Progressing"),
        ("Zawaiting", "Progressing"),
        ("Applied", "Progressing"),
    ] {
        let object = object("Runtime", &[("Reconciling", "True", reason, 3), ("Ready", "False", reason, 3)]);
        assert_eq!(argo(&script("Runtime"), &object).0, health, "{reason}");
    }
}

#[test]
fn before_the_first_visit_and_during_deletion_waits_go_on() {
    for kind in kinds() {
        let fact = FACTS.contains(&kind.as_str());
        let mut bare = object(&kind, &[]);
        bare["status"] = json!({"observedGeneration": -1});
        if fact {
            bare.as_object_mut().unwrap().remove("status");
        }
        let (health, expected) =
            if fact { ("Healthy", Kstatus::Current) } else { ("Progressing", Kstatus::InProgress) };
        let mut leaving = object(&kind, &[("Ready", "True", "Running", 3)]);
        leaving["metadata"]["deletionTimestamp"] = json!("2026-11-21T08:00:00Z");
        let seen = [&bare, &leaving].map(|object| argo(&script(&kind), object).0);
        assert_eq!(seen, [health, "Progressing"], "{kind}");
        assert_eq!(kstatuses(&[bare, leaving]), [expected, Kstatus::Terminating], "{kind}");
    }
    let mut without = object("Plan", &[]);
    without.as_object_mut().unwrap().remove("status");
    assert_eq!(argo(&script("Plan"), &without).0, "Progressing");
}

/// As Argo CD's own tests take them: each case of `health_test.yaml`, and no test data besides.
#[test]
fn the_upstream_cases_hold() {
    for kind in kinds() {
        let folder = repository().join(SCRIPTS).join(&kind);
        let mut files = BTreeSet::new();
        for case in yaml(&folder.join("health_test.yaml")).remove(0)["tests"].as_array().unwrap() {
            let path = folder.join(text(&case["inputPath"]));
            let object = yaml(&path).remove(0);
            assert_eq!(object["kind"], json!(kind), "{}", path.display());
            if !FACTS.contains(&kind.as_str()) {
                assert_eq!(
                    check_conditions(&object, Moment::InFlight),
                    Vec::<String>::new(),
                    "{}",
                    path.display()
                );
            }
            let expected = &case["healthStatus"];
            let expected = (text(&expected["status"]), text(&expected["message"]));
            assert_eq!(argo(&folder.join("health.lua"), &object), expected, "{}", path.display());
            files.insert(path);
        }
        let standing = fs::read_dir(folder.join("testdata")).unwrap().map(|entry| entry.unwrap().path());
        assert_eq!(standing.collect::<BTreeSet<_>>(), files);
    }
}

#[test]
fn all_kinds_with_conditions_share_one_script_and_all_facts_another() {
    for (with_status, copies) in [(true, kinds().len() - FACTS.len()), (false, FACTS.len())] {
        let of_them = kinds().into_iter().filter(|kind| FACTS.contains(&kind.as_str()) != with_status);
        let scripts: Vec<_> = of_them.map(|kind| fs::read_to_string(script(&kind)).unwrap()).collect();
        assert_eq!(scripts.len(), copies);
        assert_eq!(scripts.iter().collect::<BTreeSet<_>>().len(), 1, "copies differ in {SCRIPTS}");
    }
}

#[test]
fn the_configmap_holds_the_scripts_of_all_kinds() {
    let folders = fs::read_dir(repository().join(SCRIPTS)).unwrap();
    let folders: BTreeSet<String> =
        folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(folders, kinds(), "each definition in crds/ has a folder in {SCRIPTS}");
    let key = |kind: &str| format!("resource.customizations.health.moorage.dev_{kind}");
    let scripts: BTreeMap<String, String> =
        folders.iter().map(|kind| (key(kind), fs::read_to_string(script(kind)).unwrap())).collect();
    let committed = yaml(&repository().join("deploy/argocd/argocd-cm.yaml")).remove(0);
    assert_eq!(committed["metadata"]["name"], "argocd-cm");
    for (key, script) in &scripts {
        assert_eq!(committed["data"][key], json!(script), "{key}");
    }
    assert_eq!(committed["data"].as_object().unwrap().len(), scripts.len());
}
