//! What has to hold for any octets, one function a target. Also run by `tests/domain_fuzz.rs`.

use moorage::domains::caa::{Caa, CaaSet, Covers, Issuance, Method};
use moorage::domains::dns::{Answer, Kind};
use moorage::domains::name::{Hostname, LONGEST};

const ZONE: &str = "example.com";
/// Names that the seeds are about; one of them isn't the zone's.
const NAMES: [&str; 8] = [
    "deep.www.example.com",
    "chain.www.example.com",
    "deep.child.www.example.com",
    "gone.deep.www.example.com",
    "www.example.com",
    "example.com",
    "any.wild.example.com",
    "example.org",
];
const KINDS: [Kind; 6] = [Kind::A, Kind::Aaaa, Kind::Cname, Kind::Txt, Kind::Caa, Kind::Soa];

/// A server's answer: the first octet says what was asked for, the others are its message.
pub fn dns_answer(octets: &[u8]) {
    let Some((choice, message)) = octets.split_first() else { return };
    let name = NAMES[usize::from(choice >> 3) % NAMES.len()];
    let kind = KINDS[usize::from(choice & 7) % KINDS.len()];
    let answer = Answer::read(ZONE, name, kind, message);
    assert_eq!(answer, Answer::read(ZONE, name, kind, message), "chance has no part in it");
    match answer {
        Answer::Records(data) => assert!((1..=256).contains(&data.len()) && kind != Kind::Cname),
        Answer::Referral(referral) => {
            assert!(is_below(&referral.zone, ZONE), "{} isn't the zone's to give", referral.zone);
            assert!(
                name == referral.zone || is_below(name, &referral.zone),
                "{} is another's",
                referral.zone
            );
            assert!((1..=256).contains(&referral.servers.len()));
        }
        Answer::Nothing(nothing) => {
            let within = |zone: &String| zone == ZONE || is_below(zone, ZONE);
            assert!(nothing.zone.as_ref().is_none_or(within));
        }
        Answer::Alias(_) | Answer::Lame => {}
        Answer::Silent => panic!("octets are no silence"),
    }
}

fn is_below(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
}

/// A hostname as somebody wrote it.
pub fn hostname(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    match Hostname::parse(text) {
        Ok(name) => sound(&name),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn sound(name: &Hostname) {
    let bare = name.bare();
    assert!((3..=LONGEST).contains(&bare.len()) && bare.contains('.'), "{name}");
    for label in bare.split('.') {
        assert!((1..=63).contains(&label.len()), "{name}");
        assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name}");
        assert!(!label.starts_with('-') && !label.ends_with('-'), "{name}");
    }
    assert!(name.is_within(name.registered_domain()));
    assert!(name.ancestors().all(|parent| name.is_within(parent)));
    assert_eq!(Hostname::parse(name.as_str()).as_ref(), Ok(name), "read again");
    let shown = name.unicode().unwrap_or_else(|| name.to_string());
    assert_eq!(Hostname::parse(&shown).as_ref(), Ok(name), "as people read it");
}

/// CAA records: one a line, its tag before the first blank, with a `!` if it is critical.
pub fn caa(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let records: Vec<Caa> = text.lines().take(50).map(record).collect();
    let is_named = |tag: &str| records.iter().any(|record| record.tag == tag);
    let (issue, issue_wild) = (is_named("issue"), is_named("issuewild"));
    let set = CaaSet { name: ZONE.to_owned(), records };
    let identities = ["ca.example".to_owned()];
    for (covers, is_restricted) in [(Covers::Name, issue), (Covers::Wildcard, issue || issue_wild)] {
        let wanted = Issuance {
            identities: &identities,
            account: Some("https://acme.example/acct/1"),
            method: Method::Dns01,
            covers,
        };
        let admitted = set.admit(&wanted);
        let stranger = set.admit(&Issuance { identities: &[], ..wanted });
        assert!(stranger.is_err() || !is_restricted, "nobody is let in who isn't named");
        assert!(stranger.is_err() || admitted.is_ok(), "being somebody never hurts");
    }
}

fn record(line: &str) -> Caa {
    let (tag, value) = line.split_once(' ').unwrap_or((line, ""));
    let name = tag.strip_prefix('!').unwrap_or(tag);
    Caa { is_critical: name.len() < tag.len(), tag: name.to_ascii_lowercase(), value: value.to_owned() }
}

/// What a certificate authority answers, one answer after the other, with a line of four equals signs between two.
pub fn acme_answers(octets: &[u8]) {
    moorage::domains::fuzz::acme_answers(octets);
}

/// A chain of certificates, a zero octet, and a key.
pub fn certificate(octets: &[u8]) {
    moorage::domains::fuzz::certificate(octets);
}
