//! What the platform's commands tell and do about orders that are paid at a provider.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use testbed::Identity;

use crate::scene::{Scene, bought, place};
use crate::shop::{record, wait};
use crate::support::{Tenant, text};

/// The program as the platform's administrator runs it.
async fn moorage(scene: &Scene, arguments: &[&str]) -> (bool, String) {
    let kubeconfig = scene.rig.cluster.kubeconfig(&Identity::Admin).await.unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_moorage"));
    let output = command.args(arguments).env("KUBECONFIG", kubeconfig).output().await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), format!("{out}{err}"))
}

async fn url(tenant: &Tenant<'_>) -> String {
    let record = record(tenant, "ops").await.unwrap();
    text(&record, "/spec/order/attempts/0/url").to_owned()
}

#[tokio::test]
async fn a_link_is_the_claims_whatever_the_status_says() {
    let scene = Scene::shared().await;
    let tenant = scene.tenant("hand-link").await;
    place(&tenant, "ops", "OneTime").await;
    scene.session(&tenant, "ops").await;
    let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await.unwrap();
    let forged = json!({"status": {"checkout": {"url": "https://thief.example/pay"}}});
    orders.patch_status("ops", &PatchParams::default(), &Patch::Merge(&forged)).await.unwrap();
    let (well, said) = moorage(scene, &["billing", "pay-link", "hand-link/ops"]).await;
    assert!(well, "{said}");
    assert_eq!(said.trim(), url(&tenant).await);
    scene.pay(&tenant, "ops").await;
    wait(&tenant, "ops", "running").await.unwrap();
    let (well, said) = moorage(scene, &["billing", "pay-link", "hand-link/ops"]).await;
    assert!(!well && said.contains("nothing to pay now"), "{said}");
}

#[tokio::test]
async fn money_that_came_another_way_is_vouched_for_beside_the_provider() {
    let scene = Scene::shared().await;
    let tenant = scene.tenant("hand-pay").await;
    place(&tenant, "ops", "OneTime").await;
    scene.session(&tenant, "ops").await;
    let resolve = [
        "billing",
        "resolve",
        "hand-pay/ops",
        "--reference",
        "transfer-1",
        "--reason",
        "bank transfer",
        "--yes",
    ];
    let (well, said) = moorage(scene, &resolve).await;
    assert!(well && said.contains("it counts beside what Stripe says"), "{said}");
    wait(&tenant, "ops", "running").await.unwrap();
    let (well, said) = moorage(scene, &["billing", "lookup", "-n", "hand-pay"]).await;
    assert!(well && said.contains("transfer-1") && said.contains("funded by the order ops"), "{said}");
}

#[tokio::test]
async fn a_book_shows_what_the_provider_told_and_no_secret() {
    let scene = Scene::shared().await;
    let tenant = scene.tenant("hand-book").await;
    bought(scene, &tenant, "ops", "Subscription").await;
    let (well, said) = moorage(scene, &["billing", "lookup", "-n", "hand-book", "-o", "json"]).await;
    assert!(well, "{said}");
    let book: Value = serde_json::from_str(&said).unwrap();
    assert!(text(&book, "/orders/0/record/subscriptionID").starts_with("sub_"), "{book}");
    assert_eq!(book["orders"][0]["receipts"][0]["counts"], "Stripe itself is asked what it counts for");
    for secret in ["sk_", "rk_", "whsec_"] {
        assert!(!said.contains(secret), "{secret}");
    }
}
