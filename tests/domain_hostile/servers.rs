//! Name servers that contradict themselves and each other, and some that nobody outside can reach.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_proto::rr::RecordType;
use serde_json::json;

use crate::domains::{Customer, condition_of};
use crate::place::{CONTEST, Place, holder, looked, never_had, place, rivals, server, target};
use crate::stranger::{Act, Asked, Stranger, a, cname, ns, send, txt};
use crate::support::{condition, text};

/// Names that servers may lead to, once they are known.
#[derive(Clone, Default)]
struct Targets(Arc<Mutex<Vec<String>>>);

impl Targets {
    fn set(&self, all: &[&str]) {
        let all = all.iter().map(|&one| one.to_owned()).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = all;
    }

    fn get(&self, at: usize) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(at).cloned()
    }
}

/// A server of a zone, which is honest about the zone itself. What it says of `www` in it is `script`'s.
async fn serve(
    place: &Place,
    zone: &'static str,
    at: usize,
    script: impl Fn(&Asked) -> Option<Vec<Act>> + Send + Sync + 'static,
) -> Stranger {
    let name = server(zone, at);
    let all: Vec<String> = (0..place.servers(zone).len()).map(|at| server(zone, at)).collect();
    Stranger::start(place.servers(zone)[at], move |asked| {
        let servers = || send(&asked.answer(all.iter().map(|one| ns(zone, one)).collect()));
        let of_the_zone = asked.kind() == RecordType::NS && asked.is_for(zone);
        of_the_zone
            .then(servers)
            .or_else(|| asked.honest(zone, &name))
            .or_else(|| script(asked).filter(|_| asked.is_for(&format!("www.{zone}"))))
            .unwrap_or_else(|| send(&asked.nothing(zone)))
    })
    .await
}

/// A customer with a Runtime who wants `www` in a zone.
async fn customer<'p>(place: &'p Place, name: &str, host: &str) -> Customer<'p> {
    let customer = place.scene.customer(name).await.unwrap();
    customer.runtime("ops").await.unwrap();
    customer.declare("www", host, "ops", json!({})).await.unwrap();
    customer
}

#[tokio::test]
async fn a_server_that_says_another_thing_at_each_question_helps_nobody_to_anothers_name() {
    let (place, host) = (place().await, "www.flips.test");
    let (targets, turn) = (Targets::default(), AtomicUsize::new(0));
    let leads = targets.clone();
    let _server = serve(place, "flips.test", 0, move |asked| {
        let target = leads.get(turn.fetch_add(1, Ordering::SeqCst) % 2)?;
        Some(send(&asked.answer(vec![cname(host, &target)])))
    })
    .await;
    let both = rivals(&place.scene, ["flips-one", "flips-two"], host).await;
    let names = [target(&both[0]).await, target(&both[1]).await];
    targets.set(&[&names[0], &names[1]]);
    // Both are shown now and then, by chance: one of them has it sooner or later, and then the other never does.
    let mut holders = Vec::new();
    for _ in 0..40 {
        tokio::join!(looked(&both[0]), looked(&both[1]));
        holders.extend(holder(&both[0], host).await.unwrap());
        if holders.len() == 4 {
            break;
        }
    }
    holders.dedup();
    assert_eq!(holders.len(), 1, "{holders:?}");
    let loser = usize::from(holders[0] == "flips-one");
    let app = both[loser].tenant.app("ops").await.unwrap();
    let history = place.scene.fly().hostnames().await.unwrap().remove(host).unwrap_or_default();
    assert!(history.changes.iter().all(|change| change.app != app), "{history:?}");
    assert!(place.scene.server().records(&names[loser], "A").await.unwrap().is_empty());
    let object = both[loser].get("www").await.unwrap();
    assert_eq!(condition_of(&object, "HostnameClaimed").1, "HostnameTaken", "{}", object["status"]);
}

#[tokio::test]
async fn a_zone_that_shows_the_others_records_now_and_then_gives_them_no_name() {
    let (place, host, proof) = (place().await, "www.sways.test", "_moorage-challenge.www.sways.test");
    // The holder's CNAME, then the other's and its text.
    let (targets, name, begun) = (Targets::default(), server("sways.test", 0), Instant::now());
    let shown = targets.clone();
    let _server = Stranger::start(place.servers("sways.test")[0], move |asked| {
        let other = shown.get(2).filter(|_| begun.elapsed().as_secs() % 6 < 3);
        let (alias, text) = match other {
            Some(text) => (shown.get(1), Some(text)),
            None => (shown.get(0), None),
        };
        let alias = alias.filter(|_| asked.is_for(host)).map(|to| cname(host, &to));
        let wants_text = asked.is_for(proof) && asked.kind() == RecordType::TXT;
        let record = alias.or_else(|| text.filter(|_| wants_text).map(|text| txt(proof, &text)));
        let answer = || record.map_or_else(|| asked.nothing("sways.test"), |one| asked.answer(vec![one]));
        asked.honest("sways.test", &name).unwrap_or_else(|| send(&answer()))
    })
    .await;
    let both = rivals(&place.scene, ["sways-one", "sways-two"], host).await;
    let names = [target(&both[0]).await, target(&both[1]).await];
    targets.set(&[&names[0]]);
    both[0].wait_active("www").await.unwrap();
    let listed = both[1].listed("www", &["Ownership"]).await.unwrap();
    let proof = listed.iter().find(|record| record["purpose"] == "Ownership").unwrap();
    targets.set(&[&names[0], &names[1], text(proof, "/value")]);
    let end = Instant::now() + Duration::from_secs(CONTEST.unsigned_abs() * 5);
    while Instant::now() < end {
        tokio::join!(looked(&both[0]), looked(&both[1]));
        assert_eq!(holder(&both[0], host).await.unwrap().as_deref(), Some("sways-one"));
    }
    assert!(place.scene.server().records(&names[1], "A").await.unwrap().is_empty());
}

