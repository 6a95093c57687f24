//! Servers that lie, dawdle and babble.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use moorage::domains::dns::{LookError, Lookout};
use testbed::{Internet, RunningInternet, Software};
use tokio::sync::OnceCell;

use crate::stranger::{Act, Asked, By, Stranger, a, aaaa, cname, ns, send, soa, txt};
use crate::world::{Whole, addresses, look, lookout, parts, seen};

/// Strangers' zones, each with one server at an address of its own.
const ZONES: [&str; 17] = [
    "ids",
    "questions",
    "garbage",
    "huge",
    "silent",
    "dripping",
    "glue",
    "referrals",
    "noise",
    "flood",
    "flips",
    "oldtimer",
    "dynamic",
    "hearsay",
    "shifty",
    "plenty",
    "counting",
];

static WORLD: OnceCell<(RunningInternet, Vec<SocketAddr>)> = OnceCell::const_new();

async fn world() -> &'static (RunningInternet, Vec<SocketAddr>) {
    WORLD
        .get_or_init(|| async {
            let honest = [("honest.test", "www A 192.0.2.80\nlent CNAME lent.dom.moorage.test.")];
            let mut internet = Internet::new().unwrap().server(Software::Knot, &honest);
            let strangers: Vec<_> = (100..).map(|at| internet.address(at)).take(ZONES.len()).collect();
            for (zone, address) in ZONES.iter().zip(&strangers) {
                let ip = address.ip();
                internet = internet
                    .root(&format!("{zone}.test. NS {zone}.servers.test.\n{zone}.servers.test. A {ip}"));
            }
            (internet.start().await.unwrap(), strangers)
        })
        .await
}

/// Starts the server of a zone. It is honest about the zone itself, save that; for all else there is the script.
async fn stranger(
    zone: &'static str,
    script: impl Fn(&Asked) -> Vec<Act> + Send + Sync + 'static,
) -> (Stranger, Lookout) {
    let (internet, strangers) = world().await;
    let at = ZONES.iter().position(|one| *one == zone).unwrap();
    let (full, server) = (format!("{zone}.test"), format!("{zone}.servers.test"));
    let script = move |asked: &Asked| asked.honest(&full, &server).unwrap_or_else(|| script(asked));
    (Stranger::start(strangers[at], script).await, lookout(internet))
}

fn unanswered(zone: &str) -> Result<Whole, LookError> {
    Err(LookError::Unanswered { zone: format!("{zone}.test") })
}

#[tokio::test]
async fn an_answer_with_another_id_is_not_taken() {
    let (_stranger, lookout) = stranger("ids", |asked| {
        let mut answer = asked.answer(vec![a("www.ids.test", "192.0.2.66")]);
        answer.metadata.id = answer.metadata.id.wrapping_add(1);
        send(&answer)
    })
    .await;
    assert_eq!(look(&lookout, "www.ids.test").await, unanswered("ids"));
}

#[tokio::test]
async fn an_answer_to_another_question_is_not_taken() {
    let (_stranger, lookout) = stranger("questions", |asked| {
        let mut answer = asked.answer(vec![a("www.questions.test", "192.0.2.66")]);
        let other = crate::stranger::name("ftp.questions.test");
        answer.queries[0].set_name(other);
        send(&answer)
    })
    .await;
    assert_eq!(look(&lookout, "www.questions.test").await, unanswered("questions"));
}

#[tokio::test]
async fn garbage_is_not_read() {
    let (_stranger, lookout) = stranger("garbage", |asked| {
        let mut octets = asked.message.id.to_be_bytes().to_vec();
        octets.extend((0..400_u16).map(|at| (at.wrapping_mul(asked.message.id) >> 3) as u8));
        vec![Act::Send(octets), Act::Send(Vec::new()), Act::Send(vec![0xff; 3])]
    })
    .await;
    assert_eq!(look(&lookout, "www.garbage.test").await, unanswered("garbage"));
}

#[tokio::test]
async fn more_than_fits_is_not_taken() {
    let (_stranger, lookout) = stranger("huge", |asked| match asked.by {
        By::Udp => vec![Act::Send(vec![7; 40_000])],
        By::Tcp => vec![Act::Send(vec![7; 65_535]), Act::Raw(vec![7; 100_000])],
    })
    .await;
    assert_eq!(look(&lookout, "www.huge.test").await, unanswered("huge"));
}

