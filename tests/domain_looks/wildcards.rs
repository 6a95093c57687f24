//! Wildcards, asked for by their own name.

use crate::world::{Whole, ZONES, addresses, look, lookout, seen, world};

#[tokio::test]
async fn a_wildcard_record_is_seen() {
    let lookout = lookout(world().await);
    for zone in ZONES {
        let wild = seen(look(&lookout, &format!("*.wild.{zone}")).await);
        let expected = Whole {
            chain: vec!["d4e5f6.dom.moorage.test".into()],
            texts: vec!["proof".into()],
            // The wildcard stands for this name as well.
            delegated: Some("d4e5f6.dom.moorage.test".into()),
            ..Whole::default()
        };
        assert_eq!(wild, expected, "{zone}");
        let plain = seen(look(&lookout, &format!("*.addresses.{zone}")).await);
        assert_eq!(plain.addresses, addresses(&["192.0.2.44"]), "{zone}");
    }
}

#[tokio::test]
async fn names_below_a_wildcard_are_its_own_or_theirs() {
    let lookout = lookout(world().await);
    for zone in ZONES {
        let any = seen(look(&lookout, &format!("any.wild.{zone}")).await);
        assert_eq!(any.chain, ["d4e5f6.dom.moorage.test"], "{zone}");
        let own = seen(look(&lookout, &format!("own.wild.{zone}")).await);
        assert_eq!((own.chain.len(), own.addresses), (0, addresses(&["192.0.2.33"])), "{zone}");
    }
}

#[tokio::test]
async fn without_a_wildcard_record_nothing_is_seen() {
    let lookout = lookout(world().await);
    for zone in ZONES {
        for host in [format!("*.{zone}"), format!("*.www.{zone}"), format!("*.own.wild.{zone}")] {
            let seen = seen(look(&lookout, &host).await);
            assert!(seen.chain.is_empty() && seen.addresses.is_empty() && !seen.is_apex, "{host}: {seen:?}");
            assert!(seen.negative_ttl.is_some());
        }
    }
}
