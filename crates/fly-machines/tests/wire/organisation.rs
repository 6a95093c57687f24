//! The whole organisation, the platform, the token and certificates.

use fly_machines::ErrorClass;
use fly_machines::types::{Guest, OrgQuery, PlacementQuery};

use crate::simulator::{ORG, Simulator, app_with_machine};

#[tokio::test]
async fn an_organisation_is_read_page_by_page() {
    let simulator = Simulator::start().await;
    let client = simulator.client();
    for app in ["one", "two", "three"] {
        app_with_machine(&client, app).await;
    }
    let mut query = OrgQuery { limit: Some(2), ..OrgQuery::default() };
    let mut apps = Vec::new();
    loop {
        let page = client.org(ORG).machines(&query).await.unwrap();
        assert!(page.error_regions.is_empty());
        apps.extend(page.machines.into_iter().map(|machine| machine.app_name));
        if page.next_cursor.is_empty() {
            break;
        }
        query.cursor = Some(page.next_cursor);
        assert!(apps.len() < 10, "the pages never end");
    }
    apps.sort();
    assert_eq!(apps, ["one", "three", "two"]);
    assert!(client.org(ORG).volumes(&OrgQuery::default()).await.unwrap().volumes.is_empty());
}

#[tokio::test]
async fn the_platform_and_the_token_are_told() {
    let simulator = Simulator::start().await;
    let client = simulator.client();
    let regions = client.platform().regions().await.unwrap();
    assert!(regions.regions.iter().any(|region| region.code == "fra"));
    let query = PlacementQuery {
        org_slug: ORG.into(),
        region: Some("fra".into()),
        compute: Some(Guest::shared(1, 256)),
        ..PlacementQuery::default()
    };
    let room = client.platform().placements(&query).await.unwrap();
    assert!(room.iter().any(|room| room.region == "fra"), "{room:?}");
    assert!(client.tokens().current().await.unwrap().covers_org(ORG));
}

#[tokio::test]
async fn a_hostname_is_added_checked_and_removed() {
    let simulator = Simulator::start().await;
    let client = simulator.client();
    app_with_machine(&client, "one").await;
    let certificates = client.certificates("one");
    let made = certificates.request("ai.example.com").await.unwrap();
    assert_eq!((made.hostname.as_str(), made.active_until()), ("ai.example.com", None));
    let again = certificates.request("ai.example.com").await.unwrap_err();
    assert_eq!(again.class(), ErrorClass::AlreadyExists);
    assert_eq!(certificates.get("ai.example.com").await.unwrap().hostname, "ai.example.com");
    assert!(certificates.check("ai.example.com").await.unwrap().dns_records.is_some());
    assert_eq!(certificates.list().await.unwrap().len(), 1);
    certificates.delete("ai.example.com").await.unwrap();
    assert!(certificates.get("ai.example.com").await.unwrap_err().is_not_found());
}
