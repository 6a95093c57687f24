//! Money by hand: looked up, vouched for, and kept from before.

use kube::Api;
use moorage::api::PaymentReceipt;
use serde_json::{Value, json};
use testbed::Identity;

use crate::shop::{get, order_new, tenant, wait};
use crate::support::{Tenant, text};
use crate::{done, moorage, refused};

async fn waiting(namespace: &str) -> Tenant<'static> {
    let tenant = tenant(namespace).await;
    order_new(&tenant, "first", "ops").await.unwrap();
    wait(&tenant, "first", "pending_payment").await.unwrap();
    tenant
}

async fn receipts(tenant: &Tenant<'_>, order: &str) -> usize {
    let uid = text(&get(tenant, order).await.unwrap(), "/metadata/uid").to_owned();
    let params = kube::api::ListParams::default().fields(&format!("spec.orderUID={uid}"));
    Api::<PaymentReceipt>::all(tenant.client.clone()).list(&params).await.unwrap().items.len()
}

const RESOLVE: [&str; 6] =
    ["--reference", "invoice-1", "--reason", "on the statement of 20 November", "--amount", "29.00 USD"];

fn resolve<'a>(order: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["billing", "resolve", order], &RESOLVE[..], more].concat()
}

#[tokio::test]
async fn a_payment_is_vouched_for_once_and_only_when_told_to() {
    let tenant = waiting("money-once").await;
    let said = done(&resolve("money-once/first", &[])).await;
    assert!(said.contains("Nothing was written") && said.contains("29.00 USD is vouched for"), "{said}");
    assert_eq!(receipts(&tenant, "first").await, 0);
    let said = done(&resolve("money-once/first", &["--yes"])).await;
    assert!(said.contains("written: PaymentReceipt manual-") && said.contains("The order is Paid"), "{said}");
    wait(&tenant, "first", "running").await.unwrap();
    let again = done(&resolve("money-once/first", &["--yes"])).await;
    assert!(again.contains("It was resolved before"), "{again}");
    assert_eq!(receipts(&tenant, "first").await, 1);
    let back = [
        "billing",
        "resolve",
        "money-once/first",
        "--reference",
        "credit-1",
        "--reason",
        "asked for it back",
        "--refunds",
        "invoice-1",
        "--yes",
    ];
    let said = done(&back).await;
    assert!(said.contains("The order is Refunded"), "{said}");
    tenant.wait_reason("ops", "AwaitingOrder").await.unwrap();
}

#[tokio::test]
async fn where_nothing_is_to_be_paid_by_a_link_it_says_what_to_do() {
    let tenant = waiting("money-link").await;
    let said = refused(&["billing", "pay-link", "money-link/first"]).await;
    assert!(said.contains("paid by hand: 29.00 USD") && said.contains("moorage billing resolve"), "{said}");
    let said = refused(&["billing", "pay-link", "money-link/second"]).await;
    assert!(said.contains("nothing is recorded of the order"), "{said}");
    done(&resolve("money-link/first", &["--yes"])).await;
    wait(&tenant, "first", "running").await.unwrap();
    let said = refused(&["billing", "pay-link", "money-link/first"]).await;
    assert!(said.contains("It is paid until"), "{said}");
}

#[tokio::test]
async fn who_isnt_the_platform_vouches_for_nothing() {
    let tenant = waiting("money-who").await;
    // Reads everything, and may create receipts by RBAC: what refuses is the policy.
    for object in [json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "money-adam"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "User", "name": "money-adam", "apiGroup": "rbac.authorization.k8s.io"}]})]
    {
        testbed::apply(&tenant.client, &object.to_string()).await.unwrap();
    }
    for more in [&["--yes"][..], &[]] {
        let (well, said) =
            moorage(&Identity::user("money-adam", &[]), &resolve("money-who/first", more)).await;
        assert!(!well && said.contains("platform"), "{said}");
    }
    let (well, said) =
        moorage(&Identity::user("money-nobody", &[]), &resolve("money-who/first", &["--yes"])).await;
    assert!(!well && said.contains("forbidden"), "{said}");
    assert_eq!(receipts(&tenant, "first").await, 0);
}

#[tokio::test]
async fn a_tenants_book_tells_what_was_paid_and_what_it_funds() {
    let tenant = waiting("money-book").await;
    done(&resolve("money-book/first", &["--yes"])).await;
    wait(&tenant, "first", "running").await.unwrap();
    let book: Value =
        serde_json::from_str(&done(&["billing", "lookup", "-n", "money-book", "-o", "json"]).await).unwrap();
    assert_eq!(book["orders"][0]["receipts"][0]["counts"], "counts");
    assert!(text(&book, "/runtimes/0/why").starts_with("funded by the order first"), "{book}");
    let id = text(&book, "/tenant").to_owned();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("past.yaml");
    let past = json!({"payments": [{"tenant": id, "provider": "PayApp", "id": "4711", "amount": "19900 KRW",
        "time": "2025-03-01T09:00:00Z", "note": "first month"}]});
    std::fs::write(&file, past.to_string()).unwrap();
    let import = ["billing", "import", file.to_str().unwrap()];
    assert!(done(&import).await.contains("1 can be kept. Nothing was written"));
    let import = [&import[..], &["--yes"]].concat();
    assert!(done(&import).await.contains("1 kept, 0 were there already"));
    assert!(done(&import).await.contains("0 kept, 1 were there already"));
    let said = done(&["billing", "lookup", "--tenant", &id]).await;
    for part in ["Before Moorage:", "19900 KRW", "PayApp/4711", "29.00 USD", "invoice-1"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(
        refused(&["billing", "lookup", "--tenant", "nobody"]).await.contains("there is no tenant `nobody`")
    );
    assert!(said.contains("not known: the ConfigMap moorage-system/moorage"), "{said}");
    let config = json!({"clusterID": "tests", "fly": {"organization": "acme", "tokenFile": "/token"},
        "billing": {"graceSeconds": 7}});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "moorage", "namespace": "moorage-system"}, "data": {"config.yaml": config.to_string()}});
    testbed::apply(&tenant.client, &map.to_string()).await.unwrap();
    let said = done(&["billing", "lookup", "--tenant", &id]).await;
    assert!(said.contains("graceSeconds: 7") && said.contains("retentionSeconds: "), "{said}");
    let order = get(&tenant, "first").await.unwrap();
    assert_eq!(order["status"]["state"], "running", "what was imported changes nothing");
}
