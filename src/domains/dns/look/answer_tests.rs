use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::op::OpCode;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, TXT};
use proptest::prelude::*;

use super::*;

const ZONE: &str = "example.com";
const HOST: &str = "www.example.com";

fn name(text: &str) -> Name {
    dns_name(text).unwrap()
}

fn record(owner: &str, data: RData) -> Record {
    Record::from_rdata(name(owner), 300, data)
}

fn a(owner: &str, last: u8) -> Record {
    record(owner, RData::A(A(Ipv4Addr::new(192, 0, 2, last))))
}

fn cname(owner: &str, target: &str) -> Record {
    record(owner, RData::CNAME(CNAME(name(target))))
}

fn ns(owner: &str, server: &str) -> Record {
    record(owner, RData::NS(NS(name(server))))
}

fn txt(owner: &str, parts: &[&[u8]]) -> Record {
    record(owner, RData::TXT(TXT::from_bytes(parts.to_vec())))
}

fn soa(owner: &str, ttl: u32, minimum: u32) -> Record {
    let data = SOA::new(name("ns1.example.net"), name("admin.example.net"), 1, 1, 1, 1, minimum);
    Record::from_rdata(name(owner), ttl, RData::SOA(data))
}

fn message(answers: Vec<Record>, authorities: Vec<Record>) -> Message {
    let mut message = Message::response(1, OpCode::Query);
    message.metadata.authoritative = true;
    message.add_answers(answers);
    message.add_authorities(authorities);
    message
}

fn judge(kind: Kind, message: &Message) -> Answer {
    Answer::judge(&name(ZONE), &name(HOST), kind, message)
}

fn address(last: u8) -> Datum {
    Datum::Address(Ipv4Addr::new(192, 0, 2, last).into())
}

fn nothing(ttl: Option<u64>, zone: Option<&str>) -> Answer {
    Answer::Nothing(Nothing { ttl: ttl.map(Duration::from_secs), zone: zone.map(str::to_owned) })
}

#[test]
fn records_of_the_name_and_type_are_taken_in_any_order() {
    let six = record(HOST, RData::AAAA(AAAA(Ipv6Addr::LOCALHOST)));
    let all =
        message(vec![a(HOST, 2), six, a("WWW.Example.COM", 1), a(HOST, 1), a("ftp.example.com", 9)], vec![]);
    assert_eq!(judge(Kind::A, &all), Answer::Records([address(1), address(2)].into()));
    assert_eq!(judge(Kind::Aaaa, &all), Answer::Records([Datum::Address(Ipv6Addr::LOCALHOST.into())].into()));
    let texts = message(vec![txt(HOST, &[b"one ", b"text"]), txt(HOST, &[b"\xff"])], vec![]);
    let both = [Datum::Text("one text".into()), Datum::Text("\u{fffd}".into())];
    assert_eq!(judge(Kind::Txt, &texts), Answer::Records(both.into()));
    let begins = message(vec![soa(HOST, 1, 1)], vec![]);
    assert_eq!(judge(Kind::Soa, &begins), Answer::Records([Datum::ZoneBegins].into()));
}

#[test]
fn an_alias_is_taken_alone() {
    let far = message(vec![cname(HOST, "X.Example.NET"), a("x.example.net", 1)], vec![]);
    for kind in [Kind::A, Kind::Aaaa, Kind::Txt, Kind::Cname, Kind::Caa] {
        assert_eq!(judge(kind, &far), Answer::Alias("x.example.net".into()), "{kind}");
    }
    let mut dangling = far.clone();
    dangling.metadata.response_code = ResponseCode::NXDomain;
    assert_eq!(
        judge(Kind::A, &dangling),
        Answer::Alias("x.example.net".into()),
        "it is the target that isn't"
    );
    let two = message(vec![cname(HOST, "a.example.net"), cname(HOST, "b.example.net")], vec![]);
    assert_eq!(judge(Kind::A, &two), Answer::Lame);
}

