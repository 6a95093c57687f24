//! Lists are whole or an error, and the organisation's are read page by page.

use fly_machines::ErrorClass;
use fly_machines::types::{ListMachines, MachineState, OrgQuery};

use crate::server::{Server, json, with_header};

#[tokio::test]
async fn a_list_follows_its_pages() {
    let server = Server::start(|seen| {
        if seen.target.contains("cursor=c2") {
            json(200, r#"[{"id":"b"}]"#)
        } else {
            with_header(json(200, r#"[{"id":"a"}]"#), "fly-next-cursor", "c2")
        }
    })
    .await;
    let filter = ListMachines {
        summary: true,
        states: vec![MachineState::Started, MachineState::Stopped],
        metadata: [("owner".to_owned(), "a&b".to_owned())].into(),
        ..ListMachines::default()
    };
    let machines = server.client().machines("one").list(&filter).await.unwrap();
    let ids: Vec<_> = machines.iter().map(|machine| machine.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    let expected = "/v1/apps/one/machines?summary=true&state=started%2Cstopped&metadata.owner=a%26b";
    assert_eq!(server.seen()[0].target, expected);
}

#[tokio::test]
async fn a_page_that_fails_fails_the_list() {
    let server = Server::start(|seen| {
        if seen.target.contains("cursor") {
            json(500, "")
        } else {
            with_header(json(200, r#"[{"id":"a"}]"#), "fly-next-cursor", "c2")
        }
    })
    .await;
    let error = server.client().volumes("one").list().await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unavailable);
}

#[tokio::test]
async fn null_is_an_empty_list() {
    let server = Server::start(|_| json(200, "null")).await;
    let client = server.client();
    assert!(client.machines("one").list(&ListMachines::default()).await.unwrap().is_empty());
    assert!(client.volumes("one").list().await.unwrap().is_empty());
    assert!(client.volumes("one").snapshots("vol_1").await.unwrap().is_empty());
    assert!(client.metadata("one", "m").all().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_organisation_is_read_from_where_it_was_left() {
    let body = r#"{"machines":[{"id":"m","app_name":"one","state":"started","updated_at":"2026-01-01T00:00:00Z"}],
                   "next_cursor":"c2","last_updated_at":"2026-01-01T00:00:00Z","error_regions":["fra"]}"#;
    let server = Server::start(move |_| json(200, body)).await;
    let query = OrgQuery {
        updated_after: Some("2025-12-31T23:55:00Z".parse().unwrap()),
        include_deleted: true,
        limit: Some(5000),
        ..OrgQuery::default()
    };
    let page = server.client().org("acme").machines(&query).await.unwrap();
    assert_eq!((page.machines[0].app_name.as_str(), page.next_cursor.as_str()), ("one", "c2"));
    assert_eq!(page.error_regions, ["fra"]);
    let expected =
        "/v1/orgs/acme/machines?updated_after=2025-12-31T23%3A55%3A00Z&include_deleted=true&limit=2000";
    assert_eq!(server.seen()[0].target, expected);
}
