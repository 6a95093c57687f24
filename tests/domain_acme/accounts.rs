//! Accounts: bound to external ones, forgotten, and with another key.

use moorage::domains::acme::{Cause, Credentials, Method};
use moorage::domains::{DomainClass, acme::Account};
use serde_json::json;

use crate::scene::{account, authority, believing, finish, issue, names};

const HOST: [&str; 1] = ["a.example.dev"];
/// The key of an external account, in base64url.
const KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

#[tokio::test]
async fn an_authority_tells_what_it_wants_and_an_external_account_is_bound() {
    let wanted = json!({"externalAccountBindingRequired": true, "externalAccountMACKeys": {"kid-1": KEY},
        "caaIdentities": ["ca.example"]});
    let pebble = believing(0, wanted).await;
    let plain = authority(&pebble, json!({}));
    let said = plain.metadata().await.unwrap();
    assert!(said.external_account_required);
    assert_eq!(said.caa_identities, ["ca.example"]);
    let refused = plain.register().await.unwrap_err();
    assert_eq!((refused.cause, refused.error.class), (Cause::ExternalAccountRequired, DomainClass::Human));
    assert!(refused.to_string().contains("`externalAccount`"), "{refused}");

    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), format!("{KEY}\n")).unwrap();
    let bound = json!({"contact": "ops@example.dev",
        "externalAccount": {"keyID": "kid-1", "key": {"file": key.path()}}});
    issue(&account(&authority(&pebble, bound)).await, &HOST, None).await.unwrap();

    let stranger = json!({"externalAccount": {"keyID": "kid-2", "key": {"file": key.path()}}});
    let refused = authority(&pebble, stranger).register().await.unwrap_err();
    assert_eq!(refused.error.class, DomainClass::Human, "{refused}");
}

#[tokio::test]
async fn an_authority_that_was_restarted_has_forgotten_account_and_order() {
    let mut pebble = believing(0, json!({})).await;
    let authority = authority(&pebble, json!({}));
    let before = account(&authority).await;
    let order = before.order(&names(&HOST), None).await.unwrap();
    let url = order.url().to_owned();
    pebble.restart().await.unwrap();

    let mut order = order;
    assert_eq!(order.poll().await.map(drop).unwrap_err().cause, Cause::AccountUnknown);
    let refused = before.order(&names(&HOST), None).await.map(drop).unwrap_err();
    assert_eq!(refused.cause, Cause::AccountUnknown);
    let anew = account(&authority).await;
    assert_eq!(anew.resume(&url).await.map(drop).unwrap_err().cause, Cause::OrderUnknown);
    issue(&anew, &HOST, None).await.unwrap();
    let down = authority.clone();
    drop(pebble);
    let silent = down.register().await.unwrap_err();
    assert_eq!((silent.cause, silent.error.class), (Cause::Unavailable, DomainClass::Transient));
}

/// Whether the authority takes what is signed for the account.
async fn is_known(account: &Account) -> bool {
    account.order(&names(&HOST), None).await.is_ok()
}

#[tokio::test]
async fn a_changed_key_survives_a_crash_at_any_point() {
    let pebble = believing(20, json!({})).await;
    let authority = authority(&pebble, json!({}));
    let current = authority.register().await.unwrap();
    let begun = authority.account(current.clone()).order(&names(&HOST), None).await.unwrap();
    let url = begun.url().to_owned();
    // Both are stored, and the process dies before anything is sent: whoever finds them changes the key.
    let next = current.with_new_key().unwrap();
    let (current, next) = (current.to_secret(), next.to_secret());
    let (current, next) = (Credentials::parse(&current).unwrap(), Credentials::parse(&next).unwrap());
    assert!(!is_known(&authority.account(next.clone())).await);
    authority.change_key(&current, &next).await.unwrap();
    // It is done, and the process dies before it has stored that: the same again.
    authority.change_key(&current, &next).await.unwrap();

    let (old, new) = (authority.account(current), authority.account(next.clone()));
    assert!(!is_known(&old).await, "the old key opens nothing any more");
    assert!(is_known(&new).await);
    assert_eq!(old.uri(), new.uri());
    let mut order = new.resume(&url).await.unwrap();
    order.answer(Method::Dns).await.unwrap();
    finish(order, &HOST).await.unwrap();

    let stranger = authority.register().await.unwrap();
    let refused = authority.change_key(&stranger, &next).await.unwrap_err();
    assert_eq!(refused.error.class, DomainClass::Human, "{refused}");
}