#[test]
fn what_is_not_there_tells_for_how_long() {
    for (authority, expected) in [
        (vec![soa(ZONE, 300, 60)], nothing(Some(60), Some(ZONE))),
        (vec![soa(ZONE, 30, 60)], nothing(Some(30), Some(ZONE))),
        (vec![soa(HOST, 30, 60)], nothing(Some(30), Some(HOST))),
        (vec![soa("com", 30, 60)], nothing(None, None)),
        (vec![soa("example.org", 30, 60)], nothing(None, None)),
        (vec![], nothing(None, None)),
    ] {
        let mut denial = message(vec![a("ftp.example.com", 1)], authority);
        assert_eq!(judge(Kind::A, &denial), expected);
        denial.metadata.response_code = ResponseCode::NXDomain;
        assert_eq!(judge(Kind::A, &denial), expected);
    }
}

#[test]
fn a_delegation_leads_down_towards_the_name_only() {
    let mut referral = message(vec![], vec![ns(HOST, "b.example.net"), ns(HOST, "A.example.net")]);
    let expected = Answer::Referral(Referral {
        zone: HOST.into(),
        servers: ["a.example.net".to_owned(), "b.example.net".to_owned()].into(),
    });
    assert_eq!(judge(Kind::A, &referral), expected);
    referral.metadata.authoritative = false;
    assert_eq!(judge(Kind::A, &referral), expected);
    // What a server says of a zone that isn't its own, or of others in it, is nothing to us.
    for owner in ["example.com", "com", "", "example.org", "ftp.example.com", "a.www.example.com"] {
        let mut astray = message(vec![], vec![ns(owner, "evil.example.net")]);
        assert_eq!(judge(Kind::A, &astray), nothing(None, None), "{owner}");
        astray.metadata.authoritative = false;
        assert_eq!(judge(Kind::A, &astray), Answer::Lame, "{owner}");
    }
}

#[test]
fn a_server_that_is_not_responsible_says_nothing() {
    let mut hearsay = message(vec![a(HOST, 1)], vec![soa(ZONE, 1, 1)]);
    hearsay.metadata.authoritative = false;
    assert_eq!(judge(Kind::A, &hearsay), Answer::Lame);
    for code in [ResponseCode::ServFail, ResponseCode::Refused, ResponseCode::NotImp, ResponseCode::YXDomain]
    {
        let mut failed = message(vec![a(HOST, 1)], vec![]);
        failed.metadata.response_code = code;
        assert_eq!(judge(Kind::A, &failed), Answer::Lame, "{code}");
    }
}

#[test]
fn what_is_added_is_not_read() {
    let mut generous = message(vec![], vec![soa(ZONE, 1, 1)]);
    generous.add_additionals([a(HOST, 66), txt(HOST, &[b"stray"])]);
    assert_eq!(judge(Kind::A, &generous), nothing(Some(1), Some(ZONE)));
    let mut foreign = a(HOST, 1);
    foreign.dns_class = DNSClass::CH;
    assert_eq!(judge(Kind::A, &message(vec![foreign], vec![])), nothing(None, None));
}

#[test]
fn too_much_is_no_answer() {
    let many = |most: u16| {
        let text = |at: u16| txt(HOST, &[at.to_string().as_bytes()]);
        message((0..most).map(text).collect(), vec![])
    };
    let Answer::Records(data) = judge(Kind::Txt, &many(256)) else { panic!("refused") };
    assert_eq!(data.len(), MOST_RECORDS);
    assert_eq!(judge(Kind::Txt, &many(257)), Answer::Lame);
}

#[test]
fn octets_are_read_as_they_come() {
    let octets = message(vec![a(HOST, 1)], vec![]).to_vec().unwrap();
    assert_eq!(Answer::read(ZONE, HOST, Kind::A, &octets), Answer::Records([address(1)].into()));
    for end in 0..octets.len() {
        assert_eq!(Answer::read(ZONE, HOST, Kind::A, &octets[..end]), Answer::Lame);
    }
}

proptest! {
    #[test]
    fn any_octets_are_judged(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Answer::read(ZONE, HOST, Kind::A, &octets);
    }

    #[test]
    fn a_name_that_text_can_hold_stays_the_same(octets in proptest::collection::vec(any::<u8>(), 1..20)) {
        let name = Name::from_labels([&octets[..], b"com"]).unwrap();
        prop_assert!(dns_name(&plain(&name)).is_none_or(|back| back == name));
    }

    #[test]
    fn plain_names_can_be_held(text in "([a-z0-9_*]|-){1,20}[.](com|example)") {
        prop_assert_eq!(plain(&name(&text)), text);
    }
}
