//! Cloudflare: a stand-in that holds records as Cloudflare does and refuses what it would refuse.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{delete, get};
use axum::{Json, Router};
use moorage::api::reason;
use moorage::domains::DomainClass;
use moorage::domains::dns::Provider;
use serde_json::{Value, json};

use crate::{HOST, configured, host, text};

const TOKEN: &str = "cloudflare-token";

#[derive(Default)]
struct Zone {
    records: Vec<Value>,
    made: usize,
    refuse: Option<(u16, Value)>,
}

type Shared = Arc<Mutex<Zone>>;
type Reply = (StatusCode, Json<Value>);

fn done(result: Value) -> Reply {
    (StatusCode::OK, Json(json!({"success": true, "errors": [], "result": result})))
}

fn refused(status: u16, code: i64, message: &str) -> Reply {
    let errors = json!([{"code": code, "message": message}]);
    (StatusCode::from_u16(status).unwrap(), Json(json!({"success": false, "errors": errors, "result": null})))
}

fn admitted(zone: &Shared, headers: &HeaderMap) -> Result<(), Reply> {
    if let Some((status, body)) = &zone.lock().unwrap().refuse {
        return Err((StatusCode::from_u16(*status).unwrap(), Json(body.clone())));
    }
    let bearer = headers.get("authorization").and_then(|it| it.to_str().ok());
    if bearer == Some(&format!("Bearer {TOKEN}")) {
        Ok(())
    } else {
        Err(refused(403, 9109, "Invalid access token"))
    }
}

async fn list(
    State(zone): State<Shared>,
    headers: HeaderMap,
    Query(query): Query<Vec<(String, String)>>,
) -> Reply {
    if let Err(reply) = admitted(&zone, &headers) {
        return reply;
    }
    let name = query.iter().find(|(key, _)| key == "name").map(|(_, value)| value.clone()).expect("a name");
    let zone = zone.lock().unwrap();
    done(zone.records.iter().filter(|record| record["name"] == name).cloned().collect())
}

async fn create(State(zone): State<Shared>, headers: HeaderMap, Json(mut record): Json<Value>) -> Reply {
    if let Err(reply) = admitted(&zone, &headers) {
        return reply;
    }
    assert!(record["ttl"].as_u64().unwrap() >= 60, "Cloudflare's least: {record}");
    let kind = record["type"].as_str().unwrap().to_owned();
    let content = record["content"].as_str().unwrap().to_owned();
    match kind.as_str() {
        "A" | "AAAA" => {
            assert_eq!(record["proxied"], false, "Fly has to see the visitor's own TLS");
            let address: IpAddr = content.parse().unwrap();
            assert_eq!(address.is_ipv4(), kind == "A");
        }
        "TXT" => assert!(content.starts_with('"') && content.ends_with('"'), "{content}"),
        other => panic!("a record of type {other}"),
    }
    let mut zone = zone.lock().unwrap();
    let same = |it: &Value| {
        it["name"] == record["name"] && it["type"] == record["type"] && it["content"] == record["content"]
    };
    if zone.records.iter().any(same) {
        return refused(400, 81058, "An identical record already exists.");
    }
    zone.made += 1;
    record["id"] = json!(format!("{:032x}", zone.made));
    zone.records.push(record.clone());
    done(record)
}

