//! Where hostnames lead.

use std::time::Duration;

use moorage::domains::dns::LookError;
use testbed::internet::NEGATIVE_TTL;

use crate::world::{Whole, ZONES, addresses, look, lookout, parts, seen, world};

fn negative_ttl() -> Option<Duration> {
    Some(Duration::from_secs(NEGATIVE_TTL.into()))
}

#[tokio::test]
async fn an_alias_of_ours_is_seen_with_its_proofs() {
    let lookout = lookout(world().await);
    for zone in ZONES {
        let seen = seen(look(&lookout, &format!("www.{zone}")).await);
        let expected = Whole {
            chain: vec!["a1b2c3.dom.moorage.test".into()],
            texts: vec!["another".into(), "first part".into()],
            delegated: Some("_acme-challenge.a1b2c3.dom.moorage.test".into()),
            ..Whole::default()
        };
        assert_eq!(seen, expected, "{zone}");
    }
}

#[tokio::test]
async fn a_chain_is_followed_across_zones_and_servers() {
    let lookout = lookout(world().await);
    for zone in ZONES {
        let deep = seen(look(&lookout, &format!("deep.{zone}")).await);
        let deeper = format!("deeper.{zone}");
        assert_eq!(deep.chain, [deeper.as_str(), "www.elsewhere.test", "e1e1e1.dom.moorage.test"]);
        assert!(deep.addresses.is_empty() && deep.texts.is_empty() && !deep.is_apex);
        assert_eq!(deep.negative_ttl, negative_ttl(), "the text that isn't there");

        let cdn = seen(look(&lookout, &format!("cdn.{zone}")).await);
        assert_eq!(cdn.chain, ["edge.elsewhere.test"]);
        assert_eq!(cdn.addresses, addresses(&["192.0.2.200", "2001:db8::200"]));

        let dangling = seen(look(&lookout, &format!("dangling.{zone}")).await);
        assert_eq!((dangling.chain.len(), dangling.addresses.len()), (1, 0));
    }
}

#[tokio::test]
async fn addresses_are_seen_of_both_kinds() {
    let lookout = lookout(world().await);
    for zone in ZONES {
        for (host, expected) in [
            ("four", &["192.0.2.4"][..]),
            ("six", &["2001:db8::6"]),
            ("both", &["192.0.2.21", "192.0.2.22", "2001:db8::21"]),
        ] {
            let seen = seen(look(&lookout, &format!("{host}.{zone}")).await);
            assert_eq!(seen.addresses, addresses(expected), "{host}.{zone}");
            assert!(seen.chain.is_empty() && !seen.is_apex, "{host}.{zone}");
        }
    }
}

#[tokio::test]
async fn an_apex_is_told_from_other_names() {
    let lookout = lookout(world().await);
    for zone in ZONES {
        let apex = seen(look(&lookout, zone).await);
        assert!(apex.is_apex && apex.chain.is_empty());
        assert_eq!(apex.addresses, addresses(&["192.0.2.10", "2001:db8::10"]));
        let child = seen(look(&lookout, &format!("child.{zone}")).await);
        assert!(child.is_apex, "below a delegation another zone begins");
        assert_eq!(child.addresses, addresses(&["192.0.2.99"]));
    }
}

#[tokio::test]
async fn a_delegation_is_followed_to_the_servers_below() {
    let lookout = lookout(world().await);
    for zone in ZONES {
        let child = seen(look(&lookout, &format!("www.child.{zone}")).await);
        assert_eq!(
            (child.chain.as_slice(), child.texts.as_slice()),
            (&["c1c1c1.dom.moorage.test".to_owned()][..], &["below".to_owned()][..])
        );
        // Nobody told the resolvers that the challenge is a zone of its own; the zone's servers do.
        let given = seen(look(&lookout, &format!("given.{zone}")).await);
        assert_eq!(given.texts, ["given away"]);
        assert_eq!(given.addresses, addresses(&["192.0.2.66"]));
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_with_the_time_for_which_that_is_remembered() {
    let lookout = lookout(world().await);
    for zone in ZONES {
        for host in ["missing", "text", "node", "far.below.missing"] {
            let seen = seen(look(&lookout, &format!("{host}.{zone}")).await);
            let expected = Whole { negative_ttl: negative_ttl(), ..Whole::default() };
            assert_eq!(seen, expected, "{host}.{zone}");
        }
    }
}

#[tokio::test]
async fn chains_without_an_end_are_refused() {
    let lookout = lookout(world().await);
    for zone in ZONES {
        for host in ["ring1", "self"] {
            let name = format!("{host}.{zone}");
            assert_eq!(look(&lookout, &name).await, Err(LookError::Loop { name }));
        }
        let name = format!("step0.{zone}");
        assert_eq!(look(&lookout, &name).await, Err(LookError::TooLong { name }));
        let short = seen(look(&lookout, &format!("step3.{zone}")).await);
        assert_eq!(short.chain.len(), 7);
    }
}

#[tokio::test]
async fn a_target_that_is_broken_hides_no_proof() {
    let lookout = lookout(world().await);
    for zone in ZONES {
        for host in ["lost", "ring1", "step0"] {
            let seen = parts(&lookout, &format!("{host}.{zone}")).await.unwrap();
            assert!(seen.target.is_err(), "{host}.{zone}");
            assert_eq!(seen.texts, Ok(vec!["proof".into()]), "{host}.{zone}");
            assert_eq!(seen.delegated, Ok(None), "{host}.{zone}");
        }
    }
}

#[tokio::test]
async fn a_domain_that_nobody_has_is_told() {
    let lookout = lookout(world().await);
    let nobody = || Err(LookError::NoSuchDomain { zone: "nobody.test".into() });
    assert_eq!(look(&lookout, "www.far.nobody.test").await, nobody());
    assert_eq!(look(&lookout, "lost.shop.test").await, nobody(), "also behind an alias");
    let text = look(&lookout, "nobody.test").await.unwrap_err().to_string();
    assert!(text.contains("nobody.test") && text.contains("Register it again"), "{text}");
}