#[tokio::test]
async fn records_that_change_while_they_are_looked_at_show_nothing() {
    let (place, host) = (place().await, "www.shifts.test");
    let targets = Targets::default();
    let leads = targets.clone();
    let _server = serve(place, "shifts.test", 0, move |asked| match asked.kind() {
        RecordType::A => Some(send(&asked.answer(vec![a(host, "192.0.2.1")]))),
        _ => Some(send(&asked.answer(vec![cname(host, &leads.get(0)?)]))),
    })
    .await;
    let one = customer(place, "shifts", host).await;
    let name = target(&one).await;
    targets.set(&[&name]);
    let object = one.wait_reason("www", "OwnershipVerified", "ServersDisagree").await.unwrap();
    assert!(text(&condition(&object, "OwnershipVerified"), "/message").contains("change while"));
    assert_eq!(object["status"]["state"], "pending_dns");
    looked(&one).await;
    looked(&one).await;
    never_had(place, &one, host, &[&name]).await.unwrap();
}

#[tokio::test]
async fn servers_that_disagree_show_nothing_until_they_agree() {
    let (place, host) = (place().await, "www.split.test");
    let (ahead, behind) = (Targets::default(), Targets::default());
    let mut servers = Vec::new();
    for (at, targets) in [&ahead, &behind].into_iter().enumerate() {
        let leads = targets.clone();
        let script = move |asked: &Asked| Some(send(&asked.answer(vec![cname(host, &leads.get(0)?)])));
        servers.push(serve(place, "split.test", at, script).await);
    }
    let one = customer(place, "split", host).await;
    let name = target(&one).await;
    ahead.set(&[&name]);
    let object = one.wait_reason("www", "OwnershipVerified", "ServersDisagree").await.unwrap();
    let told = text(&condition(&object, "OwnershipVerified"), "/message").to_owned();
    assert!(told.contains(&server("split.test", 0)) && told.contains(&server("split.test", 1)), "{told}");
    assert_eq!(object["status"]["state"], "pending_dns");
    looked(&one).await;
    looked(&one).await;
    never_had(place, &one, host, &[&name]).await.unwrap();
    behind.set(&[&name]);
    looked(&one).await;
    one.wait("www", "it is held", |object| condition_of(object, "HostnameClaimed").0 == "True")
        .await
        .unwrap();
}

#[tokio::test]
async fn servers_at_private_addresses_are_never_asked() {
    let (place, host) = (place().await, "www.private.test");
    let (targets, asked_for_texts) = (Targets::default(), Arc::new(AtomicUsize::new(0)));
    let (leads, count) = (targets.clone(), Arc::clone(&asked_for_texts));
    let name = server("private.test", 0);
    let _server = Stranger::start(place.servers("private.test")[0], move |asked| {
        if asked.kind() == RecordType::TXT {
            count.fetch_add(1, Ordering::SeqCst);
        }
        let alias = || leads.get(0).filter(|_| asked.is_for(host)).map(|to| cname(host, &to));
        asked.honest("private.test", &name).unwrap_or_else(|| {
            send(&alias().map_or_else(|| asked.nothing("private.test"), |alias| asked.answer(vec![alias])))
        })
    })
    .await;
    let one = customer(place, "private", host).await;
    let wanted = target(&one).await;
    targets.set(&[&wanted]);
    let object = one.wait_reason("www", "OwnershipVerified", "NameServerRefused").await.unwrap();
    let told = text(&condition(&object, "OwnershipVerified"), "/message").to_owned();
    let address = place.servers("private.test")[0].ip().to_string();
    assert!(told.contains(&address) && told.contains(&server("private.test", 0)), "{told}");
    looked(&one).await;
    looked(&one).await;
    assert_eq!(asked_for_texts.load(Ordering::SeqCst), 0, "only resolvers ask there");
    never_had(place, &one, host, &[&wanted]).await.unwrap();
    assert_eq!(one.get("www").await.unwrap()["status"]["state"], "pending_dns");
}