#[tokio::test]
async fn silence_is_waited_for_only_so_long() {
    let (_stranger, lookout) = stranger("silent", |_| vec![Act::Wait(Duration::from_secs(60))]).await;
    let asked = Instant::now();
    assert_eq!(look(&lookout, "www.silent.test").await, unanswered("silent"));
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn an_answer_that_drips_is_waited_for_only_so_long() {
    let (_stranger, lookout) = stranger("dripping", |asked| match asked.by {
        By::Udp => Vec::new(),
        By::Tcp => {
            let drop = [Act::Raw(vec![0]), Act::Wait(Duration::from_millis(400))];
            std::iter::repeat_n(drop, 150).flatten().collect()
        }
    })
    .await;
    let asked = Instant::now();
    assert_eq!(look(&lookout, "www.dripping.test").await, unanswered("dripping"));
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn what_a_server_says_of_other_zones_is_nothing_to_us() {
    let (_stranger, lookout) = stranger("glue", |asked| {
        let mut answer = match asked.kind() {
            RecordType::A if asked.is_for("www.glue.test") => asked.answer(vec![
                cname("www.glue.test", "www.honest.test"),
                a("www.honest.test", "192.0.2.66"),
                txt("_moorage-challenge.www.honest.test", "stray"),
            ]),
            RecordType::A if asked.is_for("lent.glue.test") => asked.answer(vec![
                cname("lent.glue.test", "lent.honest.test"),
                cname("lent.honest.test", "stolen.dom.moorage.test"),
            ]),
            _ => asked.nothing("glue.test"),
        };
        answer.add_authorities([ns("honest.test", "glue.servers.test"), ns("test", "glue.servers.test")]);
        answer.add_additionals([
            a("ns1.servers.test", "192.0.2.66"),
            a("www.honest.test", "192.0.2.66"),
            aaaa("www.honest.test", "2001:db8::66"),
        ]);
        send(&answer)
    })
    .await;
    let seen_there = seen(look(&lookout, "www.glue.test").await);
    assert_eq!(seen_there.chain, ["www.honest.test"]);
    assert_eq!(seen_there.addresses, addresses(&["192.0.2.80"]));
    let lent = seen(look(&lookout, "lent.glue.test").await);
    assert_eq!(lent.chain, ["lent.honest.test", "lent.dom.moorage.test"]);
    let honest = seen(look(&lookout, "www.honest.test").await);
    assert_eq!((honest.addresses, honest.texts.len()), (addresses(&["192.0.2.80"]), 0));
}

#[tokio::test]
async fn delegations_end() {
    const HOST: &str = "l.k.j.i.h.g.f.e.d.c.b.a.referrals.test";
    let (stranger, lookout) = stranger("referrals", |asked| {
        // To a zone one label below, by the same server, which then says the same again; and upwards and aside.
        let depth = asked.before.min(12);
        let labels: Vec<&str> = HOST.split('.').collect();
        let below = labels[labels.len() - 3 - depth.min(labels.len() - 3)..].join(".");
        let mut answer = asked.answer(Vec::new());
        answer.metadata.authoritative = false;
        answer.add_authorities([ns(&below, "referrals.servers.test"), ns("test", "referrals.servers.test")]);
        send(&answer)
    })
    .await;
    let error = look(&lookout, HOST).await.unwrap_err();
    assert!(matches!(error, LookError::TooLong { .. } | LookError::Unanswered { .. }), "{error}");
    assert!(stranger.asked() < 200, "{}", stranger.asked());
}

#[tokio::test]
async fn guesses_at_an_answer_are_passed_over() {
    let (_stranger, lookout) = stranger("noise", |asked| {
        let mut acts = Vec::new();
        if asked.by == By::Udp {
            for step in 1..20 {
                let mut guess = asked.answer(vec![a("www.noise.test", "192.0.2.66")]);
                guess.metadata.id = guess.metadata.id.wrapping_add(step);
                acts.extend(send(&guess));
            }
        }
        acts.extend(send(&match asked.kind() {
            RecordType::A => asked.answer(vec![a("www.noise.test", "192.0.2.1")]),
            _ => asked.nothing("noise.test"),
        }));
        acts
    })
    .await;
    assert_eq!(seen(look(&lookout, "www.noise.test").await).addresses, addresses(&["192.0.2.1"]));
}

#[tokio::test]
async fn a_flood_of_guesses_is_left_for_another_way() {
    let (_stranger, lookout) = stranger("flood", |asked| {
        let honest = match asked.kind() {
            RecordType::A => asked.answer(vec![a("www.flood.test", "192.0.2.1")]),
            _ => asked.nothing("flood.test"),
        };
        match asked.by {
            By::Udp => std::iter::repeat_n(Act::Send(vec![1; 40]), 200).collect(),
            By::Tcp => send(&honest),
        }
    })
    .await;
    assert_eq!(seen(look(&lookout, "www.flood.test").await).addresses, addresses(&["192.0.2.1"]));
}

#[tokio::test]
async fn a_server_that_changes_its_mind_is_seen_as_it_is_then() {
    let (_stranger, lookout) = stranger("flips", |asked| {
        let is_host = asked.is_for("www.flips.test") && asked.kind() == RecordType::A;
        let address = format!("192.0.2.{}", asked.before % 2 + 1);
        send(&if is_host {
            asked.answer(vec![a("www.flips.test", &address)])
        } else {
            asked.nothing("flips.test")
        })
    })
    .await;
    for _ in 0..8 {
        let seen = seen(look(&lookout, "www.flips.test").await);
        let one_of = [addresses(&["192.0.2.1"]), addresses(&["192.0.2.2"])];
        assert!(one_of.contains(&seen.addresses), "never both: {seen:?}");
    }
}

#[tokio::test]
async fn records_that_change_within_a_look_are_looked_at_again() {
    let (_stranger, lookout) = stranger("shifty", |asked| {
        send(&match asked.kind() {
            RecordType::A => asked.answer(vec![a("www.shifty.test", "192.0.2.1")]),
            RecordType::AAAA => asked.answer(vec![cname("www.shifty.test", "elsewhere.shifty.test")]),
            _ => asked.nothing("shifty.test"),
        })
    })
    .await;
    let changing = LookError::Changing { name: "www.shifty.test".into() };
    assert_eq!(look(&lookout, "www.shifty.test").await, Err(changing));
}

#[tokio::test]
async fn a_server_that_reads_no_edns_is_asked_without() {
    let (_stranger, lookout) = stranger("oldtimer", |asked| {
        if asked.message.edns.is_some() {
            let mut refusal = asked.answer(Vec::new());
            refusal.metadata.response_code = ResponseCode::FormErr;
            refusal.edns = None;
            refusal.queries.clear();
            return send(&refusal);
        }
        send(&match asked.kind() {
            RecordType::A => asked.answer(vec![a("www.oldtimer.test", "192.0.2.1")]),
            _ => asked.nothing("oldtimer.test"),
        })
    })
    .await;
    assert_eq!(seen(look(&lookout, "www.oldtimer.test").await).addresses, addresses(&["192.0.2.1"]));
}

#[tokio::test]
async fn a_wildcard_that_is_made_up_as_it_is_asked_is_found() {
    let (_stranger, lookout) = stranger("dynamic", |asked| {
        let name = asked.query().name().to_ascii();
        let is_below = name.ends_with(".dynamic.test.") && !name.starts_with(['*', '_']);
        let alias = || asked.answer(vec![cname(name.trim_end_matches('.'), "d1.dom.moorage.test")]);
        send(&if is_below { alias() } else { asked.nothing("dynamic.test") })
    })
    .await;
    let seen = seen(look(&lookout, "*.dynamic.test").await);
    assert_eq!(seen.chain, ["d1.dom.moorage.test"]);
}

#[tokio::test]
async fn hearsay_is_not_believed() {
    let (_stranger, lookout) = stranger("hearsay", |asked| {
        let mut answer = asked.answer(vec![cname("www.hearsay.test", "x.dom.moorage.test")]);
        answer.metadata.authoritative = false;
        send(&answer)
    })
    .await;
    assert_eq!(look(&lookout, "www.hearsay.test").await, unanswered("hearsay"));
}

#[tokio::test]
async fn too_many_records_are_no_answer() {
    let (_stranger, lookout) = stranger("plenty", |asked| {
        let mut answer = asked.nothing("plenty.test");
        if asked.kind() == RecordType::TXT {
            match asked.by {
                By::Udp => answer.metadata.truncation = true,
                By::Tcp => {
                    let text = |at: u16| txt("_moorage-challenge.www.plenty.test", &at.to_string());
                    answer = asked.answer((0..1000).map(text).collect());
                }
            }
        }
        send(&answer)
    })
    .await;
    let seen = parts(&lookout, "www.plenty.test").await.unwrap();
    assert_eq!(seen.texts, Err(LookError::Unanswered { zone: "plenty.test".into() }));
    assert!(seen.target.is_ok() && seen.delegated.is_ok());
}

#[tokio::test]
async fn a_look_takes_few_questions() {
    let (stranger, lookout) = stranger("counting", |asked| {
        send(&match (asked.is_for("www.counting.test"), asked.is_for("host.counting.test"), asked.kind()) {
            (true, ..) => asked.answer(vec![cname("www.counting.test", "c1.dom.moorage.test")]),
            (_, true, RecordType::A) => asked.answer(vec![a("host.counting.test", "192.0.2.1")]),
            _ => {
                let mut nothing = asked.answer(Vec::new());
                nothing.add_authority(soa("counting.test"));
                nothing
            }
        })
    })
    .await;
    seen(look(&lookout, "www.counting.test").await);
    let (before, began) = (stranger.asked(), Instant::now());
    seen(look(&lookout, "www.counting.test").await);
    println!("an alias: {} questions in {:?}", stranger.asked() - before, began.elapsed());
    assert_eq!(stranger.asked() - before, 3, "the host, its challenge, and the delegation");
    seen(look(&lookout, "host.counting.test").await);
    let (before, began) = (stranger.asked(), Instant::now());
    seen(look(&lookout, "host.counting.test").await);
    println!("addresses: {} questions in {:?}", stranger.asked() - before, began.elapsed());
    assert_eq!(stranger.asked() - before, 4, "and the other kind of address");
}
