//! A wildcard certificate from Pebble, proved in the real name server's zone: step by step, as the keeper does it.

use moorage::domains::acme::{AcmeError, Authority, Sight, certificate_request, new_key};
use moorage::domains::certificate::Certificate;
use moorage::domains::dns;
use moorage::domains::secret::Secrets;
use moorage::engine::config::base_domain::Acme;
use serde_json::json;
use testbed::name_server::TSIG_NAME;
use testbed::{NameServer, Pebble, PebbleOptions};

use crate::{configured, means};

fn authority(pebble: &Pebble) -> Authority {
    let acme: Acme = serde_json::from_value(json!({
        "directoryURL": pebble.directory(),
        "caFile": pebble.ca_file(),
        "contact": "ops@example.dev",
    }))
    .unwrap();
    let means = means();
    Authority::new(acme, Secrets::new(means.kube, &means.namespace)).unwrap()
}

#[tokio::test]
async fn a_wildcard_and_its_domain_are_proved_under_one_name() {
    let server = NameServer::start("example.dev").await.unwrap();
    let options = PebbleOptions { dns: server.address(), validity: 7200, bad_nonces: 20 };
    let pebble = Pebble::start(options).await.unwrap();
    let tsig = json!({"name": TSIG_NAME, "key": {"file": server.key_file().unwrap()}});
    let provider = configured(json!({"rfc2136": {"server": server.address(), "tsig": tsig}}));
    let authority = authority(&pebble);
    let sight = dns::Authority::new("example.dev", &[server.address().to_string()]);
    let names = ["*.example.dev".to_owned(), "example.dev".to_owned()];
    // Two bad nonces in a row are the caller's to repeat.
    let credentials = retried(async || authority.register().await).await;
    let account = retried(async || authority.account(&credentials).await).await;
    let url = retried(async || authority.order(&account, &names, None).await).await;
    let key = new_key().unwrap();
    let mut answered = false;
    let chain = loop {
        let order = authority.at(&account, &url);
        match retried(async || order.look().await).await {
            Sight::Pending(texts) if texts.is_empty() || answered => {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            Sight::Pending(texts) => {
                assert_eq!(texts.len(), 2, "one for each name");
                assert!(texts.iter().all(|text| text.name == "_acme-challenge.example.dev"));
                for text in &texts {
                    provider.add_text(text).await.unwrap();
                }
                assert_eq!(sight.shows(&texts).await.unwrap(), dns::Sight::Everywhere);
                retried(async || order.answer().await).await;
                answered = true;
            }
            Sight::Ready => {
                let request = certificate_request(&names, &key).unwrap();
                retried(async || order.finalize(&request).await).await;
            }
            Sight::Processing => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            Sight::Valid => break retried(async || order.collect().await).await,
            Sight::Invalid(why) => panic!("{why}\n{}", pebble.log()),
        }
    };
    let certificate = Certificate::read(&chain, key).unwrap();
    let now = jiff::Timestamp::now();
    certificate.check(now, &names).unwrap();
    assert!(certificate.renewal() > now && certificate.renewal() < certificate.not_after);
    let window = authority.window(&account, &certificate).await.expect("Pebble suggests when to renew");
    assert!(window.start < window.end);
    let renewed = retried(async || authority.order(&account, &names, Some(&certificate)).await).await;
    assert_ne!(renewed, url);
}

#[tokio::test]
async fn an_authority_that_has_forgotten_the_account_says_so() {
    let server = NameServer::start("example.dev").await.unwrap();
    let options = || PebbleOptions { dns: server.address(), validity: 7200, bad_nonces: 0 };
    let before = authority(&Pebble::start(options()).await.unwrap()).register().await;
    let pebble = Pebble::start(options()).await.unwrap();
    let authority = authority(&pebble);
    // The credentials of an account that this authority never made.
    let mut stranger: serde_json::Value = serde_json::from_str(&before.unwrap()).unwrap();
    stranger["directory"] = json!(pebble.directory());
    stranger["id"] = json!(format!("{}/my-account/unknown", pebble.directory().trim_end_matches("/dir")));
    let account = authority.account(&stranger.to_string()).await.unwrap();
    let refused = authority.order(&account, &["example.dev".to_owned()], None).await.unwrap_err();
    assert!(matches!(refused, AcmeError::AccountUnknown), "{refused}");
}

async fn retried<T>(mut step: impl AsyncFnMut() -> Result<T, AcmeError>) -> T {
    let mut last = None;
    for _ in 0..10 {
        match step().await {
            Ok(done) => return done,
            Err(error) => last = Some(error),
        }
    }
    panic!("{:?}", last);
}
