//! Which servers are asked, and what they say together.

use std::time::{Duration, Instant};

use moorage::domains::DomainClass;
use moorage::domains::dns::{Kind, LookError, Lookout, Sight};
use moorage::engine::config::DnsSettings;
use testbed::{Internet, Software};

use crate::world::{OURS, addresses, look, lookout, parts, seen, settings, world};

#[tokio::test]
async fn servers_that_disagree_decide_nothing() {
    let lookout = lookout(world().await);
    let disagree = |kind: Kind, name: &str| LookError::Disagree {
        zone: "split.test".into(),
        one: "ns1.servers.test".into(),
        other: "ns4.servers.test".into(),
        kind,
        name: name.into(),
    };
    for host in ["www.split.test", "new.split.test"] {
        let error = look(&lookout, host).await.unwrap_err();
        assert_eq!((error.class(), &error), (DomainClass::Transient, &disagree(Kind::A, host)));
    }
    let text = disagree(Kind::A, "www.split.test").to_string();
    for word in ["ns1.servers.test", "ns4.servers.test", "www.split.test", " A "] {
        assert!(text.contains(word), "{text}");
    }
    // What one part of a look can't tell, the others may.
    let load = parts(&lookout, "load.split.test").await.unwrap();
    assert_eq!(load.texts, Err(disagree(Kind::Txt, "_moorage-challenge.load.split.test")));
    let all = addresses(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    assert_eq!(load.target.unwrap().addresses, all, "each spreads the load in its own way");
    assert!(look(&lookout, "split.test").await.is_ok(), "what they agree on is seen");
}

#[tokio::test]
async fn a_text_shows_once_every_server_shows_it() {
    let lookout = lookout(world().await);
    let shows = async |name: &str, text: &str| lookout.shows(name, text).await.unwrap();
    assert_eq!(shows("_moorage-challenge.www.shop.test", "another").await, Sight::Everywhere);
    assert_eq!(shows("_moorage-challenge.www.shop.test", "first part").await, Sight::Everywhere);
    let missing = Sight::NotAt("ns1.servers.test".into());
    assert_eq!(shows("_moorage-challenge.www.shop.test", "first").await, missing);
    assert_eq!(shows("_moorage-challenge.given.shop.test", "given away").await, Sight::Everywhere);
    let missing = Sight::NotAt("ns4.servers.test".into());
    assert_eq!(shows("_moorage-challenge.load.split.test", "new").await, missing);
    let nobody = lookout.shows("_moorage-challenge.nobody.test", "x").await;
    assert_eq!(nobody, Err(LookError::NoSuchDomain { zone: "nobody.test".into() }));
}

#[tokio::test]
async fn one_server_that_answers_is_enough_and_none_is_not() {
    // A third server is named that holds nothing of the zone.
    let zone = [("down.test", "@ NS ns3.servers.test.\nwww A 192.0.2.1")];
    let internet = Internet::new().unwrap().server(Software::Knot, &zone).server(Software::Bind, &zone);
    let internet = internet.server(Software::Knot, &[("lame.test", "")]).start().await.unwrap();
    let lookout = lookout(&internet);
    let lame = seen(look(&lookout, "www.down.test").await);
    assert_eq!(lame.addresses, addresses(&["192.0.2.1"]));
    internet.servers[0].process().kill().unwrap();
    let one = seen(look(&lookout, "www.down.test").await);
    assert_eq!(one.addresses, addresses(&["192.0.2.1"]));

    // Frozen, it isn't even refused.
    internet.servers[1].process().pause().unwrap();
    let mut asked = Instant::now();
    let error = loop {
        // It may have been in the middle of something.
        match look(&lookout, "www.down.test").await {
            Ok(_) => asked = Instant::now(),
            Err(error) => break error,
        }
    };
    assert_eq!(error, LookError::Unanswered { zone: "down.test".into() });
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    internet.servers[1].process().resume().unwrap();
    let again = seen(look(&lookout, "www.down.test").await);
    assert_eq!(again.addresses, addresses(&["192.0.2.1"]));
    internet.servers[1].process().kill().unwrap();
    let fresh = Lookout::new(&settings(&internet), Vec::new());
    let gone = LookError::NoServers { zone: "down.test".into() };
    assert_eq!(look(&fresh, "www.down.test").await, Err(gone), "a resolver can't find it either");
}

#[tokio::test]
async fn what_does_not_fit_into_a_datagram_is_asked_for_again() {
    let mut text = String::new();
    for at in 0..90 {
        text += &format!("_moorage-challenge TXT \"{at:03}{}\"\n", "x".repeat(200));
    }
    let zone = [("big.test", text.as_str())];
    let internet = Internet::new().unwrap().server(Software::Knot, &zone).server(Software::Bind, &zone);
    let internet = internet.start().await.unwrap();
    let seen = seen(look(&lookout(&internet), "big.test").await);
    assert_eq!(seen.texts.len(), 90);
    assert!(seen.texts.is_sorted() && seen.texts.iter().all(|text| text.len() == 203));
}

#[tokio::test]
async fn servers_in_networks_of_ours_are_asked_only_if_the_configuration_says_so() {
    let internet = world().await;
    let strict = DnsSettings { allowed_networks: Vec::new(), ..settings(internet) };
    let error = look(&Lookout::new(&strict, vec![OURS.into()]), "www.shop.test").await.unwrap_err();
    let LookError::Private { zone, server, address } = &error else { panic!("{error}") };
    assert_eq!((zone.as_str(), server.as_str()), ("shop.test", "ns1.servers.test"));
    assert!(address.is_loopback() && error.to_string().contains("public Internet"));
    assert_eq!(error.class(), DomainClass::Human);
    let other = DnsSettings { allowed_networks: vec!["10.0.0.0/8".into()], ..settings(internet) };
    assert!(look(&Lookout::new(&other, vec![OURS.into()]), "www.shop.test").await.is_err());
    seen(look(&lookout(internet), "www.shop.test").await);
}

#[tokio::test]
async fn our_own_resolvers_failing_is_not_the_customers_fault() {
    let internet = world().await;
    let nowhere = DnsSettings { resolvers: vec!["127.0.0.1:1".into()], ..settings(internet) };
    let error = look(&Lookout::new(&nowhere, Vec::new()), "www.shop.test").await.unwrap_err();
    assert_eq!((error.class(), &error), (DomainClass::Transient, &LookError::Resolvers));
    let resolvers = vec!["127.0.0.1:1".into(), internet.resolver().to_string()];
    let second = Lookout::new(&DnsSettings { resolvers, ..settings(internet) }, vec![OURS.into()]);
    seen(look(&second, "www.shop.test").await);
    // A server that only knows its own zones refuses to find out anything.
    let wrong =
        DnsSettings { resolvers: vec![internet.servers[0].address().to_string()], ..settings(internet) };
    let error = look(&Lookout::new(&wrong, Vec::new()), "www.elsewhere.test").await.unwrap_err();
    assert_eq!(error, LookError::Resolvers);
}
