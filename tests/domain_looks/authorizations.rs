//! CAA records, from the name upwards.

use moorage::domains::caa::{CaaError, Covers, Issuance, Method};
use moorage::domains::dns::{LookError, Lookout};

use crate::world::{ZONES, lookout, world};

async fn at(lookout: &Lookout, name: &str) -> Option<(String, usize)> {
    let set = lookout.caa(name).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    set.map(|set| (set.name, set.records.len()))
}

#[tokio::test]
async fn the_nearest_records_upwards_count() {
    let lookout = lookout(world().await);
    for zone in ZONES {
        for (name, stands, records) in [
            ("both", "", 1),
            ("missing.far.below", "", 1),
            ("nocaa", "nocaa.", 2),
            ("below.nocaa", "nocaa.", 2),
            ("www.child", "", 1),
            ("aliascaa", "aliascaa.", 1),
            // Nobody asks about our own names, and a target's parents don't count.
            ("ourcaa", "", 1),
            ("plainalias", "", 1),
        ] {
            let expected = Some((format!("{stands}{zone}"), records));
            assert_eq!(at(&lookout, &format!("{name}.{zone}")).await, expected, "{name}.{zone}");
        }
    }
    assert_eq!(at(&lookout, "www.elsewhere.test").await, None);
    assert_eq!(at(&lookout, "*.shop.test").await, Some(("shop.test".into(), 1)));
}

#[tokio::test]
async fn records_are_judged_as_they_come() {
    let lookout = lookout(world().await);
    let identities = ["ca.test".to_owned()];
    let wanted =
        Issuance { identities: &identities, account: None, method: Method::Http01, covers: Covers::Name };
    for zone in ZONES {
        let set = lookout.caa(&format!("www.{zone}")).await.unwrap().unwrap();
        assert_eq!(set.admit(&wanted), Ok(()));
        let none = lookout.caa(&format!("nocaa.{zone}")).await.unwrap().unwrap();
        assert!(matches!(none.admit(&wanted), Err(CaaError::Critical { tag, .. }) if tag == "future"));
        let wild = lookout.caa(&format!("aliascaa.{zone}")).await.unwrap().unwrap();
        let wanted = Issuance { covers: Covers::Wildcard, ..wanted };
        assert!(matches!(wild.admit(&wanted), Err(CaaError::Issuer { tag: "issuewild", .. })));
    }
}

#[tokio::test]
async fn what_can_not_be_found_out_is_no_consent() {
    let lookout = lookout(world().await);
    assert!(matches!(lookout.caa("www.nobody.test").await, Err(LookError::NoSuchDomain { .. })));
    assert!(matches!(lookout.caa("lost.shop.test").await, Err(LookError::NoSuchDomain { .. })));
    assert!(matches!(lookout.caa("ring1.shop.test").await, Err(LookError::Loop { .. })));
}
