//! `kubectl explain` tells what each field is for.

use crate::world::kubectl;

const RESOURCES: [&str; 10] = [
    "customdomains",
    "plans",
    "blueprints",
    "workspacepolicies",
    "nameclaims",
    "paymentreceipts",
    "workspaces",
    "runtimes",
    "runtimetasks",
    "runtimeorders",
];

#[tokio::test]
async fn every_resource_is_explained_in_full() {
    for resource in RESOURCES {
        let text = kubectl(&["explain", "--recursive", &format!("{resource}.spec")]).await;
        assert!(text.contains("GROUP:      moorage.dev"), "{text}");
        let text = kubectl(&["explain", resource]).await;
        assert!(!text.contains("<empty>") && !text.contains("<no description>"), "{text}");
    }
}

#[tokio::test]
async fn the_choices_of_a_field_are_named_and_explained() {
    for (field, words) in [
        ("mrt.spec.powerState", &["ENUM: Running Stopped", "keeps its data"][..]),
        ("mrt.spec.deletionPolicy", &["ENUM: Delete Snapshot Retain", "goes on to cost"]),
        ("mrt.spec.env.valueFrom.secretKeyRef", &["`moorage.dev/use`"]),
        ("mrt.status.state", &["provisioning starting running", "portal's word"]),
        ("mws.spec.members.role", &["ENUM: Owner Operator Viewer", "see no Secrets"]),
        ("mpol.spec.selector.matchLabels", &["policy.moorage.dev/"]),
        ("mdom.spec.certificate.source", &["ENUM: Fly ACME Secret", "the operator orders it"]),
        ("mdom.status.records.purpose", &["ENUM: Ownership Routing OwnershipAndRouting Certificate"]),
        ("mplan.spec.requiresOrder", &["RuntimeOrder funds it"]),
    ] {
        let text = kubectl(&["explain", field]).await;
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(flat.contains(word), "{field} doesn't say {word:?}:\n{text}");
        }
    }
}