async fn remove(State(zone): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Reply {
    if let Err(reply) = admitted(&zone, &headers) {
        return reply;
    }
    let mut zone = zone.lock().unwrap();
    let before = zone.records.len();
    zone.records.retain(|record| record["id"] != id);
    if zone.records.len() < before {
        done(json!({"id": id}))
    } else {
        refused(404, 81044, "Record does not exist.")
    }
}

async fn zone() -> (Shared, Arc<dyn Provider>) {
    let zone = Shared::default();
    let routes = Router::new()
        .route("/zones/0123abcd/dns_records", get(list).post(create))
        .route("/zones/0123abcd/dns_records/{id}", delete(remove))
        .with_state(Arc::clone(&zone));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let file = tempfile::NamedTempFile::new().unwrap().keep().unwrap().1;
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let provider =
        configured(json!({"cloudflare": {"zoneID": "0123abcd", "apiURL": url, "token": {"file": file}}}));
    (zone, provider)
}

fn contents(zone: &Shared) -> Vec<String> {
    let zone = zone.lock().unwrap();
    let mut all: Vec<String> = zone
        .records
        .iter()
        .map(|it| format!("{} {}", it["type"].as_str().unwrap(), it["content"].as_str().unwrap()))
        .collect();
    all.sort();
    all
}

fn addresses(all: &[&str]) -> Vec<IpAddr> {
    all.iter().map(|one| one.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_host_has_exactly_its_owners_addresses() {
    let (zone, provider) = zone().await;
    let ours = host("prod/abc");
    provider.set_addresses(&ours, &addresses(&["192.0.2.1", "2a09::1"])).await.unwrap();
    provider.set_addresses(&ours, &addresses(&["192.0.2.1", "2a09::1"])).await.unwrap();
    assert_eq!(contents(&zone), ["A 192.0.2.1", "AAAA 2a09::1"]);
    provider.set_addresses(&ours, &addresses(&["192.0.2.2", "2a09::1"])).await.unwrap();
    assert_eq!(contents(&zone), ["A 192.0.2.2", "AAAA 2a09::1"]);
    let theirs = host("staging/xyz");
    let refused = provider.set_addresses(&theirs, &addresses(&["192.0.2.9"])).await.unwrap_err();
    assert_eq!(refused.reason, reason::HOSTNAME_TAKEN);
    provider.remove_addresses(&theirs).await.unwrap();
    assert_eq!(contents(&zone).len(), 2);
    provider.remove_addresses(&ours).await.unwrap();
    provider.remove_addresses(&ours).await.unwrap();
    assert!(contents(&zone).is_empty());
}

#[tokio::test]
async fn a_record_that_people_made_is_left_alone() {
    let (zone, provider) = zone().await;
    zone.lock().unwrap().records.push(
        json!({"id": "f0", "name": HOST, "type": "CNAME", "content": "elsewhere.example", "comment": null}),
    );
    let refused = provider.set_addresses(&host("prod/abc"), &addresses(&["192.0.2.1"])).await.unwrap_err();
    assert_eq!(refused.reason, reason::HOSTNAME_TAKEN);
    provider.remove_addresses(&host("prod/abc")).await.unwrap();
    assert_eq!(contents(&zone), ["CNAME elsewhere.example"]);
}

#[tokio::test]
async fn texts_stand_beside_each_other() {
    let (zone, provider) = zone().await;
    for value in ["one", "two", "two"] {
        provider.add_text(&text(value)).await.unwrap();
    }
    assert_eq!(contents(&zone), ["TXT \"one\"", "TXT \"two\""]);
    provider.remove_text(&text("one")).await.unwrap();
    assert_eq!(contents(&zone), ["TXT \"two\""]);
}

#[tokio::test]
async fn what_goes_wrong_is_told_with_its_remedy_and_without_the_token() {
    let (zone, provider) = zone().await;
    for (status, class, reason, hint) in [
        (403, DomainClass::Human, reason::DNS_REFUSED, "Zone.DNS Edit"),
        (429, DomainClass::Transient, reason::DNS_UNAVAILABLE, "slow down"),
        (502, DomainClass::Transient, reason::DNS_UNAVAILABLE, "502"),
        (400, DomainClass::Human, reason::DNS_REFUSED, "DNS Validation Error"),
    ] {
        let body = json!({"success": false, "errors": [{"code": 1004, "message": "DNS Validation Error"}]});
        zone.lock().unwrap().refuse = Some((status, body));
        let error = provider.add_text(&text("x")).await.unwrap_err();
        assert_eq!((error.class, error.reason), (class, reason), "{status}");
        assert!(error.message.contains(hint) && !error.message.contains(TOKEN), "{}", error.message);
    }
}
